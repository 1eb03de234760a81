/** A source in which the rows of some tensors come in another order. */
import { permuteRows } from './block-matrix.ts';
import { readBlocks, type TensorSource } from './tensor-source.ts';

/**
 * Row i of a tensor in `orders` is row `order[i]` of the stored one; an order has every row once. Rows are the first
 * dimension, so that elements of a vector are rows too. Rows in blocks move as they are.
 */
export function reorderedSource(source: TensorSource, orders: ReadonlyMap<string, readonly number[]>): TensorSource {
  return {
    names: () => source.names(),
    has: (name) => source.has(name),
    info: (name) => source.info(name),
    readFloat32: async (name) => inOrder(await source.readFloat32(name), orders.get(name)),
    readRaw: async (name) => inOrder(await source.readRaw(name), orders.get(name)),
    readBlocks: async (name) => {
      const matrix = await readBlocks(source, name);
      const order = orders.get(name);
      return order === undefined ? matrix : permuteRows(matrix, order);
    },
  };
}

function inOrder<T extends Float32Array | Uint8Array>(elements: T, order: readonly number[] | undefined): T {
  if (order === undefined) return elements;
  const rowElements = elements.length / order.length;
  const stored = elements.slice();
  for (const [row, from] of order.entries())
    elements.set(stored.subarray(from * rowElements, (from + 1) * rowElements), row * rowElements);
  return elements;
}
