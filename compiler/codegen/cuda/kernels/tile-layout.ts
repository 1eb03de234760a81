/**
 * A tile of rows of 16-bit elements in shared memory, in chunks of eight: 16 bytes, which is what ldmatrix reads a row of a matrix as
 * and cp.async copies. ldmatrix reads a chunk of each of eight rows at once, and shared memory gives 128 bytes at once, all from
 * different banks (CUDA C++ Programming Guide, compute capability 8.x, shared memory): so the chunks of a row are exchanged by
 * an exclusive or with some bits of its number.
 */
export interface TileLayout {
  /** Chunks of a row: 2, 4 or 8. */
  readonly chunks: number;
  /** The number of a row has as many bits that say where in 128 bytes it begins. */
  readonly shift: number;
}
const chunkElements = 8;
/** Rows of `depth` elements: 16, 32, or a multiple of 64, of which each 64 are exchanged among themselves. */
export function tileLayout(depth: number): TileLayout {
  const chunks = depth / chunkElements;
  const exchanged = Math.min(8, chunks);
  if (![2, 4, 8].includes(exchanged) || chunks % exchanged !== 0)
    throw new RangeError(`A tile of ${depth} elements a row has no layout.`);
  return { chunks, shift: Math.log2(8 / exchanged) };
}
/** Where a chunk of a row lies in the tile, in chunks. */
export function chunkPlace({ chunks, shift }: TileLayout, row: number, chunk: number): number {
  return row * chunks + (chunk ^ ((row >> shift) & (Math.min(8, chunks) - 1)));
}
/** The same as an expression. */
export function chunkPlaceText({ chunks, shift }: TileLayout, row: string, chunk: string): string {
  return `${row} * ${chunks} + (${chunk} ^ ${chunkExchangeText({ chunks, shift }, row)})`;
}
/** What the chunks of a row are exchanged by. */
export function chunkExchangeText({ chunks, shift }: TileLayout, row: string): string {
  return `(${shift === 0 ? row : `(${row} >> ${shift})`} & ${Math.min(8, chunks) - 1})`;
}
