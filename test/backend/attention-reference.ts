/** Attention as kernels get it, and in plain float64 to compare them with. */
import type { AttentionKernel, AttentionKernelSegment } from '../../compiler/kernel/kernel.ts';
import { randomStream } from './kernel-instance.ts';

/** A tensor [batch, head, row, column] of which rows lie anywhere. */
export interface Rows {
  readonly data: Float32Array;
  readonly batchStride: number;
  readonly headStride: number;
  readonly rowStride: number;
}
export function rowAt(
  { data, batchStride, headStride, rowStride }: Rows,
  batch: number,
  head: number,
  row: number,
  size: number,
): Float32Array {
  const at = batch * batchStride + head * headStride + row * rowStride;
  return data.subarray(at, at + size);
}
export function randomFloats(seed: number, count: number, scale = 1): Float32Array {
  const next = randomStream(seed);
  return Float32Array.from({ length: count }, () => next() * scale);
}
/** [batch, head, row, column], as attention itself lays it out. */
export function headsFirst(seed: number, batch: number, heads: number, rows: number, size: number, scale = 1): Rows {
  const data = randomFloats(seed, batch * heads * rows * size, scale);
  return { data, batchStride: heads * rows * size, headStride: rows * size, rowStride: size };
}
/** [batch, row, head, column], as a projection leaves it, with `gap` more columns in each row. */
export function rowsFirst(seed: number, batch: number, heads: number, rows: number, size: number, gap = 0): Rows {
  const rowStride = heads * size + gap;
  return { data: randomFloats(seed, batch * rows * rowStride), batchStride: rows * rowStride, headStride: size, rowStride };
}
export function strides({ batchStride, headStride, rowStride }: Rows): number[] {
  return [batchStride, headStride, rowStride];
}

/** One key as a query sees it. */
export interface SeenKey {
  readonly score: number;
  readonly value: ArrayLike<number>;
}
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
/** Softmax over keys, in float64; zeros where there is none. */
export function attend(keys: readonly SeenKey[], valueSize: number): Float64Array {
  const result = new Float64Array(valueSize);
  const largest = Math.max(...keys.map(({ score }) => score));
  if (keys.length === 0 || largest === -Infinity) return result;
  let total = 0;
  for (const { score, value } of keys) {
    const weight = Math.exp(score - largest);
    if (weight === 0) continue;
    total += weight;
    for (let c = 0; c < valueSize; c++) result[c] = (result[c] as number) + weight * (value[c] as number);
  }
  return result.map((x) => x / total);
}

export interface Segment {
  readonly kernel: AttentionKernelSegment;
  /** In the order of kernel.ts. */
  readonly operands: readonly (Float32Array | Int32Array)[];
  readonly integers: readonly number[];
  /** The keys of this segment that a query sees, by the definition; `before` are those of the segments before it. */
  keys(batch: number, head: number, query: number, before: readonly SeenKey[]): readonly SeenKey[];
}
export interface AttentionCase {
  readonly batches: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly queries: number;
  readonly headSize: number;
  readonly valueSize: number;
  readonly query: Rows;
  readonly segments: readonly Segment[];
  readonly schedule?: AttentionKernel['schedule'];
  /** Take the way of few queries, where there is one. */
  readonly decodes?: boolean;
}
export interface AttentionResult {
  /** [batch, query, head, value]. */
  readonly result: Float32Array;
  /** [batch, head, query]. */
  readonly logSumExp: Float32Array;
}

/** A case as a kernel, with its operands and integers in the order of kernel.ts; the results are left out. */
export interface AttentionProblem {
  readonly kernel: AttentionKernel;
  readonly operands: readonly (Float32Array | Int32Array)[];
  readonly integers: readonly number[];
  /** Elements of the results. */
  readonly results: readonly number[];
  /** Those of kernel.ts. */
  readonly items: number;
}
export function attentionProblem(
  test: AttentionCase,
  schedule: AttentionKernel['schedule'],
  logSumExp: boolean,
): AttentionProblem {
  const { batches, heads, keyHeads, queries, headSize, valueSize, query, segments } = test;
  const width = heads * valueSize;
  const own = [batches, heads, keyHeads, queries, ...strides(query), queries * width, valueSize, width];
  const sumStrides = logSumExp ? [heads * queries, queries] : [];
  return {
    kernel: {
      kind: 'attention',
      headSize,
      valueSize,
      scale: 1 / Math.sqrt(headSize),
      segments: segments.map((segment) => segment.kernel),
      logSumExp,
      schedule,
    },
    operands: [query.data, ...segments.flatMap((segment) => segment.operands)],
    integers: [...own, ...sumStrides, ...segments.flatMap((segment) => segment.integers)],
    results: [batches * queries * width, ...(logSumExp ? [batches * heads * queries] : [])],
    items: batches * heads * Math.ceil(queries / schedule.queryTile),
  };
}

/** The keys that every query sees, for [batch][query][head] in this order. */
function* seenKeys({ batches, heads, queries, segments }: AttentionCase) {
  for (let batch = 0; batch < batches; batch++) {
    for (let query = 0; query < queries; query++) {
      for (let head = 0; head < heads; head++) {
        const keys: SeenKey[] = [];
        for (const segment of segments) keys.push(...segment.keys(batch, head, query, keys));
        yield { batch, query, head, keys };
      }
    }
  }
}
export function referenceAttention(test: AttentionCase): Float64Array {
  const { batches, heads, queries, valueSize } = test;
  const result = new Float64Array(batches * queries * heads * valueSize);
  for (const { batch, query, head, keys } of seenKeys(test)) {
    result.set(attend(keys, valueSize), ((batch * queries + query) * heads + head) * valueSize);
  }
  return result;
}
export function logSumExpOf(scores: readonly number[]): number {
  const largest = Math.max(...scores);
  if (largest === -Infinity) return -Infinity;
  return largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
}
export function referenceLogSumExp(test: AttentionCase): Float64Array {
  const { batches, heads, queries } = test;
  const result = new Float64Array(batches * heads * queries);
  for (const { batch, query, head, keys } of seenKeys(test)) {
    result[(batch * heads + head) * queries + query] = logSumExpOf(keys.map(({ score }) => score));
  }
  return result;
}
export function largestError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < found.length; i++) {
    const error = Math.abs((found[i] as number) - (expected[i] as number));
    if (!(error <= largest)) largest = Number.isNaN(error) ? Infinity : error;
  }
  return largest;
}
