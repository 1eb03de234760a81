/**
 * The text form of a graph, one node a line, read back by parseGraph:
 *
 *     graph "example" {
 *       dim seq 1..512
 *       %0 = input {name: "ids", elementType: i32, shape: [seq]} : i32[seq]
 *       %1 = parameter {name: "table", elementType: f32, shape: [100, 8]} : f32[100, 8]
 *       %2 = gather(%1, %0) {batchAxes: 0} : f32[seq, 8]
 *       output "embedding" = %2
 *     }
 *
 * A state that a call leaves as %7, having found it as %3: `state %3 = %7`, after the outputs.
 *
 * Declared inputs come first, in order; numbers count lines and are not node ids. Provenance follows a line after `@`.
 */
import { graphNodes, type Graph, type Node } from './graph.ts';
import { fieldsOf, type FieldKind } from './attribute-fields.ts';
import { formatSize, type Size } from './size.ts';
import { formatType } from './type.ts';
import type { CacheSpec } from './cache.ts';
import type { AttentionSegment, VisibleRule } from './ops/attributes.ts';

export interface PrintOptions {
  /** Adds the source and the passes of each node. */
  readonly provenance?: boolean;
}

function formatNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

type Rule<R extends VisibleRule['rule']> = Extract<VisibleRule, { readonly rule: R }>;
const ruleText: { readonly [R in VisibleRule['rule']]: (rule: Rule<R>) => string } = {
  causal: () => 'causal',
  window: ({ size }) => `window(${size})`,
  padding: () => 'padding',
  tokens: ({ atLeast, below }) => `tokens(${atLeast ?? ''}..${below ?? ''})`,
  notChosen: () => 'notChosen',
  chosen: () => 'chosen',
  selected: () => 'selected',
};
function formatRule<R extends VisibleRule['rule']>(rule: Rule<R>): string {
  return ruleText[rule.rule](rule);
}
/** `keys`, or `scores` of a scored segment; `+ bias`; then what is visible: `keys + bias where padding & window(8)`. */
function formatSegment({ scored, bias, visible }: AttentionSegment): string {
  const rules = visible.length === 0 ? '' : ` where ${visible.map((rule) => formatRule(rule)).join(' & ')}`;
  return `${scored ? 'scores' : 'keys'}${bias ? ' + bias' : ''}${rules}`;
}

const fieldText: { readonly [F in FieldKind]: (value: never) => string } = {
  string: (value: string) => JSON.stringify(value),
  number: formatNumber,
  boolean: String,
  elementType: String,
  size: formatSize,
  shape: (value: readonly Size[]) => `[${value.map(formatSize).join(', ')}]`,
  integers: (value: readonly number[]) => `[${value.join(', ')}]`,
  cache: (value: CacheSpec) => JSON.stringify(value),
  numbers: (value: readonly number[]) => `[${value.map(formatNumber).join(', ')}]`,
  segments: (value: readonly AttentionSegment[]) => `[${value.map(formatSegment).join(', ')}]`,
};

function formatAttributes(node: Node): string {
  // The field table says what each attribute holds, which TypeScript cannot follow from a name to a value.
  const values = node.attributes as Readonly<Record<string, never>>;
  const fields = fieldsOf(node.op).map(([name, kind]) => `${name}: ${fieldText[kind](values[name] as never)}`);
  return fields.length === 0 ? '' : ` {${fields.join(', ')}}`;
}

/** Deterministic text; parseGraph gives back an equal graph. */
export function printGraph(graph: Graph, options: PrintOptions = {}): string {
  const inputs: readonly Node[] = graph.inputs;
  const declared = new Set(inputs);
  const order = [...inputs, ...graphNodes(graph).filter((node) => !declared.has(node))];
  const names = new Map(order.map((node, index) => [node, `%${index}`]));
  const lines = [`graph ${JSON.stringify(graph.name)} {`];
  for (const { name, min, max } of graph.dims) lines.push(`  dim ${name} ${min}..${max}`);
  for (const node of order) {
    const operands = node.inputs.length === 0 ? '' : `(${node.inputs.map((input) => names.get(input)).join(', ')})`;
    const provenance = graph.nodes.provenance(node);
    const source = options.provenance && Object.keys(provenance).length > 0 ? ` @ ${JSON.stringify(provenance)}` : '';
    lines.push(`  ${names.get(node)} = ${node.op}${operands}${formatAttributes(node)} : ${formatType(node.type)}${source}`);
  }
  for (const { name, node } of graph.outputs) lines.push(`  output ${JSON.stringify(name)} = ${names.get(node)}`);
  for (const { before, after } of graph.states ?? []) lines.push(`  state ${names.get(before)} = ${names.get(after)}`);
  return [...lines, '}', ''].join('\n');
}
