/** The elementwise ops of kernel expressions on vectors. bool values are i32, 0 or 1, as in memory. */
import type { ElementType } from '../../../ir/element-type.ts';
import type { ElementwiseOp } from '../../kernel/kernel.ts';

/** The type of the operands of an op (of the first one, for a cast; of the branches, for where), and that of its result. */
export interface ElementwiseTypes {
  readonly operand: ElementType;
  readonly result: ElementType;
}
type Form = (inputs: readonly string[], types: ElementwiseTypes) => string;

const infix =
  (operator: string): Form =>
  ([a = '', b = '']) =>
    `(${a} ${operator} ${b})`;
const compare =
  (operator: string): Form =>
  ([a = '', b = '']) =>
    `flag(${a} ${operator} ${b})`;
const called =
  (name: string): Form =>
  (inputs) =>
    `${name}(${inputs.join(', ')})`;
const byType =
  (float: string, integer: string): Form =>
  (inputs, { operand }) =>
    `${operand === 'f32' ? float : integer}(${inputs.join(', ')})`;

const nonzero = (a: string): string => `flag(${a} != 0)`;
const same = (a: string): string => a;
const toFloat = (a: string): string => `to_float(${a})`;
const casts: { readonly [From in ElementType]: { readonly [To in ElementType]: (a: string) => string } } = {
  f32: { f32: same, i32: (a) => `to_integer(${a})`, bool: nonzero },
  i32: { f32: toFloat, i32: same, bool: nonzero },
  bool: { f32: toFloat, i32: same, bool: same },
};

export const elementwise: { readonly [K in ElementwiseOp]: Form } = {
  add: infix('+'),
  subtract: infix('-'),
  multiply: infix('*'),
  divide: infix('/'),
  maximum: byType('maximum_f', 'maximum_i'),
  minimum: byType('minimum_f', 'minimum_i'),
  less: compare('<'),
  equal: compare('=='),
  negate: ([a = '']) => `(-${a})`,
  exp: called('exponential'),
  log: called('logarithm'),
  sqrt: called('square_root'),
  tanh: called('hyperbolic_tangent'),
  erf: called('error_function'),
  sin: called('sine'),
  cos: called('cosine'),
  relu: ([a = '']) => `maximum_f(${a}, splat(0.0f))`,
  gelu: called('gelu'),
  gelu_tanh: called('gelu_tanh'),
  silu: called('silu'),
  cast: ([a = ''], { operand, result }) => casts[operand][result](a),
  where: ([condition = '', a = '', b = ''], { operand }) =>
    `${operand === 'f32' ? 'select_f' : 'select_i'}(${condition} != 0, ${a}, ${b})`,
};
