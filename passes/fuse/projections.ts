import { graphNodes, isOp, tensorOf, useCounts, type Graph, type Node } from '../../ir/graph.ts';
import { rewriteGraph } from '../../ir/rewrite.ts';
import { sizesEqual, type Size } from '../../ir/size.ts';
import type { Pass, PassContext } from '../pass.ts';

type StorageOf = NonNullable<PassContext['storageOf']>;

/** The key of the blocks that all of a weight lies in; null where a part of it is plain numbers, or in other blocks. */
function storageKey(weight: Node, storageOf: StorageOf): string | null {
  if (isOp(weight, 'parameter')) return storageOf(weight.attributes.name);
  const [first = null, ...others] = weight.inputs.map((input) => storageKey(input, storageOf));
  return others.every((other) => other === first) ? first : null;
}

/** A linear layer as it stands in a graph: `root` is the sum with the bias, or the product where there is none. */
interface Linear {
  readonly root: Node;
  readonly x: Node;
  readonly weight: Node;
  readonly bias: Node | null;
}

// Weights that the compiler itself rearranged (permuted heads) are still weights.
function isWeight(node: Node | undefined, axes: number): node is Node {
  if (!node || tensorOf(node).shape.length !== axes) return false;
  return (
    node.op === 'parameter' || (['slice', 'concat'].includes(node.op) && node.inputs.every((input) => isWeight(input, axes)))
  );
}

function linearLayers(graph: Graph): readonly Linear[] {
  const uses = useCounts(graph);
  const biased = new Map<Node, Linear>();
  const nodes = graphNodes(graph);
  for (const node of nodes) {
    if (node.op !== 'add') continue;
    const product = node.inputs.find((input) => input.op === 'matmul');
    const bias = node.inputs.find((input) => input !== product);
    if (product && isWeight(bias, 1) && uses.get(product) === 1) {
      const [x, weight] = product.inputs;
      if (x && isWeight(weight, 2)) biased.set(product, { root: node, x, weight, bias });
    }
  }
  return nodes.flatMap((node) => {
    if (!isOp(node, 'matmul') || !node.attributes.transposeRight) return [];
    const [x, weight] = node.inputs;
    if (!x || !isWeight(weight, 2)) return [];
    return [biased.get(node) ?? { root: node, x, weight, bias: null }];
  });
}

/** Layers of one input that can share a product: all with a bias or all without, of one width, stored in the same blocks. */
function alikeLayers(layers: readonly Linear[], storageOf: StorageOf): readonly (readonly Linear[])[] {
  const groups: Linear[][] = [];
  const width = ({ weight }: Linear): Size => tensorOf(weight).shape[1] ?? 0;
  const isAlike = (a: Linear, b: Linear): boolean =>
    (a.bias === null) === (b.bias === null) &&
    sizesEqual(width(a), width(b)) &&
    storageKey(a.weight, storageOf) === storageKey(b.weight, storageOf);
  for (const linear of layers) {
    const group = groups.find(([first]) => first && isAlike(first, linear));
    if (group) group.push(linear);
    else groups.push([linear]);
  }
  return groups;
}

/**
 * Linear layers of one input become one product with stacked weights (query, key and value of a layer; gate and up of a
 * gated MLP): the input is read once, and the product is larger. Weights in blocks are stacked where their formats are the same.
 */
export const mergeProjections: Pass = {
  name: 'merge projections',
  requires: ['attention planned'],
  ensures: [],
  error: 'rounding',
  run(stage, { storageOf = () => null }) {
    const { graph } = stage;
    const byInput = new Map<Node, Linear[]>();
    for (const linear of linearLayers(graph)) byInput.set(linear.x, [...(byInput.get(linear.x) ?? []), linear]);
    const groups = [...byInput.values()].flatMap((layers) => alikeLayers(layers, storageOf));
    const merged = new Map<Node, { readonly group: readonly Linear[]; readonly index: number }>();
    // The same weights used twice are one node already; a merge needs different ones.
    for (const group of groups) if (group.length > 1) group.forEach((linear, index) => merged.set(linear.root, { group, index }));
    const make = graph.nodes;
    const rewritten = rewriteGraph(graph, 'merge projections', (node, inputs) => {
      const found = merged.get(node);
      if (!found) return undefined;
      const { group, index } = found;
      const product = node.op === 'add' ? inputs.find((input) => input.op === 'matmul') : undefined;
      const x = (product ?? { inputs }).inputs[0] as Node;
      const weight = make.make(
        'concat',
        { axis: 0 },
        group.map((linear) => linear.weight),
      ) as Node;
      const stacked = make.make('matmul', { transposeRight: true }, [x, weight]) as Node;
      const first = group[0] as Linear;
      const bias = first.bias
        ? (make.make(
            'concat',
            { axis: 0 },
            group.map((linear) => linear.bias as Node),
          ) as Node)
        : null;
      const sum = bias ? (make.make('add', {}, [stacked, bias]) as Node) : stacked;
      const names = group.map((linear) => make.provenance(linear.root).name ?? '').filter((name) => name !== '');
      make.setProvenance(sum, { ...make.provenance(first.root), name: names.join(' + '), passes: ['merge projections'] });
      const widths = group.map((linear) => tensorOf(linear.weight).shape[0] as number);
      const start = widths.slice(0, index).reduce((total, width) => total + width, 0);
      const axis = tensorOf(sum).shape.length - 1;
      return make.make('slice', { axis, start, length: widths[index] as number }, [sum]);
    });
    return { ...stage, graph: rewritten };
  },
};
