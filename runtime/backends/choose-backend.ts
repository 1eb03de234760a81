import { AtpcError } from '../errors.ts';
import { hasState } from '../format/program.ts';
import type { Backend } from './backend.ts';
import { probeOf, roundsDim, type Probe } from './probe-program.ts';
import type { Program } from '../format/program.ts';

export interface Candidate<Name extends string> {
  readonly name: Name;
  readonly program: Program;
  /** A backend with this program and the kernels of the package, and no weights. Rejects where it cannot be had here. */
  readonly start: (program: Program) => Promise<Backend>;
}
export interface Choice<Name extends string> {
  readonly name: Name;
  readonly why: string;
}

// Long enough that what a call costs beside its dispatches counts little.
const roundsMilliseconds = 8;
const mostRounds = 1024;
const [repetitions, longMilliseconds] = [3, 100];

/**
 * Times a few dispatches of a package on each of its backends and takes the fastest of those that are to be had here; the last one
 * untimed where none before it is, which may be whatever it says. Rejects with what is no refusal, and when it is aborted.
 */
export async function chooseFastest<Name extends string>(
  candidates: readonly Candidate<Name>[],
  signal: AbortSignal | undefined,
): Promise<Choice<Name>> {
  const timed: { readonly name: Name; readonly milliseconds: number; readonly probe: Probe }[] = [];
  const refused: string[] = [];
  for (const [index, candidate] of candidates.entries()) {
    if (index === candidates.length - 1 && timed.length === 0) return { name: candidate.name, why: refused.join(' ') };
    const probe = probeOf(candidate.program);
    try {
      timed.push({ name: candidate.name, milliseconds: await timeOf(candidate, probe, signal), probe });
    } catch (error) {
      if (!(error instanceof AtpcError) || signal?.aborted) throw error;
      refused.push(`${candidate.name} cannot be had here: ${error.message}`);
    }
  }
  const [best, ...others] = timed.sort((a, b) => a.milliseconds - b.milliseconds);
  if (!best) throw new RangeError('There is no backend to choose from.');
  if (others.length === 0) return { name: best.name, why: refused.join(' ') };
  const text = (milliseconds: number): string => `${milliseconds.toPrecision(3)} ms`;
  const why = [
    `the ${others.length > 1 ? 'fastest' : 'faster'}: ${text(best.milliseconds)} for ${best.probe.what}`,
    ...others.map(({ name, milliseconds }) => `${name}: ${text(milliseconds)}`),
    ...refused,
  ];
  return { name: best.name, why: why.join('; ') };
}

/** Milliseconds of the dispatches, the least of several repetitions: other work of the machine makes them only longer. */
async function timeOf(candidate: Candidate<string>, probe: Probe, signal: AbortSignal | undefined): Promise<number> {
  const backend = await candidate.start(probe.program);
  try {
    const state = hasState(probe.program) ? { state: await backend.openState() } : {};
    const time = async (rounds: number): Promise<number> => {
      const began = performance.now();
      await backend.run({ entry: probe.entry, ...state, dims: { ...probe.dims, [roundsDim]: rounds }, tensors: [] }, signal);
      return performance.now() - began;
    };
    // The first run makes what later ones use again.
    await time(1);
    let rounds = 1;
    let milliseconds = await time(rounds);
    while (milliseconds < roundsMilliseconds && rounds < mostRounds) {
      rounds *= 4;
      milliseconds = await time(rounds);
    }
    // What is slow is not measured again for the sake of a few percent.
    for (let repetition = 1; repetition < repetitions && milliseconds < longMilliseconds; repetition++)
      milliseconds = Math.min(milliseconds, await time(rounds));
    return milliseconds / rounds;
  } finally {
    await backend.dispose();
  }
}
