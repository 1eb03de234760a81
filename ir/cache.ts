/**
 * What a causal attention keeps between calls, for the KV heads of one mode (atp-modes.md, section 2): the state tensors, and
 * which tokens lie where in them. One sequence; `past` tokens were read before the call, `seq` are read by it.
 *
 * A call is cut into blocks at the multiples of `block` in absolute positions, so that the state after a token does not depend
 * on how the tokens were split over calls. For the block that begins at s, tokens before s - window leave the exact window.
 */
import {
  addSizes,
  ceilDivideSizes,
  floorDivideSizes,
  maxSize,
  minSize,
  multiplySizes,
  subtractSizes,
  type Size,
} from './size.ts';
import type { ElementType } from './element-type.ts';

/** Every token stays, exact. */
export interface DenseCache {
  readonly kind: 'dense';
  /** Tokens that fit. */
  readonly capacity: number;
}
/**
 * Every token stays. Tokens that leave the window are clustered block by block and stored sorted by cluster; a query reads
 * sinks and window exactly, every cluster by mean and log mass, and the tokens of the best clusters exactly instead.
 */
export interface ExpandCache {
  readonly kind: 'expand';
  readonly capacity: number;
  readonly sinks: number;
  readonly window: number;
  readonly block: number;
  /** Clusters of a block (fewer where it has fewer tokens). */
  readonly keysPerBlock: number;
  readonly iterations: number;
  /**
   * At most `most` clusters a query, the largest second-order estimates e_j; with a share, only those with
   * e_j - log Z > log share. Null expands none.
   */
  readonly expand: { readonly most: number; readonly share: number | null } | null;
}
/** Sinks, `atoms` scored tokens and a window, all exact; the rest is dropped. Constant size. */
export interface StreamCache {
  readonly kind: 'stream';
  readonly sinks: number;
  readonly window: number;
  readonly block: number;
  readonly atoms: number;
  /** Factor of all scores, once a block. */
  readonly decay: number;
}
export type CacheSpec = DenseCache | ExpandCache | StreamCache;
export type CacheKind = CacheSpec['kind'];

export interface StateTensor {
  /** Of the cache, such as `key`; the state of a model is named by layer, run of heads and this. */
  readonly name: string;
  readonly elementType: Extract<ElementType, 'f32' | 'i32'>;
  readonly shape: readonly number[];
}
export interface HeadSizes {
  readonly kvHeads: number;
  readonly headSize: number;
  readonly valueSize: number;
}

/** Blocks of tokens that may leave the window of an expand cache: those before the last `window` tokens. */
export function clusteredBlocks({ capacity, window, block }: Pick<ExpandCache, 'capacity' | 'window' | 'block'>): number {
  return Math.max(1, Math.ceil(capacity / block) - Math.floor(window / block));
}

/**
 * The tensors of one cache, in the order in which `cached_attention` takes and gives them.
 *
 * dense: key [1, G, capacity, e], value [1, G, capacity, ev], row = position.
 * expand: key, value as for dense, the rows of a clustered block sorted by cluster; then meanKey [1, G, C, e], meanValue
 *   [1, G, C, ev], logMass [1, G, C] (-inf: empty), radius [1, G, C], offsets i32 [1, G, C + 1] (rows of `key` of cluster j:
 *   offsets[j] to offsets[j + 1]). Cluster j belongs to clustered block floor(j / keysPerBlock). C = clusteredBlocks *
 *   keysPerBlock.
 * stream: key [1, G, R, e], value, score [1, G, R], position i32 [1, G, R]; R = atoms + sinks + window + block. Rows: first
 *   the atoms in ascending position, from row `atoms` on sinks and exact tokens without a gap (see `streamRows`).
 */
export const stateTensors: {
  readonly [K in CacheKind]: (cache: Extract<CacheSpec, { kind: K }>, heads: HeadSizes) => readonly StateTensor[];
} = {
  dense: ({ capacity }, heads) => keyAndValue(capacity, heads),
  expand(cache, heads) {
    const { kvHeads, headSize, valueSize } = heads;
    const clusters = clusteredBlocks(cache) * cache.keysPerBlock;
    return [
      ...keyAndValue(cache.capacity, heads),
      { name: 'meanKey', elementType: 'f32', shape: [1, kvHeads, clusters, headSize] },
      { name: 'meanValue', elementType: 'f32', shape: [1, kvHeads, clusters, valueSize] },
      { name: 'logMass', elementType: 'f32', shape: [1, kvHeads, clusters] },
      { name: 'radius', elementType: 'f32', shape: [1, kvHeads, clusters] },
      { name: 'offsets', elementType: 'i32', shape: [1, kvHeads, clusters + 1] },
    ];
  },
  stream(cache, heads) {
    const rows = cache.atoms + cache.sinks + cache.window + cache.block;
    return [
      ...keyAndValue(rows, heads),
      { name: 'score', elementType: 'f32', shape: [1, heads.kvHeads, rows] },
      { name: 'position', elementType: 'i32', shape: [1, heads.kvHeads, rows] },
    ];
  },
};
function keyAndValue(rows: number, { kvHeads, headSize, valueSize }: HeadSizes): readonly StateTensor[] {
  return [
    { name: 'key', elementType: 'f32', shape: [1, kvHeads, rows, headSize] },
    { name: 'value', elementType: 'f32', shape: [1, kvHeads, rows, valueSize] },
  ];
}
export function stateTensorsOf(cache: CacheSpec, heads: HeadSizes): readonly StateTensor[] {
  return stateTensors[cache.kind](cache as never, heads);
}
export function stateBytes(cache: CacheSpec, heads: HeadSizes): number {
  return stateTensorsOf(cache, heads).reduce((sum, { shape }) => sum + 4 * shape.reduce((product, size) => product * size, 1), 0);
}

/** 1 where size >= 1, else 0. */
const isPositive = (size: Size): Size => minSize(1, maxSize(0, size));

/** One round of the block loop, `round` counting from 0: positions [start, end) of the sequence, inside the block at `blockStart`. */
export interface BlockRound {
  readonly rounds: Size;
  readonly blockStart: Size;
  readonly start: Size;
  readonly end: Size;
  /** start - past: the first row of the call's query, key and value. */
  readonly firstRow: Size;
  readonly rows: Size;
  /** 1 where the round begins its block, else 0. */
  readonly beginsBlock: Size;
}
/** Sizes are expressions of `past`, `seq` and `round`. */
export function blockRound(block: number, past: Size, seq: Size, round: Size): BlockRound {
  const firstBlock = floorDivideSizes(past, block);
  const blockStart = multiplySizes(addSizes(firstBlock, round), block);
  const total = addSizes(past, seq);
  const start = maxSize(past, blockStart);
  const end = minSize(total, addSizes(blockStart, block));
  return {
    rounds: subtractSizes(ceilDivideSizes(total, block), firstBlock),
    blockStart,
    start,
    end,
    firstRow: subtractSizes(start, past),
    rows: subtractSizes(end, start),
    beginsBlock: isPositive(subtractSizes(addSizes(blockStart, 1), start)),
  };
}

/** Rows of an expand cache during a block. */
export interface ExpandRows {
  /** 1 where tokens have left the window (s - window > sinks), else 0: then every token [0, end) is exact. */
  readonly far: Size;
  /** Tokens [leaving, left) are clustered before the block's queries, as block `index` of the clusters; none where they are equal. */
  readonly leaving: Size;
  readonly left: Size;
  readonly index: Size;
  /** Clusters that are in use after that. */
  readonly clusters: Size;
  /** Exact rows: sinks [0, sinkRows) seen by all, and [first, end) seen causally. */
  readonly sinkRows: Size;
  readonly first: Size;
}
export function expandRows(cache: ExpandCache, blockStart: Size): ExpandRows {
  const { sinks, window, block, keysPerBlock } = cache;
  const left = maxSize(sinks, subtractSizes(blockStart, window));
  const leaving = maxSize(sinks, subtractSizes(blockStart, window + block));
  const far = isPositive(subtractSizes(left, sinks));
  // Block i of the clusters holds the tokens that leave when the block at window-aligned start first + i * block begins.
  const skipped = Math.floor((window + sinks) / block);
  const index = maxSize(0, subtractSizes(floorDivideSizes(blockStart, block), skipped + 1));
  return {
    far,
    leaving,
    left,
    index,
    clusters: multiplySizes(far, addSizes(index, 1), keysPerBlock),
    sinkRows: multiplySizes(far, sinks),
    first: multiplySizes(far, left),
  };
}

/** Rows of a stream cache during a block. */
export interface StreamRows {
  /** Atoms kept before the block's eviction, and after it. */
  readonly atomsBefore: Size;
  readonly atoms: Size;
  /** Tokens [leaving, left) are candidates for atoms when the block begins; none where they are equal. */
  readonly leaving: Size;
  readonly left: Size;
  /** Row of the token at position p: firstRow + p - first for p >= first; sinks lie right before, at rows atoms .. atoms + sinks. */
  readonly first: Size;
  /** Exact rows, sinks included, that hold tokens up to a position `end`: rows [cache.atoms, cache.atoms + exactRows(end)). */
  readonly exactRows: (end: Size) => Size;
}
export function streamRows(cache: StreamCache, blockStart: Size): StreamRows {
  const { sinks, window, block, atoms } = cache;
  const left = maxSize(sinks, subtractSizes(blockStart, window));
  const leaving = maxSize(sinks, subtractSizes(blockStart, window + block));
  return {
    atomsBefore: minSize(atoms, subtractSizes(leaving, sinks)),
    atoms: minSize(atoms, subtractSizes(left, sinks)),
    leaving,
    left,
    first: left,
    exactRows: (end) => addSizes(sinks, subtractSizes(end, left)),
  };
}
