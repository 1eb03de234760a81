import { isOp, tensorOf, type Node } from '../../ir/graph.ts';
import { addSizes, multiplySizes, sizeKey, type Size } from '../../ir/size.ts';
import type { ElementwiseOp, LoopOperand, Scalar } from './kernel.ts';
import type { View } from './view.ts';

/** An axis of the loop nest for each axis of a node; null where the node does not change along any. */
export type AxisMap = readonly (number | null)[];

interface Load {
  readonly view: View;
  readonly strides: readonly Size[];
  readonly indirectStride: Size | null;
  readonly elementType: LoopOperand['elementType'];
}

/** Collects the expression of a loop nest and the operands that it loads. */
export class LoopBody {
  readonly #rank: number;
  readonly #axes: number;
  readonly #members: ReadonlySet<Node>;
  readonly #viewOf: (node: Node) => View;
  readonly #origin: readonly Size[];
  readonly #loads: Load[] = [];

  /**
   * `members` are the nodes that are computed in the nest; others are loaded. `reduced` adds an axis behind the rank. `origin`: the
   * index that the nest starts from, along each axis; 0 by default. A nest that starts elsewhere has no member that counts (`iota`).
   */
  constructor(
    rank: number,
    reduced: boolean,
    members: readonly Node[],
    viewOf: (node: Node) => View,
    origin: readonly Size[] = [],
  ) {
    this.#rank = rank;
    this.#origin = origin;
    this.#axes = rank + (reduced ? 1 : 0);
    this.#members = new Set(members);
    this.#viewOf = viewOf;
  }

  scalar(node: Node, axes: AxisMap): Scalar {
    if (!this.#members.has(node)) return this.load(this.#viewOf(node), axes, tensorOf(node).elementType);
    const type = tensorOf(node).elementType;
    if (isOp(node, 'constant')) return { kind: 'constant', type, value: node.attributes.value };
    if (isOp(node, 'iota')) {
      const axis = axes[node.attributes.axis];
      return axis === null || axis === undefined ? { kind: 'constant', type, value: 0 } : { kind: 'index', type: 'i32', axis };
    }
    if (isOp(node, 'gather')) return this.#gather(node, axes);
    const inputs = node.inputs.map((input) => this.scalar(input, broadcastAxes(input, axes)));
    return { kind: 'apply', type, op: node.op as ElementwiseOp, inputs };
  }

  load(
    view: View,
    axes: AxisMap,
    elementType: LoopOperand['elementType'],
    indirect?: { readonly axis: number; readonly index: Scalar },
  ): Scalar {
    const strides: Size[] = Array.from({ length: this.#axes }, () => 0);
    let { offset } = view;
    axes.forEach((axis, own) => {
      if (axis === null || view.shape[own] === 1) return;
      strides[axis] = addSizes(strides[axis] as Size, view.strides[own] as Size);
      offset = addSizes(offset, multiplySizes(this.#origin[axis] ?? 0, view.strides[own] as Size));
    });
    const indirectStride = indirect ? (view.strides[indirect.axis] as Size) : null;
    const candidate: Load = { view: { ...view, offset }, strides, indirectStride, elementType };
    let operand = this.#loads.findIndex((load) => sameLoad(load, candidate));
    if (operand < 0) operand = this.#loads.push(candidate) - 1;
    return { kind: 'load', type: elementType, operand, ...(indirect ? { indirect: indirect.index } : {}) };
  }

  #gather(node: Node<'gather'>, axes: AxisMap): Scalar {
    const [table, indices] = node.inputs as [Node, Node];
    const batch = node.attributes.batchAxes;
    const indexAxes = tensorOf(indices).shape.length;
    const index = this.scalar(indices, broadcastAxes(indices, axes.slice(0, indexAxes)));
    const tableAxes: AxisMap = [...axes.slice(0, batch), null, ...axes.slice(indexAxes)];
    return this.load(this.#viewOf(table), tableAxes, tensorOf(table).elementType, { axis: batch, index });
  }

  get operands(): readonly LoopOperand[] {
    return this.#loads.map(({ elementType, strides, indirectStride }) => ({
      elementType,
      lastStride: lastStride(strides[this.#rank - 1]),
      indirect: indirectStride !== null,
    }));
  }
  get views(): readonly View[] {
    return this.#loads.map((load) => load.view);
  }
  /** Strides in the order of kernel.ts. */
  get integers(): readonly Size[] {
    return this.#loads.flatMap(({ strides, indirectStride }) => [
      ...strides,
      ...(indirectStride === null ? [] : [indirectStride]),
    ]);
  }
}

export function lastStride(stride: Size | undefined): 0 | 1 | 'any' {
  return stride === 0 || stride === 1 ? stride : 'any';
}

/** The axes of an operand under NumPy broadcasting into a result with the given axes. */
export function broadcastAxes(operand: Node, axes: AxisMap): AxisMap {
  const { shape } = tensorOf(operand);
  return shape.map((size, own) => (size === 1 ? null : (axes[axes.length - shape.length + own] ?? null)));
}

function sameLoad(a: Load, b: Load): boolean {
  // Two gathers from one table may have different indices: a load with an index is never shared.
  if (a.indirectStride !== null || b.indirectStride !== null) return false;
  return (
    a.view.buffer === b.view.buffer &&
    sizeKey(a.view.offset) === sizeKey(b.view.offset) &&
    a.elementType === b.elementType &&
    a.strides.every((stride, axis) => sizeKey(stride) === sizeKey(b.strides[axis] as Size))
  );
}
