import type { FloatTensor } from '../../runtime/api.ts';

/** The sum of x x^T over the vectors of some heads, [size, size] row-major; the tensors are f32 [1, heads, tokens, size]. */
export function secondMoments(tensors: readonly FloatTensor[], heads: readonly number[], size: number): Float64Array {
  const sums = new Float64Array(size * size);
  for (const { shape, data } of tensors) {
    const tokens = shape[2] ?? 0;
    for (const head of heads) {
      for (let token = 0; token < tokens; token += 1) addOuter(sums, data, (head * tokens + token) * size, size);
    }
  }
  return sums;
}

/** Adds x x^T of the vector of `size` elements that begins at `start`. */
export function addOuter(sums: Float64Array, data: Float32Array, start: number, size: number): void {
  for (let i = 0; i < size; i += 1) {
    const left = data[start + i] as number;
    for (let j = 0; j < size; j += 1) sums[i * size + j] = (sums[i * size + j] as number) + left * (data[start + j] as number);
  }
}
