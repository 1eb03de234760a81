/** What is asked of the simulated driver in the environment, and what it tells. */
import { createRequire } from 'node:module';
import type { Koffi } from '../../runtime/platform/node/koffi.ts';
import { cudaEnvironment } from '../cuda-device.ts';

/** Does work while the environment has these variables: workers that are started meanwhile see them. */
export async function withEnvironment<T>(variables: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
/** The faults of calls, as `{ 'cuMemAlloc_v2:3': 2 }`: the third call gives the code 2. */
export const faultsOf = (faults: Readonly<Record<string, number>>): Readonly<Record<string, string>> => ({
  ATPC_CUDA_SIM_FAULTS: Object.entries(faults)
    .map(([call, code]) => `${call}=${code}`)
    .join(),
});

/** What the simulated driver of this process holds: allocations, modules, streams, events, graphs, contexts. */
export async function liveObjects(): Promise<string> {
  const { ATPC_CUDA_DRIVER: file = '' } = await cudaEnvironment();
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const describe = koffi.load(file).func('cuSimDescribeLive', 'int', ['void *', 'int']);
  const text = new Uint8Array(1024);
  const count = describe(text, text.length) as number;
  return count === 0 ? 'nothing' : new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
}
