/**
 * The graph level: immutable, hash-consed nodes. Two calls with the same op, attributes and inputs give the same node, so
 * identity is equality. Provenance (the user's variable, file and line; the pass that made a node) lies beside the nodes and
 * is not part of their identity.
 */
import { ops } from './ops/table.ts';
import type { OpAttributes, OpName } from './ops/attributes.ts';
import type { TensorType, Type } from './type.ts';

export interface Node<K extends OpName = OpName> {
  readonly id: number;
  readonly op: K;
  readonly attributes: OpAttributes[K];
  readonly inputs: readonly Node[];
  readonly type: Type;
}

export interface Provenance {
  /** The variable in the user's model file, or a name derived from it. */
  readonly name?: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** The module path of the parameters around the node, such as `encoder.layer.0`. */
  readonly scope?: string;
  /** Passes that made or rewrote the node, oldest first: `atp: expand 1/4`. */
  readonly passes?: readonly string[];
}

/** A symbolic dim and the values that it may take. */
export interface SymbolicDim {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/** A model, at any stage of the pipeline. */
export interface Graph {
  readonly name: string;
  readonly dims: readonly SymbolicDim[];
  /** `input` nodes in the order of declaration; all of them, used or not. */
  readonly inputs: readonly Node<'input'>[];
  readonly outputs: readonly GraphOutput[];
  /** What outlives a call; none in most graphs. */
  readonly states?: readonly GraphState[];
  readonly nodes: NodeTable;
}
/** A state in SSA form: what a call finds, and the node of what it leaves. */
export interface GraphState {
  readonly before: Node<'state'>;
  readonly after: Node;
}
export interface GraphOutput {
  readonly name: string;
  readonly node: Node;
}

/** JSON text that is equal exactly for equal attributes: keys sorted; infinities, NaN and -0, which JSON lacks, spelt out. */
function canonicalText(attributes: unknown): string {
  return JSON.stringify(attributes, (_key, value: unknown) => {
    if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)))
      return `#${Object.is(value, -0) ? '-0' : value}`;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Interns nodes. One table lives as long as a model is compiled; all stages of its graph share it. */
export class NodeTable {
  readonly #byKey = new Map<string, Node>();
  readonly #nodes = new Set<Node>();
  readonly #provenance = new Map<Node, Provenance>();

  /** The node for this op; type errors name both sides. Throws TypeRuleError. */
  make<K extends OpName>(op: K, attributes: OpAttributes[K], inputs: readonly Node[], provenance?: Provenance): Node<K> {
    const key = `${op}|${canonicalText(attributes)}|${inputs.map((node) => node.id).join(',')}`;
    const known = this.#byKey.get(key);
    if (known) return known as Node<K>;
    const type = ops[op].type(
      attributes,
      inputs.map((node) => node.type),
    );
    const node: Node<K> = Object.freeze({ id: this.#byKey.size, op, attributes, inputs: Object.freeze([...inputs]), type });
    this.#byKey.set(key, node);
    this.#nodes.add(node);
    if (provenance) this.#provenance.set(node, provenance);
    return node;
  }
  /** Whether the node was made by this table. */
  has(node: Node): boolean {
    return this.#nodes.has(node);
  }
  provenance(node: Node): Provenance {
    return this.#provenance.get(node) ?? {};
  }
  setProvenance(node: Node, provenance: Provenance): void {
    this.#provenance.set(node, provenance);
  }
}

export function isOp<K extends OpName>(node: Node, op: K): node is Node & Node<K> {
  return node.op === op;
}

/** The type of a node that is known to give one tensor. */
export function tensorOf(node: Node): TensorType {
  if (node.type.kind !== 'tensor') throw new TypeError(`Node %${node.id} (${node.op}) gives a tuple; take an element with get.`);
  return node.type;
}

/** All nodes that the outputs need, inputs before users, in a deterministic order. */
export function nodesInOrder(outputs: readonly Node[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  // An explicit stack: models are deeper than the JavaScript stack allows.
  const stack = [...outputs].reverse().map((node) => ({ node, next: 0 }));
  while (stack.length > 0) {
    const top = stack[stack.length - 1] as { node: Node; next: number };
    if (seen.has(top.node)) {
      stack.pop();
      continue;
    }
    const input = top.node.inputs[top.next];
    if (input === undefined) {
      seen.add(top.node);
      order.push(top.node);
      stack.pop();
    } else {
      top.next += 1;
      if (!seen.has(input)) stack.push({ node: input, next: 0 });
    }
  }
  return order;
}
export function graphNodes(graph: Graph): Node[] {
  return nodesInOrder(graphRoots(graph));
}
/** What a run has to compute: the outputs, then the states afterwards. */
export function graphRoots(graph: Graph): readonly Node[] {
  return [...graph.outputs.map(({ node }) => node), ...(graph.states ?? []).map(({ after }) => after)];
}

/** How often each node is used, by other nodes and as an output. */
export function useCounts(graph: Graph): ReadonlyMap<Node, number> {
  const counts = new Map<Node, number>();
  const count = (node: Node): void => void counts.set(node, (counts.get(node) ?? 0) + 1);
  for (const node of graphNodes(graph)) node.inputs.forEach(count);
  graphRoots(graph).forEach(count);
  return counts;
}
