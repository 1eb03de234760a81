/** Plain float64 references of the kernels that are loop nests, one index at a time. */
import type { ElementwiseOp, LoopOperand, MapKernel, NormKernel, Scalar } from '../../compiler/kernel/kernel.ts';
import type { ElementType } from '../../ir/element-type.ts';
import { erf } from '../../ir/erf.ts';

/** One operand of a dispatch: its elements, where it starts, and its strides in elements. */
export interface Placed {
  readonly data: Float32Array | Int32Array;
  readonly offset: number;
  readonly strides: readonly number[];
  readonly reductionStride?: number;
  readonly indirectStride?: number;
}

const truth = (value: boolean): number => (value ? 1 : 0);
const functions: { readonly [K in Exclude<ElementwiseOp, 'cast'>]: (...x: number[]) => number } = {
  add: (a = NaN, b = NaN) => a + b,
  subtract: (a = NaN, b = NaN) => a - b,
  multiply: (a = NaN, b = NaN) => a * b,
  divide: (a = NaN, b = NaN) => a / b,
  maximum: Math.max,
  minimum: Math.min,
  less: (a = NaN, b = NaN) => truth(a < b),
  equal: (a = NaN, b = NaN) => truth(a === b),
  negate: (a = NaN) => -a,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  tanh: Math.tanh,
  erf,
  sin: Math.sin,
  cos: Math.cos,
  relu: (a = NaN) => Math.max(a, 0),
  gelu: (a = NaN) => (a / 2) * (1 + erf(a * Math.SQRT1_2)),
  gelu_tanh: (a = NaN) => (a / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (a + 0.044715 * a ** 3))),
  silu: (a = NaN) => a / (1 + Math.exp(-a)),
  where: (condition = NaN, a = NaN, b = NaN) => (condition !== 0 ? a : b),
};
export function applyReference(op: ElementwiseOp, result: ElementType, inputs: readonly number[]): number {
  if (op !== 'cast') return functions[op](...inputs);
  const value = inputs[0] ?? NaN;
  if (result === 'bool') return truth(value !== 0);
  return result === 'i32' ? Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(value))) || 0 : value;
}

/** `index` has the indices of all axes, then that of the reduction. */
function evaluate(expression: Scalar, placed: readonly Placed[], index: readonly number[], reduced: number): number {
  switch (expression.kind) {
    case 'constant':
      return expression.type === 'f32' ? Math.fround(expression.value) : expression.value;
    case 'index':
      return index[expression.axis] ?? NaN;
    case 'reduced':
      return reduced;
    case 'apply':
      return applyReference(
        expression.op,
        expression.type,
        expression.inputs.map((input) => evaluate(input, placed, index, reduced)),
      );
    case 'load': {
      const operand = placed[expression.operand];
      if (operand === undefined) throw new Error(`There is no operand ${expression.operand}.`);
      let at = operand.offset;
      operand.strides.forEach((stride, axis) => (at += stride * (index[axis] ?? NaN)));
      at += (operand.reductionStride ?? 0) * (index[operand.strides.length] ?? 0);
      if (expression.indirect !== undefined) {
        at += (operand.indirectStride ?? NaN) * evaluate(expression.indirect, placed, index, reduced);
      }
      return operand.data[at] ?? NaN;
    }
  }
}

/** All indices of a shape, the last fastest. */
export function indicesOf(extents: readonly number[]): number[][] {
  return extents.reduce<number[][]>(
    (outer, extent) => outer.flatMap((index) => Array.from({ length: extent }, (_, i) => [...index, i])),
    [[]],
  );
}

/** Values of the result in the order of `indicesOf(extents)`. */
export function mapReference(kernel: MapKernel, extents: readonly number[], count: number, placed: readonly Placed[]): number[] {
  return indicesOf(extents).map((index) => {
    if (kernel.reduction === null) return evaluate(kernel.body, placed, index, NaN);
    const terms = Array.from({ length: count }, (_, r) => evaluate(kernel.body, placed, [...index, r], NaN));
    const empty = kernel.body.type === 'f32' ? -Infinity : kernel.body.type === 'bool' ? 0 : -(2 ** 31);
    const reduced = kernel.reduction === 'sum' ? terms.reduce((a, b) => a + b, 0) : Math.max(empty, ...terms);
    return kernel.epilogue === null ? reduced : evaluate(kernel.epilogue, placed, index, reduced);
  });
}

export interface NormedRow {
  readonly values: readonly number[];
  /** What the distances from the mean were divided by. */
  readonly deviation: number;
  /** The largest magnitude before. */
  readonly largest: number;
}
export function normReference(
  kernel: NormKernel,
  extents: readonly number[],
  placed: readonly Placed[],
  weight: Float32Array,
  bias: Float32Array | null,
): readonly NormedRow[] {
  const width = extents.at(-1) ?? 0;
  return indicesOf(extents.slice(0, -1)).map((outer) => {
    const row = Array.from({ length: width }, (_, j) => evaluate(kernel.body, placed, [...outer, j], NaN));
    const mean = kernel.norm === 'layer' ? row.reduce((a, b) => a + b, 0) / width : 0;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / width;
    const deviation = Math.sqrt(variance + kernel.epsilon);
    const values = row.map((x, j) => ((x - mean) / deviation) * (weight[j] ?? NaN) + (bias?.[j] ?? 0));
    return { values, deviation, largest: Math.max(...row.map(Math.abs)) };
  });
}

export function lastStrideOf(stride: number): LoopOperand['lastStride'] {
  return stride === 0 || stride === 1 ? stride : 'any';
}
