/**
 * Attention, and the kernels around it: those that choose the keys of a mode, and those that keep a cache in order. Their contract is in
 * kernel.ts. `range` below means the pair of bounds on the unpadded tokens of a sequence.
 */
import type { Size } from '../../ir/size.ts';

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
