/** Which parameters of a compiled graph stay in blocks, and how their blocks follow from those of the checkpoint. */
import { graphNodes, isOp, tensorOf, type Graph, type Node } from '../../ir/graph.ts';
import { sameBlockFormat, type BlockFormat, type BlockMatrix } from '../weights/block-format.ts';
import { concatColumns, concatRows, fitsBlocks, takeColumnRuns, takeRows } from '../weights/block-matrix.ts';
import { matrixParameters } from '../weights/stored-as.ts';

/** The format of a parameter of the checkpoint; null for one of plain numbers. */
export type FormatOf = (parameter: string) => BlockFormat | null;
/** No parameter is in blocks. */
export const plainNumbers: FormatOf = () => null;

/** The formats without those of parameters that a graph also reads in a way that needs plain numbers. */
export function withoutPlainReads(graphs: readonly Graph[], formatOf: FormatOf): FormatOf {
  const matrices = graphs.map((graph) => matrixParameters(graph, true));
  return (parameter) => (matrices.every((names) => names.has(parameter)) ? formatOf(parameter) : null);
}

/**
 * Formats of the parameters that every graph (one an entry point) reads as matrices, and that are blocks of the checkpoint:
 * its own tensors, or (right sides of products only) what rows and runs of columns of them make. All others are expanded.
 */
export function blockParameters(
  graphs: readonly Graph[],
  derived: ReadonlyMap<string, Node>,
  formatOf: FormatOf,
): ReadonlyMap<string, BlockFormat> {
  const matrices = graphs.map((graph) => matrixParameters(graph));
  const tables = new Set(graphs.flatMap(tableParameters));
  const formats = new Map<string, BlockFormat>();
  for (const name of new Set(matrices.flatMap((names) => [...names]))) {
    const node = derived.get(name);
    const format = !node ? formatOf(name) : tables.has(name) ? null : blockFormat(node, formatOf);
    if (format !== null && matrices.every((names) => names.has(name))) formats.set(name, format);
  }
  return formats;
}

/** Parameters that rows are looked up in. */
function tableParameters(graph: Graph): readonly string[] {
  return graphNodes(graph).flatMap((node) => {
    const [table] = node.inputs;
    return isOp(node, 'gather') && table && isOp(table, 'parameter') ? [table.attributes.name] : [];
  });
}

/** The format of a matrix made of whole blocks of parameters; null where it is not made so. */
function blockFormat(node: Node, formatOf: FormatOf): BlockFormat | null {
  if (tensorOf(node).shape.length !== 2) return null;
  if (isOp(node, 'parameter')) return formatOf(node.attributes.name);
  if (!isOp(node, 'slice') && !isOp(node, 'concat')) return null;
  const [first = null, ...others] = node.inputs.map((input) => blockFormat(input, formatOf));
  if (first === null || others.some((other) => !sameBlockFormat(first, other))) return null;
  if (node.attributes.axis === 0) return first;
  if (!isOp(node, 'slice')) return first;
  const [start, length] = [Number(node.attributes.start), Number(node.attributes.length)];
  return start % first.block === 0 && fitsBlocks(first, length) ? first : null;
}

/** The blocks of a node that has a format, from those of the parameters that it is made of. */
export async function blocksOf(node: Node, read: (parameter: string) => Promise<BlockMatrix>): Promise<BlockMatrix> {
  if (isOp(node, 'parameter')) return await read(node.attributes.name);
  const inputs: BlockMatrix[] = [];
  for (const input of node.inputs) inputs.push(await blocksOf(input, read));
  if (isOp(node, 'concat')) return node.attributes.axis === 0 ? concatRows(inputs) : concatColumns(inputs);
  const [matrix] = inputs;
  if (!isOp(node, 'slice') || !matrix) throw new RangeError(`Node %${node.id} (${node.op}) is not made of blocks.`);
  const [start, length] = [Number(node.attributes.start), Number(node.attributes.length)];
  const indices = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);
  if (node.attributes.axis === 0) return takeRows(matrix, indices(start, length));
  const { block } = matrix.format;
  return takeColumnRuns(matrix, block, indices(start / block, length / block));
}
