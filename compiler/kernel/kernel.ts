/**
 * The kernel level: what runs as one dispatch. A kernel is plain data, either a loop nest with at most one reduction and an
 * epilogue (`map`), or a named structured kernel with a schedule. Sizes and strides are not part of a kernel: a dispatch
 * hands them over as integers, so that all layers share one kernel.
 *
 * Each kind fixes the order of its operands (pointers to elements of 4 bytes, unless it says otherwise) and integers; planner and renderers both follow
 * the comments of loop-kernels.ts, product-kernels.ts and attention-kernels.ts. Strides count elements.
 */
import type {
  AttentionKernel,
  ClusterBlockKernel,
  ClusterKernel,
  EvictKernel,
  PrincipalRowsKernel,
  ScoreKeysKernel,
  SegmentMeansKernel,
} from './attention-kernels.ts';
import type { MapKernel, MapsKernel, NormKernel } from './loop-kernels.ts';
import type { BlockGemmKernel, BlockLookupKernel, GemmKernel } from './product-kernels.ts';

// What reads kernels reads several families, and says so in one line.
export type * from './attention-kernels.ts';
export type * from './loop-kernels.ts';
export type * from './product-kernels.ts';

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

/** The identity of a kernel: two dispatches with equal keys run the same code. */
export function kernelKey(kernel: Kernel): string {
  return JSON.stringify(kernel);
}
