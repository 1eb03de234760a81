/**
 * Gives a causal model a state: each causal attention becomes attention over caches (ir/cache.ts), one for each run of KV heads of
 * one mode, and positions count from the tokens that were read before. The model reads one sequence, piece by piece.
 */
import { stateTensorsOf, type CacheSpec } from '../ir/cache.ts';
import { graphNodes, isOp, tensorOf, type Graph, type GraphState, type Node } from '../ir/graph.ts';
import { segmentOperands } from '../ir/ops/segments.ts';
import { rewriteGraph } from '../ir/rewrite.ts';
import { sizesEqual, type Size } from '../ir/size.ts';
import { HeadOrder, permuteProjection, sliceHeads } from './atp/heads.ts';
import type { CacheGroup, CachePlan } from './atp/cache-plan.ts';
import { attentionNodes, projectionOf, type MakeNode } from './atp/site.ts';
import { PassError } from './pass-error.ts';

/** Tokens of a call, and tokens before it. */
export const seqDim = 'seq';
export const pastDim = 'past';
export const positionsInput = 'position_ids';

/** Whether every attention of a model is causal over the tokens of the call, which is what caches can stand for. */
export function isCausal(graph: Graph): boolean {
  const layers = attentionNodes(graph);
  return layers.length > 0 && layers.every((node) => causalFault(node) === null);
}
function causalFault(node: Node<'attention'>): string | null {
  const [segment, ...others] = segmentOperands(node.attributes.segments, node.inputs);
  const query = node.inputs[0] as Node;
  if (!segment || others.length > 0) return 'it reads several segments';
  const rules = segment.segment.visible.map(({ rule }) => rule);
  if (rules.length !== 1 || rules[0] !== 'causal' || segment.bias)
    return `its keys are visible by ${rules.join(' and ') || 'no rule'}`;
  const tokens = (of: Node): Size => tensorOf(of).shape[2] as Size;
  if (tokens(query) !== seqDim || !sizesEqual(tokens(query), tokens(segment.key)))
    return 'its keys are not the tokens of the call';
  return tensorOf(query).shape[0] === 1 ? null : 'it reads several sequences';
}

/** `graph` has a dim `seq`, no state, and causal attention only. Throws PassError where it or the plan does not fit. */
export function withCaches(graph: Graph, plan: CachePlan, maxTokens: number): Graph {
  const { nodes } = graph;
  const make: MakeNode = (op, attributes, inputs) => nodes.make(op, attributes, inputs);
  const layers = attentionNodes(graph);
  layers.forEach((node, layer) => {
    const fault = causalFault(node);
    if (fault !== null)
      throw new PassError('mode does not fit model', `The attention of layer ${layer} cannot go on between calls: ${fault}.`);
  });
  const positions = nodes.make('input', { name: positionsInput, elementType: 'i32', shape: [seqDim] }, []);
  const headOrder = new HeadOrder(make);
  const states: GraphState[] = [];

  const cached = (layer: number, node: Node<'attention'>, inputs: readonly Node[]): Node => {
    const [query, key, value] = inputs as [Node, Node, Node];
    const [queryHeads, kvHeads] = [query, key].map((heads) => tensorOf(heads).shape[1] as number) as [number, number];
    const groups = groupsOf(plan, layer, kvHeads);
    const share = queryHeads / kvHeads;
    const order = groups.flatMap((group) => group.kvHeads);
    const queryOrder = order.flatMap((head) => Array.from({ length: share }, (_, index) => head * share + index));
    const [packedQuery, packedKey, packedValue] = [
      permuteHeads(make, query, queryOrder),
      permuteHeads(make, key, order),
      permuteHeads(make, value, order),
    ];
    let start = 0;
    const parts = groups.map((group, index) => {
      const [first, count] = [start, group.kvHeads.length];
      start += count;
      const take = (heads: Node, factor: number): Node =>
        groups.length === 1 ? heads : sliceHeads(make, heads, first * factor, count * factor);
      const operands = [take(packedQuery, share), take(packedKey, 1), take(packedValue, 1)] as const;
      const sizes = {
        kvHeads: count,
        headSize: tensorOf(key).shape[3] as number,
        valueSize: tensorOf(value).shape[3] as number,
      };
      const tensors = stateTensorsOf(group.cache, sizes);
      const befores = tensors.map(({ name, elementType, shape }) =>
        nodes.make('state', { name: `layer${layer}.heads${index}.${name}`, elementType, shape }, []),
      );
      const attributes = { scale: node.attributes.scale, past: pastDim, cache: group.cache };
      const attention = make('cached_attention', attributes, [...operands, ...befores]);
      befores.forEach((before, at) => states.push({ before, after: make('get', { index: at + 1 }, [attention]) }));
      const result = make('get', { index: 0 }, [attention]);
      const provenance = { ...nodes.provenance(node), passes: [`cache: ${describeCache(group.cache)}`] };
      for (const made of [attention, result]) nodes.setProvenance(made, provenance);
      return result;
    });
    const attention = parts.length === 1 ? (parts[0] as Node) : make('concat', { axis: 1 }, parts);
    headOrder.add(attention, queryOrder);
    return attention;
  };

  const rewritten = rewriteGraph(graph, 'cache', (node, inputs) => {
    if (isOp(node, 'iota') && node.attributes.shape.length === 1 && node.attributes.shape[0] === seqDim) return positions;
    const layer = isOp(node, 'attention') ? layers.indexOf(node) : -1;
    if (layer >= 0 && isOp(node, 'attention')) return cached(layer, node, inputs);
    return headOrder.rebuild(node, inputs);
  });
  const stuck = graphNodes(rewritten).find((node) => isOp(node, 'iota') && node.attributes.shape.includes(seqDim));
  if (stuck)
    throw new PassError(
      'mode does not fit model',
      `Node %${stuck.id} counts the tokens of a call in a way that no state can go on with.`,
    );
  return {
    ...rewritten,
    dims: [...graph.dims, { name: pastDim, min: 0, max: maxTokens - 1 }],
    inputs: [...graph.inputs, positions],
    states,
  };
}

/** The groups of a layer; a fault of the plan throws. */
function groupsOf(plan: CachePlan, layer: number, kvHeads: number): readonly CacheGroup[] {
  const groups = plan.layers[layer];
  const heads = groups?.flatMap((group) => group.kvHeads) ?? [];
  const expected = Array.from({ length: kvHeads }, (_, head) => head);
  if (groups && String([...heads].sort((a, b) => a - b)) === String(expected)) return groups;
  throw new PassError(
    'plan does not fit',
    `Layer ${layer} has the key/value heads ${expected.join(', ')}; the plan gives caches to ${heads.join(', ') || 'none'}.`,
  );
}

/** Heads in another order; rope turns every head alike, so that the order changes before it. */
function permuteHeads(make: MakeNode, heads: Node, order: readonly number[]): Node {
  if (order.every((head, index) => head === index)) return heads;
  if (isOp(heads, 'rope')) {
    const [x, positions] = heads.inputs as [Node, Node];
    return make('rope', heads.attributes, [permuteHeads(make, x, order), positions]);
  }
  const projection = projectionOf(heads);
  if (projection) return permuteProjection(make, projection, order);
  throw new PassError('plan does not fit', 'Heads cannot be put in another order: they do not come from a linear layer.');
}

const words: { readonly [K in CacheSpec['kind']]: (cache: Extract<CacheSpec, { kind: K }>) => string } = {
  dense: () => 'every token',
  expand: ({ expand, window }) =>
    expand ? `principal keys, at most ${expand.most} of them expanded, window ${window}` : `principal keys, window ${window}`,
  stream: ({ atoms, window }) => `${atoms} scored tokens, window ${window}`,
};
export function describeCache(cache: CacheSpec): string {
  return `${cache.kind}: ${words[cache.kind](cache as never)}`;
}
