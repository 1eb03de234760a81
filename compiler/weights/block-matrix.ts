/**
 * Matrices in blocks, cut and joined without dequantising: rows in any order, rows of several matrices stacked, columns in
 * another order block by block. All of them copy whole blocks, so that no value changes.
 */
import { formatBlockFormat, sameBlockFormat, type BlockFormat, type BlockMatrix } from './block-format.ts';

/** Whether rows of this many columns are whole blocks. */
export function fitsBlocks({ block }: BlockFormat, columns: number): boolean {
  return columns > 0 && columns % block === 0;
}

/** Bytes of the quants of so many columns of one row. */
export function quantBytes({ bits }: BlockFormat, columns: number): number {
  return (columns * bits) / 8;
}

/**
 * The rows at these indices, in this order, [rows.length, columns]; a row may come twice or not at all. Throws RangeError
 * for an index that is not a row.
 */
export function takeRows(matrix: BlockMatrix, rows: readonly number[]): BlockMatrix {
  const { format, shape, quants, scales, minima } = matrix;
  const [count, columns] = shape;
  refuseForeign(rows, count, 'row');
  const blocks = columns / format.block;
  return {
    format,
    shape: [rows.length, columns],
    quants: copyRuns(quants, new Uint8Array(rows.length * quantBytes(format, columns)), quantBytes(format, columns), rows),
    scales: copyRuns(scales, new Float32Array(rows.length * blocks), blocks, rows),
    minima: minima && copyRuns(minima, new Float32Array(rows.length * blocks), blocks, rows),
  };
}

/** Row i of the result is row `order[i]`. Throws RangeError where `order` does not have each row once. */
export function permuteRows(matrix: BlockMatrix, order: readonly number[]): BlockMatrix {
  const [rows] = matrix.shape;
  if (order.length !== rows || new Set(order).size !== rows)
    throw new RangeError(
      `An order of ${rows} rows must have each of them once, and it has ${new Set(order).size} different ones.`,
    );
  return takeRows(matrix, order);
}

/** The rows of all matrices, one matrix after the other. Throws RangeError where formats or columns differ, or without a matrix. */
export function concatRows(matrices: readonly BlockMatrix[]): BlockMatrix {
  const [first] = matrices;
  if (first === undefined) throw new RangeError('There is no matrix to take rows of.');
  const { format, shape } = first;
  const [, columns] = shape;
  for (const other of matrices) {
    if (sameBlockFormat(format, other.format) && other.shape[1] === columns) continue;
    throw new RangeError(
      `Rows of ${columns} columns (${formatBlockFormat(format)}) and of ${other.shape[1]} columns (${formatBlockFormat(other.format)}) do not make one matrix.`,
    );
  }
  const rows = matrices.reduce((sum, matrix) => sum + matrix.shape[0], 0);
  const blocks = columns / format.block;
  const minima = matrices.map((matrix) => matrix.minima).filter((part) => part !== null);
  return {
    format,
    shape: [rows, columns],
    quants: concatenate(
      matrices.map((matrix) => matrix.quants),
      new Uint8Array(rows * quantBytes(format, columns)),
    ),
    scales: concatenate(
      matrices.map((matrix) => matrix.scales),
      new Float32Array(rows * blocks),
    ),
    minima: format.minima ? concatenate(minima, new Float32Array(rows * blocks)) : null,
  };
}

/**
 * Runs of `run` columns, which is a multiple of the block, at these indices and in this order: columns
 * [run * indices[i], run * (indices[i] + 1)) of every row become run i. Heads of an output projection are such runs. Throws
 * RangeError for a run that is not whole blocks, that does not divide the row, or for an index that is not a run.
 */
export function takeColumnRuns(matrix: BlockMatrix, run: number, indices: readonly number[]): BlockMatrix {
  const { format, shape, quants, scales, minima } = matrix;
  const [rows, columns] = shape;
  if (!fitsBlocks(format, run)) throw new RangeError(`Runs of ${run} columns are not whole blocks of ${format.block}.`);
  if (columns % run !== 0) throw new RangeError(`Rows of ${columns} columns are not whole runs of ${run}.`);
  const runs = columns / run;
  refuseForeign(indices, runs, 'run of columns');
  const taken = Array.from({ length: rows }, (_, row) => indices.map((index) => row * runs + index)).flat();
  const blocks = run / format.block;
  return {
    format,
    shape: [rows, indices.length * run],
    quants: copyRuns(quants, new Uint8Array(taken.length * quantBytes(format, run)), quantBytes(format, run), taken),
    scales: copyRuns(scales, new Float32Array(taken.length * blocks), blocks, taken),
    minima: minima && copyRuns(minima, new Float32Array(taken.length * blocks), blocks, taken),
  };
}

function refuseForeign(indices: readonly number[], count: number, what: string): void {
  const wrong = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= count);
  if (wrong !== undefined) throw new RangeError(`There is no ${what} ${wrong}: there are ${count}.`);
}

/** Elements [length * indices[i], length * (indices[i] + 1)) one after the other. */
function copyRuns<T extends Uint8Array | Float32Array>(from: T, to: T, length: number, indices: readonly number[]): T {
  for (const [index, run] of indices.entries()) to.set(from.subarray(run * length, (run + 1) * length), index * length);
  return to;
}

function concatenate<T extends Uint8Array | Float32Array>(parts: readonly T[], to: T): T {
  let at = 0;
  for (const part of parts) {
    to.set(part, at);
    at += part.length;
  }
  return to;
}

/** The columns of all matrices, one matrix after the other. Throws RangeError where formats or rows differ, or without a matrix. */
export function concatColumns(matrices: readonly BlockMatrix[]): BlockMatrix {
  const [first] = matrices;
  if (first === undefined) throw new RangeError('There is no matrix to take columns of.');
  const { format, shape } = first;
  const [rows] = shape;
  const other = matrices.find((matrix) => !sameBlockFormat(format, matrix.format) || matrix.shape[0] !== rows);
  if (other) {
    throw new RangeError(
      `${rows} rows (${formatBlockFormat(format)}) and ${other.shape[0]} rows (${formatBlockFormat(other.format)}) do not make one matrix.`,
    );
  }
  const columns = matrices.reduce((sum, matrix) => sum + matrix.shape[1], 0);
  const scales = (of: (matrix: BlockMatrix) => Float32Array | null): Float32Array =>
    interleave(
      matrices.map((matrix) => ({ data: of(matrix) ?? new Float32Array(0), width: matrix.shape[1] / format.block })),
      rows,
      new Float32Array((rows * columns) / format.block),
    );
  return {
    format,
    shape: [rows, columns],
    quants: interleave(
      matrices.map((matrix) => ({ data: matrix.quants, width: quantBytes(format, matrix.shape[1]) })),
      rows,
      new Uint8Array(rows * quantBytes(format, columns)),
    ),
    scales: scales((matrix) => matrix.scales),
    minima: format.minima ? scales((matrix) => matrix.minima) : null,
  };
}

/** Row by row, `width` elements of each part. */
function interleave<T extends Uint8Array | Float32Array>(
  parts: readonly { readonly data: T; readonly width: number }[],
  rows: number,
  to: T,
): T {
  let at = 0;
  for (let row = 0; row < rows; row += 1) {
    for (const { data, width } of parts) {
      to.set(data.subarray(row * width, (row + 1) * width), at);
      at += width;
    }
  }
  return to;
}
