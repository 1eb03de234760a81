/**
 * The ops of the graph level and the attributes each one carries. Every table over ops is keyed by this interface, so that
 * a new op does not compile until each of them has its row.
 *
 * Shapes below: b batch, H query heads, G key/value heads (H a multiple of G), n query tokens, s key tokens, d model width,
 * e head size. Elementwise ops broadcast as NumPy does. "tokens" in a count expression is the number of unpadded tokens of
 * one sequence (or, for `cluster`, of one block).
 */
import type { ElementType } from '../element-type.ts';
import type { Size } from '../size.ts';
import type { CacheSpec } from '../cache.ts';

export type NoAttributes = Readonly<Record<string, never>>;

/**
 * Which keys of a segment a query sees; the rules of one segment are and-ed. The inputs that a rule needs follow the
 * segment's own inputs, in the order of the rules.
 */
export type VisibleRule =
  /** Key j is at or before query i, the last key level with the last query: j <= i + s - n. */
  | { readonly rule: 'causal' }
  /** Key j is among the `size` keys that end level with query i: j > i + s - n - size. */
  | { readonly rule: 'window'; readonly size: number }
  /** Input: mask bool[b, s]; true is a token, false is padding. */
  | { readonly rule: 'padding' }
  /** The whole segment counts only for sequences with atLeast <= tokens < below. Input: tokens i32[b]. */
  | { readonly rule: 'tokens'; readonly atLeast?: number; readonly below?: number }
  /** Keys are clusters; those in the selection are left out. Input: selection i32[b, H, n, m] (-1 is none). */
  | { readonly rule: 'notChosen' }
  /** Keys are tokens sorted by cluster; only those of selected clusters. Inputs: selection i32[b, H, n, m], offsets i32[b, G, C + 1]. */
  | { readonly rule: 'chosen' }
  /** Only the selected tokens. Input: selection i32[b, H, n, r] (-1 is none). */
  | { readonly rule: 'selected' };

/**
 * One segment of attention. Inputs in order: key f32[b, G, s, e] (or, when `scored`, the finished scores f32[b, H, n, s]),
 * value f32[b, G, s, ev], bias f32[b, G, s] when `bias`, then the inputs of the rules.
 */
export interface AttentionSegment {
  readonly scored: boolean;
  readonly bias: boolean;
  readonly visible: readonly VisibleRule[];
}

export interface OpAttributes {
  // Sources
  input: { readonly name: string; readonly elementType: ElementType; readonly shape: readonly Size[] };
  parameter: { readonly name: string; readonly elementType: ElementType; readonly shape: readonly Size[] };
  constant: { readonly elementType: ElementType; readonly value: number };
  /** i32 tensor whose elements are their own index along `axis`. */
  iota: { readonly shape: readonly Size[]; readonly axis: number };

  /** A tensor that outlives a call, as the call finds it. Used once: by the op that gives what it is afterwards (Graph.states). */
  state: { readonly name: string; readonly elementType: ElementType; readonly shape: readonly Size[] };

  // Elementwise, two operands
  add: NoAttributes;
  subtract: NoAttributes;
  multiply: NoAttributes;
  divide: NoAttributes;
  maximum: NoAttributes;
  minimum: NoAttributes;
  /** bool results. */
  less: NoAttributes;
  equal: NoAttributes;
  // Elementwise, one operand
  negate: NoAttributes;
  exp: NoAttributes;
  log: NoAttributes;
  sqrt: NoAttributes;
  tanh: NoAttributes;
  erf: NoAttributes;
  sin: NoAttributes;
  cos: NoAttributes;
  relu: NoAttributes;
  /** x/2 (1 + erf(x / sqrt 2)). */
  gelu: NoAttributes;
  /** The tanh approximation, Hugging Face's gelu_new. */
  gelu_tanh: NoAttributes;
  silu: NoAttributes;
  cast: { readonly to: ElementType };
  /** where(condition bool, a, b). */
  where: NoAttributes;

  // Movement
  reshape: { readonly shape: readonly Size[] };
  transpose: { readonly permutation: readonly number[] };
  broadcast: { readonly shape: readonly Size[] };
  slice: { readonly axis: number; readonly start: Size; readonly length: Size };
  concat: { readonly axis: number };
  /** gather(table [B..., N, R...], indices i32[B..., I...]) -> [B..., I..., R...], the first `batchAxes` axes shared. */
  gather: { readonly batchAxes: number };

  // Reductions over one axis; the axis stays with size 1
  reduce_sum: { readonly axis: number };
  reduce_max: { readonly axis: number };

  /** a [..., M, K] x b [..., N, K]^T (transposeRight) or [..., K, N] -> [..., M, N]; leading axes broadcast. Accumulates in f32 at least. */
  matmul: { readonly transposeRight: boolean };

  // Composites with a decomposition into the ops above
  /** layer_norm(x, weight [d], bias [d]) over the last axis. */
  layer_norm: { readonly epsilon: number };
  /** rms_norm(x, weight [d]) over the last axis. */
  rms_norm: { readonly epsilon: number };
  softmax: { readonly axis: number };
  /**
   * rope(x [..., n, e], positions i32[n] or [b, n] against x [b, H, n, e]): rotates the halves (x1, x2) of the last axis by the
   * position times theta^(-2 i / e) / divisors[i]; `divisors` has e / 2 numbers, or none where nothing is scaled.
   */
  rope: { readonly theta: number; readonly maxPositions: number; readonly divisors: readonly number[] };

  // Attention (DESIGN section 1) and the modes (atp-modes.md)
  /** attention(query f32[b, H, n, e], segments...) -> f32[b, H, n, ev]; a query that sees no key at all gives zeros. */
  attention: { readonly scale: number; readonly segments: readonly AttentionSegment[] };
  /**
   * cluster(key f32[b, G, s, e], value f32[b, G, s, ev], mask bool[b, s]) -> (order i32[b, G, s], offsets i32[b, G, C + 1],
   * meanKey f32[b, G, C, e], meanValue f32[b, G, C, ev], logMass f32[b, G, C], radius f32[b, G, C]).
   * Blocks of `blockTokens` unpadded tokens, `keysPerBlock` (of "tokens") k-means clusters in each. `order` lists the
   * unpadded tokens sorted by cluster, then the padded ones; unused and empty clusters have log mass -inf, and zeros for
   * their means and radius.
   * C = ceildiv(s, blockTokens) * keysPerBlock(blockTokens).
   */
  cluster: { readonly blockTokens: number; readonly keysPerBlock: Size; readonly iterations: number };
  /**
   * select_clusters(query f32[b, H, n, e], meanKey, logMass, radius, tokens i32[b]) -> selection i32[b, H, n, m]:
   * the `count` (of "tokens") clusters of largest second-order estimate e_j, ties to the lower cluster, -1 beyond. m is
   * `count` at tokens = n. With a `tile` above 1, rows tile * t to tile * (t + 1) - 1 of a head choose together and get the same
   * clusters: those of largest max_i(e_ij - log Z_i + log |q_i|) + log(radius_j) / 2, Z_i the sum of exp(e_ij) over all clusters.
   * The maximum is over the rows i below the sequence's token count, so that padding after the last token has no say; over all
   * rows of a tile that begins at the count or later.
   */
  select_clusters: { readonly scale: number; readonly count: Size; readonly tile: number };
  /** segment_means(key, value, mask bool[b, s]) -> (meanKey f32[b, G, C, e], meanValue, logMass f32[b, G, C]), C = `count` (of "tokens") at tokens = s. */
  segment_means: { readonly count: Size };
  /**
   * rank_keys(projectedQuery f32[b, H, n, p], projectedKey f32[b, G, s, p], mask bool[b, s]) ->
   * (selection i32[b, H, n, r], restScore f32[b, H, n, 1]): the `count` (of "tokens") best keys by projected score, ties to
   * the lower position, -1 beyond; restScore is the log sum exp of the projected scores of the others (-inf for none).
   * Best first; r is `count` at tokens = s.
   */
  rank_keys: { readonly scale: number; readonly count: Size };
  /**
   * principal_rows(x f32[b, s, d], mask bool[b, s]) -> (rows f32[b, r, d], columnSums f32[b, r], bias f32[b, r]):
   * literal ATP: rows = U_r^T X, columnSums = U_r^T 1, signs so that columnSums >= 0; bias is -inf beyond `count` of "tokens"
   * and beyond the rank of X, 0 else. r is `count` at tokens = s.
   */
  principal_rows: { readonly count: Size };

  /**
   * Causal attention that goes on where the call before ended: cached_attention(query f32[1, H, n, e], key f32[1, G, n, e], value
   * f32[1, G, n, ev], then the tensors of the cache) -> (result f32[1, H, n, ev], then the tensors of the cache afterwards).
   * `past` tokens were read before. What a query sees, and what stays, is said by the cache (ir/cache.ts; atp-modes.md,
   * section 2): it works block by block, so that results do not depend on how tokens are split over calls.
   */
  cached_attention: { readonly scale: number; readonly past: Size; readonly cache: CacheSpec };

  /** The element `index` of a tuple. */
  get: { readonly index: number };
}
export type OpName = keyof OpAttributes;
