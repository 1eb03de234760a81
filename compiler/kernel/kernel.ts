/**
 * The kernel level: what runs as one dispatch. A kernel is plain data, either a loop nest with at most one reduction and an
 * epilogue (`map`), or a named structured kernel with a schedule. Sizes and strides are not part of a kernel: a dispatch
 * hands them over as integers, so that all layers share one kernel.
 *
 * Each kind fixes the order of its operands (pointers to 4-byte elements) and integers; planner and renderers both follow
 * the comments here. Strides count elements. `range` below means the pair of bounds on the unpadded tokens of a sequence.
 */
import type { Size } from '../../ir/size.ts';
import type { ElementType } from '../../ir/element-type.ts';
import type { OpName } from '../../ir/ops/attributes.ts';

export type Kernel =
  MapKernel | NormKernel | GemmKernel | AttentionKernel | ClusterKernel | SegmentMeansKernel | PrincipalRowsKernel;
export type KernelKind = Kernel['kind'];

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

/**
 * layer_norm or rms_norm of the rows of an elementwise expression, which is evaluated once: embedding sums and residuals
 * are part of it. The last axis of the nest is normalised.
 * operands: the loop operands, weight [d], bias [d] (layer only), result (contiguous).
 * integers: the `rank` extents; for each operand its `rank` strides and its indirect stride if it has one.
 * items: the product of all extents but the last.
 */
export interface NormKernel {
  readonly kind: 'norm';
  readonly norm: 'layer' | 'rms';
  readonly epsilon: number;
  readonly rank: number;
  readonly operands: readonly LoopOperand[];
  readonly body: Scalar;
}

export type EpilogueStep =
  /** + bias[N]. */
  | { readonly step: 'bias' }
  | {
      readonly step: 'activation';
      readonly op: Extract<ElementwiseOp, 'gelu' | 'gelu_tanh' | 'relu' | 'silu' | 'tanh' | 'exp' | 'negate'>;
    }
  /** + residual[M, N]. */
  | { readonly step: 'residual' };

/**
 * result[M, N] = epilogue(left[M, K] x right[N, K]^T), the right side packed in panels (WeightPacking) of panelWidth.
 * operands: left, right, one for each bias and residual in order, result.
 * integers: M, N, K, row stride of left, row stride of result, then the row stride of each residual.
 * items: ceil(M / rowTile) * ceil(N / columnTile); item = columnTile's number * ceil(M / rowTile) + rowTile's number. columnTile is
 * a multiple of panelWidth.
 */
export interface GemmKernel {
  readonly kind: 'gemm';
  readonly epilogue: readonly EpilogueStep[];
  readonly schedule: {
    readonly rowTile: number;
    readonly columnTile: number;
    readonly panelWidth: number;
    /** Bytes of left rows that meet all panels of a column tile before the next rows do. */
    readonly leftBytes: number;
  };
}

/** Bounds on the unpadded tokens of a sequence: atLeast <= tokens < below. A segment outside of them counts as empty. */
export interface TokenRange {
  readonly atLeast?: number;
  readonly below?: number;
}

/**
 * Flash attention over segments: online softmax, never a whole row of scores for `keys` segments. q . k * scale.
 * operands: query, then those of each segment, then result.
 * integers: batch, heads H, key/value heads G, queries n, query strides (batch, head, row), result strides (batch, head,
 * row), then those of each segment. The innermost stride is 1 everywhere. A query that sees no key gives zeros.
 * items: batch * heads * ceil(n / queryTile).
 */
export interface AttentionKernel {
  readonly kind: 'attention';
  readonly headSize: number;
  readonly valueSize: number;
  readonly scale: number;
  readonly segments: readonly AttentionKernelSegment[];
  readonly schedule: { readonly queryTile: number; readonly keyTile: number };
}
export type AttentionKernelSegment = KeysSegment | ClustersSegment | RankedSegment;

/**
 * Keys read in order.
 * operands: key, value, [bias f32], [mask i32 [b, s]], [tokens i32 [b]] (those that the flags name).
 * integers: s, key strides (batch, head, row), value strides (batch, head, row), [bias strides (batch, head)].
 */
export interface KeysSegment {
  readonly kind: 'keys';
  readonly bias: boolean;
  readonly mask: boolean;
  /** j <= i + s - n. */
  readonly causal: boolean;
  /** j > i + s - n - window. */
  readonly window: number | null;
  readonly tokens: TokenRange | null;
}

/**
 * Principal keys with log mass, the best `expand.count` of them (of "tokens", per query by second-order estimate, ties to the
 * lower cluster; atp-modes.md, expand) replaced by the exact tokens they stand for.
 * operands, all contiguous: meanKey [b, G, C, e], meanValue [b, G, C, ev], logMass [b, G, C]; with expand: radius [b, G, C],
 * offsets i32 [b, G, C + 1], sortedKey [b, G, s, e], sortedValue [b, G, s, ev]; with expand or a range: tokens i32 [b].
 * integers: C, and with expand s.
 */
export interface ClustersSegment {
  readonly kind: 'clusters';
  readonly expand: { readonly count: Size } | null;
  readonly tokens: TokenRange | null;
}

/**
 * Projection plus top-r (atp-modes.md, topr): exact attention over the `count` (of "tokens") best unmasked keys by projected
 * score (ties to the lower position), plus one key for the rest: its score the log sum exp of their projected scores (times
 * scale), its value `restValue`.
 * operands: projectedQuery, projectedKey, key, value, mask i32 [b, s], tokens i32 [b], [restValue f32 [b, G, ev] contiguous].
 * integers: s, strides (batch, head, row) of projectedQuery, projectedKey, key, value.
 */
export interface RankedSegment {
  readonly kind: 'ranked';
  readonly projectedSize: number;
  readonly count: Size;
  readonly rest: boolean;
  readonly tokens: TokenRange | null;
}

/**
 * Block-wise k-means of keys (atp-modes.md, expand), exactly as the op `cluster` says.
 * operands: key, value, mask i32 [b, s]; results, contiguous: order i32 [b, G, s], offsets i32 [b, G, C + 1], meanKey,
 * meanValue, logMass, radius.
 * integers: batch, G, s, C, key strides (batch, head, row), value strides (batch, head, row). items: batch * G.
 */
export interface ClusterKernel {
  readonly kind: 'cluster';
  readonly headSize: number;
  readonly valueSize: number;
  readonly blockTokens: number;
  readonly keysPerBlock: Size;
  readonly iterations: number;
}

/**
 * operands: key, value, mask i32 [b, s]; results, contiguous: meanKey, meanValue, logMass.
 * integers: batch, G, s, C, key strides (batch, head, row), value strides (batch, head, row). items: batch * G.
 */
export interface SegmentMeansKernel {
  readonly kind: 'segment_means';
  readonly headSize: number;
  readonly valueSize: number;
  readonly count: Size;
}

/**
 * Literal ATP's principal rows by an eigendecomposition in float64, of X^T X or X X^T, whichever is smaller.
 * operands, contiguous: x [b, s, d], mask i32 [b, s]; results: rows [b, r, d], columnSums [b, r], bias [b, r].
 * integers: batch, s, d, r. items: batch.
 */
export interface PrincipalRowsKernel {
  readonly kind: 'principal_rows';
  readonly count: Size;
}

/** The identity of a kernel: two dispatches with equal keys run the same code. */
export function kernelKey(kernel: Kernel): string {
  return JSON.stringify(kernel);
}
