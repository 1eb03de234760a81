/** Products left [rows, depth] x right [columns, depth]^T with epilogues, for tests of kernels, and their values in float64. */
import type { BlockGemmKernel, EpilogueStep, GemmKernel } from '../../compiler/kernel/kernel.ts';
import { dequantise, type BlockFormat, type BlockMatrix } from '../../compiler/weights/block-format.ts';
import { float16ToFloat32, float32ToFloat16 } from '../../compiler/weights/float16.ts';

export type Floats = Float32Array<ArrayBuffer>;
/** An operand: f32, i32, bytes of quants, or halves (Uint16Array). */
export type KernelArray = Floats | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

const seed = 1;
let state = seed;
/** Before each test of a suite that makes products: its data does not hang on the tests that ran before, or were skipped. */
export function restartNumbers(): void {
  state = seed;
}
export function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return (state / 2 ** 32) * 2 - 1;
}
export const numbers = (length: number): Floats => Float32Array.from({ length }, random);
export const asBytes = ({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

/** The right side of a product: what the kernel reads, and its values. */
export interface RightSide {
  readonly reads: readonly KernelArray[];
  readonly values: ArrayLike<number>;
  readonly kernel: Pick<GemmKernel, 'kind' | 'right'> | Pick<BlockGemmKernel, 'kind' | 'format'>;
}
export function plainRight(columns: number, depth: number): RightSide {
  const values = numbers(columns * depth);
  return { reads: [values], values, kernel: { kind: 'gemm', right: 'f32' } };
}
export function halfRight(columns: number, depth: number): RightSide {
  const { halves } = float32ToFloat16(numbers(columns * depth));
  const copy = Uint16Array.from(halves);
  return { reads: [copy], values: float16ToFloat32(copy), kernel: { kind: 'gemm', right: 'f16' } };
}
export function randomBlocks(format: BlockFormat, columns: number, depth: number): BlockMatrix {
  const count = (columns * depth) / format.block;
  return {
    format,
    shape: [columns, depth],
    quants: Uint8Array.from({ length: (columns * depth * format.bits) / 8 }, () => Math.floor((random() + 1) * 128)),
    scales: Float32Array.from({ length: count }, () => random() / 64),
    minima: format.minima ? Float32Array.from({ length: count }, random) : null,
  };
}
export function blockRight(format: BlockFormat, columns: number, depth: number): RightSide {
  return rightOf(randomBlocks(format, columns, depth));
}
export function rightOf(matrix: BlockMatrix): RightSide {
  const floats = (array: Float32Array): Floats => Float32Array.from(array);
  const reads = [asBytes(matrix.quants), floats(matrix.scales), ...(matrix.minima ? [floats(matrix.minima)] : [])];
  return { reads, values: dequantise(matrix), kernel: { kind: 'block_gemm', format: matrix.format } };
}
export const blockFormats: readonly BlockFormat[] = [
  ...([16, 32] as const).flatMap((block) =>
    [false, true].flatMap((signed) => [false, true].map((minima): BlockFormat => ({ bits: 8, block, signed, minima }))),
  ),
  { bits: 4, block: 32, signed: false, minima: false },
  { bits: 4, block: 32, signed: false, minima: true },
];

export const epilogues: Readonly<Record<string, readonly EpilogueStep[]>> = {
  bias: [{ step: 'bias' }],
  'bias, gelu': [{ step: 'bias' }, { step: 'activation', op: 'gelu_tanh' }],
  'bias, residual': [{ step: 'bias' }, { step: 'residual' }],
  'activation, residual, bias, residual': [
    { step: 'activation', op: 'silu' },
    { step: 'residual' },
    { step: 'bias' },
    { step: 'residual' },
  ],
  ...Object.fromEntries(
    (['relu', 'tanh', 'exp', 'negate'] as const).map((op): [string, readonly EpilogueStep[]] => [
      op,
      [{ step: 'activation', op }],
    ]),
  ),
};
const activations: Readonly<Record<string, (x: number) => number>> = {
  relu: (x) => Math.max(0, x),
  tanh: Math.tanh,
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  exp: Math.exp,
  negate: (x) => -x,
};

export interface ProductShape {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly epilogue?: readonly EpilogueStep[];
  /** Elements between the ends and starts of rows of left, result and residuals. */
  readonly gap?: number;
  readonly left?: Floats;
}
/** A product as a kernel is given it; the result is untouched yet. */
export interface Product {
  readonly shape: ProductShape;
  readonly epilogue: readonly EpilogueStep[];
  readonly right: RightSide;
  readonly left: Floats;
  /** Biases and residuals. */
  readonly extras: readonly Floats[];
  readonly result: Floats;
  readonly integers: readonly number[];
}
const untouched = 12345;
export function makeProduct(right: RightSide, shape: ProductShape): Product {
  const { rows, columns, depth, epilogue = [], gap = 0 } = shape;
  const pitch = columns + gap;
  const left = shape.left ?? numbers(rows * (depth + gap));
  const extras = epilogue.flatMap(({ step }) =>
    step === 'activation' ? [] : [numbers(step === 'bias' ? columns : rows * pitch)],
  );
  const residuals = epilogue.flatMap(({ step }) => (step === 'residual' ? [pitch] : []));
  const result = new Float32Array(rows * pitch).fill(untouched);
  return { shape, epilogue, right, left, extras, result, integers: [rows, columns, depth, depth + gap, pitch, ...residuals] };
}

export interface ExpectedProduct {
  readonly values: Float64Array;
  /** Sums of magnitudes, which rounding errors are relative to. */
  readonly magnitudes: Float64Array;
}
/** In float64. `round`: what is done to the elements of both sides before they are multiplied. */
export function expectedProduct(
  { shape, epilogue, right, left, extras }: Product,
  round = (x: number): number => x,
): ExpectedProduct {
  const { rows, columns, depth, gap = 0 } = shape;
  const pitch = columns + gap;
  const [a, b] = [Float64Array.from(left, round), Float64Array.from(right.values, round)];
  const values = new Float64Array(rows * pitch).fill(untouched);
  const magnitudes = new Float64Array(rows * pitch).fill(1);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      let [sum, magnitude] = [0, 1];
      for (let at = 0; at < depth; at += 1) {
        const term = (a[row * (depth + gap) + at] as number) * (b[column * depth + at] as number);
        sum += term;
        magnitude += Math.abs(term);
      }
      let operand = 0;
      for (const step of epilogue) {
        if (step.step === 'activation') {
          sum = activations[step.op]?.(sum) ?? NaN;
          // An error of its argument becomes one times its slope, which is its value; the slopes of the others stay below 1.2.
          if (step.op === 'exp') magnitude *= Math.max(1, sum);
        } else sum += extras[operand++]?.[step.step === 'bias' ? column : row * pitch + column] as number;
      }
      values[row * pitch + column] = sum;
      magnitudes[row * pitch + column] = magnitude + Math.abs(sum);
    }
  }
  return { values, magnitudes };
}
/** The first place where a result is not what is expected, to a tolerance relative to magnitudes, as words; undefined without one. */
export function firstError(found: Float32Array, { values, magnitudes }: ExpectedProduct, tolerance = 2e-6): string | undefined {
  const bad = found.findIndex((value, index) => {
    const error = Math.abs(value - (values[index] as number));
    return !(values[index] === untouched ? value === untouched : error <= tolerance * (magnitudes[index] as number));
  });
  return bad < 0 ? undefined : `${found[bad]} at ${bad}, not ${values[bad]}`;
}
