/**
 * Which principal keys and values stay in the shared memory of a thread block on tensor cores, while it goes over tiles of queries. In
 * f32, 128 of them are twice as many bytes as the queries and results of a tile, and each tile would read them from the cache of the
 * device. By the roofline (128 keys of 64, 12 layers of 12 heads, 131,072 queries) that is what takes longest on an H200, 2.9 ms instead
 * of 2.0; on other devices queries and results take as long from memory, and what is saved is to wait for keys before each product.
 */
import type { AttentionKernel, AttentionKernelSegment } from '../../../kernel/kernel.ts';
import type { AttentionPlace } from './attention.ts';
import { paddedSize } from './tensor-layout.ts';

/** Static shared memory of a thread block (CUDA C++ Programming Guide, technical specifications), less what is not a row. */
const sharedBytes = 48 * 1024 - 256;
/**
 * Tiles of queries of a thread block at most: keys and values are read an eighth as often, which is less than queries and results then.
 * Four thread blocks are left for each multiprocessor of a large GPU, which holds two at a time.
 */
const walk = { tiles: 8, workgroups: 4 * 132 } as const;

/** Keys with a mass each, which all queries of a head see. */
function isPrincipal(segment: AttentionKernelSegment): boolean {
  if (segment.kind === 'clusters') return segment.expand === null;
  return segment.kind === 'keys' && segment.bias && !segment.mask && !segment.causal && segment.window === null;
}

/** The schedule with the first principal segment that fits beside the tiles of keys and values, with smaller ones if need be. */
export function withResident(
  schedule: AttentionKernel['schedule'],
  { headSize, valueSize, segments, most }: AttentionPlace,
): AttentionKernel['schedule'] {
  // A key, its value and its bias.
  const rowBytes = 2 * (paddedSize(headSize) + paddedSize(valueSize)) + 4;
  for (const keyTile of new Set([schedule.keyTile, 32])) {
    for (const [segment, own] of segments.entries()) {
      const count = most[segment] ?? null;
      if (!isPrincipal(own) || count === null) continue;
      const keys = Math.ceil(count / keyTile) * keyTile;
      if ((keys + keyTile) * rowBytes <= sharedBytes) return { ...schedule, keyTile, resident: { segment, keys, ...walk } };
    }
  }
  return schedule;
}
