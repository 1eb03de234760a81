/** Segments of attention kernels with random contents, and the keys of them that a query sees by the definition. */
import type { ClustersSegment, KeysSegment, RankedSegment, TokenRange } from '../../compiler/kernel/kernel.ts';
import { evaluateSize } from '../../ir/size.ts';
import type { Size } from '../../ir/size.ts';
import { dot, headsFirst, logSumExpOf, randomFloats, rowAt, rowsFirst, strides } from './attention-reference.ts';
import type { AttentionCase, Rows, Segment, SeenKey } from './attention-reference.ts';
import { randomStream } from './kernel-instance.ts';

export type Shape = Omit<AttentionCase, 'query' | 'segments'>;
export const shape: Shape = { batches: 2, heads: 6, keyHeads: 2, queries: 37, headSize: 32, valueSize: 32 };
const keyHeadOf = ({ heads, keyHeads }: Shape, head: number): number => Math.floor(head / (heads / keyHeads));
const inRange = (range: TokenRange | null, tokens: number): boolean =>
  range === null || (tokens >= (range.atLeast ?? 0) && tokens < (range.below ?? Infinity));

export interface KeysOptions {
  readonly keys: number;
  readonly key?: Rows;
  readonly value?: Rows;
  readonly bias?: Float32Array;
  readonly mask?: Int32Array;
  readonly causal?: boolean;
  readonly window?: number;
  readonly tokens?: { readonly range: TokenRange; readonly counts: readonly number[] };
}
export function keysSegment(of: Shape, query: Rows, options: KeysOptions, seed = 10): Segment {
  const { batches, keyHeads, headSize, valueSize, queries } = of;
  const { keys, bias, mask, causal = false, window = null, tokens } = options;
  const key = options.key ?? headsFirst(seed, batches, keyHeads, keys, headSize, 2);
  const value = options.value ?? headsFirst(seed + 1, batches, keyHeads, keys, valueSize);
  const kernel: KeysSegment = {
    kind: 'keys',
    bias: bias !== undefined,
    mask: mask !== undefined,
    causal,
    window,
    tokens: tokens?.range ?? null,
  };
  return {
    kernel,
    operands: [
      key.data,
      value.data,
      ...(bias ? [bias] : []),
      ...(mask ? [mask] : []),
      ...(tokens ? [Int32Array.from(tokens.counts)] : []),
    ],
    integers: [keys, ...strides(key), ...strides(value), ...(bias ? [keyHeads * keys, keys] : [])],
    keys(batch, head, i) {
      const group = keyHeadOf(of, head);
      const row = rowAt(query, batch, head, i, headSize);
      const seen: SeenKey[] = [];
      if (!inRange(kernel.tokens, tokens?.counts[batch] ?? 0)) return seen;
      for (let j = 0; j < keys; j++) {
        if (mask && mask[batch * keys + j] === 0) continue;
        if (causal && j > i + keys - queries) continue;
        if (window !== null && j <= i + keys - queries - window) continue;
        const score = dot(row, rowAt(key, batch, group, j, headSize)) / Math.sqrt(headSize);
        const extra = bias ? (bias[(batch * keyHeads + group) * keys + j] as number) : 0;
        seen.push({ score: score + extra, value: rowAt(value, batch, group, j, valueSize) });
      }
      return seen;
    },
  };
}
export function holes(seed: number, count: number, share: number): Int32Array {
  const next = randomStream(seed);
  return Int32Array.from({ length: count }, () => (next() * 0.5 + 0.5 < share ? 0 : 1));
}
/** Tokens of each cluster, for each batch row and key head; 0 is an unused cluster. The rows of a batch have equally many tokens. */
export function clusterSizes(seed: number): number[][] {
  const next = randomStream(seed);
  return [0, 0, 1, 1].map((batch) => {
    const sizes = Array.from({ length: 21 }, (_, j) => (j % 9 === 4 || j > 18 ? 0 : 1 + Math.floor((next() * 0.5 + 0.5) * 9)));
    sizes[0] = 1;
    sizes[18] = 0;
    const total = sizes.reduce((sum, size) => sum + size, 0);
    sizes[17] = (sizes[17] as number) + (batch === 0 ? 200 : 130) - total;
    return sizes;
  });
}

export interface ClustersOptions {
  readonly sizes: readonly (readonly number[])[];
  readonly expand: Size | { readonly most: number; readonly share: number | null } | null;
  readonly range?: TokenRange;
  /** Clusters that there is room for, beyond those in use. */
  readonly spare?: number;
  /** All clusters have the same mean key, mass and radius. */
  readonly equal?: boolean;
}
export function clusters(of: Shape, query: Rows, { sizes, expand, range, spare = 0, equal = false }: ClustersOptions): Segment {
  const { batches, keyHeads, headSize, valueSize } = of;
  const inUse = sizes[0]?.length ?? 0;
  const count = inUse + spare;
  const totals = sizes.map((of) => of.reduce((sum, size) => sum + size, 0));
  const keys = Math.max(...totals) + 3;
  const tokens = Int32Array.from({ length: batches }, (_, b) => totals[b * keyHeads] as number);
  const sortedKey = headsFirst(41, batches, keyHeads, keys, headSize, 2);
  const sortedValue = headsFirst(42, batches, keyHeads, keys, valueSize);
  const meanKey = headsFirst(43, batches, keyHeads, count, headSize, 2);
  const meanValue = headsFirst(44, batches, keyHeads, count, valueSize);
  const radius = randomFloats(45, batches * keyHeads * count).map((x) => 1 + x);
  // What lies beyond the clusters in use must not be seen.
  const padded = (values: readonly number[]): number[] => [...values, ...new Array<number>(spare).fill(2)];
  const logMass = Float32Array.from(sizes.flatMap((of) => padded(of.map(Math.log))));
  if (equal) {
    for (let row = 0; row < batches * keyHeads * count; row++) meanKey.data.copyWithin(row * headSize, 0, headSize);
    radius.fill(0.5);
    for (let j = 0; j < logMass.length; j++) if (logMass[j] !== -Infinity) logMass[j] = 1;
  }
  const offsets = Int32Array.from(
    sizes.flatMap((of) => padded(of.reduce<number[]>((ends, size) => [...ends, (ends.at(-1) as number) + size], [0]))),
  );
  const adaptive = expand !== null && typeof expand === 'object' && 'most' in expand ? expand : null;
  const byCount = expand === null || (typeof expand === 'object' && 'most' in expand) ? null : expand;
  const kernel: ClustersSegment = {
    kind: 'clusters',
    expand: adaptive ?? (byCount === null ? null : { count: byCount, tile: 1 }),
    tokens: range ?? null,
  };
  return {
    kernel,
    operands: [
      meanKey.data,
      meanValue.data,
      logMass,
      ...(expand === null ? [] : [radius, offsets, sortedKey.data, sortedValue.data]),
      ...(byCount !== null || range ? [tokens] : []),
    ],
    integers: [inUse, count, ...(expand === null ? [] : [keys])],
    keys(batch, head, i, before) {
      const tokenCount = tokens[batch] as number;
      if (!inRange(kernel.tokens, tokenCount)) return [];
      const group = keyHeadOf(of, head);
      const first = (batch * keyHeads + group) * count;
      const row = rowAt(query, batch, head, i, headSize);
      const scale = 1 / Math.sqrt(headSize);
      const own = Array.from({ length: inUse }, (_, j) => ({
        j,
        mass: logMass[first + j] as number,
        score: scale * dot(row, rowAt(meanKey, batch, group, j, headSize)) + (logMass[first + j] as number),
        spread: (scale ** 2 * dot(row, row) * (radius[first + j] as number)) / (2 * headSize),
      })).filter(({ mass }) => mass > -Infinity);
      const wanted = adaptive?.most ?? (byCount === null ? 0 : sizeOf(byCount, tokenCount));
      const best = [...own].sort((a, b) => (equal ? 0 : b.score + b.spread - a.score - a.spread) || a.j - b.j).slice(0, wanted);
      const estimates = own.map(({ score, spread }) => score + spread);
      const least = Math.log(adaptive?.share ?? 0) + logSumExpOf([...before.map(({ score }) => score), ...estimates]);
      const chosen = new Set(best.filter(({ score, spread }) => score + spread > least).map(({ j }) => j));
      return own.flatMap(({ j, score }) => {
        if (!chosen.has(j)) return [{ score, value: rowAt(meanValue, batch, group, j, valueSize) }];
        const start = (batch * keyHeads + group) * (count + 1) + j;
        return Array.from({ length: (offsets[start + 1] as number) - (offsets[start] as number) }, (_, t) => {
          const token = (offsets[start] as number) + t;
          return {
            score: scale * dot(row, rowAt(sortedKey, batch, group, token, headSize)),
            value: rowAt(sortedValue, batch, group, token, valueSize),
          };
        });
      });
    },
  };
}

export interface RankedOptions {
  readonly keys: number;
  readonly count: Size;
  readonly rest: boolean;
  readonly equal?: boolean;
}
export function ranked(of: Shape, query: Rows, { keys, count, rest, equal = false }: RankedOptions): Segment {
  const { batches, heads, keyHeads, headSize, valueSize, queries } = of;
  const projectedSize = 10;
  const projectedQuery = rowsFirst(51, batches, heads, queries, projectedSize, 2);
  const projectedKey = headsFirst(52, batches, keyHeads, keys, projectedSize, 3);
  if (equal) {
    const { data } = projectedKey;
    for (let row = 0; row < data.length / projectedSize; row++) data.copyWithin(row * projectedSize, 0, projectedSize);
  }
  const key = headsFirst(53, batches, keyHeads, keys, headSize, 2);
  const value = rowsFirst(54, batches, keyHeads, keys, valueSize, 1);
  const restValue = headsFirst(55, batches, keyHeads, 1, valueSize);
  const mask = holes(56, batches * keys, 0.2);
  const tokens = Int32Array.from({ length: batches }, (_, b) =>
    mask.subarray(b * keys, (b + 1) * keys).reduce((sum, x) => sum + x, 0),
  );
  const kernel: RankedSegment = { kind: 'ranked', projectedSize, count, rest, tokens: null };
  return {
    kernel,
    operands: [projectedQuery.data, projectedKey.data, key.data, value.data, mask, tokens, ...(rest ? [restValue.data] : [])],
    integers: [keys, ...strides(projectedQuery), ...strides(projectedKey), ...strides(key), ...strides(value)],
    keys(batch, head, i) {
      const group = keyHeadOf(of, head);
      const scale = 1 / Math.sqrt(headSize);
      const projected = rowAt(projectedQuery, batch, head, i, projectedSize);
      const order = Array.from({ length: keys }, (_, j) => j)
        .filter((j) => mask[batch * keys + j] !== 0)
        .map((j) => ({ j, score: scale * dot(projected, rowAt(projectedKey, batch, group, j, projectedSize)) }))
        .sort((a, b) => (equal ? 0 : b.score - a.score) || a.j - b.j);
      const wanted = sizeOf(count, tokens[batch] as number);
      const row = rowAt(query, batch, head, i, headSize);
      const seen: SeenKey[] = order.slice(0, wanted).map(({ j }) => ({
        score: scale * dot(row, rowAt(key, batch, group, j, headSize)),
        value: rowAt(value, batch, group, j, valueSize),
      }));
      const others = order.slice(wanted);
      if (!rest || others.length === 0) return seen;
      const most = Math.max(...others.map(({ score }) => score));
      const mass = most + Math.log(others.reduce((sum, { score }) => sum + Math.exp(score - most), 0));
      return [...seen, { score: mass, value: rowAt(restValue, batch, group, 0, valueSize) }];
    },
  };
}
function sizeOf(count: Size, tokens: number): number {
  return evaluateSize(count, { tokens });
}
