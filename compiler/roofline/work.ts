/** Work of one dispatch, by the unit of a multiprocessor that does it. */
export interface KernelWork {
  /** Multiply-adds of products (two each), which tensor cores can do where the precision is that of halves. */
  readonly productFlops: number;
  /** Other sums, products and comparisons in f32. */
  readonly scalarFlops: number;
  /** exp, log, roots and reciprocals. */
  readonly specialFlops: number;
  /** Every operand once. */
  readonly readBytes: number;
  /** What thread blocks read of them beyond that, each for its own tile: it comes from the cache of the device. */
  readonly rereadBytes: number;
  readonly writtenBytes: number;
  /** The share of the tiles that hold something, above 0 and at most 1: the rest of a tile is computed for nothing. */
  readonly tileFill: number;
}
export const noWork: KernelWork = {
  productFlops: 0,
  scalarFlops: 0,
  specialFlops: 0,
  readBytes: 0,
  rereadBytes: 0,
  writtenBytes: 0,
  tileFill: 1,
};

export const flopsOf = ({ productFlops, scalarFlops, specialFlops }: KernelWork): number =>
  productFlops + scalarFlops + specialFlops;
export const bytesOf = ({ readBytes, writtenBytes }: KernelWork): number => readBytes + writtenBytes;

/** Both, in one kernel. */
export function addWork(a: KernelWork, b: KernelWork): KernelWork {
  return {
    productFlops: a.productFlops + b.productFlops,
    scalarFlops: a.scalarFlops + b.scalarFlops,
    specialFlops: a.specialFlops + b.specialFlops,
    readBytes: a.readBytes + b.readBytes,
    rereadBytes: a.rereadBytes + b.rereadBytes,
    writtenBytes: a.writtenBytes + b.writtenBytes,
    tileFill: Math.min(a.tileFill, b.tileFill),
  };
}
