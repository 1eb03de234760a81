import type { WorkgroupSchedule } from '../../../kernel/kernel.ts';
import type { KernelBuilder } from '../kernel-builder.ts';
import { reduceOverThreads, sumOf } from '../reduce.ts';
import { gatherStatistics } from './gather-statistics.ts';
import { storeColumn, type ProductText } from './gemm-operands.ts';
import { multiplyAdd, type GemmSide } from './gemm-sides.ts';
import { tileNorms, type TileNorm } from './product-norms.ts';

const count = (length: number): readonly number[] => Array.from({ length }, (_, index) => index);

export function tileThreads({ rowTile, columnTile, threadRows, threadColumns }: WorkgroupSchedule): number {
  return (rowTile / threadRows) * (columnTile / threadColumns);
}

/**
 * A tile of the result a workgroup. Both sides go through shared memory, depthTile of K at a time, and each thread adds up its
 * rows and columns in registers. Those are as far apart as there are threads beside it, and a row of the shared tiles is one
 * vector longer than it needs: threads side by side read different banks, and write elements side by side. A sum runs over K in
 * order, whatever the tile: no bit of a row depends on the rows beside it.
 */
export function multiplyTiles(
  k: KernelBuilder,
  schedule: WorkgroupSchedule,
  sides: { readonly left: GemmSide; readonly right: GemmSide },
  product: ProductText,
): void {
  const { epilogue, gathers } = product;
  const { rowTile, columnTile, depthTile, threadRows, threadColumns } = schedule;
  const [rows, columns, depth] = [k.size('rows'), k.size('columns'), k.size('depth')];
  const [besideRows, besideColumns] = [rowTile / threadRows, columnTile / threadColumns];
  const pitch = depthTile / 4 + 1;
  const leftTile = k.shared('left_tile', 'vec4<f32>', rowTile * pitch);
  const rightTile = k.shared('right_tile', sides.right.tile, columnTile * pitch);

  const rowTiles = k.let('row_tiles', 'i32', k.ceilDivide(rows, rowTile));
  const firstRow = k.let('first_row', 'i32', `${k.item} % ${rowTiles} * ${rowTile}`);
  const firstColumn = k.let('first_column', 'i32', `${k.item} / ${rowTiles} * ${columnTile}`);
  const threadRow = k.let('thread_row', 'i32', `${k.thread} / ${besideColumns}`);
  const threadColumn = k.let('thread_column', 'i32', `${k.thread} % ${besideColumns}`);
  const sums = count(threadRows).map((i) => count(threadColumns).map((j) => k.var(`sum_${i}_${j}`, 'f32')));

  const norms = tileNorms(k, product, { rowTile, firstRow });
  const fill = (
    side: GemmSide,
    tile: string,
    tileRows: number,
    first: string,
    end: string,
    depthStart: string,
    rowNorm?: TileNorm,
  ): void => {
    const runs = depthTile / side.run;
    k.for('run', k.thread, k.i32(tileRows * runs), k.i32(k.workgroupSize), (run) => {
      const tileRow = k.let('tile_row', 'i32', `${run} / ${runs}`);
      const within = k.let('within', 'i32', `${run} % ${runs} * ${side.run}`);
      const place = k.let('place', 'i32', `${depthStart} + ${within}`);
      const at = k.let('at', 'i32', `${tileRow} * ${pitch} + ${within} / 4`);
      const store = (from: number, value: string): void =>
        k.assign(`${tile}[${at} + ${from / 4}]`, side.tile === 'vec4<f16>' ? k.vector('vec4<f16>', value) : value);
      k.if(
        `${place} < ${depth}`,
        () => {
          // Rows beyond the last give sums that are not stored.
          const row = k.let('row', 'i32', k.call('min', `${first} + ${tileRow}`, `${end} - 1`));
          for (const { from, value } of side.read(row, place))
            store(from, rowNorm ? rowNorm.apply(value, rowNorm.read(place), tileRow) : value);
        },
        () => {
          for (let from = 0; from < side.run; from += 4) store(from, k.vector('vec4<f32>', k.f32(0)));
        },
      );
    });
  };
  k.for('depth_start', '0', depth, k.i32(depthTile), (depthStart) => {
    fill(sides.left, leftTile, rowTile, firstRow, rows, depthStart, norms.left);
    fill(sides.right, rightTile, columnTile, firstColumn, columns, depthStart);
    k.barrier();
    k.for('quad', '0', k.i32(depthTile / 4), '1', (quad) => {
      const leftAt = k.let('left_at', 'i32', `${threadRow} * ${pitch} + ${quad}`);
      const rightAt = k.let('right_at', 'i32', `${threadColumn} * ${pitch} + ${quad}`);
      const rights = count(threadColumns).map((j) => {
        const right = `${rightTile}[${rightAt} + ${j * besideColumns * pitch}]`;
        return k.let(`right_${j}`, 'vec4<f32>', sides.right.tile === 'vec4<f16>' ? k.vector('vec4<f32>', right) : right);
      });
      sums.forEach((rowSums, i) => {
        const left = k.let(`left_${i}`, 'vec4<f32>', `${leftTile}[${leftAt} + ${i * besideRows * pitch}]`);
        rowSums.forEach((sum, j) => k.assign(sum, `${k.use(multiplyAdd)}(${left}, ${rights[j] ?? ''}, ${sum})`));
      });
    });
    k.barrier();
  });

  count(threadColumns).forEach((j) => {
    const column = k.let('column', 'i32', `${firstColumn} + ${threadColumn} + ${j * besideColumns}`);
    k.if(`${column} < ${columns}`, () => {
      const results = sums.map((rowSums, i) => ({
        row: `(${firstRow} + ${threadRow} + ${i * besideRows})`,
        sum: rowSums[j] ?? '',
      }));
      const keep = (i: number, value: string): void => k.assign(sums[i]?.[j] ?? '', value);
      storeColumn(k, epilogue, column, results, { residualNorm: norms.residual, stored: gathers && keep });
    });
  });
  if (!gathers) return;
  sums.forEach((rowSums, i) =>
    gatherStatistics(k, gathers, {
      row: k.let('row', 'i32', `${firstRow} + ${threadRow} + ${i * besideRows}`),
      firstColumn,
      width: columnTile,
      writes: `${threadColumn} == 0`,
      visit: (body) =>
        rowSums.forEach((sum, j) =>
          k.if(`${firstColumn} + ${threadColumn} + ${j * besideColumns} < ${columns}`, () => body(sum)),
        ),
      combine: (variable) => reduceOverThreads(k, [variable], besideColumns, sumOf),
    }),
  );
}
