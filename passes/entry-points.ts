/**
 * From a causal model over a whole text to the graphs of its entry points, which share parameters and state: `score` gives what
 * the model gives, `prefill` only the last row of it, `decode` is prefill of one token.
 */
import { fieldsOf } from '../ir/attribute-fields.ts';
import { isOp, tensorOf, type Graph, type Node } from '../ir/graph.ts';
import type { OpName } from '../ir/ops/attributes.ts';
import { rewriteGraph } from '../ir/rewrite.ts';
import { substituteSize, subtractSizes, type Size } from '../ir/size.ts';
import { seqDim } from './cache.ts';

export const statefulEntries = ['prefill', 'decode', 'score'] as const;
export type StatefulEntry = (typeof statefulEntries)[number];

const graphs: { readonly [E in StatefulEntry]: (graph: Graph) => Graph } = {
  score: (graph) => graph,
  prefill: lastRow,
  decode: (graph) => bindDim(graph, seqDim, 1),
};
/** The graph of an entry point, from the graph that the cache pass gave. */
export function entryGraph(graph: Graph, entry: StatefulEntry): Graph {
  return graphs[entry](graph);
}

/** Outputs [1, seq, ...] become [1, 1, ...]: their last row. */
function lastRow(graph: Graph): Graph {
  const outputs = graph.outputs.map(({ name, node }) => {
    const start = subtractSizes(tensorOf(node).shape[1] as Size, 1);
    return { name, node: graph.nodes.make('slice', { axis: 1, start, length: 1 }, [node], graph.nodes.provenance(node)) };
  });
  return { ...graph, outputs };
}

/** The same graph for one value of a dim. */
export function bindDim(graph: Graph, dim: string, value: number): Graph {
  const bindings = { [dim]: value };
  const bound = (node: Node): Node['attributes'] => {
    const values = node.attributes as Readonly<Record<string, unknown>>;
    const changed = fieldsOf(node.op).map(([name, kind]): readonly [string, unknown] => {
      if (kind === 'size') return [name, substituteSize(values[name] as Size, bindings)];
      if (kind === 'shape') return [name, (values[name] as readonly Size[]).map((size) => substituteSize(size, bindings))];
      return [name, values[name]];
    });
    return Object.fromEntries(changed) as unknown as Node['attributes'];
  };
  const remake = (node: Node, operands: readonly Node[]): Node => graph.nodes.make<OpName>(node.op, bound(node), operands);
  const inputs = new Map(graph.inputs.map((input) => [input.id, remake(input, []) as Node<'input'>]));
  const rewritten = rewriteGraph(graph, `${dim} = ${value}`, (node, operands) => {
    if (isOp(node, 'parameter') || isOp(node, 'state')) return undefined;
    return inputs.get(node.id) ?? remake(node, operands);
  });
  return {
    ...rewritten,
    dims: graph.dims.filter(({ name }) => name !== dim),
    inputs: [...inputs.values()],
  };
}
