import type { TensorCoreSchedule } from '../../../kernel/kernel.ts';
import type { KernelBuilder, Operand } from '../../clike/kernel-builder.ts';
import type { ProductText } from '../../clike/kernels/gemm-operands.ts';
import { tileNorms, type TileNorm } from '../../clike/kernels/product-norms.ts';
import { storeFragments } from './fragment-epilogue.ts';
import type { RegisterSide } from './tensor-core-sides.ts';
import { chunkExchangeText, chunkPlaceText, tileLayout, type TileLayout } from './tile-layout.ts';

export function tensorCoreThreads({ warpRows, warpColumns, warpDepth }: TensorCoreSchedule): number {
  return 32 * warpRows * warpColumns * warpDepth;
}

/** The right side: through registers; or 16-bit floats as they are multiplied, which are copied beside arithmetic. */
export type TensorCoreRight = RegisterSide | { readonly copied: Operand };

/** One of the two sides: which rows of it the thread block needs, and where they go. */
interface SideTile {
  readonly name: 'left' | 'right';
  readonly tileRows: number;
  readonly array: string;
  /** Tiles of K that the array holds. */
  readonly buffers: number;
  /** The first row of the tile, and the end of all rows. */
  readonly first: string;
  readonly end: string;
}
const unrolled = (k: KernelBuilder, wanted: string, count: number, body: (index: string) => void): void => {
  k.line('#pragma unroll');
  k.for(wanted, '0', k.i32(count), '1', body);
};

/**
 * A tile of the result a thread block, by tensor cores (mma.sync). Both sides go through shared memory as 16-bit floats, depthTile of
 * K at a time. What has to be rounded on the way is read into registers while the tile before it is multiplied, and stored after
 * that; what is stored as 16-bit floats is copied by cp.async, `stages` - 1 tiles ahead. One barrier a tile: it stands between the
 * reads of a buffer and the writes of what comes into it next.
 */
export function multiplyOnTensorCores(
  k: KernelBuilder,
  schedule: TensorCoreSchedule,
  sides: { readonly left: RegisterSide; readonly right: TensorCoreRight },
  product: ProductText,
): void {
  const { rowTile, columnTile, depthTile, warpDepth, stages } = schedule;
  const [rows, columns, depth] = [k.size('rows'), k.size('columns'), k.size('depth')];
  const layout = tileLayout(depthTile);
  const rightBuffers = 'copied' in sides.right ? stages : 2;
  const leftArray = k.shared('left_tile', 'vec4<u32>', 2 * rowTile * layout.chunks);
  const rightArray = k.shared('right_tile', 'vec4<u32>', rightBuffers * columnTile * layout.chunks);

  const rowTiles = k.let('row_tiles', 'i32', k.ceilDivide(rows, rowTile));
  const firstRow = k.let('first_row', 'i32', `${k.item} % ${rowTiles} * ${rowTile}`);
  const firstColumn = k.let('first_column', 'i32', `${k.item} / ${rowTiles} * ${columnTile}`);
  const left: SideTile = { name: 'left', tileRows: rowTile, array: leftArray, buffers: 2, first: firstRow, end: rows };
  const right: SideTile = {
    name: 'right',
    tileRows: columnTile,
    array: rightArray,
    buffers: rightBuffers,
    first: firstColumn,
    end: columns,
  };
  const norms = tileNorms(k, product, { rowTile, firstRow });
  const fills = [
    fillThroughRegisters(k, schedule, layout, left, sides.left, norms.left),
    'copied' in sides.right
      ? fillByCopies(k, schedule, layout, right, sides.right.copied)
      : fillThroughRegisters(k, schedule, layout, right, sides.right),
  ];
  const warps = warpsOf(k, schedule);
  const multiplyTile = tileProduct(k, schedule, layout, warps, { left: leftArray, right: rightArray, rightBuffers });

  for (const { begin } of fills) begin();
  const steps = k.let('steps', 'i32', k.ceilDivide(depth, depthTile));
  k.for('step', '0', steps, '1', (step) => {
    for (const { arrive } of fills) arrive?.();
    k.barrier();
    for (const { fetch } of fills) fetch(step);
    multiplyTile(step);
    for (const { put } of fills) put?.(step);
  });
  if (warpDepth > 1) addDepths(k, schedule, warps);
  const store = (): void => {
    storeFragments(k, product, {
      sums: warps.sums,
      residualNorm: norms.residual,
      lane: warps.lane,
      rowTiles: warps.rowTiles,
      columnTiles: warps.columnTiles,
      firstRow: k.let('stored_row', 'i32', `${firstRow} + ${warps.row}`),
      firstColumn: k.let('stored_column', 'i32', `${firstColumn} + ${warps.column}`),
    });
  };
  if (warpDepth > 1) k.if(`${warps.depth} == 0`, store);
  else store();
}

/** What happens to a side before the loop over K, and in each round of it. */
interface Fill {
  begin(): void;
  /** Before the barrier: own copies of this round's tile have arrived. */
  arrive?(): void;
  /** After it: what comes next sets out. */
  fetch(step: string): void;
  /** After the products of the round: it is put in its place. */
  put?(step: string): void;
}

function fillThroughRegisters(
  k: KernelBuilder,
  schedule: TensorCoreSchedule,
  layout: TileLayout,
  { name, tileRows, array, first, end }: SideTile,
  side: RegisterSide,
  norm?: TileNorm,
): Fill {
  const { depthTile, multiply } = schedule;
  const depth = k.size('depth');
  const threads = tensorCoreThreads(schedule);
  const runs = depthTile / side.run;
  const pieces = Math.ceil((tileRows * runs) / threads);
  const held = side.held.map(({ name: own, type }) => k.array(`${name}_${own}`, type, pieces));
  if (norm && threads % runs !== 0) throw new RangeError(`${threads} threads are not whole rows of ${runs} runs.`);
  // The runs of a thread lie at one place along K.
  const alongDepth = norm?.held.map((own) => k.var(own, 'vec4<f32>'));
  const forPieces = (body: (place: { piece: string; tileRow: string; within: string }) => void): void =>
    unrolled(k, 'piece', pieces, (piece) => {
      const run = k.let('run', 'i32', `${k.thread} + ${piece} * ${threads}`);
      body({
        piece,
        tileRow: k.let('tile_row', 'i32', `${run} / ${runs}`),
        within: k.let('within', 'i32', `${run} % ${runs} * ${side.run}`),
      });
    });
  // Rows beyond the last give sums that are not stored; what is read for places beyond K is not put in the tile.
  const last = `${depth} - ${side.whole ? side.run : 1}`;
  const fetch = (depthStart: string): void => {
    if (norm && alongDepth) {
      const own = k.let('norm_place', 'i32', k.call('min', `${depthStart} + ${k.thread} % ${runs} * ${side.run}`, last));
      norm.read(own).forEach((value, index) => k.assign(alongDepth[index] ?? '', value));
    }
    forPieces(({ piece, tileRow, within }) => {
      const row = k.let('row', 'i32', k.call('min', `${first} + ${tileRow}`, `${end} - 1`));
      const place = k.let('place', 'i32', k.call('min', `${depthStart} + ${within}`, last));
      side.read(row, place).forEach((value, index) => k.assign(`${held[index] ?? ''}[${piece}]`, value));
    });
  };
  const put = (depthStart: string, buffer: string): void =>
    forPieces(({ piece, tileRow, within }) => {
      const store = (): void => {
        // What lies beyond K becomes zeros without a branch.
        const kept = k.let('kept', 'u32', k.select(`${depthStart} + ${within} < ${depth}`, '0xffffffffu', '0u'));
        const words = side.elements(held.map((own) => `${own}[${piece}]`)).map(({ from, value }) => {
          const quad = k.let('quad', 'vec4<f32>', norm && alongDepth ? norm.apply(value, alongDepth, tileRow) : value);
          const pack = (low: number): string => `pack_${multiply}(${k.lane(quad, low)}, ${k.lane(quad, low + 1)}) & ${kept}`;
          return { from, words: [pack(0), pack(2)] };
        });
        const tileRowAt = `(${buffer}${tileRow})`;
        if (side.run === 4) {
          const at = chunkPlaceText(layout, tileRowAt, `(${within} / 8)`);
          k.statement(`store_pair(${array}[${at}], ${within} / 4 % 2, ${(words[0]?.words ?? []).join(', ')})`);
          return;
        }
        for (let index = 0; index < words.length; index += 2) {
          const [low, high] = [words[index], words[index + 1]];
          const chunk = `(${within} / 8 + ${(low?.from ?? 0) / 8})`;
          const four = k.vector('vec4<u32>', ...(low?.words ?? []), ...(high?.words ?? []));
          k.assign(`${array}[${chunkPlaceText(layout, tileRowAt, chunk)}]`, four);
        }
      };
      if ((tileRows * runs) % threads === 0) store();
      else k.if(`${tileRow} < ${tileRows}`, store);
    });
  return {
    begin() {
      fetch('0');
      put('0', '');
    },
    fetch: (step) => fetch(`(${step} + 1) * ${depthTile}`),
    put: (step) => put(`(${step} + 1) * ${depthTile}`, `(${step} + 1) % 2 * ${tileRows} + `),
  };
}

function fillByCopies(
  k: KernelBuilder,
  schedule: TensorCoreSchedule,
  layout: TileLayout,
  { tileRows, array, buffers, first, end }: SideTile,
  operand: Operand,
): Fill {
  const { depthTile } = schedule;
  const depth = k.size('depth');
  const threads = tensorCoreThreads(schedule);
  const { chunks } = layout;
  const copy = (tile: string): void => {
    const depthStart = k.let('copied_from', 'i32', `(${tile}) * ${depthTile}`);
    unrolled(k, 'piece', Math.ceil((tileRows * chunks) / threads), (piece) => {
      const run = k.let('run', 'i32', `${k.thread} + ${piece} * ${threads}`);
      const tileRow = k.let('tile_row', 'i32', `${run} / ${chunks}`);
      const chunk = k.let('chunk', 'i32', `${run} % ${chunks}`);
      const issue = (): void => {
        const row = k.let('row', 'i32', k.call('min', `${first} + ${tileRow}`, `${end} - 1`));
        const place = k.let('place', 'i32', `${depthStart} + ${chunk} * 8`);
        const from = operand.eightHalvesAt(`${row} * ${depth} + ${k.call('min', place, `${depth} - 8`)}`);
        const at = chunkPlaceText(layout, `((${tile}) % ${buffers} * ${tileRows} + ${tileRow})`, chunk);
        k.statement(`copy_async(&${array}[${at}], &${from}, ${place} >= ${depth})`);
      };
      if ((tileRows * chunks) % threads === 0) issue();
      else k.if(`${tileRow} < ${tileRows}`, issue);
    });
    // A group for every tile, though it be of zeros: groups are counted.
    k.statement('close_copies()');
  };
  return {
    begin: () => k.for('tile', '0', k.i32(buffers - 1), '1', copy),
    arrive: () => k.statement(`wait_for_copies<${buffers - 2}>()`),
    fetch: (step) => copy(`${step} + ${buffers - 1}`),
  };
}

/** Where the warp of a thread stands, and its sums. */
interface Warps {
  readonly lane: string;
  /** In the tile. */
  readonly row: string;
  readonly column: string;
  /** Which of those that share the depth. */
  readonly depth: string;
  /** Sums of tiles of 16 x 8, four a lane each. */
  readonly sums: string;
  readonly rowTiles: number;
  readonly columnTiles: number;
}
function warpsOf(k: KernelBuilder, { rowTile, columnTile, warpRows, warpColumns }: TensorCoreSchedule): Warps {
  const [rowsOfWarp, columnsOfWarp] = [rowTile / warpRows, columnTile / warpColumns];
  if (rowsOfWarp % 16 !== 0 || columnsOfWarp % 16 !== 0)
    throw new RangeError(`${rowsOfWarp} x ${columnsOfWarp} sums of a warp are not tiles of 16 x 16.`);
  const [rowTiles, columnTiles] = [rowsOfWarp / 16, columnsOfWarp / 8];
  const lane = k.let('lane', 'i32', `${k.thread} % 32`);
  const warp = k.let('warp', 'i32', `${k.thread} / 32`);
  return {
    lane,
    row: k.let('warp_row', 'i32', `${warp} / ${warpColumns} % ${warpRows} * ${rowsOfWarp}`),
    column: k.let('warp_column', 'i32', `${warp} % ${warpColumns} * ${columnsOfWarp}`),
    depth: k.let('warp_depth', 'i32', `${warp} / ${warpRows * warpColumns}`),
    sums: k.array('sums', 'f32', rowTiles * columnTiles * 4),
    rowTiles,
    columnTiles,
  };
}

/** The part of a warp of the product of two tiles in shared memory. */
function tileProduct(
  k: KernelBuilder,
  { rowTile, columnTile, depthTile, warpDepth, multiply }: TensorCoreSchedule,
  layout: TileLayout,
  { lane, row, column, depth, sums, rowTiles, columnTiles }: Warps,
  tiles: { readonly left: string; readonly right: string; readonly rightBuffers: number },
): (step: string) => void {
  const { chunks } = layout;
  const slices = depthTile / 16 / warpDepth;
  if (!Number.isInteger(slices)) throw new RangeError(`${depthTile} of K are not slices of 16 for ${warpDepth} warps.`);
  k.comment('The rows of matrices that the lane names to ldmatrix: 16 of the left side, and of the right side two times 8.');
  const leftRow = k.let('left_row', 'i32', `${row} + ${lane} % 16`);
  const leftChunk = k.let('left_chunk', 'i32', `${lane} / 16`);
  const rightRow = k.let('right_row', 'i32', `${column} + ${lane} / 16 * 8 + ${lane} % 8`);
  const rightChunk = k.let('right_chunk', 'i32', `${lane} / 8 % 2`);
  const leftExchange = k.let('left_exchange', 'i32', chunkExchangeText(layout, leftRow));
  const rightExchange = k.let('right_exchange', 'i32', chunkExchangeText(layout, rightRow));
  return (step) => {
    const leftAt = k.let('left_at', 'i32', `(${step} % 2 * ${rowTile} + ${leftRow}) * ${chunks}`);
    const rightAt = k.let('right_at', 'i32', `(${step} % ${tiles.rightBuffers} * ${columnTile} + ${rightRow}) * ${chunks}`);
    unrolled(k, 'slice', slices, (slice) => {
      const chunk = k.let('chunk', 'i32', `${warpDepth === 1 ? '' : `${depth} * ${slices * 2} + `}${slice} * 2`);
      const left = k.array('left_words', 'u32', rowTiles * 4);
      const right = k.array('right_words', 'u32', columnTiles * 2);
      unrolled(k, 'i', rowTiles, (i) => {
        const place = `${tiles.left}[${leftAt} + ${i} * ${16 * chunks} + ((${chunk} + ${leftChunk}) ^ ${leftExchange})]`;
        k.statement(`load_4_matrices(&${left}[${i} * 4], &${place})`);
      });
      unrolled(k, 'j', columnTiles / 2, (j) => {
        const place = `${tiles.right}[${rightAt} + ${j} * ${16 * chunks} + ((${chunk} + ${rightChunk}) ^ ${rightExchange})]`;
        k.statement(`load_4_matrices(&${right}[${j} * 4], &${place})`);
      });
      unrolled(k, 'i', rowTiles, (i) =>
        unrolled(k, 'j', columnTiles, (j) =>
          k.statement(
            `multiply_${multiply}(&${sums}[(${i} * ${columnTiles} + ${j}) * 4], &${left}[${i} * 4], &${right}[${j} * 2])`,
          ),
        ),
      );
    });
  };
}

/** The first of the warps that share the depth adds up what the others have, in their order. */
function addDepths(k: KernelBuilder, schedule: TensorCoreSchedule, { lane, depth, sums, rowTiles, columnTiles }: Warps): void {
  const { warpRows, warpColumns, warpDepth } = schedule;
  const count = rowTiles * columnTiles * 4;
  const lanes = 32 * warpRows * warpColumns;
  const partial = k.shared('partial_sums', 'f32', (warpDepth - 1) * count * lanes);
  const own = k.let('own_lane', 'i32', warpRows * warpColumns === 1 ? lane : `${k.thread} % ${lanes}`);
  k.if(`${depth} > 0`, () =>
    unrolled(k, 'index', count, (index) =>
      k.assign(`${partial}[((${depth} - 1) * ${count} + ${index}) * ${lanes} + ${own}]`, `${sums}[${index}]`),
    ),
  );
  k.barrier();
  k.if(`${depth} == 0`, () =>
    k.for('other', '0', k.i32(warpDepth - 1), '1', (other) =>
      unrolled(k, 'index', count, (index) =>
        k.add(`${sums}[${index}]`, `${partial}[(${other} * ${count} + ${index}) * ${lanes} + ${own}]`),
      ),
    ),
  );
}
