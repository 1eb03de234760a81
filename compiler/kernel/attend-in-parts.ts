/**
 * Attention of one decoded token to a dense cache, over more workgroups than there are key/value heads, as Flash-Decoding does (Dao,
 * Haziza, Massa and Sizov 2023): one dispatch attends to parts of the keys, and another one puts their results together. It is attention,
 * too: over one key for each part, whose score is the log sum exp of the part and whose value is the result.
 */
import { ceilDivideSizes, minSize, multiplySizes, type Size } from '../../ir/size.ts';
import type { Group } from '../../passes/fuse/groups.ts';
import type { DecodeParts, Target } from '../codegen/target.ts';
import type { CacheDispatch } from './cached-attention.ts';
import type { AttentionKernelSegment, Kernel } from './kernel.ts';
import type { NodeMemory } from './node-memory.ts';
import type { View } from './view.ts';

export interface DecodedToken {
  readonly memory: NodeMemory;
  readonly target: Target;
  readonly group: Group;
  readonly scale: number;
  /** [1, heads, 1, size]. */
  readonly query: View;
  readonly result: View;
  /** The rows in use of a cache, [1, key/value heads, tokens, size]. */
  readonly key: View;
  readonly value: View;
  /** Rows that there is room for. */
  readonly capacity: number;
}

/** Both dispatches, in order. */
export function attendInParts(token: DecodedToken, { keys, workgroups }: DecodeParts): readonly CacheDispatch[] {
  const { memory, target, group, scale, query, result, key, value, capacity } = token;
  const [, keyHeads, total, headSize] = key.shape as readonly [Size, number, Size, number];
  const valueSize = value.shape[3] as number;
  const heads = query.shape[1] as number;
  const share = heads / keyHeads;
  const most = Math.max(1, Math.floor(workgroups / keyHeads));
  const parts = minSize(most, ceilDivideSizes(total, keys));
  const room = Math.min(most, Math.ceil(capacity / keys));
  const results = memory.scratch(group.root, 'results of parts', [room, heads, valueSize]);
  const sums = memory.scratch(group.root, 'log sum exp of parts', [room, heads]);
  const partWidth = heads * valueSize;
  const kernelOf = (
    own: Pick<Extract<Kernel, { kind: 'attention' }>, 'headSize' | 'scale' | 'logSumExp'>,
    segment: AttentionKernelSegment,
  ): Extract<Kernel, { kind: 'attention' }> => ({
    ...{ kind: 'attention', ...own, valueSize, segments: [segment] },
    schedule: target.attentionSchedule(own.headSize, valueSize, true, [segment]),
  });
  const plain = { kind: 'keys', mask: false, causal: false, window: null, tokens: null } as const;
  const split = kernelOf({ headSize, scale, logSumExp: true }, { ...plain, bias: false, parts: true });
  // What the queries are multiplied by does not matter: a score is its bias.
  const merged = kernelOf(
    { headSize: Math.min(4, headSize, valueSize), scale: 0, logSumExp: false },
    { ...plain, bias: true, biasRows: true },
  );
  const headStride = (view: View): Size => view.strides[1] as Size;
  const tiles = ceilDivideSizes(share, split.schedule.queryTile);
  return [
    {
      kernel: split,
      group,
      reads: [query, key, value],
      writes: [results, sums],
      integers: [
        ...[parts, keyHeads, keyHeads, share],
        ...[0, multiplySizes(headStride(query), share), headStride(query)],
        ...[partWidth, share * valueSize, valueSize],
        ...[heads, share],
        ...[total, 0, ...key.strides.slice(1, 3), 0, ...value.strides.slice(1, 3)],
      ],
      items: multiplySizes(parts, keyHeads, tiles),
    },
    {
      kernel: merged,
      group,
      reads: [query, results, results, sums],
      writes: [result],
      integers: [
        ...[1, heads, heads, 1],
        ...[0, headStride(query), headStride(query)],
        ...[0, headStride(result), headStride(result)],
        ...[parts, 0, valueSize, partWidth, 0, valueSize, partWidth],
        ...[0, 1, heads],
      ],
      items: heads,
    },
  ];
}
