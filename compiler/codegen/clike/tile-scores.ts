/** Products of one row of a thread's own with each of a few rows that all threads share. */
import type { KernelBuilder } from './kernel-builder.ts';
import type { RowFormat } from './row-format.ts';

/** Floats of a tile of rows: half of the workgroup memory that every WebGPU device has (WebGPU, section 3.6.2: 16,384 bytes). */
const tileFloats = 2048;
/** Rows of one tile, of `wanted` at most: each is an accumulator of a thread too. */
export function tileRows({ size }: RowFormat, wanted: number): number {
  return Math.max(1, Math.min(16, wanted, Math.floor(tileFloats / size)));
}

export interface RowTile {
  readonly format: RowFormat;
  readonly rows: number;
  /** The shared array: part p of row r at r * format.parts + p. */
  readonly name: string;
}
export function rowTile(k: KernelBuilder, wanted: string, format: RowFormat, rows: number): RowTile {
  return { format, rows, name: k.shared(wanted, format.type, rows * format.parts) };
}
/** Fills a tile with rows: `load(row, part)` where `row < count`, zeros beyond. Barriers before and after are the caller's. */
export function fillTile(
  k: KernelBuilder,
  { format, rows, name }: RowTile,
  count: string,
  load: (row: string, part: string) => string,
): void {
  k.for('slot', k.thread, k.i32(rows * format.parts), k.i32(k.workgroupSize), (slot) => {
    const row = k.let('tile_row', 'i32', `${slot} / ${format.parts}`);
    const part = k.var('tile_part', format.type);
    k.if(`${row} < ${count}`, () => k.assign(part, load(row, `(${slot} % ${format.parts})`)));
    k.assign(`${name}[${slot}]`, part);
  });
}
/** The products of the thread's row, given part by part, with the rows of the tile: one variable each. */
export function productsWithTile(
  k: KernelBuilder,
  { format, rows, name }: RowTile,
  load: (part: string) => string,
): readonly string[] {
  const sums = Array.from({ length: rows }, () => k.var('product', 'f32'));
  k.for('part', '0', k.i32(format.parts), '1', (part) => {
    const own = k.let('own', format.type, load(part));
    sums.forEach((sum, row) => k.add(sum, format.product(k, own, `${name}[${row * format.parts} + ${part}]`)));
  });
  return sums;
}
