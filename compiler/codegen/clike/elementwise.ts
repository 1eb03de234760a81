/** The elementwise ops of kernel expressions. bool values are i32, 0 or 1, as in memory. */
import type { ElementType } from '../../../ir/element-type.ts';
import type { ElementwiseOp } from '../../kernel/kernel.ts';
import type { KernelBuilder } from './kernel-builder.ts';
import { mathFunctions } from './math-functions.ts';

/** The type of the operands of an op (of the first one, for a cast; of the branches, for where), and that of its result. */
export interface ElementwiseTypes {
  readonly operand: ElementType;
  readonly result: ElementType;
}
type Form = (k: KernelBuilder, inputs: readonly string[], types: ElementwiseTypes) => string;

const infix =
  (operator: string): Form =>
  (_, [a = '', b = '']) =>
    `(${a} ${operator} ${b})`;
const flag = (k: KernelBuilder, condition: string): string => k.select(condition, k.i32(1), k.i32(0));
const compare =
  (operator: string): Form =>
  (k, [a = '', b = '']) =>
    flag(k, `${a} ${operator} ${b}`);
const builtin =
  (name: 'exp' | 'log' | 'sqrt' | 'max' | 'min'): Form =>
  (k, inputs) =>
    k.call(name, ...inputs);
const called =
  (name: keyof typeof mathFunctions): Form =>
  (k, [a = '']) =>
    `${k.use(mathFunctions[name])}(${a})`;

const nonzero =
  (zero: string) =>
  (k: KernelBuilder, a: string): string =>
    flag(k, `${a} != ${zero}`);
const same = (_: KernelBuilder, a: string): string => a;
const toFloat = (k: KernelBuilder, a: string): string => k.cast('f32', a);
const casts: { readonly [From in ElementType]: { readonly [To in ElementType]: (k: KernelBuilder, a: string) => string } } = {
  f32: { f32: same, i32: (k, a) => k.cast('i32', a), bool: nonzero('0.0') },
  i32: { f32: toFloat, i32: same, bool: nonzero('0') },
  bool: { f32: toFloat, i32: same, bool: same },
};

export const elementwise: { readonly [K in ElementwiseOp]: Form } = {
  add: infix('+'),
  subtract: infix('-'),
  multiply: infix('*'),
  divide: infix('/'),
  maximum: builtin('max'),
  minimum: builtin('min'),
  less: compare('<'),
  equal: compare('=='),
  negate: (_, [a = '']) => `(-${a})`,
  exp: builtin('exp'),
  log: builtin('log'),
  sqrt: builtin('sqrt'),
  tanh: called('tanh'),
  erf: called('erf'),
  sin: called('sin'),
  cos: called('cos'),
  relu: (k, [a = '']) => k.call('max', a, k.f32(0)),
  gelu: called('gelu'),
  gelu_tanh: called('gelu_tanh'),
  silu: called('silu'),
  cast: (k, [a = ''], { operand, result }) => casts[operand][result](k, a),
  where: (k, [condition = '', a = '', b = '']) => k.select(`${condition} != 0`, a, b),
};
