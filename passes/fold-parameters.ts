import { graphNodes, isOp, tensorOf, type Node } from '../ir/graph.ts';
import type { OpName } from '../ir/ops/attributes.ts';
import { rewriteGraph } from '../ir/rewrite.ts';
import type { Pass } from './pass.ts';

/** `a.query.weight`, `a.key.weight` -> `a.{query,key}.weight`: a name for a tensor made from several. */
function joinedName(names: readonly string[]): string {
  const [first] = names;
  if (first === undefined) return 'constant';
  const parts = names.map((name) => name.split('.'));
  const shared = (index: number, fromEnd: boolean): boolean =>
    parts.every(
      (part) => part.length > index && part.at(fromEnd ? -1 - index : index) === parts[0]?.at(fromEnd ? -1 - index : index),
    );
  let prefix = 0;
  while (prefix < (parts[0]?.length ?? 0) && shared(prefix, false)) prefix += 1;
  let suffix = 0;
  while (suffix < (parts[0]?.length ?? 0) - prefix && shared(suffix, true)) suffix += 1;
  const middles = parts.map((part) => part.slice(prefix, part.length - suffix).join('.')).filter((middle) => middle !== '');
  const [head, tail] = [first.split('.').slice(0, prefix), first.split('.').slice(first.split('.').length - suffix)];
  return [...head, ...(middles.length > 0 ? [`{${middles.join(',')}}`] : []), ...(suffix > 0 ? tail : [])].join('.');
}

/**
 * Nodes that depend on parameters and fixed sizes alone are computed once, at compile time, and become parameters: the
 * stacked weights of a merged projection, permuted heads, rope tables.
 */
export const foldParameters: Pass = {
  name: 'fold parameters',
  requires: ['attention planned'],
  ensures: ['parameters folded'],
  error: 'exact',
  run(stage) {
    const { graph } = stage;
    const fixed = new Map<Node, boolean>();
    const sources = new Map<Node, readonly string[]>();
    for (const node of graphNodes(graph)) {
      const fixedShape = node.type.kind === 'tensor' && node.type.shape.every((size) => typeof size === 'number');
      const source = node.op === 'parameter' || node.op === 'constant' || node.op === 'iota';
      fixed.set(
        node,
        fixedShape && node.op !== 'input' && node.op !== 'state' && (source || node.inputs.every((input) => fixed.get(input))),
      );
      const names = isOp(node, 'parameter') ? [node.attributes.name] : node.inputs.flatMap((input) => sources.get(input) ?? []);
      sources.set(node, [...new Set(names)]);
    }
    const derived = new Map(stage.derived);
    const byName = new Map<string, Node>();
    const replacements = new Map<Node, Node>();
    const replace = (node: Node): Node => {
      const known = replacements.get(node);
      if (known) return known;
      const { elementType, shape } = tensorOf(node);
      const base = joinedName(sources.get(node) ?? []);
      let name = base;
      for (let count = 2; byName.has(name) || (sources.get(node) ?? []).includes(name); count += 1) name = `${base}#${count}`;
      byName.set(name, node);
      derived.set(name, node);
      const parameter = graph.nodes.make('parameter', { name, elementType, shape }, [], {
        ...graph.nodes.provenance(node),
        name,
      }) as Node;
      replacements.set(node, parameter);
      return parameter;
    };
    // Only the last fixed node of a chain is kept: its users, or the outputs, are not fixed.
    const folds = (node: Node): boolean =>
      fixed.get(node) === true &&
      !['parameter', 'constant', 'iota'].includes(node.op) &&
      tensorOf(node).shape.length > 0 &&
      tensorOf(node).elementType === 'f32';
    const folded = rewriteGraph(graph, 'fold parameters', (node, inputs) => {
      if (fixed.get(node)) return node;
      const replaced = inputs.map((input, index) => {
        const original = node.inputs[index] as Node;
        return folds(original) ? replace(original) : input;
      });
      return replaced.every((input, index) => input === inputs[index])
        ? undefined
        : graph.nodes.make<OpName>(node.op, node.attributes, replaced);
    });
    const outputs = folded.outputs.map(({ name, node }) => ({ name, node: folds(node) ? replace(node) : node }));
    return { ...stage, graph: { ...folded, outputs }, derived };
  },
};
