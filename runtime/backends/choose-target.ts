import type { AtpcError } from '../errors.ts';
import type { TargetName } from '../format/manifest.ts';
import type { Program } from '../format/program.ts';
import type { Backend } from './backend.ts';
import { chooseFastest, type Choice } from './choose-backend.ts';

export interface RefusedTarget {
  readonly name: TargetName;
  readonly error: AtpcError;
}
export interface TargetChoice {
  /** The programs of the targets that this host may run; at least one. */
  readonly programs: ReadonlyMap<TargetName, Program>;
  /** What is not to be had here. */
  readonly refused: readonly RefusedTarget[];
  /** A backend with a program for a target and the kernels of the package, and no weights. */
  readonly start: (name: TargetName, program: Program) => Promise<Backend>;
  readonly signal: AbortSignal | undefined;
}

/** WebAssembly last, which runs everywhere: where there is nothing else, nothing has to be timed. */
const order: readonly TargetName[] = ['cuda', 'webgpu', 'native', 'wasm'];

/** What `auto` takes in packages for several targets: the only one that works here, or the fastest. */
export async function chooseTarget({ programs, refused, start, signal }: TargetChoice): Promise<Choice<TargetName>> {
  const candidates = [...programs]
    .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .map(([name, program]) => ({ name, program, start: (probe: Program) => start(name, probe) }));
  const reasons = refused.map(({ name, error }) => `${name} cannot be had here: ${error.message}`);
  const { name, why } = await chooseFastest(candidates, signal);
  return { name, why: [why, ...reasons].filter((reason) => reason !== '').join(' ') };
}
