/** The renderer of each kind of kernel, and the scratch that one lane needs for it. */
import type { Kernel, KernelKind } from '../../kernel/kernel.ts';
import { scratchBytesWith } from '../scratch-bytes.ts';
import { attentionScratch, renderAttention } from './attention.ts';
import { blockGemmScratch, renderBlockGemm } from './block-gemm.ts';
import { renderBlockLookup } from './block-lookup.ts';
import { clusterBlockScratch, renderClusterBlock } from './cluster-block.ts';
import { clusterScratch, renderCluster } from './cluster.ts';
import { evictScratch, renderEvict } from './evict.ts';
import { gemmScratch, renderGemm } from './gemm.ts';
import { renderMap, renderMaps } from './map.ts';
import { renderNorm } from './norm.ts';
import { renderPrincipalRows } from './principal-rows.ts';
import { renderScoreKeys, scoreKeysScratch } from './score-keys.ts';
import { renderSegmentMeans } from './segment-means.ts';
import type { KernelContext } from './wat-builder.ts';

type KernelOf<K extends KernelKind> = Extract<Kernel, { kind: K }>;

const renderers: { readonly [K in KernelKind]: (kernel: KernelOf<K>, context: KernelContext) => void } = {
  map: renderMap,
  maps: renderMaps,
  norm: renderNorm,
  gemm: renderGemm,
  block_gemm: renderBlockGemm,
  block_lookup: renderBlockLookup,
  attention: renderAttention,
  cluster: renderCluster,
  segment_means: renderSegmentMeans,
  principal_rows: renderPrincipalRows,
  cluster_block: renderClusterBlock,
  evict: renderEvict,
  score_keys: renderScoreKeys,
};

export function renderKernel<K extends KernelKind>(kernel: KernelOf<K> & { readonly kind: K }, context: KernelContext): void {
  renderers[kernel.kind](kernel, context);
}

export const scratchBytes = scratchBytesWith({
  gemm: gemmScratch,
  block_gemm: blockGemmScratch,
  attention: attentionScratch,
  cluster: clusterScratch,
  cluster_block: clusterBlockScratch,
  evict: evictScratch,
  score_keys: scoreKeysScratch,
});
