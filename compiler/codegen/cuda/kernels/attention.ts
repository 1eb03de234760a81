/** Which frame attention has on CUDA, and the tiles of its thread blocks. */
import type { AttentionKernel, AttentionKernelSegment } from '../../../kernel/kernel.ts';
import type { KernelContext } from '../../clike/kernel-builder.ts';
import { renderAttention } from '../../clike/kernels/attention.ts';
import { DecodeFrame } from './decode-frame.ts';
import { withResident } from './resident-segment.ts';
import { TensorFrame } from './tensor-frame.ts';
import { choosesKeys, mmaRows, type Multiply } from './tensor-layout.ts';

export function renderCudaAttention(kernel: AttentionKernel, context: KernelContext): string {
  const { multiply, fewQueries } = kernel.schedule;
  if (multiply !== undefined) return renderAttention(kernel, context, (k, own, place) => new TensorFrame(k, own, place));
  if (fewQueries) return renderAttention(kernel, context, (k, own, place) => new DecodeFrame(k, own, place));
  return renderAttention(kernel, context);
}

/** The most that a row of queries or of values has for what a warp sums up to stay in registers, and in shared memory at the end. */
const widestHead = 128;

/** What a schedule goes by. */
export interface AttentionPlace {
  readonly headSize: number;
  readonly valueSize: number;
  readonly decodes: boolean;
  readonly segments: readonly AttentionKernelSegment[];
  /** Keys that each of them has at most, null where that is not known. */
  readonly most: readonly (number | null)[];
}

/** Queries of a tile on tensor cores: sixteen for each of four warps. */
export const tensorQueryTile = 64;

/**
 * Four warps with sixteen queries each, where queries choose what they read together too. Where each chooses for itself, four warps that
 * share sixteen queries and split the keys: what they choose by needs shared memory for each of them. Decoding: eight warps over the
 * keys of one KV head. `multiply` is null for f32.
 */
export function cudaAttentionSchedule(multiply: Multiply | null, site: AttentionPlace): AttentionKernel['schedule'] {
  const { headSize, valueSize, decodes, segments } = site;
  const isWide = Math.max(headSize, valueSize) > widestHead;
  if (decodes && isWide) return { queryTile: 4, keyTile: 128, threads: 128, fewQueries: false };
  if (decodes) return { queryTile: 4, keyTile: 256, threads: 256, fewQueries: true };
  if (multiply === null || isWide) return { queryTile: 16, keyTile: 64, threads: 64, fewQueries: false };
  const queryTile = Math.min(tensorQueryTile, ...segments.map(queriesTogether));
  const isNarrow = Math.max(headSize, valueSize) <= 64;
  const keyTile = queryTile === tensorQueryTile && !isNarrow ? 32 : 64;
  const plain = { queryTile, keyTile, threads: 128, fewQueries: false, multiply } as const;
  return segments.some(choosesKeys) ? plain : withResident(plain, site);
}
/** Queries that may be one tile, for a segment: those that choose together, sixteen where each chooses for itself. */
function queriesTogether(segment: AttentionKernelSegment): number {
  if (!choosesKeys(segment)) return tensorQueryTile;
  const together = segment.kind === 'clusters' && segment.expand !== null && 'tile' in segment.expand ? segment.expand.tile : 1;
  return Math.max(mmaRows, together);
}
