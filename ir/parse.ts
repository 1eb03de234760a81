/** Reads the text form of a graph (print.ts). Every fault is a ParseError that names the line. */
import {
  isOp,
  NodeTable,
  type Graph,
  type GraphOutput,
  type GraphState,
  type Node,
  type Provenance,
  type SymbolicDim,
} from './graph.ts';
import { fieldsOf, type FieldKind } from './attribute-fields.ts';
import { ops } from './ops/table.ts';
import { TypeRuleError } from './ops/definition.ts';
import { ParseError, Scanner } from './scanner.ts';
import { scanSize } from './parse-size.ts';
import { elementTypes, type ElementType } from './element-type.ts';
import { formatType } from './type.ts';
import type { CacheSpec } from './cache.ts';
import type { AttentionSegment, OpAttributes, OpName, VisibleRule } from './ops/attributes.ts';

const rules: { readonly [R in VisibleRule['rule']]: (scanner: Scanner) => VisibleRule } = {
  causal: () => ({ rule: 'causal' }),
  window(scanner) {
    scanner.expectSymbol('(');
    const size = scanner.integer();
    scanner.expectSymbol(')');
    return { rule: 'window', size };
  },
  padding: () => ({ rule: 'padding' }),
  tokens(scanner) {
    scanner.expectSymbol('(');
    const atLeast = scanner.take('integer');
    scanner.expectSymbol('..');
    const below = scanner.take('integer');
    scanner.expectSymbol(')');
    return {
      rule: 'tokens',
      ...(atLeast === undefined ? {} : { atLeast: Number(atLeast) }),
      ...(below === undefined ? {} : { below: Number(below) }),
    };
  },
  notChosen: () => ({ rule: 'notChosen' }),
  chosen: () => ({ rule: 'chosen' }),
  selected: () => ({ rule: 'selected' }),
};
function scanRule(scanner: Scanner): VisibleRule {
  const name = scanner.expect('identifier');
  if (!Object.hasOwn(rules, name))
    scanner.fail(`"${name}" is not a rule of visibility; there are ${Object.keys(rules).join(', ')}.`);
  return rules[name as VisibleRule['rule']](scanner);
}
function scanSegment(scanner: Scanner): AttentionSegment {
  const kind = scanner.expect('identifier');
  if (kind !== 'keys' && kind !== 'scores') scanner.fail(`a segment begins with keys or scores, not "${kind}".`);
  const bias = scanner.skip('+');
  if (bias) scanner.expectSymbol('bias');
  const visible: VisibleRule[] = [];
  if (scanner.skip('where')) {
    do visible.push(scanRule(scanner));
    while (scanner.skip('&'));
  }
  return { scored: kind === 'scores', bias, visible };
}
function scanElementType(scanner: Scanner): ElementType {
  const name = scanner.expect('identifier');
  return (
    elementTypes.find((type) => type === name) ??
    scanner.fail(`"${name}" is not an element type; there are ${elementTypes.join(', ')}.`)
  );
}
function scanBoolean(scanner: Scanner): boolean {
  const word = scanner.expect('identifier');
  if (word !== 'true' && word !== 'false') scanner.fail(`expected true or false but found "${word}".`);
  return word === 'true';
}

/** JSON up to the brace that closes it. */
function scanCache(scanner: Scanner): CacheSpec {
  const text = scanner.expect('braces');
  try {
    return JSON.parse(text) as CacheSpec;
  } catch {
    return scanner.fail(`the cache is not JSON: ${text}`);
  }
}

const fields: { readonly [F in FieldKind]: (scanner: Scanner) => unknown } = {
  string: (scanner) => scanner.string(),
  number: (scanner) => scanner.number(),
  boolean: scanBoolean,
  elementType: scanElementType,
  size: scanSize,
  shape: (scanner) => scanner.list('[', ']', () => scanSize(scanner)),
  integers: (scanner) => scanner.list('[', ']', () => scanner.integer()),
  cache: scanCache,
  numbers: (scanner) => scanner.list('[', ']', () => scanner.number()),
  segments: (scanner) => scanner.list('[', ']', () => scanSegment(scanner)),
};

function scanAttributes(scanner: Scanner, op: OpName): OpAttributes[OpName] {
  const expected = fieldsOf(op);
  const found = new Map<string, unknown>();
  const scanField = (): void => {
    const name = scanner.expect('identifier');
    const kind = expected.find(([field]) => field === name)?.[1];
    if (kind === undefined)
      return scanner.fail(`${op} has no attribute "${name}"; it has ${expected.map(([field]) => field).join(', ')}.`);
    if (found.has(name)) scanner.fail(`${op} has the attribute "${name}" twice.`);
    scanner.expectSymbol(':');
    found.set(name, fields[kind](scanner));
  };
  if (expected.length > 0) scanner.list('{', '}', scanField);
  for (const [name] of expected) if (!found.has(name)) scanner.fail(`${op} lacks its attribute "${name}".`);
  // Each value was read by the kind that the field table gives it.
  return Object.fromEntries(expected.map(([name]) => [name, found.get(name)])) as unknown as OpAttributes[OpName];
}

function scanProvenance(scanner: Scanner): Provenance {
  const text = scanner.rest();
  try {
    return JSON.parse(text) as Provenance;
  } catch {
    return scanner.fail(`the provenance after @ is not JSON: ${text}`);
  }
}

class GraphReader {
  readonly table = new NodeTable();
  readonly #nodes = new Map<string, Node>();
  readonly inputs: Node<'input'>[] = [];
  readonly outputs: GraphOutput[] = [];
  readonly states: GraphState[] = [];
  readonly dims: SymbolicDim[] = [];

  line(scanner: Scanner): void {
    if (scanner.skip('dim ')) this.#dim(scanner);
    else if (scanner.skip('output ')) this.#output(scanner);
    else if (scanner.skip('state ')) this.#state(scanner);
    else this.#node(scanner);
    scanner.expectEnd();
  }
  #dim(scanner: Scanner): void {
    const name = scanner.expect('identifier');
    const min = scanner.integer();
    scanner.expectSymbol('..');
    this.dims.push({ name, min, max: scanner.integer() });
  }
  #output(scanner: Scanner): void {
    const name = scanner.string();
    scanner.expectSymbol('=');
    this.outputs.push({ name, node: this.#reference(scanner) });
  }
  #state(scanner: Scanner): void {
    const before = this.#reference(scanner);
    if (!isOp(before, 'state')) return scanner.fail(`a state begins as a node of op state, not ${before.op}.`);
    scanner.expectSymbol('=');
    this.states.push({ before, after: this.#reference(scanner) });
  }
  #reference(scanner: Scanner): Node {
    const name = scanner.expect('reference');
    return this.#nodes.get(name) ?? scanner.fail(`${name} is used before it is defined.`);
  }
  #node(scanner: Scanner): void {
    const name = scanner.expect('reference');
    if (this.#nodes.has(name)) scanner.fail(`${name} is defined twice.`);
    scanner.expectSymbol('=');
    const op = scanner.expect('identifier');
    if (!Object.hasOwn(ops, op)) scanner.fail(`"${op}" is not an op.`);
    const opName = op as OpName;
    const inputs = scanner.skip('(') ? this.#operands(scanner) : [];
    const node = this.#make(scanner, opName, scanAttributes(scanner, opName), inputs);
    scanner.expectSymbol(':');
    const type = formatType(node.type);
    if (!scanner.skip(type)) scanner.fail(`${op} gives ${type}, but the line says ${scanner.here()}.`);
    if (scanner.skip('@')) this.table.setProvenance(node, scanProvenance(scanner));
    this.#nodes.set(name, node);
    if (isOp(node, 'input')) this.inputs.push(node);
  }
  #operands(scanner: Scanner): Node[] {
    const operands = [this.#reference(scanner)];
    while (scanner.skip(',')) operands.push(this.#reference(scanner));
    scanner.expectSymbol(')');
    return operands;
  }
  #make(scanner: Scanner, op: OpName, attributes: OpAttributes[OpName], inputs: readonly Node[]): Node {
    try {
      return this.table.make(op, attributes, inputs);
    } catch (error) {
      if (error instanceof TypeRuleError) return scanner.fail(error.message);
      throw error;
    }
  }
}

/** The graph that a text describes, in a node table of its own. */
export function parseGraph(text: string): Graph {
  const reader = new GraphReader();
  let name: string | undefined;
  let closed = false;
  text.split('\n').forEach((line, index) => {
    const scanner = new Scanner(line, index + 1);
    if (scanner.atEnd) return;
    if (closed) scanner.fail('there is text after the end of the graph.');
    if (name === undefined) {
      scanner.expectSymbol('graph ');
      name = scanner.string();
      scanner.expectSymbol('{');
      scanner.expectEnd();
    } else if (scanner.skip('}')) {
      scanner.expectEnd();
      closed = true;
    } else reader.line(scanner);
  });
  if (name === undefined || !closed) {
    throw new ParseError(
      text.split('\n').length,
      name === undefined ? 'the text holds no graph.' : 'the graph lacks its closing "}".',
    );
  }
  const { dims, inputs, outputs, states, table: nodes } = reader;
  return { name, dims, inputs, outputs, ...(states.length > 0 ? { states } : {}), nodes };
}
