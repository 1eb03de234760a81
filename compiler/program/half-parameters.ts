/** Which parameters of a compiled graph may stay in 16 bits. */
import { graphNodes, isOp, nodesInOrder, type Graph, type Node } from '../../ir/graph.ts';
import { isGemm } from '../../passes/fuse/groups.ts';

/** The parameters of the checkpoint that a derived parameter follows from; of one that is not derived, itself. */
export function originalParameters(name: string, derived: ReadonlyMap<string, Node>): readonly string[] {
  const node = derived.get(name);
  if (!node) return [name];
  return nodesInOrder([node]).flatMap((input) => (isOp(input, 'parameter') ? [input.attributes.name] : []));
}

/**
 * Right sides of products, in any of the graphs, whose originals are all stored as F16: then so are they, and no value changes. Another
 * read of such a parameter reads the same memory.
 */
export function halfParameters(
  graphs: readonly Graph[],
  derived: ReadonlyMap<string, Node>,
  isHalf: (parameter: string) => boolean,
): ReadonlySet<string> {
  const rightSides = graphs.flatMap(graphNodes).flatMap((node) => {
    const right = isGemm(node) ? node.inputs[1] : undefined;
    return right && isOp(right, 'parameter') ? [right.attributes.name] : [];
  });
  return new Set(
    rightSides.filter((name) => {
      const originals = originalParameters(name, derived);
      return originals.length > 0 && originals.every(isHalf);
    }),
  );
}
