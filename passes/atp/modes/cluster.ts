import { evaluateSize, maxSize } from '../../../ir/size.ts';
import { blockTokens, clusterIterations } from './expand.ts';
import { attend, clusterFlops, countOf, longOnly, pairFlops, shortSegment, type AttentionMode } from './mode.ts';

export const cluster: AttentionMode = {
  name: 'cluster',
  space: 'keys of a head',
  causal: true,
  error: 'approximate',
  automatic: false,
  perHead: true,
  state: 'principal keys',
  source: 'atpc: block-wise k-means of keys, log mass; the same as expand with nothing expanded',
  summary: 'reads cluster means only; loses several points at 1/4',
  keysRead: (share, tokens) => (tokens / blockTokens) * evaluateSize(countOf(share), { tokens: blockTokens }),
  flops(share, tokens, shape) {
    const perBlock = evaluateSize(countOf(share), { tokens: blockTokens });
    const keys = (tokens / blockTokens) * perBlock;
    return {
      streamed: pairFlops(shape, tokens, keys) + clusterFlops(shape, tokens, perBlock, clusterIterations),
      gathered: 0,
    };
  },
  build(site, share) {
    const { make, key, value, mask } = site;
    const attributes = { blockTokens, keysPerBlock: maxSize(1, countOf(share)), iterations: clusterIterations };
    const clusters = make('cluster', attributes, [key, value, mask]);
    const part = (index: number): typeof key => make('get', { index }, [clusters]);
    return attend(site, [shortSegment(site), { keyOrScore: part(2), value: part(3), bias: part(4), visible: [longOnly(site)] }]);
  },
};
