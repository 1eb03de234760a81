import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compilePtx, compilerOptions, virtualArchitecture } from '../../compiler/codegen/cuda/compile-ptx.ts';
import { findCompilers } from '../../compiler/codegen/cuda/find-compilers.ts';
import { cudaTarget, type Precision } from '../../compiler/codegen/cuda/target.ts';
import type { TargetFile } from '../../compiler/codegen/target.ts';
import { leaseContext } from '../../runtime/backends/cuda/context.ts';
import { chooseDevice } from '../../runtime/backends/cuda/devices.ts';
import { openCudaDriver, type CudaDriver } from '../../runtime/backends/cuda/driver.ts';
import { CudaExecutor } from '../../runtime/backends/cuda/executor.ts';
import { formatVersion, readPtx } from '../../runtime/backends/cuda/ptx.ts';
import type { Program } from '../../runtime/format/program.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaEnvironment, cudaIsThere, simulateModules } from '../cuda-device.ts';
import type { Backend, BackendProgram } from './conformance.ts';
import { writeTensors } from './write-tensors.ts';

const cache = fileURLToPath(new URL('../../.cache/cuda-sim/ptx/', import.meta.url));

let driver: Promise<CudaDriver> | undefined;
/** The driver of this thread: the simulated one, or the machine's own. */
export function testDriver(): Promise<CudaDriver> {
  driver ??= cudaEnvironment().then((environment) => {
    Object.assign(process.env, environment);
    return openCudaDriver();
  });
  return driver;
}

let found: ReturnType<typeof findCompilers> | undefined;

/** The PTX of kernels from the compiler of the newest CUDA that the driver takes. What was compiled before is taken from .cache. */
export async function ptxFor(source: string): Promise<string> {
  const version = (await testDriver()).version();
  const { compilers } = await (found ??= findCompilers());
  const compiler = compilers.find(({ version: { major, minor } }) => 1000 * major + 10 * minor <= version);
  if (!compiler) throw new Error(`No compiler writes PTX for CUDA ${formatVersion(version)}.`);
  const { kind, version: own } = compiler;
  const key = createHash('sha256')
    .update([kind, own.major, own.minor, compilerOptions(virtualArchitecture), source].join('\n'))
    .digest('hex');
  const file = path.join(cache, `${key}.ptx`);
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const { files } = await compilePtx(source, { compilers: { compilers: [compiler], unusable: [] } });
  const content = files[0]?.content;
  if (typeof content !== 'string') throw new TypeError('The compiler gave no text.');
  mkdirSync(cache, { recursive: true });
  writeFileSync(file, content);
  return content;
}

const executors = new Set<CudaExecutor>();
/** Frees what the tests so far have made: unlike a garbage collector's, memory of a device comes back only when it is given back. */
export async function disposeExecutors(): Promise<void> {
  for (const executor of executors) await executor.dispose();
  executors.clear();
}

/** A program on the device that all tests share. */
export async function instantiateOnCuda(
  program: Program,
  files: readonly TargetFile[],
  tensor: (name: string) => Promise<Float32Array | Uint8Array>,
): Promise<BackendProgram & { readonly executor: CudaExecutor }> {
  const source = files.find(({ path: name }) => name === 'kernels.cu')?.content;
  if (typeof source !== 'string') throw new TypeError('The target gave no text.');
  const [driver, ptx] = [await testDriver(), await ptxFor(source)];
  await simulateModules(source, [ptx]);
  const text = readPtx(new TextEncoder().encode(ptx));
  const { device } = chooseDevice(driver, text.capability);
  const executor = await CudaExecutor.create(driver, leaseContext(driver, device), program, text);
  executors.add(executor);
  await writeTensors(executor, program, tensor);
  return {
    executor,
    run: (dims, inputs, call) =>
      executor.run({ ...call, dims, tensors: Object.entries(inputs).map(([name, data]) => ({ name, data })) }),
    openState: () => executor.openState(),
    closeState: (state) => executor.closeState(state),
    async readState(state, name) {
      const buffer = program.buffers.find((candidate) => candidate.class === 'state' && candidate.name.endsWith(name));
      if (buffer?.slot === undefined) throw new RangeError(`The program has no state '${name}'.`);
      const bytes = await executor.stateBytes(state);
      const begin = executor.stateOffset(buffer.slot) + Number(buffer.offset);
      const place = [bytes.buffer, begin, Number(buffer.bytes) / 4] as const;
      return buffer.elementType === 'i32' ? new Int32Array(...place) : new Float32Array(...place);
    },
    get memoryBytes() {
      return executor.memoryBytes;
    },
  };
}

export function cudaBackend(precision: Precision = 'f32'): Backend {
  return {
    name: precision === 'f32' ? 'cuda' : `cuda in ${precision}`,
    target: cudaTarget(precision),
    build: [],
    refuses: { ops: ['principal_rows'], modes: ['svd'] },
    needs: { requirement: 'cuda', isThere: () => cudaIsThere() && cudaCompilersAreThere() },
    instantiate: instantiateOnCuda,
  };
}
