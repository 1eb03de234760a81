/** The tensors of a checkpoint as a package is to store them: as they are, as plain numbers, or quantised. */
import { graphNodes, isOp, type Graph, type Node } from '../../ir/graph.ts';
import type { WeightType } from '../compile-options.ts';
import { dequantise, formatBlockFormat } from './block-format.ts';
import { canQuantise, quantFormats, quantise, quantisedScales, type QuantName } from './quantise.ts';
import { readBlocks, type TensorSource } from './tensor-source.ts';

export interface StoredTensors {
  readonly tensors: TensorSource;
  /** What is approximate in them, in words. Blocks that a file came with are what the file says, and so exact. */
  readonly approximations: readonly string[];
}

/** Whether a node multiplies with an operand, or looks rows of it up, in a way that blocks along its rows allow. */
export function readsMatrix(node: Node, operand: number): boolean {
  if (isOp(node, 'matmul')) return operand === 1 && node.attributes.transposeRight;
  return isOp(node, 'gather') && operand === 0 && node.attributes.batchAxes === 0;
}

/**
 * Parameters of a graph that are read as matrices of rows only: right sides of products and embedding tables. `inParts`: also
 * those of which rows or columns are taken or joined.
 */
export function matrixParameters(graph: Graph, inParts = false): ReadonlySet<string> {
  const matrices = new Set<string>();
  const others = new Set<string>();
  const visit = (input: Node, isMatrix: boolean): void => {
    if (!isOp(input, 'parameter')) return;
    const { name, shape, elementType } = input.attributes;
    (isMatrix && shape.length === 2 && elementType === 'f32' ? matrices : others).add(name);
  };
  const isMovement = ({ op }: Node): boolean => op === 'slice' || op === 'concat';
  for (const node of graphNodes(graph))
    node.inputs.forEach((input, index) => visit(input, readsMatrix(node, index) || (inParts && isMovement(node))));
  for (const { node } of graph.outputs) visit(node, false);
  return new Set([...matrices].filter((name) => !others.has(name)));
}

const views: { readonly [T in WeightType]: (source: TensorSource, graph: Graph) => StoredTensors } = {
  f32: (source) => ({ tensors: expanded(source), approximations: [] }),
  f16: (source) => ({ tensors: expanded(source), approximations: [] }),
  q8: (source, graph) => quantised(source, graph, 'q8'),
  q4: (source, graph) => quantised(source, graph, 'q4'),
};

/** A weight type asked for, or undefined: as they are. Matrices that are in blocks already stay so for q8 and q4. */
export function storedAs(source: TensorSource, graph: Graph, type: WeightType | undefined): StoredTensors {
  return type === undefined ? { tensors: source, approximations: [] } : views[type](source, graph);
}

/** Blocks as the f32 numbers that they stand for. */
function expanded(source: TensorSource): TensorSource {
  const isInBlocks = (name: string): boolean => source.info(name).format !== undefined;
  return {
    names: () => source.names(),
    has: (name) => source.has(name),
    info: (name) => (isInBlocks(name) ? { storage: 'F32', shape: source.info(name).shape } : source.info(name)),
    readFloat32: async (name) => await source.readFloat32(name),
    readRaw: async (name) =>
      isInBlocks(name) ? new Uint8Array((await source.readFloat32(name)).buffer as ArrayBuffer) : await source.readRaw(name),
  };
}

function quantised(source: TensorSource, graph: Graph, quant: QuantName): StoredTensors {
  const names = new Set(
    [...matrixParameters(graph)].filter((name) => {
      if (!source.has(name)) return false;
      const { format, shape } = source.info(name);
      return format === undefined && canQuantise(quant, shape);
    }),
  );
  const blocks = async (name: string) => {
    const [rows = 0, columns = 0] = source.info(name).shape;
    return quantise(name, quant, await source.readFloat32(name), [rows, columns]);
  };
  const format = quantFormats[quant];
  const tensors: TensorSource = {
    names: () => source.names(),
    has: (name) => source.has(name),
    info: (name) => (names.has(name) ? { storage: quantisedScales, shape: source.info(name).shape, format } : source.info(name)),
    readFloat32: async (name) => (names.has(name) ? dequantise(await blocks(name)) : await source.readFloat32(name)),
    readRaw: async (name) => await source.readRaw(name),
    readBlocks: async (name) => (names.has(name) ? await blocks(name) : await readBlocks(source, name)),
  };
  const words = `${names.size} of the weight matrices quantised to ${formatBlockFormat(format)}`;
  return { tensors, approximations: names.size === 0 ? [] : [words] };
}

/** Bytes of a tensor as its source stores it. */
export function storedTensorBytes(source: TensorSource, name: string): number {
  const { storage, shape, format } = source.info(name);
  const width = { F32: 4, F16: 2, BF16: 2 }[storage as string] ?? 4;
  const elements = shape.reduce((product, size) => product * size, 1);
  if (format === undefined) return elements * width;
  return (elements * format.bits) / 8 + (elements / format.block) * width * (format.minima ? 2 : 1);
}
