/**
 * Where only one row of a tensor is read (the first token of a classifier's last layer), only that row is computed.
 *
 * Demands flow from the outputs towards the inputs: a node is wanted whole, or at one index of one axis. An op that treats
 * the indices of that axis apart passes the demand on to its inputs; keys and values of attention are always wanted whole.
 * Every row is computed by the same operations as before, so results do not change.
 */
import { graphNodes, isOp, tensorOf, type Graph, type Node, type NodeTable } from '../ir/graph.ts';
import type { OpName } from '../ir/ops/attributes.ts';
import { segmentOperands } from '../ir/ops/segments.ts';
import { rewriteGraph } from '../ir/rewrite.ts';
import { elementCount, sizesEqual, type Size } from '../ir/size.ts';
import type { Pass } from './pass.ts';

/** The index `start` of an axis. */
interface Row {
  readonly axis: number;
  readonly start: Size;
}
/** What an op wants of each input when one row of it is wanted: the axis at which, or null for the whole input. */
type InputAxes = readonly (number | null)[];
/** Null where the op cannot give one row alone. */
type Rule<K extends OpName> = (node: Node<K>, axis: number) => InputAxes | null;

const rankOf = (node: Node): number => tensorOf(node).shape.length;
const sizeOf = (node: Node, axis: number): Size => tensorOf(node).shape[axis] ?? 1;

/** Inputs are broadcast against the result, axes aligned at the end. */
function broadcasting(node: Node, axis: number): InputAxes {
  return node.inputs.map((input) => {
    const own = axis - rankOf(node) + rankOf(input);
    return own < 0 || sizesEqual(sizeOf(input, own), 1) ? null : own;
  });
}
/** The first input row by row; the others are parameters of all rows. */
const firstInput = (node: Node, axis: number): InputAxes => node.inputs.map((_, index) => (index === 0 ? axis : null));
const unlessLast: Rule<'layer_norm' | 'rms_norm'> = (node, axis) => (axis < rankOf(node) - 1 ? firstInput(node, axis) : null);
const unlessReduced: Rule<'softmax' | 'reduce_sum' | 'reduce_max'> = (node, axis) =>
  axis === node.attributes.axis ? null : [axis];

function reshapedAxis(node: Node, axis: number): InputAxes | null {
  const [input] = node.inputs as readonly [Node];
  const [from, to] = [tensorOf(input).shape, tensorOf(node).shape];
  const before = elementCount(to.slice(0, axis));
  const own = from.findIndex(
    (size, index) => sizesEqual(size, to[axis] ?? 1) && sizesEqual(elementCount(from.slice(0, index)), before),
  );
  return own < 0 ? null : [own];
}

/** Queries are apart from each other, unless a rule counts their positions; selections are of one row for each query. */
function attentionAxes(node: Node<'attention'>, axis: number): InputAxes | null {
  if (axis !== 2) return null;
  const axes: (number | null)[] = [2];
  for (const { segment, bias, rules } of segmentOperands(node.attributes.segments, node.inputs)) {
    axes.push(segment.scored ? 2 : null, null, ...(bias ? [null] : []));
    for (const { rule, inputs } of rules) {
      if (rule.rule === 'causal' || rule.rule === 'window') return null;
      const isSelective = rule.rule === 'selected' || rule.rule === 'chosen' || rule.rule === 'notChosen';
      // The width of a selection of clusters goes by the number of queries.
      if (isSelective && inputs[0]?.inputs[0]?.op !== 'rank_keys') return null;
      axes.push(...inputs.map((_, index) => (isSelective && index === 0 ? 2 : null)));
    }
  }
  return axes;
}

const never: Rule<OpName> = () => null;

const rules: { readonly [K in OpName]: Rule<K> } = {
  input: never,
  parameter: never,
  state: never,
  constant: never,
  iota: never,
  add: broadcasting,
  subtract: broadcasting,
  multiply: broadcasting,
  divide: broadcasting,
  maximum: broadcasting,
  minimum: broadcasting,
  less: broadcasting,
  equal: broadcasting,
  where: broadcasting,
  broadcast: broadcasting,
  negate: broadcasting,
  exp: broadcasting,
  log: broadcasting,
  sqrt: broadcasting,
  tanh: broadcasting,
  erf: broadcasting,
  sin: broadcasting,
  cos: broadcasting,
  relu: broadcasting,
  gelu: broadcasting,
  gelu_tanh: broadcasting,
  silu: broadcasting,
  cast: broadcasting,
  reshape: reshapedAxis,
  transpose: (node, axis) => [node.attributes.permutation[axis] ?? null],
  slice: (node, axis) => (axis === node.attributes.axis ? null : [axis]),
  concat: (node, axis) => (axis === node.attributes.axis ? null : node.inputs.map(() => axis)),
  gather: (node, axis) => (axis >= node.attributes.batchAxes && axis < rankOf(node.inputs[1] as Node) ? [null, axis] : null),
  matmul: (node, axis) => (axis === rankOf(node) - 2 ? [rankOf(node.inputs[0] as Node) - 2, null] : null),
  layer_norm: unlessLast,
  rms_norm: unlessLast,
  softmax: unlessReduced,
  reduce_sum: unlessReduced,
  reduce_max: unlessReduced,
  rope: (node, axis) => (axis === rankOf(node) - 2 ? [axis, rankOf(node.inputs[1] as Node) - 1] : null),
  attention: attentionAxes,
  cached_attention: never,
  rank_keys: (_, axis) => (axis === 2 ? [2, null, null] : null),
  cluster: never,
  select_clusters: never,
  segment_means: never,
  principal_rows: never,
  get: (node, axis) => (node.inputs[0]?.op === 'rank_keys' ? [axis] : null),
};
function inputAxes<K extends OpName>(node: Node<K>, axis: number): InputAxes | null {
  return rules[node.op](node, axis);
}

/** The row that a slice takes of an axis of symbolic size. */
function slicedRow(node: Node): Row | null {
  if (!isOp(node, 'slice')) return null;
  const { axis, start, length } = node.attributes;
  const [input] = node.inputs as readonly [Node];
  return length === 1 && typeof sizeOf(input, axis) !== 'number' ? { axis, start } : null;
}

/** Selections, and the tuple that they are part of, are never taken apart: they exist only inside the attention that reads them. */
function isRanking(node: Node): boolean {
  return node.op === 'rank_keys' || node.inputs[0]?.op === 'rank_keys';
}
function sameRow(a: Row | null, b: Row | null): boolean {
  return a === b || (a !== null && b !== null && a.axis === b.axis && sizesEqual(a.start, b.start));
}
/** The nodes of which one row is enough; those in `whole` are not looked at. */
function wantedRows(graph: Graph, whole: ReadonlySet<Node> = new Set()): ReadonlyMap<Node, Row> {
  const wanted = new Map<Node, Row | null>();
  const want = (node: Node, row: Row | null): void => {
    const known = wanted.get(node);
    const isSame = known === undefined || sameRow(known, row);
    wanted.set(node, isSame ? row : null);
  };
  for (const { node } of graph.outputs) want(node, null);
  const rows = new Map<Node, Row>();
  const stuck = new Set<Node>();
  const order = graphNodes(graph);
  for (const node of [...order].reverse()) {
    const sliced = slicedRow(node);
    const row = whole.has(node) || sliced ? null : (wanted.get(node) ?? null);
    const axes = row && inputAxes(node, row.axis);
    if (row && axes) rows.set(node, row);
    node.inputs.forEach((input, index) => {
      const axis = axes?.[index] ?? null;
      want(input, sliced ?? (row && axis !== null ? { axis, start: row.start } : null));
    });
  }
  for (const [node, { axis }] of rows) {
    const axes = inputAxes(node, axis) ?? [];
    if (node.inputs.some((input, index) => (axes[index] ?? null) !== null && isRanking(input) && !rows.has(input)))
      stuck.add(node);
  }
  return stuck.size === 0 ? rows : wantedRows(graph, new Set([...whole, ...stuck]));
}

function makeLike<K extends OpName>(table: NodeTable, { op, attributes }: Node<K>, inputs: readonly Node[]): Node {
  return table.make(op, attributes, inputs);
}

export const narrowRows: Pass = {
  name: 'narrow rows',
  requires: ['attention planned'],
  ensures: [],
  error: 'exact',
  run(stage) {
    const { graph } = stage;
    const table = graph.nodes;
    const rows = wantedRows(graph);
    const rowOf = (original: Node, rewritten: Node, { axis, start }: Row): Node =>
      rows.has(original) ? rewritten : table.make('slice', { axis, start, length: 1 }, [rewritten]);
    const narrow = (node: Node, inputs: readonly Node[]): Node | undefined => {
      const sliced = slicedRow(node);
      if (sliced) return rowOf(node.inputs[0] as Node, inputs[0] as Node, sliced);
      const row = rows.get(node);
      if (!row) return undefined;
      const axes = inputAxes(node, row.axis) ?? [];
      const operands = inputs.map((input, index) => {
        const axis = axes[index] ?? null;
        return axis === null ? input : rowOf(node.inputs[index] as Node, input, { axis, start: row.start });
      });
      if (!isOp(node, 'reshape') && !isOp(node, 'broadcast')) return makeLike(table, node, operands);
      const shape = node.attributes.shape.map((size, axis) => (axis === row.axis ? 1 : size));
      return table.make(node.op, { shape }, operands);
    };
    return rows.size === 0 ? stage : { ...stage, graph: rewriteGraph(graph, 'narrow rows', narrow) };
  },
};
