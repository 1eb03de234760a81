/** Products and look-ups as dispatches: one for a weight that lies in one buffer, one a part where it lies in several. */
import { tensorOf, type Node } from '../../ir/graph.ts';
import { ceilDivideSizes, elementCount, multiplySizes, type Size } from '../../ir/size.ts';
import { gemmActivations, isGemm, type Group } from '../../passes/fuse/groups.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Target } from '../codegen/target.ts';
import type { Dispatch } from './dispatch.ts';
import type { BlockGemmKernel, BlockLookupKernel, EpilogueStep, GemmKernel } from './kernel.ts';
import type { MatrixPart, NodeMemory } from './node-memory.ts';
import type { ProductNorms } from './product-norms.ts';
import { reshapeView, sliceView, type View } from './view.ts';

/** What the lowering of products needs of the one who plans kernels. */
export interface ProductLowering {
  readonly memory: NodeMemory;
  readonly target: Target;
  readonly norms: ProductNorms;
  push(dispatch: ProductDispatch): void;
}
export interface ProductDispatch {
  readonly kernel: GemmKernel | BlockGemmKernel | BlockLookupKernel;
  /** With a label where it is more than the names of its nodes. */
  readonly origin: Pick<Dispatch, 'nodes' | 'boundary'> & Partial<Pick<Dispatch, 'label'>>;
  readonly reads: readonly View[];
  readonly writes: readonly View[];
  readonly integers: readonly Size[];
  readonly items: Size;
}

type Weight = Node<'parameter'> & Node;
type NormedRows = ReturnType<ProductNorms['rowsOf']>;
/** What a product does with its sums before it writes them. */
interface Epilogue {
  readonly steps: readonly EpilogueStep[];
  /** What the steps read, with the axis of the result's columns. */
  readonly operands: readonly { readonly view: View; readonly axis: number }[];
  readonly residuals: readonly NormedRows[];
  readonly residualStrides: readonly Size[];
}

export function lowerGemm(group: Group, { memory, target, norms, push }: ProductLowering): void {
  const product = group.nodes.find(isGemm) as Node;
  const [x, weight] = product.inputs as [Node, Weight];
  const side = norms.rowsOf(x);
  const left = memory.rows(side.node);
  const blocks = memory.blocks(weight);
  const parts = blocks?.parts ?? memory.matrix(weight, target.gemmWeights);
  const [m, k] = left.shape as [Size, Size];
  const n = Number(weight.attributes.shape[0]);
  const { steps: epilogue, operands, residuals, residualStrides } = epilogueOf(group, product, { memory, norms });
  const normed = [side, ...residuals];
  const result = reshapeView(memory.result(group.root), [m, n]) as View;
  const right = parts[0]?.views[0]?.buffer.elementType === 'f16' ? 'f16' : 'f32';
  const schedule = blocks ? target.blockGemmSchedule(m, n, k) : target.gemmSchedule(m, n, k);
  const gathered = norms.gathered(group.root, schedule);
  if (gathered && parts.length > 1)
    throw new AtpcError('ATPC-399', `The weight of node %${product.id} is in parts, and statistics are of whole rows.`);
  const ofRows = { ...(side.norm && { leftNorm: side.norm }), ...(gathered && { gathers: gathered.norm }) };
  const kernel = (
    blocks
      ? { kind: 'block_gemm', format: blocks.format, epilogue, schedule, ...ofRows }
      : { kind: 'gemm', right, epilogue, schedule, ...ofRows }
  ) as GemmKernel | BlockGemmKernel;
  const { rowTile, columnTile } = schedule;
  const whole = { boundary: group.boundary, nodes: [...normed.flatMap(({ nodes }) => nodes), ...group.nodes] };
  // Rows of the right side are columns of the result.
  for (const part of parts) {
    const [first, end] = part.rows;
    const ofPart = (view: View, axis: number): View => (parts.length === 1 ? view : sliceView(view, axis, first, end - first));
    const columns = parts.length === 1 ? n : end - first;
    const strides = [left.strides[0] as Size, result.strides[0] as Size, ...residualStrides];
    push({
      kernel,
      origin: partOrigin(whole, part, parts, memory),
      reads: [
        left,
        ...part.views,
        ...operands.map(({ view, axis }) => ofPart(view, axis)),
        ...normed.flatMap((own) => own.reads),
      ],
      writes: [ofPart(result, 1), ...(gathered ? [gathered.view] : [])],
      integers: [m, columns, k, ...strides, ...normed.flatMap((own) => own.integers)],
      items: multiplySizes(ceilDivideSizes(m, rowTile), ceilDivideSizes(columns, columnTile)),
    });
  }
}

/** The nodes of a group after its product. */
function epilogueOf({ nodes }: Group, product: Node, { memory, norms }: Pick<ProductLowering, 'memory' | 'norms'>): Epilogue {
  const steps: EpilogueStep[] = [];
  const operands: { readonly view: View; readonly axis: number }[] = [];
  const residuals: NormedRows[] = [];
  const residualStrides: Size[] = [];
  let last = product;
  for (const node of nodes.slice(1)) {
    const other = node.inputs.find((input) => input !== last);
    const activation = gemmActivations.find((op) => op === node.op);
    if (activation) steps.push({ step: 'activation', op: activation });
    else if (other && tensorOf(other).shape.length === 1 && other.op === 'parameter') {
      steps.push({ step: 'bias' });
      operands.push({ view: memory.contiguous(other), axis: 0 });
    } else if (other) {
      const residual = norms.rowsOf(other);
      const rows = memory.rows(residual.node);
      const { norm, epsilon } = residual.norm ?? {};
      steps.push({ step: 'residual', ...(norm && epsilon !== undefined && { normed: { norm, epsilon } }) });
      residuals.push(residual);
      operands.push({ view: rows, axis: 1 });
      residualStrides.push(rows.strides[0] as Size);
    }
    last = node;
  }
  return { steps, operands, residuals, residualStrides };
}

export function lowerLookup(group: Group, { memory, push }: ProductLowering): void {
  const [table, indices] = group.root.inputs as [Weight, Node];
  const blocks = memory.blocks(table);
  if (!blocks) throw new AtpcError('ATPC-399', `The table '${table.attributes.name}' of a look-up is not kept in blocks.`);
  const ids = memory.contiguous(indices);
  const result = memory.result(group.root);
  const count = elementCount(ids.shape);
  const { format, parts } = blocks;
  const width = table.attributes.shape[1] as Size;
  for (const part of parts) {
    const [first, end] = part.rows;
    const held = parts.length === 1 ? [] : [first, end - first];
    push({
      kernel: { kind: 'block_lookup', format, ...(parts.length === 1 ? {} : { part: true }) },
      origin: partOrigin(group, part, parts, memory),
      reads: [ids, ...part.views],
      writes: [result],
      integers: [count, width, ...held],
      items: count,
    });
  }
}

/** Dispatches over parts of a weight say which. */
function partOrigin(
  { nodes, boundary }: Pick<Dispatch, 'nodes' | 'boundary'>,
  { rows }: MatrixPart,
  parts: readonly MatrixPart[],
  memory: NodeMemory,
): ProductDispatch['origin'] {
  if (parts.length === 1) return { nodes, boundary };
  return { nodes, boundary, label: `${memory.label(nodes)} (rows ${rows.join(' to ')} of the weight)` };
}
