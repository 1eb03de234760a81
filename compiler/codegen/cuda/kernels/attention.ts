/** Which frame attention has on CUDA, and the tiles of its thread blocks. */
import type { AttentionKernel, AttentionKernelSegment } from '../../../kernel/kernel.ts';
import type { KernelContext } from '../../clike/kernel-builder.ts';
import { renderAttention } from '../../clike/kernels/attention.ts';
import { DecodeFrame } from './decode-frame.ts';
import { TensorFrame } from './tensor-frame.ts';
import { choosesKeys, mmaRows, type Multiply } from './tensor-layout.ts';

export function renderCudaAttention(kernel: AttentionKernel, context: KernelContext): string {
  const { multiply, fewQueries } = kernel.schedule;
  if (multiply !== undefined) return renderAttention(kernel, context, (k, own) => new TensorFrame(k, own));
  if (fewQueries) return renderAttention(kernel, context, (k, own) => new DecodeFrame(k, own));
  return renderAttention(kernel, context);
}

/** The most that a row of queries or of values has for what a warp sums up to stay in registers, and in shared memory at the end. */
const widestHead = 128;

/** Queries of a tile on tensor cores: sixteen for each of four warps. */
export const tensorQueryTile = 64;

/**
 * Four warps with sixteen queries each, where queries choose what they read together too. Where each chooses for itself, four warps that
 * share sixteen queries and split the keys: what they choose by needs shared memory for each of them. Decoding: eight warps over the
 * keys of one KV head. `multiply` is null for f32.
 */
export function cudaAttentionSchedule(
  multiply: Multiply | null,
  headSize: number,
  valueSize: number,
  decodes: boolean,
  segments: readonly AttentionKernelSegment[],
): AttentionKernel['schedule'] {
  const isWide = Math.max(headSize, valueSize) > widestHead;
  if (decodes && isWide) return { queryTile: 4, keyTile: 128, threads: 128, fewQueries: false };
  if (decodes) return { queryTile: 4, keyTile: 256, threads: 256, fewQueries: true };
  if (multiply === null || isWide) return { queryTile: 16, keyTile: 64, threads: 64, fewQueries: false };
  const queryTile = Math.min(tensorQueryTile, ...segments.map(queriesTogether));
  const keyTile = queryTile === tensorQueryTile && Math.max(headSize, valueSize) > 64 ? 32 : 64;
  return { queryTile, keyTile, threads: 128, fewQueries: false, multiply };
}
/** Queries that may be one tile, for a segment: those that choose together, sixteen where each chooses for itself. */
function queriesTogether(segment: AttentionKernelSegment): number {
  if (!choosesKeys(segment)) return tensorQueryTile;
  const together = segment.kind === 'clusters' && segment.expand !== null && 'tile' in segment.expand ? segment.expand.tile : 1;
  return Math.max(mmaRows, together);
}
