/** What WebGPU does with each kind of kernel: its text, its workgroups, its scratch memory, what it loads four elements of at a time. */
import type { Size } from '../../../ir/size.ts';
import { AtpcError } from '../../../runtime/errors.ts';
import type { Kernel, KernelKind } from '../../kernel/kernel.ts';
import type { KernelContext } from '../clike/kernel-builder.ts';
import { attentionItems, attentionScratch, attentionVectorStrides, renderAttention } from '../clike/kernels/attention.ts';
import { blockGemmVectorStrides, renderBlockGemm } from '../clike/kernels/block-gemm.ts';
import { blockLookupItems, blockLookupVectorStrides, renderBlockLookup } from '../clike/kernels/block-lookup.ts';
import { clusterBlockItems, renderClusterBlock } from '../clike/kernels/cluster-block.ts';
import { clusterItems, clusterVectorStrides, renderCluster } from '../clike/kernels/cluster.ts';
import { evictItems, evictScratch, renderEvict } from '../clike/kernels/evict.ts';
import { gemmItems, gemmVectorStrides, renderGemm } from '../clike/kernels/gemm.ts';
import { mapItems, renderMap } from '../clike/kernels/map.ts';
import { normItems, renderNorm } from '../clike/kernels/norm.ts';
import { renderScoreKeys, scoreKeysItems, scoreKeysVectorStrides } from '../clike/kernels/score-keys.ts';
import { renderSegmentMeans, segmentMeansItems } from '../clike/kernels/segment-means.ts';

type KernelOf<K extends KernelKind> = Extract<Kernel, { kind: K }>;
export interface Renderer<K extends KernelKind> {
  render(kernel: KernelOf<K>, context: KernelContext): string;
  /** Workgroups, from the integers of a dispatch in the order of kernel.ts. */
  items(kernel: KernelOf<K>, integers: readonly Size[]): Size;
  /** Scratch memory: which kernels have some, and bytes of the whole dispatch. None without it. */
  readonly scratch?: {
    isUsed(kernel: KernelOf<K>): boolean;
    bytes(kernel: KernelOf<K>, integers: readonly Size[]): Size;
  };
  /** As TargetMemory says; none without it. */
  vectorStrides?(kernel: KernelOf<K>, integers: readonly Size[]): readonly (readonly Size[] | null)[];
}

/** WebGPU has no float64 (WGSL, section 6.2.4), and the eigenvectors of literal ATP are not safe in f32. */
const refused = { render: refuse, items: () => 0 };
function refuse(kernel: Kernel): never {
  throw new AtpcError('ATPC-307', `WebGPU has no kernel '${kernel.kind}'.`, {
    hint: 'Literal ATP (svd) needs float64: compile it for wasm.',
  });
}

const renderers: { readonly [K in KernelKind]: Renderer<K> } = {
  map: { render: renderMap, items: mapItems },
  norm: { render: renderNorm, items: normItems },
  gemm: { render: renderGemm, items: gemmItems, vectorStrides: gemmVectorStrides },
  block_gemm: { render: renderBlockGemm, items: gemmItems, vectorStrides: blockGemmVectorStrides },
  block_lookup: { render: renderBlockLookup, items: blockLookupItems, vectorStrides: blockLookupVectorStrides },
  attention: { render: renderAttention, items: attentionItems, vectorStrides: attentionVectorStrides, scratch: attentionScratch },
  cluster: { render: renderCluster, items: clusterItems, vectorStrides: clusterVectorStrides },
  segment_means: { render: renderSegmentMeans, items: segmentMeansItems },
  principal_rows: refused,
  cluster_block: { render: renderClusterBlock, items: clusterBlockItems },
  evict: { render: renderEvict, items: evictItems, scratch: { isUsed: () => true, bytes: evictScratch } },
  score_keys: { render: renderScoreKeys, items: scoreKeysItems, vectorStrides: scoreKeysVectorStrides },
};
export function rendererOf<K extends KernelKind>(kernel: { readonly kind: K }): Renderer<K> {
  return renderers[kernel.kind];
}
