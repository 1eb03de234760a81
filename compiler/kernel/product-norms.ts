/** Norms in the lowering of products: what one reads to normalise its left side, and where one puts the statistics of its rows. */
import { tensorOf, type Node } from '../../ir/graph.ts';
import { elementCount, type Size } from '../../ir/size.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { GemmKernel, BlockGemmKernel } from './kernel.ts';
import type { NodeMemory } from './node-memory.ts';
import type { NormPlan } from './plan-norms.ts';
import { partColumns, statisticsShape, type LeftNorm, type Norm } from './row-norm.ts';
import type { View } from './view.ts';

interface NormedRows {
  /** Whose rows are in memory. */
  readonly node: Node;
  /** Computed on the way: the norm. */
  readonly nodes: readonly Node[];
  readonly norm?: LeftNorm;
  /** Operands and integers for it, in the order of kernel.ts. */
  readonly reads: readonly View[];
  readonly integers: readonly Size[];
}

export class ProductNorms {
  readonly #plan: NormPlan;
  readonly #memory: NodeMemory;
  /** By the node that the rows are of, with the columns of a part. */
  readonly #statistics = new Map<Node, { readonly view: View; readonly columns: number }>();

  constructor(plan: NormPlan, memory: NodeMemory) {
    this.#plan = plan;
    this.#memory = memory;
  }

  /** A left side, or a residual. */
  rowsOf(x: Node): NormedRows {
    const taken = this.#plan.taken.get(x);
    if (!taken) return { node: x, nodes: [], reads: [], integers: [] };
    const { node: own, ...norm } = taken;
    const [node, ...affine] = own.inputs as [Node, ...Node[]];
    const vectors = affine.map((vector) => this.#memory.contiguous(vector));
    const common = { node, nodes: [own], norm };
    if (norm.statistics === 'computed') return { ...common, reads: vectors, integers: [] };
    const { view, columns } = this.#found(node);
    return { ...common, reads: [...vectors, view], integers: [columns] };
  }
  #found(node: Node): { readonly view: View; readonly columns: number } {
    const found = this.#statistics.get(node);
    if (!found) throw new AtpcError('ATPC-399', `No product gathers the statistics of the rows of node %${node.id}.`);
    return found;
  }
  /** What the kernel of a norm reads of the rows of its input; null where it computes their statistics. */
  handed(norm: Node): { readonly view: View; readonly columns: number } | null {
    return this.#plan.handed.has(norm) ? this.#found(norm.inputs[0] as Node) : null;
  }

  /** The statistics that a product of such a schedule gathers of the rows of a node; null where nothing reads them. */
  gathered(
    node: Node,
    schedule: (GemmKernel | BlockGemmKernel)['schedule'],
  ): { readonly norm: Norm; readonly view: View } | null {
    const norm = this.#plan.gathered.get(node);
    if (norm === undefined) return null;
    const { shape } = tensorOf(node);
    const columns = partColumns(schedule);
    const size = statisticsShape(norm, elementCount(shape.slice(0, -1)), shape.at(-1) as Size, columns);
    const view = this.#memory.scratch(node, 'statistics of rows', size);
    this.#statistics.set(node, { view, columns });
    return { norm, view };
  }
}
