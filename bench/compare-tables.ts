/** What was measured, as tables of text. */
import { formatMilliseconds } from '../compiler/cli/terminal.ts';
import type { ComparedCase, Comparison } from './compare-peers.ts';
import type { KernelRates } from './kernel-rates.ts';
import { peerNames, peers, type PeerName } from './peers.ts';

export type Rows = readonly (readonly string[])[];

const rivals = peerNames.flatMap((peer) => {
  const { against } = peers[peer];
  return against === null ? [] : [{ peer, against }];
});
const threadsOf = ({ cases }: Comparison): readonly number[] => [
  ...new Set(cases.flatMap(({ times }) => times.map(({ threads }) => threads))),
];
const timeOf = ({ times }: ComparedCase, peer: PeerName, threads: number) =>
  times.find((time) => time.peer === peer && time.threads === threads);
const median = (one: ComparedCase, peer: PeerName, threads: number): number =>
  timeOf(one, peer, threads)?.milliseconds.median ?? NaN;
const ratio = (value: number): string => `${value.toFixed(2)}x`;

/** Median and range of every peer, and how many times as long as the package of its kind the others take. */
export function timesTable(comparison: Comparison): Rows {
  const head = [
    ...['tokens', 'batch', 'threads'],
    ...peerNames.map((peer) => `${peers[peer].label}, ms`),
    ...rivals.map(({ peer, against }) => `${peers[peer].label.split(' ')[0]} / ${peers[against].label}`),
  ];
  const rows = comparison.cases.flatMap((one) =>
    threadsOf(comparison).map((threads) => [
      ...[one.tokens, one.batch, threads].map(String),
      ...peerNames.map((peer) => {
        const spread = timeOf(one, peer, threads)?.milliseconds;
        if (spread === undefined) return '-';
        const [middle, least, most] = [spread.median, spread.min, spread.max].map(formatMilliseconds);
        return `${middle} (${least} to ${most})`;
      }),
      ...rivals.map(({ peer, against }) => ratio(median(one, peer, threads) / median(one, against, threads))),
    ]),
  );
  return [head, ...rows];
}

/** What more threads than one give each peer, and how many cores it kept busy with them; null for one number of threads. */
export function threadsTable(comparison: Comparison): Rows | null {
  const [fewest, ...more] = [...threadsOf(comparison)].sort((a, b) => a - b);
  if (fewest === undefined || more.length === 0) return null;
  const head = [
    ...['tokens', 'batch', 'threads'],
    ...peerNames.flatMap((peer) => [`${peers[peer].label}, speed-up`, 'cores busy']),
  ];
  const rows = comparison.cases.flatMap((one) =>
    more.map((threads) => [
      ...[one.tokens, one.batch].map(String),
      `${threads} over ${fewest}`,
      ...peerNames.flatMap((peer) => [
        ratio(median(one, peer, fewest) / median(one, peer, threads)),
        (timeOf(one, peer, threads)?.coresBusy ?? NaN).toFixed(2),
      ]),
    ]),
  );
  return [head, ...rows];
}

/**
 * What peers with one thread had of a core, at least and at most; null where none has one thread. Well below 1, other
 * programs took the rest, and times and speed-ups are not those of this machine.
 */
export function coreOfOneThread({ cases }: Comparison): readonly [least: number, most: number] | null {
  const busy = cases.flatMap(({ times }) => times.filter(({ threads }) => threads === 1).map(({ coresBusy }) => coresBusy));
  return busy.length === 0 ? null : [Math.min(...busy), Math.max(...busy)];
}
/** Less than this of a core, and a measurement is said to be disturbed. */
export const enoughOfACore = 0.9;

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

/** Products and attention beside the limit of the cores that computed them. */
export function ratesTable({ rates }: KernelRates): Rows {
  const head = ['backend', 'kernels', 'head size', 'tokens', 'threads', 'GFLOP/s', '% of SIMD limit', 'slowest kernel'];
  const rows = rates.map(({ backend, kind, headSize, tokens, threads, gflopsPerSecond, shareOfLimit, leastShareOfLimit }) => [
    backend,
    kind,
    ...[headSize, tokens, threads].map(String),
    ...[gflopsPerSecond.toFixed(1), percent(shareOfLimit), percent(leastShareOfLimit)],
  ]);
  return [head, ...rows];
}

/** `66.9 GFLOP/s of multiplies and adds, 67.1 fused, on wasm; 270.1 on native`: the fastest of all measurements. */
export function limitWords({ limits }: KernelRates): string {
  const most = (rates: readonly number[]): string => Math.max(...rates).toFixed(1);
  const wasm = limits.flatMap((limit) => ('plain' in limit ? [limit] : []));
  const native = limits.flatMap((limit) => ('native' in limit ? [limit.native] : []));
  const fused = wasm.flatMap(({ relaxed }) => relaxed ?? []);
  const words = fused.length === 0 ? 'no fused ones here' : `${most(fused)} fused`;
  return `${most(wasm.map(({ plain }) => plain))} GFLOP/s of multiplies and adds, ${words}, on wasm${native.length === 0 ? '' : `; ${most(native)} on native`}`;
}
