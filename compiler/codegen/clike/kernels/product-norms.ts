/** Rows that a product normalises while it reads them, of its left side or a residual (compiler/kernel/row-norm.ts). */
import type { AppliedNorm, LeftNorm } from '../../../kernel/row-norm.ts';
import type { KernelBuilder, Operand } from '../kernel-builder.ts';
import { reduceOverThreads, sumOf } from '../reduce.ts';
import {
  leftNormNames,
  residualNormNames,
  residualNormOf,
  type NormNames,
  type ProductText,
  type ResidualNorm,
} from './gemm-operands.ts';
import { multiplyAdd } from './gemm-sides.ts';

/** Four numbers of a vector [K] from a place on; zeros beyond K. */
function alongDepth(k: KernelBuilder, operand: Operand, place: string): string {
  if (operand.vectors) return operand.vectorAt(place);
  const depth = k.size('depth');
  const lanes = [0, 1, 2, 3].map((lane) => {
    const own = lane === 0 ? place : `${place} + ${lane}`;
    return k.select(`${own} < ${depth}`, operand.at(k.call('min', own, `${depth} - 1`)), k.f32(0));
  });
  return k.vector('vec4<f32>', ...lanes);
}
function reciprocalRoot(k: KernelBuilder, wanted: string, squares: string, epsilon: number, width = k.size('depth')): string {
  const mean = `${squares} / ${k.cast('f32', width)}`;
  return k.let(wanted, 'f32', `1.0 / ${k.call('sqrt', `${mean} + ${k.f32(epsilon)}`)}`);
}

/** For rows whose K is shared out to threads: `row` is the number of one of them. */
export interface SharedDepthNorm {
  /** Variables that the threads have to add up, as they do their sums. */
  readonly shares: readonly string[];
  /** What becomes of four elements of a row from a place on. */
  at(place: string): (row: number, quad: string) => string;
  /** Once `shares` are added up: what becomes of a sum of products of a row. */
  finish(): (row: number, sum: string) => string;
}
/** `share`: the number of the thread among the `threads` that share a depth; `rows`: which rows of the left side are read. */
export interface SharedDepth {
  readonly rows: readonly string[];
  readonly share: string;
  readonly threads: number;
}

/**
 * The scale of rms_norm is a factor of every sum, which are f32: squares are added up as the rows pass by. The mean of layer_norm has
 * to be known before, or the sums would cancel: rows are read twice before.
 */
export function sharedDepthNorm(k: KernelBuilder, { norm, epsilon }: LeftNorm, depth: SharedDepth): SharedDepthNorm {
  return norm === 'rms' ? rmsOfSharedDepth(k, epsilon, depth) : layerOfSharedDepth(k, epsilon, depth);
}
function rmsOfSharedDepth(k: KernelBuilder, epsilon: number, { rows }: SharedDepth): SharedDepthNorm {
  const squares = rows.map((_, row) => k.var(`squares_${row}`, 'f32'));
  return {
    shares: squares,
    at(place) {
      const weight = k.let('weight', 'vec4<f32>', alongDepth(k, k.operand('norm_weight'), place));
      return (row, quad) => {
        const read = k.let(`read_${row}`, 'vec4<f32>', quad);
        const own = squares[row] ?? '';
        k.assign(own, `${k.use(multiplyAdd)}(${read}, ${read}, ${own})`);
        return `${read} * ${weight}`;
      };
    },
    finish() {
      const scales = squares.map((own, row) => reciprocalRoot(k, `scale_${row}`, own, epsilon));
      return (row, sum) => `${sum} * ${scales[row] ?? ''}`;
    },
  };
}
function layerOfSharedDepth(k: KernelBuilder, epsilon: number, { rows, share, threads }: SharedDepth): SharedDepthNorm {
  const [left, depth] = [k.operand('left'), k.size('depth')];
  const total = (wanted: string, term: (value: string, row: number) => string): readonly string[] => {
    const sums = rows.map((_, row) => k.var(`${wanted}_${row}`, 'f32'));
    k.for('place', share, depth, k.i32(threads), (place) =>
      rows.forEach((row, number) => {
        const value = k.let('value', 'f32', left.at(`${row} * ${k.size('left_stride')} + ${place}`));
        k.add(sums[number] ?? '', term(value, number));
      }),
    );
    reduceOverThreads(k, sums, threads, sumOf);
    return sums;
  };
  const means = total('total', (value) => value).map((sum, row) =>
    k.let(`mean_${row}`, 'f32', `${sum} / ${k.cast('f32', depth)}`),
  );
  const around = (value: string, row: number): string => {
    const distance = k.let('distance', 'f32', `${value} - ${means[row] ?? ''}`);
    return `${distance} * ${distance}`;
  };
  const scales = total('squares', around).map((squares, row) => reciprocalRoot(k, `scale_${row}`, squares, epsilon));
  return {
    shares: [],
    at(place) {
      const weight = k.let('weight', 'vec4<f32>', alongDepth(k, k.operand('norm_weight'), place));
      const bias = k.let('bias', 'vec4<f32>', alongDepth(k, k.operand('norm_bias'), place));
      return (row, quad) => `(${quad} - ${means[row] ?? ''}) * ${scales[row] ?? ''} * ${weight} + ${bias}`;
    },
    finish: () => (_, sum) => sum,
  };
}

/** Statistics of the rows of a tile: what becomes of values of a row, by weight and bias at their places. */
type ScaledRows = (value: string, weight: string, bias: string, tileRow: string) => string;
interface TileRows {
  readonly rowTile: number;
  readonly firstRow: string;
}
/** Parts whose statistics a thread has on their way at a time: they come from the cache of the device. */
const partsTogether = 16;

/** Of a row, from those of its parts in their order: its scale, and for layer_norm its mean. */
export function rowStatistics(
  k: KernelBuilder,
  { norm, epsilon }: AppliedNorm,
  names: Pick<NormNames, 'statistics' | 'partColumns'>,
  width: string,
  row: string,
): { readonly scale: string; readonly mean: string | null } {
  const [columns, statistics] = [k.size(names.partColumns), k.operand(names.statistics)];
  const parts = k.let('parts', 'i32', k.ceilDivide(width, columns));
  const firstPart = k.let('first_part', 'i32', `${row} * ${parts}`);
  const forParts = (body: (part: string) => void): void => {
    k.unrollAtMost(partsTogether);
    k.for('part', '0', parts, '1', body);
  };
  const squares = k.var('squares', 'f32');
  const scaleOf = (): string => reciprocalRoot(k, 'scale', squares, epsilon, width);
  if (norm === 'rms') {
    forParts((part) => k.add(squares, statistics.at(`${firstPart} + ${part}`)));
    return { scale: scaleOf(), mean: null };
  }
  const total = k.var('total', 'f32');
  forParts((part) => k.add(total, statistics.at(`(${firstPart} + ${part}) * 2`)));
  const mean = k.let('mean', 'f32', `${total} / ${k.cast('f32', width)}`);
  forParts((part) => {
    const count = k.let('count', 'f32', k.cast('f32', k.call('min', columns, `${width} - ${part} * ${columns}`)));
    const distance = k.let('distance', 'f32', `${statistics.at(`(${firstPart} + ${part}) * 2`)} / ${count} - ${mean}`);
    k.add(squares, `${statistics.at(`(${firstPart} + ${part}) * 2 + 1`)} + ${count} * ${distance} * ${distance}`);
  });
  return { scale: scaleOf(), mean };
}

/**
 * Puts the scale, and for layer_norm the mean, of the rows of a tile in shared memory, from the statistics of their parts. Behind a
 * barrier, which is the caller's, they are applied before the elements are rounded, as they were in a kernel of their own.
 */
function scaledRows(
  k: KernelBuilder,
  { norm, epsilon }: AppliedNorm,
  names: NormNames,
  width: string,
  { rowTile, firstRow }: TileRows,
): ScaledRows {
  const isLayer = norm === 'layer';
  const scale = k.shared('row_scale', 'f32', rowTile);
  const mean = isLayer ? k.shared('row_mean', 'f32', rowTile) : '';
  k.for('tile_row', k.thread, k.i32(rowTile), k.i32(k.workgroupSize), (tileRow) => {
    const row = k.let('row', 'i32', k.call('min', `${firstRow} + ${tileRow}`, `${k.size('rows')} - 1`));
    const own = rowStatistics(k, { norm, epsilon }, names, width, row);
    if (own.mean !== null) k.assign(`${mean}[${tileRow}]`, own.mean);
    k.assign(`${scale}[${tileRow}]`, own.scale);
  });
  return (value, weight, bias, tileRow) => {
    const scaled = (centred: string): string => `${centred} * ${scale}[${tileRow}] * ${weight}`;
    return isLayer ? `${scaled(`(${value} - ${mean}[${tileRow}])`)} + ${bias}` : scaled(value);
  };
}

/** For tiles of the left side in shared memory. */
export interface TileNorm {
  /** Names of what is held of the vectors along K. */
  readonly held: readonly string[];
  /** Four numbers of each from a place on. */
  read(place: string): readonly string[];
  /** What becomes of four elements of a row of the tile. */
  apply(quad: string, held: readonly string[], tileRow: string): string;
}
export interface TileNorms {
  readonly left: TileNorm | undefined;
  readonly residual: ResidualNorm | undefined;
}
/** Both norms that a product may have, for a tile of rows; they can be applied once this is over. */
export function tileNorms(k: KernelBuilder, product: Pick<ProductText, 'leftNorm' | 'epilogue'>, rows: TileRows): TileNorms {
  const { leftNorm } = product;
  const residualNorm = residualNormOf(product);
  const left = leftNorm && scaledRows(k, leftNorm, leftNormNames, k.size('depth'), rows);
  const residual = residualNorm && scaledRows(k, residualNorm, residualNormNames, k.size('columns'), rows);
  if (left || residual) k.barrier();
  const held = [leftNormNames.weight, ...(leftNorm?.norm === 'layer' ? [leftNormNames.bias] : [])];
  return {
    left: left && {
      held,
      read: (place) => held.map((name) => alongDepth(k, k.operand(name), place)),
      apply: (quad, [weight = '', bias = ''], tileRow) => left(quad, weight, bias, tileRow),
    },
    residual:
      residual &&
      ((value, row, from) => {
        const bias = residualNorm.norm === 'layer' ? from(k.operand(residualNormNames.bias)) : '';
        return residual(value, from(k.operand(residualNormNames.weight)), bias, `${row} - ${rows.firstRow}`);
      }),
  };
}
