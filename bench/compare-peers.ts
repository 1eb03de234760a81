/**
 * The same model and the same inputs through every peer. Each peer has a process of its own for each number of threads, all of
 * them are stopped but one, and they take turns (A B C A B C ...), so that whatever else slows the machine slows all alike.
 * Nothing is timed before all outputs of a case agree.
 */
import { fileURLToPath } from 'node:url';
import { spreadOf, type Spread } from '../compiler/cli/measure.ts';
import { BenchError } from './model-files.ts';
import { PeerProcess } from './peer-process.ts';
import type { Requests, RunnerSettings } from './peer-runner.ts';
import { peerNames, peers, type ModelFiles, type PeerName, type TokenInputs } from './peers.ts';

export interface PeerTime {
  readonly peer: PeerName;
  readonly threads: number;
  readonly milliseconds: Spread;
  readonly runs: number;
  /** Processor time over time: near `threads`, or the peer has fewer than it was given. */
  readonly coresBusy: number;
}
export interface ComparedCase {
  readonly tokens: number;
  readonly batch: number;
  /** Largest difference between the outputs of any runner and those of the first one. */
  readonly largestDifference: number;
  readonly times: readonly PeerTime[];
}
export interface Comparison {
  readonly versions: { readonly [K in PeerName]: string };
  readonly cases: readonly ComparedCase[];
}
export interface Extent {
  readonly tokens: readonly number[];
  readonly batch: readonly number[];
  readonly threads: readonly number[];
}

/** Hidden states are of the order of 1, and sums of f32 in another order differ by about 1e-6 of that. */
export const agreement = 1e-4;
// A turn of short runs lasts long enough that the caches, which others have filled, are no large part of it.
const turnMilliseconds = 120;
const warmUpMilliseconds = 1000;
const caseMilliseconds = 12_000;
const fewestRounds = 3;
const mostRounds = 15;
const vocabulary = 30_522;

type Runner = PeerProcess<RunnerSettings, Requests>;
function startRunner(settings: RunnerSettings): Promise<Runner> {
  const who = `${peers[settings.peer].label} with ${settings.threads} threads`;
  return PeerProcess.start(fileURLToPath(new URL('./peer-runner.ts', import.meta.url)), who, settings);
}

/** Token ids from a fixed linear congruential generator: the same on every machine. */
function tokenInputs(batch: number, tokens: number): TokenInputs {
  let state = 1;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  return { batch, tokens, ids: Int32Array.from({ length: batch * tokens }, () => Math.floor((next() / 2 ** 32) * vocabulary)) };
}

/** Infinity where the lengths differ or a number is none. */
export function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let index = 0; index < a.length; index += 1) {
    const difference = Math.abs((a[index] as number) - (b[index] as number));
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  }
  return largest;
}

interface FirstRuns {
  readonly largestDifference: number;
  /** Of each runner. */
  readonly milliseconds: readonly number[];
}
/** Throws BenchError where the outputs of a runner are not those of the first one. */
async function firstRuns(runners: readonly Runner[], inputs: TokenInputs): Promise<FirstRuns> {
  let reference: Float32Array | undefined;
  const times: number[] = [];
  let largest = 0;
  for (const runner of runners) {
    const { output, milliseconds } = await runner.ask('prepare', inputs);
    times.push(milliseconds);
    reference ??= output;
    const difference = largestDifference(output, reference);
    if (difference > agreement) {
      const [first, other] = [runners[0], runner].map((one) => peers[one?.settings.peer ?? 'wasm'].label);
      const where = `${inputs.tokens} tokens, batch ${inputs.batch}`;
      throw new BenchError(
        `${first} and ${other} differ by ${difference} at ${where}, more than ${agreement}: nothing is timed.`,
      );
    }
    largest = Math.max(largest, difference);
  }
  return { largestDifference: largest, milliseconds: times };
}

async function compareCase(runners: readonly Runner[], batch: number, tokens: number): Promise<ComparedCase> {
  const first = await firstRuns(runners, tokenInputs(batch, tokens));
  const lanes: { runner: Runner; perTurn: number; milliseconds: number[]; coresBusy: number[] }[] = [];
  for (const [index, runner] of runners.entries()) {
    // Engines and thread pools reach their speed after a while; the last run says how many make a turn.
    let last = first.milliseconds[index] ?? 0;
    for (let spent = last; spent < warmUpMilliseconds; spent += last) {
      last = (await runner.ask('time', { untimed: 0, runs: 1 })).milliseconds[0] ?? warmUpMilliseconds;
    }
    lanes.push({ runner, perTurn: Math.max(1, Math.ceil(turnMilliseconds / last)), milliseconds: [], coresBusy: [] });
  }
  const began = performance.now();
  const wanted = (round: number): boolean =>
    round < fewestRounds || (round < mostRounds && performance.now() - began < caseMilliseconds);
  for (let round = 0; wanted(round); round += 1) {
    for (const { runner, perTurn, milliseconds, coresBusy } of lanes) {
      const times = await runner.ask('time', { untimed: perTurn > 1 ? 1 : 0, runs: perTurn });
      milliseconds.push(...times.milliseconds);
      coresBusy.push(times.coresBusy);
    }
  }
  const times = lanes.map(({ runner: { settings }, milliseconds, coresBusy }) => ({
    peer: settings.peer,
    threads: settings.threads,
    milliseconds: spreadOf(milliseconds),
    runs: milliseconds.length,
    coresBusy: spreadOf(coresBusy).median,
  }));
  return { tokens, batch, largestDifference: first.largestDifference, times };
}

/** Throws BenchError where outputs differ. */
export async function comparePeers(
  files: ModelFiles,
  { tokens, batch, threads }: Extent,
  progress: (text: string) => void,
): Promise<Comparison> {
  const runners: Runner[] = [];
  try {
    for (const count of threads) {
      for (const peer of peerNames) {
        progress(`loading: ${peers[peer].label}, ${count} threads`);
        runners.push(await startRunner({ peer, threads: count, files }));
      }
    }
    const version = (peer: PeerName): string => runners.find(({ settings }) => settings.peer === peer)?.version ?? 'unknown';
    const versions = Object.fromEntries(peerNames.map((peer) => [peer, version(peer)])) as Comparison['versions'];
    const cases: ComparedCase[] = [];
    for (const length of tokens) {
      for (const count of batch) {
        progress(`timing: ${length} tokens, batch ${count}`);
        cases.push(await compareCase(runners, count, length));
      }
    }
    return { versions, cases };
  } finally {
    runners.forEach((runner) => runner.end());
  }
}
