/** What the references of all caches share: rows of heads, and softmax over a list of them. */
import type { Tensor, TensorData } from '../ops/definition.ts';
import type { CachedCall } from './attend.ts';

/** The rows of one head of a tensor [1, heads, rows, size]. */
export function headRow({ shape, data }: Tensor, head: number, row: number): TensorData {
  const [, , rows, size] = shape as readonly [number, number, number, number];
  const start = (head * rows + row) * size;
  return data.subarray(start, start + size);
}
/** The entry of one head in a tensor [1, heads, rows]. */
export function headIndex({ shape }: Tensor, head: number, row: number): number {
  return head * (shape[2] as number) + row;
}
export function dot(a: TensorData, b: TensorData): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
/** Copies the key and the value of the call's token `token` into a row of a cache. */
export function writeToken(
  { key, value }: CachedCall,
  head: number,
  token: number,
  keys: Tensor,
  values: Tensor,
  row: number,
): void {
  headRow(keys, head, row).set(headRow(key, head, token));
  headRow(values, head, row).set(headRow(value, head, token));
}

/** Something that a query attends to: its score, and its value. */
export interface Attended {
  readonly score: number;
  readonly value: TensorData;
}
export function logSumExp(scores: readonly number[]): number {
  const largest = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  if (largest === -Infinity) return -Infinity;
  return largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
}
/** result = sum of softmax(scores) value; gives the weights. */
export function attendTo(attended: readonly Attended[], result: TensorData): readonly number[] {
  const total = logSumExp(attended.map(({ score }) => score));
  const sums = new Float64Array(result.length);
  const weights = attended.map(({ score }) => (total === -Infinity ? 0 : Math.exp(score - total)));
  attended.forEach(({ value }, index) => {
    const weight = weights[index] as number;
    for (let i = 0; i < sums.length; i += 1) sums[i] = (sums[i] as number) + weight * (value[i] as number);
  });
  result.set(sums);
  return weights;
}

/** Every query head of the call, with the KV head that it reads. */
export function queryHeads({ query, key }: CachedCall): readonly { readonly head: number; readonly kvHead: number }[] {
  const [heads, kvHeads] = [query.shape[1] as number, key.shape[1] as number];
  return Array.from({ length: heads }, (_, head) => ({ head, kvHead: Math.floor((head * kvHeads) / heads) }));
}

/** One piece of a block: tokens [start, end) of the sequence, inside the block that begins at `blockStart`. */
export interface BlockPiece {
  readonly blockStart: number;
  readonly start: number;
  readonly end: number;
}
/** A call cut at the multiples of `block`. */
export function blockPieces(block: number, { past, query }: CachedCall): readonly BlockPiece[] {
  const total = past + (query.shape[2] as number);
  const pieces: BlockPiece[] = [];
  for (let start = past; start < total;) {
    const blockStart = Math.floor(start / block) * block;
    const end = Math.min(total, blockStart + block);
    pieces.push({ blockStart, start, end });
    start = end;
  }
  return pieces;
}
