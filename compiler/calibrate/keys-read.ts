/** The share of keys that queries really read, measured on captured attention: clusters differ in size. */
import { NodeTable, type Graph, type Node } from '../../ir/graph.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { blockTokens, clusterIterations } from '../../passes/atp/modes/expand.ts';
import { expandedClusters, expandKeysPerBlock } from '../../passes/atp/modes/mode.ts';
import { modes } from '../../passes/atp/modes/table.ts';
import type { HeadGroup } from '../../passes/atp/plan.ts';
import { denseBelowTokens } from '../../passes/atp/site.ts';
import type { FloatTensor } from '../../runtime/api.ts';
import type { CapturedLayer } from './capture.ts';

export interface KeysRead {
  readonly mean: number;
  readonly max: number;
}

/** Some heads of a captured tensor, as one sequence. */
function headsOf(tensor: FloatTensor, heads: readonly number[]): Tensor {
  const [, , tokens = 0, size = 0] = tensor.shape;
  const data = new Float32Array(heads.length * tokens * size);
  heads.forEach((head, index) =>
    data.set(tensor.data.subarray(head * tokens * size, (head + 1) * tokens * size), index * tokens * size),
  );
  return { elementType: 'f32', shape: [1, heads.length, tokens, size], data };
}

/** For each query of each head: clusters read by their mean, and tokens of the expanded ones. */
function expandShares({ query, key, value }: CapturedLayer, { kvHeads, keys }: HeadGroup, queriesPerChoice: number): number[] {
  const [, allQueries = 0, tokens = 0, size = 0] = query.shape;
  const perGroup = allQueries / (key.shape[1] ?? 1);
  const queryHeads = kvHeads.flatMap((head) => Array.from({ length: perGroup }, (_, index) => head * perGroup + index));
  const nodes = new NodeTable();
  const tensors: Record<string, Tensor> = {
    query: headsOf(query, queryHeads),
    key: headsOf(key, kvHeads),
    value: headsOf(value, kvHeads),
    mask: { elementType: 'bool', shape: [1, tokens], data: new Uint8Array(tokens).fill(1) },
    tokens: { elementType: 'i32', shape: [1], data: Int32Array.of(tokens) },
  };
  const inputs = Object.entries(tensors).map(([name, { elementType, shape }]) =>
    nodes.make('input', { name, elementType, shape }, []),
  );
  const [queryNode, keyNode, valueNode, maskNode, tokensNode] = inputs as unknown as [Node, Node, Node, Node, Node];
  const attributes = { blockTokens, keysPerBlock: expandKeysPerBlock(keys), iterations: clusterIterations };
  const clusters = nodes.make('cluster', attributes, [keyNode, valueNode, maskNode]) as Node;
  const [offsets, meanKey, logMass, radius] = [1, 2, 4, 5].map((index) => nodes.make('get', { index }, [clusters]) as Node) as [
    Node,
    Node,
    Node,
    Node,
  ];
  const select = { scale: 1 / Math.sqrt(size), count: expandedClusters(keys, queriesPerChoice), tile: queriesPerChoice };
  const selection = nodes.make('select_clusters', select, [queryNode, meanKey, logMass, radius, tokensNode]) as Node;
  const outputs = [
    { name: 'selection', node: selection },
    { name: 'offsets', node: offsets },
  ];
  const graph: Graph = { name: 'keys read', dims: [], inputs, outputs, nodes };
  const results = interpret(graph, { inputs: tensors, parameters: () => tensors['key'] as Tensor, dims: {} });
  const [chosen, bounds] = [results['selection'] as Tensor, results['offsets'] as Tensor];
  const [clusterCount, selected] = [(bounds.shape[2] ?? 1) - 1, chosen.shape[3] ?? 0];
  const shares: number[] = [];
  queryHeads.forEach((_, head) => {
    const row = bounds.data.subarray(
      Math.floor(head / perGroup) * (clusterCount + 1),
      (Math.floor(head / perGroup) + 1) * (clusterCount + 1),
    );
    const sizes = Array.from({ length: clusterCount }, (__, cluster) => (row[cluster + 1] ?? 0) - (row[cluster] ?? 0));
    const used = sizes.filter((count) => count > 0).length;
    for (let token = 0; token < tokens; token += 1) {
      const own = [...chosen.data.subarray((head * tokens + token) * selected, (head * tokens + token + 1) * selected)];
      const read = own.reduce((sum: number, cluster) => (cluster < 0 ? sum : sum + (sizes[cluster] ?? 0) - 1), used);
      shares.push(read / tokens);
    }
  });
  return shares;
}

/** Mean and largest share of keys over all captured inputs that are long enough for principal keys; null if none is. */
export function measureKeysRead(captured: readonly CapturedLayer[], group: HeadGroup, queriesPerChoice: number): KeysRead | null {
  const long = captured.filter((layer) => (layer.key.shape[2] ?? 0) >= denseBelowTokens);
  if (long.length === 0 || group.mode === 'dense') return null;
  const shares = long.flatMap((layer) => {
    const tokens = layer.key.shape[2] ?? 1;
    if (group.mode === 'expand') return expandShares(layer, group, queriesPerChoice);
    return [modes[group.mode].keysRead(group.keys, tokens, queriesPerChoice) / tokens];
  });
  return {
    mean: shares.reduce((sum, share) => sum + share, 0) / shares.length,
    max: shares.reduce((most, share) => Math.max(most, share), 0),
  };
}
