/** Kernels that are loop nests over expressions: maps, several of them side by side, and norms of rows. Their contract is in kernel.ts. */
import type { ElementType } from '../../ir/element-type.ts';
import type { OpName } from '../../ir/ops/attributes.ts';
import type { Norm } from './row-norm.ts';

export type ElementwiseOp = Extract<
  OpName,
  | 'add'
  | 'subtract'
  | 'multiply'
  | 'divide'
  | 'maximum'
  | 'minimum'
  | 'less'
  | 'equal'
  | 'negate'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'tanh'
  | 'erf'
  | 'sin'
  | 'cos'
  | 'relu'
  | 'gelu'
  | 'gelu_tanh'
  | 'silu'
  | 'cast'
  | 'where'
>;

/** An expression evaluated at one index of a loop nest. `type` is the type of the result. */
export type Scalar =
  /**
   * The element of an operand at base + sum(index[axis] * stride[axis]) + indirect * indirectStride. An operand with
   * `indirect` is a gather: the index is itself an expression of type i32.
   */
  | { readonly kind: 'load'; readonly type: ElementType; readonly operand: number; readonly indirect?: Scalar }
  | { readonly kind: 'constant'; readonly type: ElementType; readonly value: number }
  | { readonly kind: 'index'; readonly type: 'i32'; readonly axis: number }
  | { readonly kind: 'apply'; readonly type: ElementType; readonly op: ElementwiseOp; readonly inputs: readonly Scalar[] }
  /** In an epilogue: the value that the reduction gave. */
  | { readonly kind: 'reduced'; readonly type: ElementType };

export interface LoopOperand {
  readonly elementType: ElementType;
  /** Stride along the last axis of the nest (before the reduction axis): 0 and 1 are known to the renderer, others are handed over. */
  readonly lastStride: 0 | 1 | 'any';
  /** The load has an `indirect` index, and the operand one more stride for it. */
  readonly indirect: boolean;
}

/**
 * result[i0, ..., i(rank-1)] = epilogue(reduce over r of body).
 * operands: the loop operands, then the result.
 * integers: the `rank` extents, the extent of the reduction if there is one; for each operand its `rank` strides, its stride
 * along the reduction if there is one, its indirect stride if it has one; then the `rank` strides of the result.
 * items: the product of all extents but the last of the rank (1 for rank 1). rank >= 1.
 */
export interface MapKernel {
  readonly kind: 'map';
  readonly rank: number;
  readonly operands: readonly LoopOperand[];
  readonly reduction: 'sum' | 'max' | null;
  readonly body: Scalar;
  readonly epilogue: Scalar | null;
  readonly result: { readonly elementType: ElementType; readonly lastStride: 0 | 1 | 'any' };
}

/** A loop nest without a reduction. */
export type ElementwiseMapKernel = MapKernel & { readonly reduction: null; readonly epilogue: null };

/**
 * Loop nests of which none reads or overwrites what another one writes, as one dispatch: the halves of a rotation, the rows that a
 * call appends to a cache.
 * operands: the loop operands of each part, part after part, then the result of each part.
 * integers: those of each part (MapKernel), part after part.
 * items: the sum of those of the parts; the items of a part come after those of the parts before it.
 */
export interface MapsKernel {
  readonly kind: 'maps';
  readonly parts: readonly ElementwiseMapKernel[];
}

/**
 * layer_norm or rms_norm of the rows of an elementwise expression, which is evaluated once: embedding sums and residuals
 * are part of it. The last axis of the nest is normalised.
 * operands: the loop operands, weight [d], bias [d] (layer only), with `gathered` the statistics of the rows (row-norm.ts), result
 * (contiguous).
 * integers: the `rank` extents; for each operand its `rank` strides and its indirect stride if it has one; with `gathered` the columns
 * of a part.
 * items: the product of all extents but the last.
 */
export interface NormKernel {
  readonly kind: 'norm';
  readonly norm: Norm;
  readonly epsilon: number;
  readonly rank: number;
  readonly operands: readonly LoopOperand[];
  readonly body: Scalar;
  /** The product that wrote the rows gathered their statistics. */
  readonly gathered?: true;
}
