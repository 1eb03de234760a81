import { evaluateSize } from '../../../ir/size.ts';
import { attend, countOf, longOnly, pairFlops, shortSegment, type AttentionMode } from './mode.ts';

export const segment: AttentionMode = {
  name: 'segment',
  space: 'positions',
  causal: true,
  error: 'approximate',
  automatic: false,
  perHead: true,
  state: 'principal keys',
  source: 'atpc: means of neighbouring tokens, log count; no work that depends on the data',
  summary: 'reads means of neighbouring tokens; for models that are fine-tuned with it',
  keysRead: (share, tokens) => evaluateSize(countOf(share), { tokens }),
  flops: (share, tokens, shape) => ({
    streamed: pairFlops(shape, tokens, evaluateSize(countOf(share), { tokens })),
    gathered: 0,
  }),
  build(site, share) {
    const { make, key, value, mask } = site;
    const means = make('segment_means', { count: countOf(share) }, [key, value, mask]);
    const part = (index: number): typeof key => make('get', { index }, [means]);
    return attend(site, [shortSegment(site), { keyOrScore: part(0), value: part(1), bias: part(2), visible: [longOnly(site)] }]);
  },
};
