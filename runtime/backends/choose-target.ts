import type { AtpcError } from '../errors.ts';
import type { TargetName } from '../format/manifest.ts';
import type { Program } from '../format/program.ts';
import type { Backend } from './backend.ts';
import { chooseFaster, type Choice } from './choose-backend.ts';

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

/** What `auto` takes in packages for several targets: the only one that works here, or the faster. */
export async function chooseTarget({ programs, refused, start, signal }: TargetChoice): Promise<Choice<TargetName>> {
  // The device first: where there is none, nothing has to be timed.
  const [first, other] = [...programs]
    .sort(([a], [b]) => Number(b === 'webgpu') - Number(a === 'webgpu'))
    .map(([name, program]) => ({ name, program, start: (probe: Program) => start(name, probe) }));
  if (!first) throw new RangeError('There is no target.');
  if (other) return chooseFaster(first, other, signal);
  return { name: first.name, why: refused.map(({ name, error }) => `${name} cannot be had here: ${error.message}`).join(' ') };
}
