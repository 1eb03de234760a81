import type { SplitDepthSchedule } from '../../../kernel/kernel.ts';
import type { KernelBuilder } from '../kernel-builder.ts';
import { reduceOverThreads, sumOf } from '../reduce.ts';
import { storeColumn, type ProductText } from './gemm-operands.ts';
import { multiplyAdd, type GemmSide } from './gemm-sides.ts';
import { sharedDepthNorm } from './product-norms.ts';

const count = (length: number): readonly number[] => Array.from({ length }, (_, index) => index);

/** Columns of a thread: what it reads of the left side serves all of them. */
const mostColumns = 4;
const columnsOf = ({ columnTile }: SplitDepthSchedule): number => Math.min(mostColumns, columnTile);
export function splitDepthThreads(schedule: SplitDepthSchedule): number {
  return schedule.threads * (schedule.columnTile / columnsOf(schedule));
}

/**
 * For few rows, where time goes into reading the right side: every element of it is read once, straight into registers, by
 * `threads` threads side by side that share the K of a column; then their sums are added up.
 */
export function multiplySplitDepth(
  k: KernelBuilder,
  schedule: SplitDepthSchedule,
  sides: { readonly left: GemmSide; readonly right: GemmSide },
  { epilogue, leftNorm }: Pick<ProductText, 'epilogue' | 'leftNorm'>,
): void {
  const { rowTile, columnTile, threads } = schedule;
  const perThread = columnsOf(schedule);
  const { run } = sides.right;
  const [rows, columns, depth] = [k.size('rows'), k.size('columns'), k.size('depth')];
  const rowTiles = k.let('row_tiles', 'i32', k.ceilDivide(rows, rowTile));
  const firstRow = k.let('first_row', 'i32', `${k.item} % ${rowTiles} * ${rowTile}`);
  const firstColumn = k.let(
    'first_column',
    'i32',
    `${k.item} / ${rowTiles} * ${columnTile} + ${k.thread} / ${threads} * ${perThread}`,
  );
  const share = k.let('share', 'i32', `${k.thread} % ${threads}`);
  const sums = count(rowTile).map((i) => count(perThread).map((j) => k.var(`sum_${i}_${j}`, 'f32')));
  // Rows and columns beyond the last give sums that are not stored.
  const readRows = count(rowTile).map((i) => k.let(`row_${i}`, 'i32', k.call('min', `${firstRow} + ${i}`, `${rows} - 1`)));
  const readColumns = count(perThread).map((j) =>
    k.let(`column_${j}`, 'i32', k.call('min', `${firstColumn} + ${j}`, `${columns} - 1`)),
  );
  const norm = leftNorm && sharedDepthNorm(k, leftNorm, { rows: readRows, share, threads });
  k.for('place', `${share} * ${run}`, depth, k.i32(threads * run), (place) => {
    const rights = readColumns.map((column) => sides.right.read(column, place));
    for (let part = 0; part < run / 4; part += 1) {
      const from = (rights[0]?.[part] as { from: number }).from;
      const at = from === 0 ? place : `(${place} + ${from})`;
      const normalised = norm?.at(at);
      const lefts = readRows.map((row, i) => {
        const [quad] = sides.left.read(row, at);
        const value = quad?.value ?? '';
        return k.let(`left_${i}`, 'vec4<f32>', normalised ? normalised(i, value) : value);
      });
      rights.forEach((quads, j) => {
        const right = k.let(`right_${j}`, 'vec4<f32>', quads[part]?.value ?? '');
        sums.forEach((rowSums, i) => {
          const sum = rowSums[j] ?? '';
          k.assign(sum, `${k.use(multiplyAdd)}(${lefts[i] ?? ''}, ${right}, ${sum})`);
        });
      });
    }
  });
  reduceOverThreads(k, [...sums.flat(), ...(norm?.shares ?? [])], threads, sumOf);
  const finished = norm?.finish();
  count(perThread).forEach((j) => {
    const column = k.let('column', 'i32', `${firstColumn} + ${j}`);
    k.if(`${share} == ${j % threads} && ${column} < ${columns}`, () => {
      const results = sums.map((rowSums, i) => {
        const sum = rowSums[j] ?? '';
        return { row: `(${firstRow} + ${i})`, sum: finished ? finished(i, sum) : sum };
      });
      storeColumn(k, epilogue, column, results);
    });
  });
}
