import { evaluateSize } from '../../../ir/size.ts';
import {
  attend,
  clusterFlops,
  expandedClusters,
  expandKeysPerBlock,
  longOnly,
  pairFlops,
  shortSegment,
  type AttentionMode,
} from './mode.ts';
import type { AttentionShape } from '../site.ts';

/** Tokens of one block of clustering, and rounds of k-means: atp-modes.md, section 2, expand. */
export const blockTokens = 128;
export const clusterIterations = 5;

/** FLOPs of every query's estimate of every cluster, twice: for its log sum exp, then to rank the clusters of a tile. */
function sharedChoiceFlops({ queryHeads, headSize }: AttentionShape, queries: number, clusters: number): number {
  return 2 * (2 * queryHeads * queries * clusters * headSize);
}

export const expand: AttentionMode = {
  name: 'expand',
  space: 'keys of a head',
  causal: true,
  error: 'approximate',
  automatic: true,
  perHead: true,
  state: 'all tokens and their principal keys',
  source: 'atpc: clusters with log mass, the best of them replaced by their tokens, after arXiv 2403.02352',
  summary: 'reads principal keys, and the tokens behind the best of them exactly; near-lossless without fine-tuning',
  keysRead(share, tokens, queriesPerChoice) {
    const clusters = (tokens / blockTokens) * evaluateSize(expandKeysPerBlock(share), { tokens: blockTokens });
    const expanded = Math.min(clusters, evaluateSize(expandedClusters(share, queriesPerChoice), { tokens }));
    return Math.min(tokens, clusters + expanded * (tokens / clusters - 1));
  },
  flops(share, tokens, shape, queriesPerChoice) {
    const perBlock = evaluateSize(expandKeysPerBlock(share), { tokens: blockTokens });
    const clusters = (tokens / blockTokens) * perBlock;
    const exact = Math.min(clusters, evaluateSize(expandedClusters(share, queriesPerChoice), { tokens })) * (tokens / clusters);
    const means = pairFlops(shape, tokens, clusters) + clusterFlops(shape, tokens, perBlock, clusterIterations);
    const tokensRead = pairFlops(shape, tokens, exact);
    if (queriesPerChoice === 1) return { streamed: means, gathered: tokensRead };
    // All queries of a tile read the same ranges. Its choice comes before its attention, so that scores of means are not shared by both.
    return { streamed: means + sharedChoiceFlops(shape, tokens, clusters) + tokensRead, gathered: 0 };
  },
  build(site, share) {
    const { make, query, key, value, mask, tokens, scale, queriesPerChoice } = site;
    const attributes = { blockTokens, keysPerBlock: expandKeysPerBlock(share), iterations: clusterIterations };
    const clusters = make('cluster', attributes, [key, value, mask]);
    const [order, offsets, meanKey, meanValue, logMass, radius] = [0, 1, 2, 3, 4, 5].map((index) =>
      make('get', { index }, [clusters]),
    ) as [typeof key, typeof key, typeof key, typeof key, typeof key, typeof key];
    const count = expandedClusters(share, queriesPerChoice);
    const selection = make('select_clusters', { scale, count, tile: queriesPerChoice }, [
      query,
      meanKey,
      logMass,
      radius,
      tokens,
    ]);
    // Tokens sorted by cluster lie in contiguous ranges, so that a kernel reads them without an index.
    const sortedKey = make('gather', { batchAxes: 2 }, [key, order]);
    const sortedValue = make('gather', { batchAxes: 2 }, [value, order]);
    return attend(site, [
      shortSegment(site),
      {
        keyOrScore: meanKey,
        value: meanValue,
        bias: logMass,
        visible: [{ rule: { rule: 'notChosen' }, inputs: [selection] }, longOnly(site)],
      },
      {
        keyOrScore: sortedKey,
        value: sortedValue,
        visible: [{ rule: { rule: 'chosen' }, inputs: [selection, offsets] }, longOnly(site)],
      },
    ]);
  },
};
