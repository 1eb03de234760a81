import { tensorOf, type Node } from '../../../ir/graph.ts';
import { ceilDivideSizes, minSize, multiplySizes, subtractSizes, type Size } from '../../../ir/size.ts';
import type { Share } from '../share.ts';
import { applyProjection } from '../site.ts';
import { attend, pairFlops, projectionsOfOneInput, type AttentionMode } from './mode.ts';

/** Principal keys of a block; a block has as many tokens as the share makes of them, so that up to so many tokens are all kept. */
const keysPerBlock = 64;
/** Rounds of k-means: atp-modes.md, section 2, cluster in a shared projection. */
const iterations = 2;
/** Dimensions that hidden states are clustered in: 32, or all of a narrower model. */
export function sharedDirections(width: number): number {
  return Math.min(32, width);
}
function blockTokensOf([numerator, denominator]: Share): number {
  return Math.ceil((keysPerBlock * denominator) / numerator);
}

/** The parameter that projects the hidden states of a layer for clustering, f32 [p, d]; filled in by calibration. */
export const sharedProjectionParameter = (layer: number): string => `attention.${layer}.shared_projection`;

/** Of n tokens: those of whole blocks, the tail, which has as many as there is room for, and the first token. */
function keysOf(share: Share, tokens: number): number {
  const blockTokens = blockTokensOf(share);
  const [rest, blocks] = [(tokens - 1) % blockTokens, Math.floor((tokens - 1) / blockTokens)];
  return 1 + blocks * keysPerBlock + Math.min(rest, keysPerBlock);
}

export const shared: AttentionMode = {
  name: 'shared',
  space: 'a projection of the hidden states that all heads share',
  causal: false,
  error: 'approximate',
  automatic: false,
  perHead: false,
  state: 'principal keys',
  source:
    'atpc: block-wise k-means of projected hidden states, log mass, after arXiv 2403.02352: linear layers of keys and values read means',
  summary:
    'clusters the hidden states once for all heads, and makes keys and values of their means: the projections become cheaper too',
  keysRead: keysOf,
  flops(share, tokens, shape) {
    const width = shape.queryHeads * shape.headSize;
    const directions = sharedDirections(width);
    const keys = keysOf(share, tokens);
    // The linear layers of keys and values read means, which are fewer rows.
    const saved = 2 * (tokens - keys) * width * shape.kvHeads * (shape.headSize + shape.valueSize);
    const clustering = 2 * tokens * directions * (width + iterations * keysPerBlock);
    return { streamed: pairFlops(shape, tokens, keys) + clustering, gathered: 0, saved };
  },
  build(site, share) {
    const { make, mask, layer } = site;
    const projections = projectionsOfOneInput(site, 'shared');
    const { x } = projections.key;
    const [batch, tokens, width] = tensorOf(x).shape as [Size, Size, number];
    const directions = sharedDirections(width);
    const name = sharedProjectionParameter(layer);
    const projection = make('parameter', { name, elementType: 'f32', shape: [directions, width] }, []);
    const projected = make('matmul', { transposeRight: true }, [x, projection]);
    const asHead = (rows: Node, size: number): Node => make('reshape', { shape: [batch, 1, tokens, size] }, [rows]);
    // The first token is read as it is: attention gathers on [CLS], and a classifier reads it.
    const rest = make('slice', { axis: 1, start: 1, length: subtractSizes(tokens, 1) }, [mask]);
    const none = make('broadcast', { shape: [batch, 1] }, [make('constant', { elementType: 'bool', value: 0 }, [])]);
    const clustered = make('concat', { axis: 1 }, [none, rest]);
    const blockTokens = blockTokensOf(share);
    const attributes = { blockTokens, keysPerBlock: minSize('tokens', keysPerBlock), iterations };
    const clusters = make('cluster', attributes, [asHead(projected, directions), asHead(x, width), clustered]);
    const [means, logMass] = [3, 4].map((index) => make('get', { index }, [clusters])) as [Node, Node];
    const all = multiplySizes(ceilDivideSizes(tokens, blockTokens), keysPerBlock);
    // Clusters in use come first in a block; with two blocks and more there are fewer of them than tokens.
    const count = blockTokens >= 2 * keysPerBlock ? minSize(all, tokens) : all;
    const used = (node: Node, shape: readonly Size[]): Node =>
      make('slice', { axis: 1, start: 0, length: count }, [make('reshape', { shape }, [node])]);
    const rows = make('concat', { axis: 1 }, [
      make('slice', { axis: 1, start: 0, length: 1 }, [x]),
      used(means, [batch, all, width]),
    ]);
    const first = make('cast', { to: 'f32' }, [make('slice', { axis: 1, start: 0, length: 1 }, [mask])]);
    const bias = make('concat', { axis: 1 }, [make('log', {}, [first]), used(logMass, [batch, all])]);
    const keys = tensorOf(bias).shape[1] as Size;
    const perHead = make('reshape', { shape: [batch, 1, keys] }, [bias]);
    return attend(site, [
      {
        keyOrScore: applyProjection(make, { ...projections.key, x: rows }),
        value: applyProjection(make, { ...projections.value, x: rows }),
        bias: make('broadcast', { shape: [batch, projections.key.heads, keys] }, [perHead]),
        visible: [],
      },
    ]);
  },
};
