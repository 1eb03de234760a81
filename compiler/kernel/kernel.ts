/**
 * The kernel level: what runs as one dispatch. A kernel is plain data, either a loop nest with at most one reduction and an
 * epilogue (`map`), or a named structured kernel with a schedule. Sizes and strides are not part of a kernel: a dispatch
 * hands them over as integers, so that all layers share one kernel.
 *
 * Each kind fixes the order of its operands (pointers to elements of 4 bytes, unless it says otherwise) and integers; planner and renderers both follow
 * the comments here. Strides count elements. `range` below means the pair of bounds on the unpadded tokens of a sequence.
 */
import type { Size } from '../../ir/size.ts';
import type { ElementType } from '../../ir/element-type.ts';
import type { OpName } from '../../ir/ops/attributes.ts';
import type { BlockFormat } from '../weights/block-format.ts';
import type { AppliedNorm, LeftNorm, Norm } from './row-norm.ts';

export type Kernel =
  | MapKernel
  | MapsKernel
  | NormKernel
  | GemmKernel
  | BlockGemmKernel
  | BlockLookupKernel
  | AttentionKernel
  | ClusterKernel
  | SegmentMeansKernel
  | PrincipalRowsKernel
  | ClusterBlockKernel
  | EvictKernel
  | ScoreKeysKernel;
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

/** Bounds on the unpadded tokens of a sequence: atLeast <= tokens < below. A segment outside of them counts as empty. */
export interface TokenRange {
  readonly atLeast?: number;
  readonly below?: number;
}

/**
 * Flash attention over segments: online softmax, never a whole row of scores for `keys` segments. q . k * scale.
 * operands: query, then those of each segment, then result, then with `logSumExp` the log sum exp of every query's scores
 * f32 [b, H, n] (unit stride along n).
 * integers: batch, heads H, key/value heads G, queries n, query strides (batch, head, row), result strides (batch, head,
 * row), with `logSumExp` its strides (batch, head), then those of each segment. The innermost stride is 1 everywhere. A query that sees no key gives zeros.
 * items: batch * heads * ceil(n / queryTile).
 */
export interface AttentionKernel {
  readonly kind: 'attention';
  readonly headSize: number;
  readonly valueSize: number;
  readonly scale: number;
  readonly segments: readonly AttentionKernelSegment[];
  readonly logSumExp: boolean;
  /**
   * fewQueries: tiles of at most four queries may take a way of their own, whose roundings differ from those of other tiles: for
   * decoding, not where one row must have the bits of all. threads: of a workgroup, on GPUs. multiply: what queries, keys, weights
   * and values are rounded to where they are multiplied, on tensor cores; sums, and scores that keys are chosen by, are f32.
   * resident: the keys and values of one segment that a workgroup keeps in shared memory.
   */
  readonly schedule: {
    readonly queryTile: number;
    readonly keyTile: number;
    readonly fewQueries: boolean;
    readonly threads?: number;
    readonly multiply?: 'f16' | 'bf16';
    readonly resident?: ResidentSegment;
  };
}
/**
 * A segment of principal keys whose keys and values a workgroup loads once, and reads for several tiles of queries of one head: as many
 * tiles that so many workgroups are left, at most `tiles`.
 */
export interface ResidentSegment {
  readonly segment: number;
  /** Keys that the segment has at most: a multiple of the tile of keys. */
  readonly keys: number;
  readonly tiles: number;
  readonly workgroups: number;
}
export type AttentionKernelSegment = KeysSegment | ClustersSegment | RankedSegment;

/**
 * Keys read in order.
 * operands: key, value, [bias f32], [mask i32 [b, s]], [tokens i32 [b]] (those that the flags name).
 * integers: s, key strides (batch, head, row), value strides (batch, head, row), [bias strides (batch, head, [row])].
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
  /** The batch rows share out the keys: row p of b has ceil(s / b) of them from p ceil(s / b) on. On targets with `decodeParts`. */
  readonly parts?: true;
  /** The bias has a stride from row to row; else 1. On targets with `decodeParts`. */
  readonly biasRows?: true;
}

/**
 * Principal keys with log mass, the best of them (per query by second-order estimate e_j, ties to the lower cluster;
 * atp-modes.md, expand) replaced by the exact tokens they stand for: `count` (of "tokens"), chosen by `tile` queries together as the
 * op `select_clusters` says (1: by each for itself), or, always by each for itself, at most `most` and, with a
 * share, only those with e_j - log Z > log share, log Z being the log sum exp over the scores of the segments before this one
 * (which must come last then) and all e_j.
 * operands, rows contiguous: meanKey [b, G, Cmax, e], meanValue [b, G, Cmax, ev], logMass [b, G, Cmax]; with expand: radius
 * [b, G, Cmax], offsets i32 [b, G, Cmax + 1], sortedKey [b, G, smax, e], sortedValue [b, G, smax, ev]; with expand by count or
 * a range: tokens i32 [b].
 * integers: C (clusters in use), Cmax, and with expand smax. C may be 0: the segment counts as empty then.
 */
export interface ClustersSegment {
  readonly kind: 'clusters';
  readonly expand:
    { readonly count: Size; readonly tile: number } | { readonly most: number; readonly share: number | null } | null;
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

/**
 * Cache of mode expand: clusters `count` tokens in place (ir/cache.ts): k-means of the keys of rows [first, first + count),
 * min(keysPerBlock, count) clusters, as the op `cluster` computes one block; rows of key and value end up sorted by cluster
 * (stable); writes entries [firstCluster, firstCluster + keysPerBlock) of the cluster tensors, offsets[firstCluster + i] and the
 * end offsets[firstCluster + keysPerBlock]; clusters beyond, and empty ones, get log mass -inf and zeros.
 * operands, state read and written: key [1, G, smax, e], value, meanKey [1, G, Cmax, e], meanValue, logMass, radius, offsets
 * i32 [1, G, Cmax + 1]. integers: G, smax, Cmax, first, count, firstCluster. items: G.
 */
export interface ClusterBlockKernel {
  readonly kind: 'cluster_block';
  readonly headSize: number;
  readonly valueSize: number;
  /** The most tokens of a block. */
  readonly blockTokens: number;
  readonly keysPerBlock: number;
  readonly iterations: number;
}

/**
 * Cache of mode stream: makes room when a block begins (ir/cache.ts). Candidates are the atoms (rows [0, atomsBefore)) and the
 * `leaving` tokens right after the sinks (rows from atoms + sinks on); the `atoms` of the largest score stay, ties to the
 * earlier position, in ascending position as rows [0, min(atoms, atomsBefore + leaving)); the `staying` rows after the leaving
 * ones move to the front (row atoms + sinks). Key, value, score and position move together.
 * operands, state read and written: key [1, G, R, e], value [1, G, R, ev], score f32 [1, G, R], position i32 [1, G, R].
 * integers: G, R, atomsBefore, leaving, staying. items: G.
 */
export interface EvictKernel {
  readonly kind: 'evict';
  readonly headSize: number;
  readonly valueSize: number;
  readonly atoms: number;
  readonly sinks: number;
  /** The most tokens that leave at a time. */
  readonly blockTokens: number;
}

/**
 * Cache of mode stream: scores of keys. For each atom in use (rows [0, atomsUsed)) and each of the `exact` rows from row `atoms`
 * on: score = factor * score + sum over the query heads of the KV head and the n queries of exp(q . k * scale - lse), a query
 * i seeing exact row j (from row `atoms`) where j <= i + exact - n. factor is `decay` where beginsBlock is 1, else 1. The last n
 * exact rows are new: they start from 0 and get position `start`, `start` + 1, ...
 * operands: query, lse f32 [1, H, n], key (state [1, G, R, e]), score (state, read and written), position (state, written).
 * integers: H, G, n, query strides (head, row), head stride of lse, R, atomsUsed, exact, start, beginsBlock.
 * items: G * ceil(R / keyTile); keys are apart, sums run over heads and queries in order.
 */
export interface ScoreKeysKernel {
  readonly kind: 'score_keys';
  readonly headSize: number;
  readonly scale: number;
  readonly atoms: number;
  readonly decay: number;
  readonly schedule: { readonly keyTile: number };
}

/** The identity of a kernel: two dispatches with equal keys run the same code. */
export function kernelKey(kernel: Kernel): string {
  return JSON.stringify(kernel);
}
