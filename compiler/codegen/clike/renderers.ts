/** What a GPU does with each kind of kernel: its text, its workgroups, its scratch memory, what it loads four elements of at a time. */
import type { Size } from '../../../ir/size.ts';
import type { Kernel, KernelKind } from '../../kernel/kernel.ts';
import type { KernelContext } from './kernel-builder.ts';
import { attentionScratch, attentionVectorStrides, renderAttention } from './kernels/attention.ts';
import { attentionItems } from './kernels/attention-places.ts';
import { blockGemmVectorStrides, renderBlockGemm } from './kernels/block-gemm.ts';
import { blockLookupItems, blockLookupVectorStrides, renderBlockLookup } from './kernels/block-lookup.ts';
import { clusterBlockItems, renderClusterBlock } from './kernels/cluster-block.ts';
import { clusterItems, clusterVectorStrides, renderCluster } from './kernels/cluster.ts';
import { evictItems, evictScratch, renderEvict } from './kernels/evict.ts';
import { gemmItems, gemmVectorStrides, renderGemm } from './kernels/gemm.ts';
import { mapItems, mapsItems, renderMap, renderMaps } from './kernels/map.ts';
import { normItems, renderNorm } from './kernels/norm.ts';
import { renderScoreKeys, scoreKeysItems, scoreKeysVectorStrides } from './kernels/score-keys.ts';
import { renderSegmentMeans, segmentMeansItems } from './kernels/segment-means.ts';

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

/** Those that every GPU has; a target says what it does with the others. */
export const gpuRenderers: { readonly [K in Exclude<KernelKind, 'principal_rows'>]: Renderer<K> } = {
  map: { render: renderMap, items: mapItems },
  maps: { render: renderMaps, items: mapsItems },
  norm: { render: renderNorm, items: normItems },
  gemm: { render: renderGemm, items: gemmItems, vectorStrides: gemmVectorStrides },
  block_gemm: { render: renderBlockGemm, items: gemmItems, vectorStrides: blockGemmVectorStrides },
  block_lookup: { render: renderBlockLookup, items: blockLookupItems, vectorStrides: blockLookupVectorStrides },
  attention: { render: renderAttention, items: attentionItems, vectorStrides: attentionVectorStrides, scratch: attentionScratch },
  cluster: { render: renderCluster, items: clusterItems, vectorStrides: clusterVectorStrides },
  segment_means: { render: renderSegmentMeans, items: segmentMeansItems },
  cluster_block: { render: renderClusterBlock, items: clusterBlockItems },
  evict: { render: renderEvict, items: evictItems, scratch: { isUsed: () => true, bytes: evictScratch } },
  score_keys: { render: renderScoreKeys, items: scoreKeysItems, vectorStrides: scoreKeysVectorStrides },
};
