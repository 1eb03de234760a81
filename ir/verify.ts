/** Checks that a graph is well formed. Nodes are typed when they are made; this finds what was made around that. */
import { ops } from './ops/table.ts';
import { fieldsOf, type FieldKind } from './attribute-fields.ts';
import { graphRoots, isOp, type Graph, type Node } from './graph.ts';
import { elementTypes } from './element-type.ts';
import { formatType, type TensorType, type Type } from './type.ts';
import { sizeOperators, sizeSymbols, substituteSize, sizesEqual, type Size } from './size.ts';
import type { OpName } from './ops/attributes.ts';

/** A graph that is not well formed, with all of its faults. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError';
  readonly faults: readonly string[];
  constructor(graph: string, faults: readonly string[]) {
    super(
      `The graph "${graph}" has ${faults.length} fault${faults.length === 1 ? '' : 's'}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.faults = faults;
  }
}

/** The symbol in count expressions that stands for the unpadded tokens of a sequence; no dim may have its name. */
export const tokensSymbol = 'tokens';

const isSize = (value: unknown): boolean =>
  typeof value === 'string' ||
  Number.isInteger(value) ||
  (Array.isArray(value) &&
    value.length === 3 &&
    sizeOperators.some((operator) => operator === value[0]) &&
    isSize(value[1]) &&
    isSize(value[2]));
const isArrayOf = (value: unknown, test: (item: unknown) => boolean): boolean => Array.isArray(value) && value.every(test);
const fieldTests: { readonly [F in FieldKind]: (value: unknown) => boolean } = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  elementType: (value) => elementTypes.some((type) => type === value),
  size: isSize,
  shape: (value) => isArrayOf(value, isSize),
  integers: (value) => isArrayOf(value, Number.isInteger),
  numbers: (value) => isArrayOf(value, (item) => typeof item === 'number'),
  cache: (value) => typeof value === 'object' && value !== null && 'kind' in value,
  segments: (value) => isArrayOf(value, (segment) => typeof segment === 'object' && segment !== null),
};

function tensorsOf(type: Type): readonly TensorType[] {
  return type.kind === 'tensor' ? [type] : type.elements;
}
function recomputedType<K extends OpName>(node: Node<K>): Type {
  return ops[node.op].type(
    node.attributes,
    node.inputs.map((input) => input.type),
  );
}

/** Sizes in the attributes of a node: those in counts may use "tokens". */
function attributeSizes(node: Node): readonly { readonly size: Size; readonly counts: boolean }[] {
  const values = node.attributes as Readonly<Record<string, unknown>>;
  return fieldsOf(node.op).flatMap(([name, kind]) => {
    if (kind === 'size') return [{ size: values[name] as Size, counts: name === 'count' || name === 'keysPerBlock' }];
    return kind === 'shape' ? (values[name] as readonly Size[]).map((size) => ({ size, counts: false })) : [];
  });
}

class Verifier {
  readonly faults: string[] = [];
  readonly #graph: Graph;
  readonly #dims: ReadonlySet<string>;
  constructor(graph: Graph) {
    this.#graph = graph;
    this.#dims = new Set(graph.dims.map(({ name }) => name));
  }
  #report(node: Node, fault: string): void {
    const { name, file, line } = this.#graph.nodes.provenance(node);
    const where = [name, file && `${file}${line === undefined ? '' : `:${line}`}`].filter(Boolean).join(', ');
    this.faults.push(`%${node.id} ${node.op}${where ? ` (${where})` : ''}: ${fault}`);
  }

  dims(): void {
    const seen = new Set<string>();
    for (const { name, min, max } of this.#graph.dims) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) this.faults.push(`The dim "${name}" is not a name of letters, digits and _.`);
      if (name === tokensSymbol) this.faults.push(`A dim may not be called "${name}", which counts the tokens of one sequence.`);
      if (seen.has(name)) this.faults.push(`The dim ${name} is declared twice.`);
      if (!(Number.isInteger(min) && Number.isInteger(max) && min >= 0 && min <= max)) {
        this.faults.push(`The dim ${name} cannot range from ${min} to ${max}.`);
      }
      seen.add(name);
    }
  }
  /** Walks the nodes itself: nodesInOrder trusts that there is no cycle. */
  nodes(): readonly Node[] {
    const done = new Set<Node>();
    const open = new Set<Node>();
    const order: Node[] = [];
    const stack = [...this.#graph.inputs, ...graphRoots(this.#graph)].reverse();
    while (stack.length > 0) {
      const node = stack.at(-1) as Node;
      if (done.has(node)) {
        stack.pop();
      } else if (open.has(node)) {
        open.delete(node);
        done.add(node);
        order.push(node);
        stack.pop();
      } else {
        open.add(node);
        for (const input of [...node.inputs].reverse()) {
          if (open.has(input)) this.#report(node, `it needs its own result by way of %${input.id} ${input.op}.`);
          else if (!done.has(input)) stack.push(input);
        }
      }
    }
    return order;
  }
  node(node: Node): void {
    if (!Object.hasOwn(ops, node.op)) return this.#report(node, 'there is no such op.');
    if (!this.#attributes(node)) return;
    this.#type(node);
    this.#symbols(node);
    if (!this.#graph.nodes.has(node)) this.#report(node, 'it is not in the node table of the graph.');
    for (const input of node.inputs) {
      if (input.type.kind === 'tuple' && node.op !== 'get')
        this.#report(node, `it uses the tuple %${input.id} ${input.op} without get.`);
    }
    if (isOp(node, 'input') && !this.#graph.inputs.some((input) => input.id === node.id)) {
      this.#report(node, `the input "${node.attributes.name}" is not declared by the graph.`);
    }
  }
  #attributes(node: Node): boolean {
    const values = node.attributes as Readonly<Record<string, unknown>>;
    const fields = fieldsOf(node.op);
    const wrong = fields.filter(([name, kind]) => !fieldTests[kind](values[name]));
    const unknown = Object.keys(values).filter((name) => !fields.some(([field]) => field === name));
    for (const [name, kind] of wrong)
      this.#report(node, `its attribute "${name}" should be of kind ${kind} but is ${JSON.stringify(values[name])}.`);
    for (const name of unknown) this.#report(node, `it has no attribute "${name}".`);
    return wrong.length === 0;
  }
  #type(node: Node): void {
    try {
      const expected = formatType(recomputedType(node));
      const stored = formatType(node.type);
      if (expected !== stored) this.#report(node, `its type is stored as ${stored}, but the type rule gives ${expected}.`);
    } catch (error) {
      this.#report(node, error instanceof Error ? error.message : String(error));
    }
  }
  #symbols(node: Node): void {
    const used = tensorsOf(node.type).flatMap(({ shape }) => shape.map((size) => ({ size, counts: false })));
    const undeclared = new Set<string>();
    for (const { size, counts } of [...used, ...attributeSizes(node)]) {
      for (const symbol of sizeSymbols(size)) {
        if (!this.#dims.has(symbol) && !(counts && symbol === tokensSymbol)) undeclared.add(symbol);
      }
      if (!sizesEqual(size, substituteSize(size, {})))
        this.#report(node, `the size ${JSON.stringify(size)} is not in normal form.`);
    }
    for (const symbol of undeclared) this.#report(node, `its sizes use ${symbol}, which is no dim of the graph.`);
  }
  names(): void {
    const inputs = new Set<string>();
    for (const node of this.#graph.inputs) {
      if (!isOp(node, 'input')) this.#report(node, 'it is declared as an input.');
      else if (inputs.has(node.attributes.name)) this.#report(node, `there are two inputs "${node.attributes.name}".`);
      else inputs.add(node.attributes.name);
    }
    const outputs = new Set<string>();
    for (const { name, node } of this.#graph.outputs) {
      if (outputs.has(name)) this.faults.push(`There are two outputs "${name}".`);
      if (node.type.kind === 'tuple') this.#report(node, `the output "${name}" is a tuple; take an element with get.`);
      outputs.add(name);
    }
    if (outputs.size === 0) this.faults.push('The graph has no outputs.');
  }
  /** A state is read by one node only, whose result takes its place, and nothing else is a state. */
  states(nodes: readonly Node[]): void {
    const states = this.#graph.states ?? [];
    const names = new Set<string>();
    for (const { before, after } of states) {
      const { name } = before.attributes;
      if (names.has(name)) this.#report(before, `there are two states "${name}".`);
      names.add(name);
      const users = nodes.filter((node) => node.inputs.includes(before));
      const user = after.op === 'get' ? after.inputs[0] : after;
      const given = this.#graph.outputs.filter(({ node }) => node === before).length;
      const uses = users.flatMap((node) => node.inputs).filter((input) => input === before).length + given;
      if (uses !== 1 || users[0] !== user)
        this.#report(before, `the state "${name}" should be used once, by the op that gives what it is afterwards.`);
      if (formatType(before.type) !== formatType(after.type))
        this.#report(after, `it leaves the state "${name}" as ${formatType(after.type)} instead of ${formatType(before.type)}.`);
    }
    for (const node of nodes) {
      if (isOp(node, 'state') && !states.some(({ before }) => before === node))
        this.#report(node, `the state "${node.attributes.name}" is not declared by the graph.`);
    }
  }
  /** One name, one parameter. */
  parameters(nodes: readonly Node[]): void {
    const types = new Map<string, string>();
    for (const node of nodes) {
      if (!isOp(node, 'parameter')) continue;
      const type = formatType(node.type);
      const known = types.get(node.attributes.name) ?? type;
      if (known !== type) this.#report(node, `the parameter "${node.attributes.name}" is used as ${known} and as ${type}.`);
      types.set(node.attributes.name, known);
    }
  }
}

/** Throws a VerificationError that lists every fault of the graph; each names its node and the user's source if known. */
export function verifyGraph(graph: Graph): void {
  const verifier = new Verifier(graph);
  verifier.dims();
  const nodes = verifier.nodes();
  for (const node of nodes) verifier.node(node);
  verifier.names();
  verifier.states(nodes);
  verifier.parameters(nodes);
  if (verifier.faults.length > 0) throw new VerificationError(graph.name, verifier.faults);
}
