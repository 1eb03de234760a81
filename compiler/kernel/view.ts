import { addSizes, ceilDivideSizes, elementCount, multiplySizes, sizesEqual, type Size } from '../../ir/size.ts';
import type { BufferClass, BufferElementType, WeightPacking } from '../../runtime/format/program.ts';

/** Memory that kernels read and write; the memory plan gives it an offset later. */
export interface Buffer {
  readonly name: string;
  readonly class: Exclude<BufferClass, 'scratch'>;
  readonly elementType: BufferElementType;
  readonly elements: Size;
  /** For weights: the tensor that fills it, and how. */
  readonly weight: BufferWeight | null;
}
export interface BufferWeight {
  readonly tensor: string;
  /** Of the whole tensor. */
  readonly shape: readonly number[];
  /** The rows that are in the buffer; absent: all. */
  readonly rows?: RowRange;
  readonly packing: WeightPacking;
}
export type RowRange = readonly [first: number, end: number];
/** Bytes of an element in a buffer. */
export const elementBytes: { readonly [K in BufferElementType]: number } = { f32: 4, f16: 2, i32: 4, bool: 4, u8: 1 };

/** A tensor as strides over a buffer. Offset and strides count elements. */
export interface View {
  readonly buffer: Buffer;
  readonly offset: Size;
  readonly shape: readonly Size[];
  readonly strides: readonly Size[];
}

export function contiguousStrides(shape: readonly Size[]): Size[] {
  return shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
}
export function contiguousView(buffer: Buffer, shape: readonly Size[]): View {
  return { buffer, offset: 0, shape, strides: contiguousStrides(shape) };
}
/** Strides of axes of size 1 do not matter. */
export function isContiguous(view: View): boolean {
  const expected = contiguousStrides(view.shape);
  return view.shape.every((size, axis) => size === 1 || sizesEqual(view.strides[axis] ?? 0, expected[axis] ?? 0));
}
export function transposeView(view: View, permutation: readonly number[]): View {
  return {
    ...view,
    shape: permutation.map((axis) => view.shape[axis] as Size),
    strides: permutation.map((axis) => view.strides[axis] as Size),
  };
}
export function sliceView(view: View, axis: number, start: Size, length: Size): View {
  return {
    ...view,
    offset: addSizes(view.offset, multiplySizes(start, view.strides[axis] as Size)),
    shape: view.shape.map((size, index) => (index === axis ? length : size)),
  };
}
/** NumPy broadcasting to a shape: new axes and axes of size 1 get stride 0. */
export function broadcastView(view: View, shape: readonly Size[]): View {
  const missing = shape.length - view.shape.length;
  const strides = shape.map((size, axis) => {
    const own = view.shape[axis - missing];
    return axis < missing || (own === 1 && size !== 1) ? 0 : (view.strides[axis - missing] as Size);
  });
  return { ...view, shape, strides };
}

/** The same elements in another shape, or null where strides cannot say it and a copy is needed. */
export function reshapeView(view: View, shape: readonly Size[]): View | null {
  if (isContiguous(view)) return { ...view, shape, strides: contiguousStrides(shape) };
  const strides: Size[] = [];
  let [from, to] = [0, 0];
  while (from < view.shape.length || to < shape.length) {
    const run = matchingRun(view.shape.slice(from), shape.slice(to));
    if (!run) return null;
    const [oldSizes, newSizes] = [view.shape.slice(from, from + run.old), shape.slice(to, to + run.new)];
    const inner = mergedStride(oldSizes, view.strides.slice(from, from + run.old));
    if (inner === null) return null;
    strides.push(...contiguousStrides(newSizes).map((stride) => multiplySizes(stride, inner)));
    from += run.old;
    to += run.new;
  }
  return { ...view, shape, strides };
}
/** The shortest leading runs of two shapes with equal products. */
function matchingRun(old: readonly Size[], next: readonly Size[]): { old: number; new: number } | null {
  if (old.length === 0) return next.every((size) => size === 1) ? { old: 0, new: next.length } : null;
  if (next.length === 0) return old.every((size) => size === 1) ? { old: old.length, new: 0 } : null;
  for (let total = 2; total <= old.length + next.length; total += 1) {
    for (let count = Math.max(1, total - next.length); count <= Math.min(old.length, total - 1); count += 1) {
      const [left, right] = [elementCount(old.slice(0, count)), elementCount(next.slice(0, total - count))];
      if (sizesEqual(left, right)) return { old: count, new: total - count };
    }
  }
  return null;
}
/** The stride of several axes seen as one, or null where they do not lie behind each other. */
function mergedStride(sizes: readonly Size[], strides: readonly Size[]): Size | null {
  const kept = sizes.map((size, axis) => ({ size, stride: strides[axis] as Size })).filter(({ size }) => size !== 1);
  for (let axis = 0; axis + 1 < kept.length; axis += 1) {
    const [outer, inner] = [kept[axis], kept[axis + 1]];
    if (!outer || !inner || !sizesEqual(outer.stride, multiplySizes(inner.stride, inner.size))) return null;
  }
  return kept.at(-1)?.stride ?? 1;
}

export function panelElements(rows: number, depth: number, width: number): Size {
  return multiplySizes(ceilDivideSizes(rows, width), width, depth);
}
