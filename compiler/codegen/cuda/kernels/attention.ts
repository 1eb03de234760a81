/** Which frame attention has on CUDA, and the tiles of its thread blocks. */
import type { AttentionKernel, AttentionKernelSegment } from '../../../kernel/kernel.ts';
import type { KernelContext } from '../../clike/kernel-builder.ts';
import { renderAttention } from '../../clike/kernels/attention.ts';
import { TensorFrame } from './tensor-frame.ts';
import type { Multiply } from './tensor-layout.ts';

export function renderCudaAttention(kernel: AttentionKernel, context: KernelContext): string {
  return kernel.schedule.multiply === undefined
    ? renderAttention(kernel, context)
    : renderAttention(kernel, context, (k, own) => new TensorFrame(k, own));
}

/** The most that a row of queries or of values has for the accumulators and fragments of a warp to stay in registers. */
const widestHead = 128;

/**
 * Four warps with sixteen queries each, or, where queries choose what they read, four that share sixteen queries and split the keys:
 * as many queries choose together, and what they are chosen by needs shared memory too. `multiply` is null for f32.
 */
export function cudaAttentionSchedule(
  multiply: Multiply | null,
  headSize: number,
  valueSize: number,
  decodes: boolean,
  segments: readonly AttentionKernelSegment[],
): AttentionKernel['schedule'] {
  if (decodes) return { queryTile: 4, keyTile: 128, threads: 128, fewQueries: false };
  if (multiply === null || Math.max(headSize, valueSize) > widestHead)
    return { queryTile: 16, keyTile: 64, threads: 64, fewQueries: false };
  const chooses = segments.some(
    (segment) => segment.kind === 'ranked' || (segment.kind === 'clusters' && segment.expand !== null),
  );
  if (chooses) return { queryTile: 16, keyTile: 64, threads: 128, fewQueries: false, multiply };
  const keyTile = Math.max(headSize, valueSize) > 64 ? 32 : 64;
  return { queryTile: 64, keyTile, threads: 128, fewQueries: false, multiply };
}
