/**
 * The reference: evaluates a graph node by node with the ops' own reference functions. Values are freed after their last
 * use. In float64, every f32 tensor is a Float64Array.
 */
import { ops } from './ops/table.ts';
import { elementsOf } from './ops/strides.ts';
import { graphRoots, nodesInOrder, type Graph, type Node, type SymbolicDim } from './graph.ts';
import { evaluateSize, formatSize, sizeSymbols, type Size } from './size.ts';
import type { EvaluationContext, Tensor, TensorData } from './ops/definition.ts';
import type { OpName } from './ops/attributes.ts';
import type { ElementType } from './element-type.ts';

export type Precision = EvaluationContext['precision'];
export type Trace = (node: Node, results: readonly Tensor[]) => void;

export interface EvaluationOptions {
  /** Gives the parameters that the nodes name; its tensors may be in either precision. */
  readonly parameters: (name: string) => Tensor;
  readonly inputs?: Readonly<Record<string, Tensor>>;
  /** Values of the states by name, as the call finds them; all of them. */
  readonly states?: Readonly<Record<string, Tensor>>;
  /** Values of the symbolic dims that the nodes use. */
  readonly dims?: Readonly<Record<string, number>>;
  /** f32 unless given. */
  readonly precision?: Precision;
  /** Called with every node right after its evaluation. */
  readonly trace?: Trace;
}
export interface InterpretOptions extends EvaluationOptions {
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Taken from the shapes of the inputs unless given. */
  readonly dims?: Readonly<Record<string, number>>;
}

const arrays: { readonly [P in Precision]: { readonly [E in ElementType]: (length: number) => TensorData } } = {
  f32: { f32: (n) => new Float32Array(n), i32: (n) => new Int32Array(n), bool: (n) => new Uint8Array(n) },
  f64: { f32: (n) => new Float64Array(n), i32: (n) => new Int32Array(n), bool: (n) => new Uint8Array(n) },
};

/** A zeroed tensor. */
export function allocateTensor(elementType: ElementType, shape: readonly number[], precision: Precision = 'f32'): Tensor {
  return { elementType, shape, data: arrays[precision][elementType](elementsOf(shape)) };
}

/** The same tensor with its f32 data in the arrays of the precision; throws a RangeError when data and shape disagree. */
function inPrecision(kind: string, name: string, tensor: Tensor, precision: Precision): Tensor {
  if (tensor.data.length !== elementsOf(tensor.shape)) {
    throw new RangeError(
      `The ${kind} "${name}" has ${tensor.data.length} elements, but its shape is [${tensor.shape.join(', ')}].`,
    );
  }
  if (tensor.elementType !== 'f32') return tensor;
  if (precision === 'f64')
    return tensor.data instanceof Float64Array ? tensor : { ...tensor, data: Float64Array.from(tensor.data) };
  return tensor.data instanceof Float32Array ? tensor : { ...tensor, data: Float32Array.from(tensor.data) };
}

function evaluationContext(options: EvaluationOptions): EvaluationContext {
  const precision = options.precision ?? 'f32';
  const dims = options.dims ?? {};
  return {
    precision,
    size: (size, extra) => (typeof size === 'number' ? size : evaluateSize(size, extra ? { ...dims, ...extra } : dims)),
    allocate: (elementType, shape) => allocateTensor(elementType, shape, precision),
    read(kind, name) {
      if (kind === 'parameter') return inPrecision(kind, name, options.parameters(name), precision);
      const inputs = (kind === 'state' ? options.states : options.inputs) ?? {};
      if (!Object.hasOwn(inputs, name)) throw new RangeError(`The ${kind} "${name}" was not given.`);
      return inPrecision(kind, name, inputs[name] as Tensor, precision);
    },
  };
}

function evaluateNode<K extends OpName>(
  node: Node<K>,
  inputs: readonly (readonly Tensor[])[],
  context: EvaluationContext,
): readonly Tensor[] {
  return ops[node.op].evaluate(node.attributes, inputs, context);
}

/** The results of `nodes`, and nothing kept of what they need. A node of one result gives an array of one tensor. */
export function evaluateNodes(nodes: readonly Node[], options: EvaluationOptions): ReadonlyMap<Node, readonly Tensor[]> {
  const context = evaluationContext(options);
  const order = nodesInOrder(nodes);
  const wanted = new Set(nodes);
  const uses = new Map<Node, number>();
  for (const node of order) for (const input of node.inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
  const values = new Map<Node, readonly Tensor[]>();
  for (const node of order) {
    const inputs = node.inputs.map((input) => values.get(input) as readonly Tensor[]);
    const results = evaluateNode(node, inputs, context);
    values.set(node, results);
    options.trace?.(node, results);
    for (const input of node.inputs) {
      const left = (uses.get(input) as number) - 1;
      uses.set(input, left);
      if (left === 0 && !wanted.has(input)) values.delete(input);
    }
  }
  return values;
}

/** The dims that the shapes of the inputs give. Throws a RangeError that names the input and both sizes where they disagree. */
export function inferDims(graph: Graph, inputs: Readonly<Record<string, Tensor>>): Record<string, number> {
  const dims: Record<string, number> = {};
  const pending: { readonly name: string; readonly axis: number; readonly size: Size; readonly found: number }[] = [];
  for (const node of graph.inputs) {
    const { name, shape } = node.attributes;
    const tensor = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
    if (tensor === undefined) continue;
    if (tensor.shape.length !== shape.length) {
      throw new RangeError(
        `The input "${name}" should have the shape [${shape.map(formatSize).join(', ')}] but has [${tensor.shape.join(', ')}].`,
      );
    }
    shape.forEach((size, axis) => {
      const found = tensor.shape[axis] as number;
      if (typeof size === 'string' && !Object.hasOwn(dims, size)) dims[size] = found;
      else pending.push({ name, axis, size, found });
    });
  }
  for (const { name, axis, size, found } of pending) {
    const unknown = [...sizeSymbols(size)].find((symbol) => !Object.hasOwn(dims, symbol));
    if (unknown !== undefined)
      throw new RangeError(`The shapes of the inputs do not tell the dim ${unknown}, which "${name}" needs.`);
    const expected = evaluateSize(size, dims);
    if (expected !== found) {
      throw new RangeError(
        `The input "${name}" should have ${formatSize(size)} = ${expected} as the size of axis ${axis} but has ${found}.`,
      );
    }
  }
  return dims;
}

function checkDims(declared: readonly SymbolicDim[], dims: Readonly<Record<string, number>>): void {
  for (const { name, min, max } of declared) {
    if (!Object.hasOwn(dims, name)) continue;
    const value = dims[name] as number;
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    throw new RangeError(`The dim ${name} must be a whole number from ${min} to ${max}, but it is ${value}.`);
  }
}

/** The states of a graph before its first call: zeros. */
export function emptyStates(graph: Graph, precision: Precision = 'f32'): Record<string, Tensor> {
  const states = (graph.states ?? []).map(({ before: { attributes } }) => {
    const shape = attributes.shape.map((size) => evaluateSize(size, {}));
    return [attributes.name, allocateTensor(attributes.elementType, shape, precision)] as const;
  });
  return Object.fromEntries(states);
}

/** A run of a graph with states: its outputs, and the states afterwards. */
export function interpretStep(
  graph: Graph,
  options: InterpretOptions & { readonly states: Readonly<Record<string, Tensor>> },
): { readonly outputs: Record<string, Tensor>; readonly states: Record<string, Tensor> } {
  const dims = options.dims ?? inferDims(graph, options.inputs);
  checkDims(graph.dims, dims);
  const values = evaluateNodes(graphRoots(graph), { ...options, dims });
  const of = (node: Node): Tensor => values.get(node)?.[0] as Tensor;
  return {
    outputs: Object.fromEntries(graph.outputs.map(({ name, node }) => [name, of(node)])),
    states: Object.fromEntries((graph.states ?? []).map(({ before, after }) => [before.attributes.name, of(after)])),
  };
}

/** Runs a graph. Throws RangeErrors whose sentences name the input, parameter or dim that does not fit. */
export function interpret(graph: Graph, options: InterpretOptions): Record<string, Tensor> {
  const known = graph.inputs.map((node) => node.attributes.name);
  for (const name of Object.keys(options.inputs)) {
    if (!known.includes(name))
      throw new RangeError(`The model has no input "${name}"; its inputs are ${known.join(', ') || 'none'}.`);
  }
  const dims = options.dims ?? inferDims(graph, options.inputs);
  checkDims(graph.dims, dims);
  const values = evaluateNodes(
    graph.outputs.map((output) => output.node),
    { ...options, dims },
  );
  const results = graph.outputs.map(({ name, node }) => [name, values.get(node)?.[0] as Tensor] as const);
  return Object.fromEntries(results);
}
