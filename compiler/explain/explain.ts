/** From a built program to its explanation. */
import { isOp, tensorOf, type Graph, type Node } from '../../ir/graph.ts';
import { ops } from '../../ir/ops/table.ts';
import type { AttentionSegment, OpName } from '../../ir/ops/attributes.ts';
import { segmentOperands, type SegmentOperands } from '../../ir/ops/segments.ts';
import { addSizes, ceilDivideSizes, elementCount, multiplySizes, type Size } from '../../ir/size.ts';
import { formatType, type Type } from '../../ir/type.ts';
import { roles } from '../../passes/fuse/groups.ts';
import type { Built, BuiltEntry } from '../build.ts';
import { dispatchSteps } from '../../runtime/format/program.ts';
import type { Target } from '../codegen/target.ts';
import type { Dispatch } from '../kernel/dispatch.ts';
import type { Buffer } from '../kernel/view.ts';
import type { BlockFormat } from '../weights/block-format.ts';
import type { ExplainedNode, ExplainedStep, Explanation, StepCost, StepKind, TokenBounds } from './explanation.ts';
import { SourceLines } from './source-lines.ts';

/** `modelFolder`: what the paths of source files start from. */
export async function explainProgram({ entries, program }: Built, target: Target, modelFolder: string): Promise<Explanation> {
  const [{ name: entryName, stage, list }] = entries as readonly [BuiltEntry, ...BuiltEntry[]];
  const dispatched = dispatchSteps(program.entryPoints[entryName]?.steps ?? []);
  const nodes = new NodeList(stage.graph, modelFolder);
  const writers = new Map<Buffer, number[]>();
  const portsOf = (ports: typeof list.inputs): ReadonlyMap<Buffer, string> =>
    new Map(ports.map(({ buffer, name }) => [buffer, name]));
  const [inputs, outputs] = [portsOf(list.inputs), portsOf(list.outputs)];
  const present = (names: readonly (string | undefined)[]): readonly string[] => [
    ...new Set(names.filter((name) => name !== undefined)),
  ];
  const steps = list.dispatches.map((dispatch, index): ExplainedStep => {
    const { kernel, label, reads, writes, boundary, when } = dispatch;
    const computed = dispatch.nodes.map((node) => nodes.indexOf(node));
    const views = viewsOf(dispatch.nodes).map((node) => nodes.indexOf(node));
    const from = [...new Set(reads.flatMap(({ buffer }) => writers.get(buffer) ?? []))];
    for (const { buffer } of writes) writers.set(buffer, [...(writers.get(buffer) ?? []), index]);
    const weights = present(reads.map(({ buffer }) => buffer.weight?.tensor));
    const kind: StepKind = boundary === 'layout' ? 'copy' : kernel.kind;
    return {
      label,
      kernel: dispatched[index]?.kernel ?? '',
      kind,
      layer: layerOf([label, ...dispatch.nodes.map((node) => stage.graph.nodes.provenance(node).scope), ...weights]),
      nodes: computed,
      views,
      weights,
      from,
      inputs: present(reads.map(({ buffer }) => inputs.get(buffer))),
      outputs: present(writes.map(({ buffer }) => outputs.get(buffer))),
      boundary,
      costs: costsOfStep(dispatch.nodes),
      bytes: bytesOf(dispatch),
      ...(when ? { when } : {}),
      ...(dispatch.repeat ? { rounds: { variable: dispatch.repeat.variable, count: dispatch.repeat.count } } : {}),
    };
  });
  const { name, flopsPerSecond, gatheredFlopsPerSecond } = target;
  return {
    formatVersion: 1,
    target: { name, flopsPerSecond, gatheredFlopsPerSecond },
    sources: await nodes.sources.read(),
    nodes: nodes.list,
    steps,
  };
}

/** The nodes that steps name, by index. */
class NodeList {
  readonly #graph: Graph;
  readonly #indices = new Map<Node, number>();
  readonly #list: ExplainedNode[] = [];
  readonly sources: SourceLines;

  constructor(graph: Graph, modelFolder: string) {
    this.#graph = graph;
    this.sources = new SourceLines(modelFolder);
  }
  get list(): readonly ExplainedNode[] {
    return this.#list;
  }

  indexOf(node: Node): number {
    const known = this.#indices.get(node);
    if (known !== undefined) return known;
    const index = this.#list.length;
    const { name, file, line, column, scope, passes } = this.#graph.nodes.provenance(node);
    const at =
      file === undefined || line === undefined ? undefined : ([this.sources.add(file, line), line, column ?? 1] as const);
    this.#indices.set(node, index);
    this.#list.push({
      op: node.op,
      type: formatType(node.type),
      ...(name === undefined ? {} : { name }),
      ...(at === undefined ? {} : { at }),
      ...(scope === undefined ? {} : { scope }),
      ...(passes === undefined || passes.length === 0 ? {} : { passes }),
      inputs: node.inputs.flatMap((input) => this.#indices.get(input) ?? []),
    });
    return index;
  }
}

/** Views between the nodes of a kernel and the values in memory that they look at, outermost last. */
function viewsOf(nodes: readonly Node[]): readonly Node[] {
  const views = new Set<Node>();
  const visit = (node: Node): void => {
    for (const input of node.inputs) {
      if (roles[input.op] !== 'view' || nodes.includes(input) || views.has(input)) continue;
      visit(input);
      views.add(input);
    }
  };
  nodes.forEach(visit);
  return [...views];
}

/** The first number in the first module path that has one. */
function layerOf(paths: readonly (string | undefined)[]): number | null {
  for (const path of paths) {
    const number = /(?:^|\.)(\d+)(?:\.|$)/.exec(path ?? '')?.[1];
    if (number !== undefined) return Number(number);
  }
  return null;
}

const typesOf = (node: Node): readonly Type[] => node.inputs.map((input) => input.type);

/** What an attention kernel chooses keys by is work of the segment that reads them. */
function costsOfStep(nodes: readonly Node[]): readonly StepCost[] {
  const attention = nodes.find((node) => isOp(node, 'attention'));
  const own = attention && isOp(attention, 'attention') ? attentionCosts(attention) : [];
  const reader = attention && isOp(attention, 'attention') ? attention.attributes.segments.findIndex(readsChoice) : -1;
  const when = own[reader]?.when;
  const others = nodes.filter((node) => node !== attention).flatMap(costsOf);
  return [...others.map((cost) => (when ? { ...cost, when } : cost)), ...own];
}
function costsOf<K extends OpName>(node: Node<K>): readonly StepCost[] {
  const { flops } = ops[node.op].cost(node.attributes, typesOf(node), node.type);
  return flops === 0 ? [] : [{ flops }];
}

const readsChoice = ({ visible }: AttentionSegment): boolean =>
  visible.some(({ rule }) => rule === 'chosen' || rule === 'selected');

/** Queries that choose together read the same ranges of keys, one behind the other; others gather their own. */
function gathers({ rules }: SegmentOperands<Node>): boolean {
  return rules.some(({ rule: { rule }, inputs: [selection] }) => {
    if (rule !== 'chosen') return rule === 'selected';
    return !(selection && isOp(selection, 'select_clusters') && selection.attributes.tile > 1);
  });
}

/** Segment by segment: what is read exactly for short inputs and what for long ones exclude each other. */
function attentionCosts(node: Node<'attention'>): readonly StepCost[] {
  const [query, firstKey] = node.inputs as readonly [Node, Node];
  const tokens = tensorOf(firstKey).shape[2] as Size;
  return segmentOperands(node.attributes.segments, node.inputs).map((operands): StepCost => {
    const { segment, key, value, bias, rules } = operands;
    const own = [key, value, ...(bias ? [bias] : []), ...rules.flatMap(({ inputs }) => inputs)];
    const types = [query, ...own].map((input) => input.type);
    const { flops } = ops.attention.cost({ ...node.attributes, segments: [segment] }, types, node.type);
    const range = segment.visible.find((rule) => rule.rule === 'tokens');
    const { atLeast, below } = range?.rule === 'tokens' ? range : {};
    const bounds: TokenBounds = {
      tokens,
      ...(atLeast === undefined ? {} : { atLeast }),
      ...(below === undefined ? {} : { below }),
    };
    return { flops, ...(gathers(operands) ? { gathered: true } : {}), ...(range ? { when: bounds } : {}) };
  });
}

/** Every value from outside of the kernel once, of a table only the rows that are looked up, and every result. */
function bytesOf({ kernel, nodes, writes }: Dispatch): Size {
  const format = 'format' in kernel ? kernel.format : null;
  const read = new Map<Node, Size>();
  for (const node of nodes) {
    node.inputs.forEach((input, index) => {
      if (nodes.includes(input) || roles[input.op] === 'free') return;
      const isTable = isOp(node, 'gather') && index === 0;
      const elements = elementsOf(isTable ? node.type : input.type);
      const inBlocks = format !== null && (isTable || (isOp(node, 'matmul') && index === 1));
      read.set(input, inBlocks ? blockBytes(format, elements) : multiplySizes(4, elements));
    });
  }
  const written = writes.map(({ buffer }) => multiplySizes(4, buffer.elements));
  // A copy reads as much as it writes.
  const moved = nodes.length === 0 ? [...written, ...written] : [...read.values(), ...written];
  return addSizes(...moved);
}
/** Of whole blocks. */
function blockBytes({ bits, block, minima }: BlockFormat, elements: Size): Size {
  return multiplySizes(ceilDivideSizes(elements, block), (block * bits) / 8 + (minima ? 8 : 4));
}
function elementsOf(type: Type): Size {
  return type.kind === 'tensor' ? elementCount(type.shape) : addSizes(...type.elements.map(({ shape }) => elementCount(shape)));
}
