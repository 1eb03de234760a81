/**
 * Attention over a cache as dispatches (ir/cache.ts): dense caches take the call as a whole; the others go over it block by
 * block, in a repeat: make room, append the block, attend, score. Every row that a dispatch touches is an expression of the
 * tokens read before (`past`), those of the call, and the round of the repeat.
 */
import {
  blockRound,
  clusteredBlocks,
  expandRows,
  streamRows,
  type BlockRound,
  type CacheKind,
  type CacheSpec,
  type ExpandCache,
  type StreamCache,
} from '../../ir/cache.ts';
import { isOp, tensorOf, type Node } from '../../ir/graph.ts';
import { addSizes, ceilDivideSizes, minSize, multiplySizes, subtractSizes, type Size } from '../../ir/size.ts';
import type { Group } from '../../passes/fuse/groups.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Target } from '../codegen/target.ts';
import type { Extent } from './append-rows.ts';
import { attendInParts } from './attend-in-parts.ts';
import type { Dispatch, RepeatPlace } from './dispatch.ts';
import type { AttentionKernelSegment, Kernel } from './kernel.ts';
import type { NodeMemory } from './node-memory.ts';
import { sliceView, type View } from './view.ts';

/** What the lowering of a cache needs of the one who plans kernels. */
export interface CacheLowering {
  readonly memory: NodeMemory;
  readonly target: Target;
  push(dispatch: CacheDispatch): void;
  /** Writes a part of a node's value to a place, whether or not it lies in memory. */
  append(node: Node, part: readonly Extent[], to: View, place: RepeatPlace | null): void;
}
export interface CacheDispatch {
  readonly kernel: Kernel;
  readonly group: Group;
  readonly reads: readonly View[];
  readonly writes: readonly View[];
  readonly integers: readonly Size[];
  readonly largestIntegers?: readonly Size[];
  readonly items: Size;
  readonly when?: Dispatch['when'];
  readonly repeat?: RepeatPlace | null;
}

/** The variable of the repeat over blocks. */
export const roundVariable = 'round';

interface Site {
  readonly lowering: CacheLowering;
  readonly group: Group;
  readonly attention: Node<'cached_attention'> & Node;
  /** [1, heads, n, size]. */
  readonly query: View;
  readonly result: View;
  /** The tensors of the cache. */
  readonly states: readonly View[];
  readonly past: Size;
  readonly seq: Size;
}

export function lowerCachedAttention(group: Group, lowering: CacheLowering): void {
  const { memory } = lowering;
  const attention = group.root.inputs[0] as Node;
  if (!isOp(attention, 'cached_attention')) throw new AtpcError('ATPC-399', `Node %${attention.id} reads no cache.`);
  const [query, , , ...states] = attention.inputs as [Node, Node, Node, ...Node[]];
  const site: Site = {
    lowering,
    group,
    attention,
    query: memory.heads(query),
    result: memory.result(group.root, true),
    states: states.map((state) => memory.viewOf(state)),
    past: attention.attributes.past,
    seq: tensorOf(query).shape[2] as Size,
  };
  const { cache } = attention.attributes;
  lowerings[cache.kind](site, cache as never);
}

const lowerings: { readonly [K in CacheKind]: (site: Site, cache: Extract<CacheSpec, { kind: K }>) => void } = {
  dense: lowerDense,
  expand: lowerExpand,
  stream: lowerStream,
};

const rowsOf = (view: View, start: Size, length: Size): View => sliceView(view, 2, start, length);

function lowerDense(site: Site): void {
  const { past, seq } = site;
  const [key, value] = site.states as readonly [View, View];
  append(site, null, 0, seq, past);
  const total = addSizes(past, seq);
  const [keys, values] = [rowsOf(key, 0, total), rowsOf(value, 0, total)];
  const whole = { round: { firstRow: 0, rows: seq }, segments: [exactSegment(keys, values, true)] };
  const { group, lowering, query, result, attention } = site;
  const { memory, target } = lowering;
  const parts = target.decodeParts;
  const capacity = key.shape[2] as number;
  if (seq !== 1 || parts === undefined || capacity < parts.atLeast) return void attend(site, null, whole.round, whole.segments);
  const { atLeast } = parts;
  const isShort = { tokens: subtractSizes(atLeast, total), atLeast: 1 };
  attend(site, null, whole.round, whole.segments, { when: isShort });
  const { scale } = attention.attributes;
  const token = { memory, target, group, scale, query, result, key: keys, value: values, capacity };
  for (const dispatch of attendInParts(token, parts)) lowering.push({ ...dispatch, when: { tokens: total, atLeast } });
}

/** The rounds of a call over blocks; one token is always one round. */
function roundOf(site: Site, block: number): { readonly round: BlockRound; readonly repeat: RepeatPlace | null } {
  if (site.seq === 1) return { round: blockRound(block, site.past, 1, 0), repeat: null };
  const round = blockRound(block, site.past, site.seq, roundVariable);
  return { round, repeat: { variable: roundVariable, count: round.rounds } };
}
/** Once a block, and only where there is something to do. */
function onceIf(round: BlockRound, amount: Size): Dispatch['when'] {
  return { tokens: multiplySizes(round.beginsBlock, amount), atLeast: 1 };
}

function lowerExpand(site: Site, cache: ExpandCache): void {
  const { round, repeat } = roundOf(site, cache.block);
  const rows = expandRows(cache, round.blockStart);
  const [key, value, meanKey, meanValue, logMass, radius, offsets] = site.states as readonly [
    View,
    View,
    View,
    View,
    View,
    View,
    View,
  ];
  const { kvHeads, headSize, valueSize } = sizesOf(site);
  const count = subtractSizes(rows.left, rows.leaving);
  const clusterCapacity = clusteredBlocks(cache) * cache.keysPerBlock;
  const { keysPerBlock, iterations, block } = cache;
  site.lowering.push({
    kernel: { kind: 'cluster_block', headSize, valueSize, blockTokens: block, keysPerBlock, iterations },
    group: site.group,
    reads: [],
    writes: site.states,
    integers: [kvHeads, cache.capacity, clusterCapacity, rows.leaving, count, multiplySizes(rows.index, keysPerBlock)],
    items: kvHeads,
    when: onceIf(round, count),
    repeat,
  });
  append(site, repeat, round.firstRow, round.rows, round.start);
  attend(site, repeat, round, [
    exactSegment(rowsOf(key, 0, rows.sinkRows), rowsOf(value, 0, rows.sinkRows), false),
    exactSegment(
      rowsOf(key, rows.first, subtractSizes(round.end, rows.first)),
      rowsOf(value, rows.first, subtractSizes(round.end, rows.first)),
      true,
    ),
    {
      segment: { kind: 'clusters', expand: cache.expand, tokens: null },
      operands: cache.expand ? [meanKey, meanValue, logMass, radius, offsets, key, value] : [meanKey, meanValue, logMass],
      integers: [rows.clusters, clusterCapacity, ...(cache.expand ? [cache.capacity] : [])],
    },
  ]);
}

function lowerStream(site: Site, cache: StreamCache): void {
  const { round, repeat } = roundOf(site, cache.block);
  const rows = streamRows(cache, round.blockStart);
  const [key, value, score, position] = site.states as readonly [View, View, View, View];
  const { heads, kvHeads, headSize, valueSize } = sizesOf(site);
  const { atoms, sinks, block, decay } = cache;
  const capacity = key.shape[2] as Size;
  const leaving = subtractSizes(rows.left, rows.leaving);
  site.lowering.push({
    kernel: { kind: 'evict', headSize, valueSize, atoms, sinks, blockTokens: block },
    group: site.group,
    reads: [],
    writes: site.states,
    integers: [kvHeads, capacity, rows.atomsBefore, leaving, subtractSizes(round.blockStart, rows.left)],
    items: kvHeads,
    when: onceIf(round, leaving),
    repeat,
  });
  append(site, repeat, round.firstRow, round.rows, addSizes(atoms + sinks, subtractSizes(round.start, rows.first)));
  const exact = rows.exactRows(round.end);
  const logSumExp = attend(
    site,
    repeat,
    round,
    [
      exactSegment(rowsOf(key, 0, rows.atoms), rowsOf(value, 0, rows.atoms), false),
      exactSegment(rowsOf(key, atoms, exact), rowsOf(value, atoms, exact), true),
    ],
    { wantsLogSumExp: true },
  );
  const query = rowsOf(site.query, round.firstRow, round.rows);
  const schedule = site.lowering.target.scoreKeysSchedule(headSize);
  const { scale } = site.attention.attributes;
  site.lowering.push({
    kernel: { kind: 'score_keys', headSize, scale, atoms, decay, schedule },
    group: site.group,
    reads: [query, logSumExp as View, key],
    writes: [score, position],
    integers: [
      heads,
      kvHeads,
      round.rows,
      ...query.strides.slice(1, 3),
      (logSumExp as View).strides[1] as Size,
      capacity,
      rows.atoms,
      exact,
      round.start,
      round.beginsBlock,
    ],
    items: multiplySizes(kvHeads, ceilDivideSizes(capacity, schedule.keyTile)),
    repeat,
  });
}

function sizesOf({ query, attention }: Site): Readonly<Record<'heads' | 'kvHeads' | 'headSize' | 'valueSize', number>> {
  const [, key, value] = attention.inputs.map((input) => tensorOf(input).shape) as readonly (readonly Size[])[];
  return {
    heads: query.shape[1] as number,
    kvHeads: key?.[1] as number,
    headSize: key?.[3] as number,
    valueSize: value?.[3] as number,
  };
}

/** Rows [from, from + count) of the call's keys and values go to the rows from `to` on of the cache. */
function append(site: Site, repeat: RepeatPlace | null, from: Size, count: Size, to: Size): void {
  const [, ...appended] = site.attention.inputs as readonly [Node, Node, Node];
  [0, 1].forEach((index) => {
    const node = appended[index] as Node;
    const part = tensorOf(node).shape.map((length, axis) => (axis === 2 ? { start: from, length: count } : { start: 0, length }));
    site.lowering.append(node, part, rowsOf(site.states[index] as View, to, count), repeat);
  });
}

interface CacheSegment {
  readonly segment: AttentionKernelSegment;
  readonly operands: readonly View[];
  readonly integers: readonly Size[];
}
function exactSegment(key: View, value: View, causal: boolean): CacheSegment {
  return {
    segment: { kind: 'keys', bias: false, mask: false, causal, window: null, tokens: null },
    operands: [key, value],
    integers: [key.shape[2] as Size, ...key.strides.slice(0, 3), ...value.strides.slice(0, 3)],
  };
}

/** One attention dispatch over rows of the call; gives the view of the log sum exp where it is wanted. */
function attend(
  site: Site,
  repeat: RepeatPlace | null,
  { firstRow, rows }: Pick<BlockRound, 'firstRow' | 'rows'>,
  segments: readonly CacheSegment[],
  { wantsLogSumExp = false, when = null }: { readonly wantsLogSumExp?: boolean; readonly when?: Dispatch['when'] } = {},
): View | null {
  const { lowering, group, attention } = site;
  const { heads, kvHeads, headSize, valueSize } = sizesOf(site);
  const whole = wantsLogSumExp ? lowering.memory.scratch(group.root, 'log sum exp', [1, heads, site.seq]) : null;
  const logSumExp = whole && sliceView(whole, 2, firstRow, rows);
  const [query, result] = [site.query, site.result].map((view) => rowsOf(view, firstRow, rows)) as [View, View];
  const kernels = segments.map(({ segment }) => segment);
  const schedule = lowering.target.attentionSchedule(headSize, valueSize, site.seq === 1, kernels);
  // One token: the query heads that share a KV head are the queries of one tile, so that keys and values are read once. All keys
  // of the cache are visible to all of them.
  const single = site.seq === 1;
  const share = heads / kvHeads;
  const strides = (view: View): readonly Size[] => {
    const [batch, head, row] = view.strides as readonly [Size, Size, Size];
    return single ? [batch, multiplySizes(head, share), head] : [batch, head, row];
  };
  const kernel: Kernel = {
    kind: 'attention',
    headSize,
    valueSize,
    scale: attention.attributes.scale,
    segments: kernels.map((segment) => (single && segment.kind === 'keys' ? { ...segment, causal: false } : segment)),
    logSumExp: wantsLogSumExp,
    schedule,
  };
  const [queryHeads, queries]: readonly [Size, Size] = single ? [kvHeads, share] : [heads, rows];
  const logStrides: readonly Size[] = logSumExp
    ? [logSumExp.strides[0] as Size, single ? share : (logSumExp.strides[1] as Size)]
    : [];
  const integersFor = (count: Size): readonly Size[] => [
    ...[1, queryHeads, kvHeads, count],
    ...strides(query),
    ...strides(result),
    ...logStrides,
    ...segments.flatMap(({ integers }) => integers),
  ];
  const { cache } = attention.attributes;
  lowering.push({
    kernel,
    group,
    reads: [query, ...segments.flatMap(({ operands }) => operands)],
    writes: [result, ...(logSumExp ? [logSumExp] : [])],
    integers: integersFor(queries),
    ...(repeat && 'block' in cache ? { largestIntegers: integersFor(minSize(site.seq, cache.block)) } : {}),
    items: multiplySizes(queryHeads, ceilDivideSizes(queries, schedule.queryTile)),
    when,
    repeat,
  });
  return logSumExp;
}
