import { tensorOf, type Node } from '../../../ir/graph.ts';
import { evaluateSize, type Size } from '../../../ir/size.ts';
import type { AttentionSite } from '../site.ts';
import { attend, countOf, longOnly, pairFlops, shortSegment, type AttentionMode } from './mode.ts';

/** Principal directions that keys are scored on: atp-modes.md, topr (16; half of the head size up to 32). */
export function projectedSize(headSize: number): number {
  return headSize <= 32 ? Math.max(1, Math.floor(headSize / 2)) : 16;
}

/** The parameter that holds the principal directions of a layer's heads, f32 [G, e, p]; filled in by calibration. */
export const directionsParameter = (layer: number): string => `attention.${layer}.principal_directions`;

function project(site: AttentionSite, heads: Node, directions: Node, groups: number): Node {
  const [batch, count, rows, size] = tensorOf(heads).shape as [Size, number, Size, number];
  if (count === groups) return site.make('matmul', { transposeRight: false }, [heads, directions]);
  // Several query heads share the directions of their key/value head.
  const shape = tensorOf(directions).shape as [number, number, number];
  const grouped = site.make('reshape', { shape: [batch, groups, count / groups, rows, size] }, [heads]);
  const shared = site.make('reshape', { shape: [groups, 1, shape[1], shape[2]] }, [directions]);
  const product = site.make('matmul', { transposeRight: false }, [grouped, shared]);
  return site.make('reshape', { shape: [batch, count, rows, shape[2]] }, [product]);
}

export const topr: AttentionMode = {
  name: 'topr',
  space: 'principal directions of a head',
  causal: true,
  error: 'approximate',
  automatic: false,
  perHead: true,
  state: 'all tokens and their projected keys',
  source: 'atpc: projection plus top-r, one key for the rest, after arXiv 2403.02352',
  summary: 'scores every key on a few principal directions, reads the best exactly; near-lossless, cost stays quadratic',
  keysRead: (share, tokens) => evaluateSize(countOf(share), { tokens }),
  flops(share, tokens, shape) {
    const size = projectedSize(shape.headSize);
    return {
      streamed:
        2 * (shape.queryHeads * tokens * tokens * size + (shape.queryHeads + shape.kvHeads) * tokens * shape.headSize * size),
      gathered: pairFlops(shape, tokens, evaluateSize(countOf(share), { tokens })),
    };
  },
  build(site, share) {
    const { make, query, key, value, mask, tokens, scale, layer } = site;
    const [batch, groups, rows, headSize] = tensorOf(key).shape as [Size, number, Size, number];
    const name = directionsParameter(layer);
    const kvHeads = site.kvHeads;
    const all = make('parameter', { name, elementType: 'f32', shape: [kvHeads.total, headSize, projectedSize(headSize)] }, []);
    const everyHead = kvHeads.chosen.length === kvHeads.total && kvHeads.chosen.every((head, index) => head === index);
    const rowsOf = (head: number): Node => make('slice', { axis: 0, start: head, length: 1 }, [all]);
    const directions = everyHead ? all : make('concat', { axis: 0 }, kvHeads.chosen.map(rowsOf));
    const [projectedQuery, projectedKey] = [project(site, query, directions, groups), project(site, key, directions, groups)];
    const ranked = make('rank_keys', { scale, count: countOf(share) }, [projectedQuery, projectedKey, mask]);
    // The rest has the mean of all values (atp-modes.md, topr).
    const visible = make('reshape', { shape: [batch, 1, rows, 1] }, [mask]);
    const kept = make('where', {}, [visible, value, make('constant', { elementType: 'f32', value: 0 }, [])]);
    const count = make('reshape', { shape: [batch, 1, 1, 1] }, [make('cast', { to: 'f32' }, [tokens])]);
    const atLeastOne = make('maximum', {}, [count, make('constant', { elementType: 'f32', value: 1 }, [])]);
    const mean = make('divide', {}, [make('reduce_sum', { axis: 2 }, [kept]), atLeastOne]);
    return attend(site, [
      shortSegment(site),
      {
        keyOrScore: key,
        value,
        visible: [{ rule: { rule: 'selected' }, inputs: [make('get', { index: 0 }, [ranked])] }, longOnly(site)],
      },
      { keyOrScore: make('get', { index: 1 }, [ranked]), value: mean, scored: true, visible: [longOnly(site)] },
    ]);
  },
};
