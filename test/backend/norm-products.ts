/** Left sides of products that are normalised on the way, for tests of kernels, and what becomes of them in float64. */
import { partNumbers, type Norm } from '../../compiler/kernel/row-norm.ts';
import { numbers, type Floats, type Product } from './products.ts';

export interface NormedLeft {
  readonly norm: Norm;
  readonly epsilon: number;
  readonly weight: Floats;
  readonly bias: Floats;
}
export const normedLeft = (norm: Norm, depth: number): NormedLeft => ({
  norm,
  epsilon: 1e-5,
  weight: numbers(depth),
  bias: numbers(depth),
});
/** What a kernel reads for it, but for statistics. */
export const vectorsOf = ({ norm, weight, bias }: NormedLeft): readonly Floats[] =>
  norm === 'layer' ? [weight, bias] : [weight];

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
function rowsOf(values: Float32Array, rows: number, width: number, pitch: number): readonly (readonly number[])[] {
  return Array.from({ length: rows }, (_, row) => [...values.subarray(row * pitch, row * pitch + width)]);
}

/** The product whose left side is what the norm makes of the rows, as the ops say (ir/ops/norm.ts). */
export function normedProduct(product: Product, { norm, epsilon, weight, bias }: NormedLeft): Product {
  const { rows, depth, gap = 0 } = product.shape;
  const pitch = depth + gap;
  const left = new Float64Array(product.left.length);
  rowsOf(product.left, rows, depth, pitch).forEach((row, index) => {
    const mean = norm === 'layer' ? sum(row) / depth : 0;
    const scale = 1 / Math.sqrt(sum(row.map((value) => (value - mean) ** 2)) / depth + epsilon);
    row.forEach((value, at) => {
      left[index * pitch + at] = (value - mean) * scale * (weight[at] as number) + (norm === 'layer' ? (bias[at] as number) : 0);
    });
  });
  return { ...product, left: left as unknown as Floats };
}

/** Statistics of parts of rows (compiler/kernel/row-norm.ts). */
export function statisticsOf(
  norm: Norm,
  values: Float32Array,
  { rows, width, pitch, part }: { readonly rows: number; readonly width: number; readonly pitch: number; readonly part: number },
): Floats {
  const starts = Array.from({ length: Math.ceil(width / part) }, (_, index) => index * part);
  const found = rowsOf(values, rows, width, pitch).flatMap((row) =>
    starts.flatMap((start) => {
      const own = row.slice(start, start + part);
      const mean = sum(own) / own.length;
      const squares = sum(own.map((value) => (norm === 'layer' ? value - mean : value) ** 2));
      return norm === 'layer' ? [sum(own), squares] : [squares];
    }),
  );
  if (found.length !== rows * starts.length * partNumbers[norm]) throw new RangeError('Statistics of another shape.');
  return Float32Array.from(found);
}
