/** Bottom-up rewriting: the engine of the passes. */
import { graphNodes, type Graph, type Node, type NodeTable, type Provenance } from './graph.ts';
import type { OpName } from './ops/attributes.ts';

/**
 * What a pass does to one node: given the node and its inputs as already rewritten, the node that takes its place, or
 * undefined for the same op over the new inputs.
 */
export type Rewrite = (node: Node, inputs: readonly Node[]) => Node | undefined;

function remake<K extends OpName>(table: NodeTable, node: Node<K>, inputs: readonly Node[]): Node {
  return table.make(node.op, node.attributes, inputs);
}

/** The provenance of a node that `passName` made in place of one with the provenance `from`. */
export function passedProvenance(from: Provenance, passName: string): Provenance {
  const passes = from.passes ?? [];
  return passes.at(-1) === passName ? from : { ...from, passes: [...passes, passName] };
}

/**
 * Rewrites a graph bottom up in its own node table; a node whose inputs did not change and that `rewrite` leaves alone is
 * the same node afterwards. New nodes take over the provenance of the node they stand for where they have none of their own;
 * those made by `rewrite`, and the new nodes beneath them, note the pass in it. The declared inputs stay as they were.
 */
export function rewriteGraph(graph: Graph, passName: string, rewrite: Rewrite): Graph {
  const table = graph.nodes;
  const replaced = new Map<Node, Node>();
  const settled = new Set<Node>(graphNodes(graph));
  const adopt = (node: Node, provenance: Provenance): void => {
    const stack = [node];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (settled.has(next)) continue;
      settled.add(next);
      const own = table.provenance(next);
      table.setProvenance(next, { ...provenance, ...own });
      stack.push(...next.inputs);
    }
  };
  for (const node of graphNodes(graph)) {
    const inputs = node.inputs.map((input) => replaced.get(input) as Node);
    const provenance = table.provenance(node);
    const made = rewrite(node, inputs);
    if (made !== undefined) {
      adopt(made, passedProvenance(provenance, passName));
      replaced.set(node, made);
    } else if (inputs.every((input, index) => input === node.inputs[index])) replaced.set(node, node);
    else {
      const same = remake(table, node, inputs);
      adopt(same, provenance);
      replaced.set(node, same);
    }
  }
  return {
    ...graph,
    outputs: graph.outputs.map(({ name, node }) => ({ name, node: replaced.get(node) as Node })),
    ...(graph.states
      ? { states: graph.states.map(({ before, after }) => ({ before, after: replaced.get(after) as Node })) }
      : {}),
  };
}
