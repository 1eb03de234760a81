/** Attention in every encoder mode, built as the principal passes build it, over plain query, key and value inputs. */
import { NodeTable, type Graph, type Node } from '../../ir/graph.ts';
import { interpret } from '../../ir/interpret.ts';
import { ceilDivideSizes, floorDivideSizes, addSizes, maxSize, type Size } from '../../ir/size.ts';
import type { AttentionSegment, VisibleRule } from '../../ir/ops/attributes.ts';
import type { Tensor } from '../../ir/ops/definition.ts';

export interface AttentionInputs {
  /** [b, H, n, e]. */
  readonly query: Tensor;
  /** [b, G, s, e]. */
  readonly key: Tensor;
  readonly value: Tensor;
  /** bool[b, s]. */
  readonly mask: Tensor;
}

export interface AttentionGraph {
  readonly table: NodeTable;
  readonly query: Node;
  readonly key: Node;
  readonly value: Node;
  readonly mask: Node;
  /** i32[b]. */
  readonly tokens: Node;
  readonly scale: number;
  readonly inputs: readonly Node<'input'>[];
}
export type Mode = (graph: AttentionGraph) => Node;

export const padding: VisibleRule = { rule: 'padding' };
export const keysSegment = (...visible: readonly VisibleRule[]): AttentionSegment => ({ scored: false, bias: false, visible });
const get = (table: NodeTable, tuple: Node, index: number): Node => table.make('get', { index }, [tuple]);

export function attentionGraph(inputs: AttentionInputs): AttentionGraph {
  const table = new NodeTable();
  const input = (name: string, tensor: Tensor) =>
    table.make('input', { name, elementType: tensor.elementType, shape: tensor.shape }, []);
  const [query, key, value, mask] = [
    input('query', inputs.query),
    input('key', inputs.key),
    input('value', inputs.value),
    input('mask', inputs.mask),
  ];
  const counts = table.make('reduce_sum', { axis: 1 }, [table.make('cast', { to: 'i32' }, [mask])]);
  const tokens = table.make('reshape', { shape: [inputs.mask.shape[0] as number] }, [counts]);
  const scale = 1 / Math.sqrt(inputs.query.shape[3] as number);
  return { table, query, key, value, mask, tokens, scale, inputs: [query, key, value, mask] };
}

export const dense: Mode = ({ table, query, key, value, mask, scale }) =>
  table.make('attention', { scale, segments: [keysSegment(padding)] }, [query, key, value, mask]);

interface ClusterOptions {
  readonly blockTokens: number;
  readonly tokensPerKey: number;
  readonly iterations?: number;
}
/** max(1, round(tokens / tokensPerKey)) clusters a block. */
function clustersOf({ table, key, value, mask }: AttentionGraph, options: ClusterOptions): Node {
  const keysPerBlock = maxSize(
    1,
    floorDivideSizes(addSizes('tokens', Math.floor(options.tokensPerKey / 2)), options.tokensPerKey),
  );
  const { blockTokens, iterations = 5 } = options;
  return table.make('cluster', { blockTokens, keysPerBlock, iterations }, [key, value, mask]);
}

export const cluster =
  (options: ClusterOptions): Mode =>
  (graph) => {
    const clusters = clustersOf(graph, options);
    const [meanKey, meanValue, logMass] = [2, 3, 4].map((index) => get(graph.table, clusters, index)) as [Node, Node, Node];
    const segments = [{ scored: false, bias: true, visible: [] }];
    return graph.table.make('attention', { scale: graph.scale, segments }, [graph.query, meanKey, meanValue, logMass]);
  };

export const expand =
  (options: ClusterOptions & { readonly count: Size; readonly tile?: number }): Mode =>
  (graph) => {
    const { table, query, key, value, tokens, scale } = graph;
    const clusters = clustersOf(graph, options);
    const [order, offsets, meanKey, meanValue, logMass, radius] = [0, 1, 2, 3, 4, 5].map((index) =>
      get(table, clusters, index),
    ) as [Node, Node, Node, Node, Node, Node];
    const selection = table.make('select_clusters', { scale, count: options.count, tile: options.tile ?? 1 }, [
      query,
      meanKey,
      logMass,
      radius,
      tokens,
    ]);
    const sorted = (x: Node) => table.make('gather', { batchAxes: 2 }, [x, order]);
    const segments: AttentionSegment[] = [
      { scored: false, bias: true, visible: [{ rule: 'notChosen' }] },
      keysSegment({ rule: 'chosen' }),
    ];
    const operands = [query, meanKey, meanValue, logMass, selection, sorted(key), sorted(value), selection, offsets];
    return table.make('attention', { scale, segments }, operands);
  };

export const segment =
  (count: Size): Mode =>
  ({ table, query, key, value, mask, scale }) => {
    const means = table.make('segment_means', { count }, [key, value, mask]);
    const [meanKey, meanValue, logMass] = [0, 1, 2].map((index) => get(table, means, index)) as [Node, Node, Node];
    const segments = [{ scored: false, bias: true, visible: [] }];
    return table.make('attention', { scale, segments }, [query, meanKey, meanValue, logMass]);
  };

/** `basis` is a parameter [e, p]; the rest's value is the mean of all unpadded values. */
export const topr =
  (options: { readonly count: Size; readonly basis: Tensor; readonly rest: boolean }): Mode =>
  ({ table, query, key, value, mask, tokens, scale }) => {
    const basis = table.make('parameter', { name: 'basis', elementType: 'f32', shape: options.basis.shape }, []);
    const project = (x: Node) => table.make('matmul', { transposeRight: false }, [x, basis]);
    const ranked = table.make('rank_keys', { scale, count: options.count }, [project(query), project(key), mask]);
    const chosen = keysSegment({ rule: 'selected' });
    const own = [query, key, value, get(table, ranked, 0)];
    if (!options.rest) return table.make('attention', { scale, segments: [chosen] }, own);
    if (value.type.kind !== 'tensor') throw new TypeError('The value is a tensor.');
    const [batch, groups, keys, size] = value.type.shape as [Size, Size, Size, Size];
    const weights = table.make('reshape', { shape: [batch, 1, keys, 1] }, [table.make('cast', { to: 'f32' }, [mask])]);
    const sum = table.make('reduce_sum', { axis: 2 }, [table.make('multiply', {}, [value, weights])]);
    const count = table.make('reshape', { shape: [batch, 1, 1, 1] }, [table.make('cast', { to: 'f32' }, [tokens])]);
    const mean = table.make('divide', {}, [sum, count]);
    const rest: AttentionSegment = { scored: true, bias: false, visible: [] };
    const value1 = table.make('reshape', { shape: [batch, groups, 1, size] }, [mean]);
    return table.make('attention', { scale, segments: [chosen, rest] }, [...own, get(table, ranked, 1), value1]);
  };

/** A share of the tokens, rounded up: ceil(tokens * numerator / denominator). */
export function shareOfTokens(numerator: number, denominator: number): Size {
  return ceilDivideSizes(['*', 'tokens', numerator], denominator);
}

/** Builds a mode over the inputs and runs it in float64. */
export function runMode(mode: Mode, inputs: AttentionInputs, parameters: Readonly<Record<string, Tensor>> = {}): Tensor {
  const parts = attentionGraph(inputs);
  const node = mode(parts);
  const graph: Graph = { name: 'mode', dims: [], inputs: parts.inputs, outputs: [{ name: 'out', node }], nodes: parts.table };
  const { query, key, value, mask } = inputs;
  return interpret(graph, {
    inputs: { query, key, value, mask },
    parameters: (name) => parameters[name] as Tensor,
    precision: 'f64',
  })['out'] as Tensor;
}
