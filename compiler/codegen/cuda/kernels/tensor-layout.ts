import type { AttentionKernel, AttentionKernelSegment } from '../../../kernel/kernel.ts';

/** What the two sides of products are rounded to. */
export type Multiply = NonNullable<AttentionKernel['schedule']['multiply']>;

/** Rows of queries of one mma, and keys of one step of P V: mma.m16n8k16 (PTX ISA, section 9.7.15.5). */
export const mmaRows = 16;
const mmaDepth = 16;
const warp = 32;
/** Wider values leave no registers for those of the next tile beside their sums. */
const widestAhead = 96;

/** How the warps of a thread block share out a tile of queries and a tile of keys. */
export interface TensorLayout {
  readonly multiply: Multiply;
  readonly queryTile: number;
  readonly keyTile: number;
  readonly threads: number;
  /** Warps with rows of their own, and warps that have the same rows and share out the keys. */
  readonly rowWarps: number;
  readonly keyWarps: number;
  /** Keys of a tile that one warp has. */
  readonly warpKeys: number;
  /** Whether the next tile waits in registers while one is multiplied by: where they are not needed to choose keys by. */
  readonly isAhead: boolean;
  readonly valuesAhead: boolean;
  /** Rows of keys and values as they lie in shared memory, zeros at the end. */
  readonly paddedHead: number;
  readonly paddedValue: number;
  /** Columns of values, eight at a time. */
  readonly valueBlocks: number;
}

/** Columns of a row as it lies in shared memory. */
export function paddedSize(size: number): number {
  return Math.ceil(size / mmaDepth) * mmaDepth;
}
/** Whether the queries choose what they read of a segment. */
export function choosesKeys(segment: AttentionKernelSegment): boolean {
  return segment.kind === 'ranked' || (segment.kind === 'clusters' && segment.expand !== null);
}

/** Throws a RangeError for a schedule whose tiles are not whole multiples of what its warps multiply. */
export function tensorLayout({ headSize, valueSize, segments, schedule }: AttentionKernel): TensorLayout {
  const { queryTile, keyTile, threads = 0, multiply } = schedule;
  const rowWarps = queryTile / mmaRows;
  const keyWarps = threads / warp / rowWarps;
  const warpKeys = keyTile / keyWarps;
  // The results of warps that share rows are added up where values were.
  const areMerged = keyWarps === 1 || keyTile >= 2 * queryTile;
  const isWhole = [rowWarps, keyWarps, warpKeys / mmaDepth, 8 / keyWarps].every((x) => Number.isInteger(x) && x > 0);
  if (multiply === undefined || !isWhole || !areMerged)
    throw new RangeError(`The schedule ${JSON.stringify(schedule)} is not one of tensor cores.`);
  const [paddedHead, paddedValue] = [paddedSize(headSize), paddedSize(valueSize)];
  const valueBlocks = paddedValue / 8;
  const isAhead = keyWarps === 1 && !segments.some(choosesKeys);
  const valuesAhead = isAhead && paddedValue <= widestAhead;
  return {
    isAhead,
    valuesAhead,
    multiply,
    queryTile,
    keyTile,
    threads,
    rowWarps,
    keyWarps,
    warpKeys,
    paddedHead,
    paddedValue,
    valueBlocks,
  };
}
