import { expect } from 'chai';
import fc from 'fast-check';
import { dequantise, type BlockFormat, type BlockMatrix } from '../../compiler/weights/block-format.ts';
import {
  concatColumns,
  concatRows,
  permuteRows,
  quantBytes,
  takeColumnRuns,
  takeRows,
} from '../../compiler/weights/block-matrix.ts';

const formats: readonly BlockFormat[] = [
  { bits: 4, block: 32, signed: false, minima: true },
  { bits: 4, block: 32, signed: false, minima: false },
  { bits: 8, block: 32, signed: true, minima: false },
  { bits: 8, block: 32, signed: false, minima: true },
  { bits: 8, block: 16, signed: true, minima: false },
];

/** Blocks filled from a seed, with scales and minima that differ from block to block. */
function matrixOf(format: BlockFormat, rows: number, columns: number, seed: number): BlockMatrix {
  let state = seed >>> 0;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const blocks = (rows * columns) / format.block;
  return {
    format,
    shape: [rows, columns],
    quants: Uint8Array.from({ length: rows * quantBytes(format, columns) }, () => Math.floor(next() * 256)),
    scales: Float32Array.from({ length: blocks }, () => next() - 0.5),
    minima: format.minima ? Float32Array.from({ length: blocks }, () => next() - 0.5) : null,
  };
}

const someMatrix = fc
  .record({
    format: fc.constantFrom(...formats),
    rows: fc.integer({ min: 1, max: 6 }),
    runs: fc.integer({ min: 1, max: 4 }),
    blocks: fc.integer({ min: 1, max: 3 }),
    seed: fc.nat(),
  })
  .map(({ format, rows, runs, blocks, seed }) => ({
    matrix: matrixOf(format, rows, runs * blocks * format.block, seed),
    run: blocks * format.block,
    runs,
    seed,
  }));

/** The same selection on the values: what a gather of whole blocks has to agree with. */
function valueRows({ shape }: BlockMatrix, values: Float32Array): readonly (readonly number[])[] {
  return Array.from({ length: shape[0] }, (_, row) => [...values.subarray(row * shape[1], (row + 1) * shape[1])]);
}
const rowsOf = (matrix: BlockMatrix): readonly (readonly number[])[] => valueRows(matrix, dequantise(matrix));

describe('matrices in blocks', () => {
  it('are put side by side, column by column', () => {
    fc.assert(
      fc.property(someMatrix, ({ matrix, run, runs }) => {
        const indices = Array.from({ length: runs }, (_, index) => index);
        const parts = indices.map((index) => takeColumnRuns(matrix, run, [index]));
        expect(concatColumns(parts)).to.deep.equal(matrix);
        expect(rowsOf(concatColumns([...parts].reverse()))).to.deep.equal(
          rowsOf(takeColumnRuns(matrix, run, [...indices].reverse())),
        );
      }),
    );
    const [first, second] = [formats[0], formats[1]].map((format) => matrixOf(format as BlockFormat, 2, 32, 1));
    expect(() => concatColumns([first as BlockMatrix, second as BlockMatrix])).to.throw(RangeError, 'do not make one matrix');
    expect(() => concatColumns([])).to.throw(RangeError);
  });

  it('give the rows that are asked for, in any order and also twice', () => {
    fc.assert(
      fc.property(someMatrix, fc.array(fc.nat(), { maxLength: 9 }), ({ matrix }, picks) => {
        const rows = picks.map((pick) => pick % matrix.shape[0]);
        const values = rowsOf(matrix);
        const taken = takeRows(matrix, rows);
        expect(taken.shape).to.deep.equal([rows.length, matrix.shape[1]]);
        expect(rowsOf(taken)).to.deep.equal(rows.map((row) => values[row]));
      }),
    );
  });

  it('stack the rows of several matrices', () => {
    fc.assert(
      fc.property(someMatrix, fc.integer({ min: 1, max: 4 }), ({ matrix, seed }, more) => {
        const other = matrixOf(matrix.format, more, matrix.shape[1], seed + 1);
        expect(rowsOf(concatRows([matrix, other]))).to.deep.equal([...rowsOf(matrix), ...rowsOf(other)]);
      }),
    );
  });

  it('give runs of columns in another order', () => {
    fc.assert(
      fc.property(someMatrix, fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), ({ matrix, run, runs }, picks) => {
        const indices = picks.map((pick) => pick % runs);
        const expected = rowsOf(matrix).map((row) => indices.flatMap((index) => row.slice(index * run, (index + 1) * run)));
        expect(rowsOf(takeColumnRuns(matrix, run, indices))).to.deep.equal(expected);
      }),
    );
  });

  it('refuse what is not there and what does not fit', () => {
    const [format, other] = formats as [BlockFormat, BlockFormat];
    const matrix = matrixOf(format, 4, 64, 1);
    expect(() => takeRows(matrix, [4])).to.throw(RangeError, 'no row 4');
    expect(() => takeRows(matrix, [0.5])).to.throw(RangeError);
    expect(() => permuteRows(matrix, [0, 1, 2])).to.throw(RangeError);
    expect(() => permuteRows(matrix, [0, 1, 2, 2])).to.throw(RangeError, 'each of them once');
    expect(() => concatRows([])).to.throw(RangeError);
    expect(() => concatRows([matrix, matrixOf(other, 4, 64, 1)])).to.throw(RangeError, 'do not make one matrix');
    expect(() => concatRows([matrix, matrixOf(format, 4, 32, 1)])).to.throw(RangeError, 'do not make one matrix');
    expect(() => takeColumnRuns(matrix, 16, [0])).to.throw(RangeError, 'not whole blocks');
    expect(() => takeColumnRuns(matrix, 0, [0])).to.throw(RangeError);
    expect(() => takeColumnRuns(matrix, 32, [2])).to.throw(RangeError, 'run of columns 2');
    expect(rowsOf(permuteRows(matrix, [3, 1, 0, 2]))).to.deep.equal([3, 1, 0, 2].map((row) => rowsOf(matrix)[row]));
  });
});
