import { attend, exactSegment, pairFlops, type AttentionMode } from './mode.ts';

export const dense: AttentionMode = {
  name: 'dense',
  space: 'none',
  causal: true,
  error: 'exact',
  automatic: true,
  perHead: true,
  state: 'all tokens',
  source: 'Vaswani et al. 2017, arXiv 1706.03762',
  summary: 'every query reads every key',
  keysRead: (_, tokens) => tokens,
  flops: (_, tokens, shape) => ({ streamed: pairFlops(shape, tokens, tokens), gathered: 0 }),
  build: (site) => attend(site, [exactSegment(site)]),
};
