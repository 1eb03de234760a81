/** Kernels that multiply matrices or read rows of them, with the schedules of products. Their contract is in kernel.ts. */
import type { BlockFormat } from '../weights/block-format.ts';
import type { ElementwiseOp } from './loop-kernels.ts';
import type { AppliedNorm, LeftNorm, Norm } from './row-norm.ts';

export type EpilogueStep =
  /** + bias[N]. */
  | { readonly step: 'bias' }
  | {
      readonly step: 'activation';
      readonly op: Extract<ElementwiseOp, 'gelu' | 'gelu_tanh' | 'relu' | 'silu' | 'tanh' | 'exp' | 'negate'>;
    }
  /** + residual[M, N]; `normed`: + the norm of its rows, by gathered statistics, in tiles (row-norm.ts). At most one of them. */
  | { readonly step: 'residual'; readonly normed?: AppliedNorm };

/** Items: ceil(M / rowTile) * ceil(N / columnTile); item = columnTile's number * ceil(M / rowTile) + rowTile's number. */
interface Tiles {
  readonly rowTile: number;
  readonly columnTile: number;
}
/** For processors: the right side is packed in panels (WeightPacking); columnTile is a multiple of panelWidth. */
export interface PanelSchedule extends Tiles {
  readonly panelWidth: number;
  /** Bytes of left rows that meet all panels of a column tile before the next rows do. */
  readonly leftBytes: number;
}
/**
 * For processors that multiply integers: rows of the left side are rounded to 8 bits, a scale for each block of K of the right side;
 * sums within a block are exact. What has no such instructions multiplies the rows as they are.
 */
export interface IntegerSchedule extends Tiles {
  readonly activations: 'int8';
}
/** For GPUs: a workgroup computes a tile, each thread threadRows x threadColumns of it, depthTile of K at a time. */
export interface WorkgroupSchedule extends Tiles {
  readonly depthTile: number;
  readonly threadRows: number;
  readonly threadColumns: number;
}
/** For GPUs and few rows: `threads` share the K of every column, whose products they add up. */
export interface SplitDepthSchedule extends Tiles {
  readonly threads: number;
}
/**
 * For GPUs with tensor cores, which multiply both sides rounded to 16 bits and add in f32. Warps lie warpRows x warpColumns over the
 * tile, each with an equal part of it, a multiple of 16 x 16; warpDepth of them share out each depthTile of K, a multiple of
 * 16 warpDepth, and their sums are added in order at the end. `stages`: depth tiles of a right side that needs no conversion which
 * are held or on their way, at least 2.
 */
export interface TensorCoreSchedule extends Tiles {
  readonly multiply: 'f16' | 'bf16';
  readonly depthTile: number;
  readonly warpRows: number;
  readonly warpColumns: number;
  readonly warpDepth: number;
  readonly stages: number;
}

/**
 * What products may have beside their sides and an epilogue (row-norm.ts). For a residual that is normed they have the operands and
 * integers of `leftNorm` with gathered statistics once more, after those: weight and bias [N], columns of its parts.
 */
interface RowNorms {
  /**
   * left is normalised first. operands, after those of the epilogue: weight [K], bias [K] (layer only), and where they are gathered
   * the statistics [M, parts, numbers]; integers, last: with statistics the columns of a part.
   */
  readonly leftNorm?: LeftNorm;
  /** A second result, after the first: the statistics of its rows for a norm, [M, ceil(N / partColumns), numbers]. */
  readonly gathers?: Norm;
}

/**
 * result[M, N] = epilogue(left[M, K] x right[N, K]^T), the right side packed as the target says (Target.gemmWeights).
 * operands: left, right, one for each bias and residual in order, result.
 * integers: M, N, K, row stride of left, row stride of result, then the row stride of each residual.
 */
export interface GemmKernel extends RowNorms {
  readonly kind: 'gemm';
  /** What the right side is stored as; sums are f32. */
  readonly right: 'f32' | 'f16';
  readonly epilogue: readonly EpilogueStep[];
  readonly schedule: PanelSchedule | WorkgroupSchedule | SplitDepthSchedule | TensorCoreSchedule;
}

/**
 * result[M, N] = epilogue(left[M, K] x right[N, K]^T), the right side in blocks (compiler/weights/block-format.ts) and multiplied
 * from them: nothing of size N x K is expanded. f32 arithmetic, a value is fl(scale * q) + minimum.
 * operands: left, quants (u8), scales f32 [N, K / block], [minima f32 [N, K / block]], one for each bias and residual in order,
 * result.
 * integers: M, N, K, row stride of left, row stride of result, then the row stride of each residual.
 * items: ceil(M / rowTile) * ceil(N / columnTile); item = columnBlock * ceil(M / rowTile) + rowBlock. Any M >= 1, small ones
 * (decode) without waste.
 */
export interface BlockGemmKernel extends RowNorms {
  readonly kind: 'block_gemm';
  readonly format: BlockFormat;
  readonly epilogue: readonly EpilogueStep[];
  readonly schedule: Tiles | IntegerSchedule | WorkgroupSchedule | SplitDepthSchedule | TensorCoreSchedule;
}

/**
 * result[i, :] = row ids[i] of a table [N, K] in blocks: an embedding.
 * operands: ids i32 [n], quants, scales, [minima], result f32 [n, K]. integers: n, K, with `part` the first row of the table that
 * the operands hold and how many they hold: other ids are left to other dispatches. items: n.
 */
export interface BlockLookupKernel {
  readonly kind: 'block_lookup';
  readonly format: BlockFormat;
  readonly part?: true;
}
