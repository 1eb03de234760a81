/**
 * WAT expressions as small typed trees: one function for each instruction, named as the specification names it
 * (`i32.add`, `f32x4.mul`, `v128.load32_splat`), so that generated text and generator read alike. Scalar operands may be
 * plain numbers. A tree is evaluated where it is placed, and as often as it is placed: name what is used twice
 * (`FunctionBuilder.let`).
 *
 * Addresses are unsigned: memories reach 4 GiB. Compare them with `lt_u`, or better with `ne`.
 */
export type ValueType = 'i32' | 'f32' | 'f64' | 'v128';

export interface Code<T extends ValueType = ValueType> {
  readonly type: T;
  /** The instruction with its immediates: `f32.load offset=4`, `local.get $i`. */
  readonly head: string;
  readonly operands: readonly Code[];
  /** The value of a scalar constant. */
  readonly constant?: number;
}
export interface Local<T extends ValueType = ValueType> extends Code<T> {
  readonly name: string;
}

export type I32 = Code<'i32'> | number;
export type F32 = Code<'f32'> | number;
export type F64 = Code<'f64'> | number;
export type V128 = Code<'v128'>;
/** What a parameter of a type takes. */
export interface OperandOf {
  readonly i32: I32;
  readonly f32: F32;
  readonly f64: F64;
  readonly v128: V128;
}

export function instruction<T extends ValueType>(type: T, head: string, operands: readonly Code[] = []): Code<T> {
  return { type, head, operands };
}

/** The text of a number as the constant of a type; f32 values are rounded first, so that the text is exact. */
function literal(type: 'i32' | 'f32' | 'f64', value: number): string {
  if (type === 'i32') return String(value | 0);
  const rounded = type === 'f32' ? Math.fround(value) : value;
  if (Number.isNaN(rounded)) return 'nan';
  if (!Number.isFinite(rounded)) return rounded > 0 ? 'inf' : '-inf';
  return Object.is(rounded, -0) ? '-0' : String(rounded);
}
function scalarConstant<T extends 'i32' | 'f32' | 'f64'>(type: T, value: number): Code<T> {
  return { type, head: `${type}.const ${literal(type, value)}`, operands: [], constant: value };
}
/** An operand as code: numbers become constants of the type. */
export function toCode<T extends ValueType>(type: T, operand: OperandOf[T]): Code<T>;
export function toCode(type: ValueType, operand: number | Code): Code {
  if (typeof operand !== 'number') return operand;
  if (type === 'v128') throw new TypeError('A vector operand cannot be a plain number: splat it.');
  return scalarConstant(type, operand);
}

type Unary<N extends string, T extends ValueType, R extends ValueType> = { readonly [K in N]: (a: OperandOf[T]) => Code<R> };
type Binary<N extends string, T extends ValueType, R extends ValueType> = {
  readonly [K in N]: (a: OperandOf[T], b: OperandOf[T]) => Code<R>;
};
function unary<const N extends string, T extends ValueType, R extends ValueType>(
  prefix: string,
  type: T,
  result: R,
  names: readonly N[],
): Unary<N, T, R> {
  const row = (name: N) => [name, (a: OperandOf[T]) => instruction(result, `${prefix}.${name}`, [toCode(type, a)])] as const;
  return Object.fromEntries(names.map(row)) as Unary<N, T, R>;
}
function binary<const N extends string, T extends ValueType, R extends ValueType>(
  prefix: string,
  type: T,
  result: R,
  names: readonly N[],
): Binary<N, T, R> {
  const row = (name: N) =>
    [
      name,
      (a: OperandOf[T], b: OperandOf[T]) => instruction(result, `${prefix}.${name}`, [toCode(type, a), toCode(type, b)]),
    ] as const;
  return Object.fromEntries(names.map(row)) as Binary<N, T, R>;
}

function withOffset(head: string, offset: number): string {
  return offset === 0 ? head : `${head} offset=${offset}`;
}
function loadOf<T extends ValueType>(type: T, head: string) {
  return (address: I32, offset = 0): Code<T> => instruction(type, withOffset(head, offset), [toCode('i32', address)]);
}
function vectorLoadOf(head: string) {
  // Tensors are aligned to their elements only.
  return (address: I32, offset = 0): V128 => instruction('v128', `${withOffset(head, offset)} align=4`, [toCode('i32', address)]);
}

const plainI32 = {
  ...binary('i32', 'i32', 'i32', ['sub', 'div_s', 'div_u', 'rem_s', 'rem_u', 'and', 'or', 'xor', 'shr_s', 'shr_u']),
  ...binary('i32', 'i32', 'i32', ['eq', 'ne', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u']),
  ...unary('i32', 'i32', 'i32', ['eqz', 'clz', 'ctz', 'popcnt']),
};
export const i32 = {
  ...plainI32,
  const: (value: number) => scalarConstant('i32', value),
  /** Sum of the terms; constants are added up and zeros left out. */
  add: (...terms: readonly I32[]): Code<'i32'> => {
    const values = terms.map((term) => toCode('i32', term));
    const variable = values.filter((value) => value.constant === undefined);
    const constant = values.reduce((sum, value) => (sum + (value.constant ?? 0)) | 0, 0);
    const kept = constant === 0 ? variable : [...variable, scalarConstant('i32', constant)];
    return kept.length === 0 ? scalarConstant('i32', 0) : kept.reduce((a, b) => instruction('i32', 'i32.add', [a, b]));
  },
  mul: (a: I32, b: I32): Code<'i32'> => {
    const [x, y] = [toCode('i32', a), toCode('i32', b)];
    if (x.constant !== undefined && y.constant !== undefined) return scalarConstant('i32', Math.imul(x.constant, y.constant));
    if (x.constant === 0 || y.constant === 0) return scalarConstant('i32', 0);
    if (x.constant === 1) return y;
    return y.constant === 1 ? x : instruction('i32', 'i32.mul', [x, y]);
  },
  shl: (a: I32, b: I32): Code<'i32'> => {
    const [x, y] = [toCode('i32', a), toCode('i32', b)];
    if (x.constant !== undefined && y.constant !== undefined) return scalarConstant('i32', x.constant << y.constant);
    return instruction('i32', 'i32.shl', [x, y]);
  },
  load: loadOf('i32', 'i32.load'),
  trunc_sat_f32_s: (a: F32) => instruction('i32', 'i32.trunc_sat_f32_s', [toCode('f32', a)]),
  trunc_sat_f64_s: (a: F64) => instruction('i32', 'i32.trunc_sat_f64_s', [toCode('f64', a)]),
  reinterpret_f32: (a: F32) => instruction('i32', 'i32.reinterpret_f32', [toCode('f32', a)]),
};

const floatUnary = ['neg', 'abs', 'sqrt', 'floor', 'ceil', 'nearest', 'trunc'] as const;
const floatBinary = ['add', 'sub', 'mul', 'div', 'min', 'max', 'copysign'] as const;
const floatCompare = ['eq', 'ne', 'lt', 'gt', 'le', 'ge'] as const;
export const f32 = {
  ...unary('f32', 'f32', 'f32', floatUnary),
  ...binary('f32', 'f32', 'f32', floatBinary),
  ...binary('f32', 'f32', 'i32', floatCompare),
  const: (value: number) => scalarConstant('f32', value),
  load: loadOf('f32', 'f32.load'),
  convert_i32_s: (a: I32) => instruction('f32', 'f32.convert_i32_s', [toCode('i32', a)]),
  demote_f64: (a: F64) => instruction('f32', 'f32.demote_f64', [toCode('f64', a)]),
  reinterpret_i32: (a: I32) => instruction('f32', 'f32.reinterpret_i32', [toCode('i32', a)]),
};
export const f64 = {
  ...unary('f64', 'f64', 'f64', floatUnary),
  ...binary('f64', 'f64', 'f64', floatBinary),
  ...binary('f64', 'f64', 'i32', floatCompare),
  const: (value: number) => scalarConstant('f64', value),
  load: loadOf('f64', 'f64.load'),
  convert_i32_s: (a: I32) => instruction('f64', 'f64.convert_i32_s', [toCode('i32', a)]),
  promote_f32: (a: F32) => instruction('f64', 'f64.promote_f32', [toCode('f32', a)]),
};

type FourNumbers = readonly [number, number, number, number];
/** Shuffle of 4-byte lanes: 0..3 are those of a, 4..7 those of b. */
function shuffle32(a: V128, b: V128, lanes: FourNumbers): V128 {
  const bytes = lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte));
  return instruction('v128', `i8x16.shuffle ${bytes.join(' ')}`, [a, b]);
}
export const f32x4 = {
  ...unary('f32x4', 'v128', 'v128', floatUnary),
  ...binary('f32x4', 'v128', 'v128', ['add', 'sub', 'mul', 'div', 'min', 'max', 'pmin', 'pmax', ...floatCompare]),
  const: (...lanes: FourNumbers): V128 =>
    instruction('v128', `v128.const f32x4 ${lanes.map((x) => literal('f32', x)).join(' ')}`),
  /** All four lanes equal; a number gives a constant. */
  splat: (a: F32): V128 =>
    typeof a === 'number' ? f32x4.const(a, a, a, a) : instruction('v128', 'f32x4.splat', [toCode('f32', a)]),
  extract_lane: (a: V128, lane: number) => instruction('f32', `f32x4.extract_lane ${lane}`, [a]),
  replace_lane: (a: V128, lane: number, value: F32): V128 =>
    instruction('v128', `f32x4.replace_lane ${lane}`, [a, toCode('f32', value)]),
  shuffle: shuffle32,
  /** a * b + c: rounded once in a build with relaxed SIMD (where the processor can), else after the product too. */
  multiplyAdd: (a: V128, b: V128, c: V128): V128 => instruction('v128', 'f32x4.relaxed_madd', [a, b, c]),
  convert_i32x4_s: (a: V128): V128 => instruction('v128', 'f32x4.convert_i32x4_s', [a]),
  demote_f64x2_zero: (a: V128): V128 => instruction('v128', 'f32x4.demote_f64x2_zero', [a]),
};
export const f64x2 = {
  ...unary('f64x2', 'v128', 'v128', floatUnary),
  ...binary('f64x2', 'v128', 'v128', ['add', 'sub', 'mul', 'div', 'min', 'max', 'pmin', 'pmax', ...floatCompare]),
  const: (a: number, b: number): V128 => instruction('v128', `v128.const f64x2 ${literal('f64', a)} ${literal('f64', b)}`),
  splat: (a: F64): V128 => (typeof a === 'number' ? f64x2.const(a, a) : instruction('v128', 'f64x2.splat', [toCode('f64', a)])),
  extract_lane: (a: V128, lane: number) => instruction('f64', `f64x2.extract_lane ${lane}`, [a]),
  replace_lane: (a: V128, lane: number, value: F64): V128 =>
    instruction('v128', `f64x2.replace_lane ${lane}`, [a, toCode('f64', value)]),
  /** Of the two low f32 lanes. */
  promote_low_f32x4: (a: V128): V128 => instruction('v128', 'f64x2.promote_low_f32x4', [a]),
};
const shiftOf = (name: string) => (a: V128, bits: I32) => instruction('v128', `i32x4.${name}`, [a, toCode('i32', bits)]);
export const i32x4 = {
  ...unary('i32x4', 'v128', 'v128', ['neg', 'abs']),
  ...binary('i32x4', 'v128', 'v128', ['add', 'sub', 'mul', 'min_s', 'max_s', 'eq', 'ne', 'lt_s', 'gt_s', 'le_s', 'ge_s']),
  const: (...lanes: FourNumbers): V128 =>
    instruction('v128', `v128.const i32x4 ${lanes.map((x) => literal('i32', x)).join(' ')}`),
  splat: (a: I32): V128 =>
    typeof a === 'number' ? i32x4.const(a, a, a, a) : instruction('v128', 'i32x4.splat', [toCode('i32', a)]),
  extract_lane: (a: V128, lane: number) => instruction('i32', `i32x4.extract_lane ${lane}`, [a]),
  replace_lane: (a: V128, lane: number, value: I32): V128 =>
    instruction('v128', `i32x4.replace_lane ${lane}`, [a, toCode('i32', value)]),
  shuffle: shuffle32,
  shl: shiftOf('shl'),
  shr_s: shiftOf('shr_s'),
  shr_u: shiftOf('shr_u'),
  trunc_sat_f32x4_s: (a: V128): V128 => instruction('v128', 'i32x4.trunc_sat_f32x4_s', [a]),
  all_true: (a: V128) => instruction('i32', 'i32x4.all_true', [a]),
  bitmask: (a: V128) => instruction('i32', 'i32x4.bitmask', [a]),
};
export const v128 = {
  ...unary('v128', 'v128', 'v128', ['not']),
  ...binary('v128', 'v128', 'v128', ['and', 'or', 'xor', 'andnot']),
  /** The bits of a where the mask is 1, else those of b. */
  bitselect: (a: V128, b: V128, mask: V128): V128 => instruction('v128', 'v128.bitselect', [a, b, mask]),
  any_true: (a: V128) => instruction('i32', 'v128.any_true', [a]),
  load: vectorLoadOf('v128.load'),
  load32_splat: vectorLoadOf('v128.load32_splat'),
  load64_splat: vectorLoadOf('v128.load64_splat'),
  /** One element into lane 0, the others zero. */
  load32_zero: vectorLoadOf('v128.load32_zero'),
  load64_zero: vectorLoadOf('v128.load64_zero'),
};

/** a where the condition is not 0, else b; both are evaluated. */
export function select<T extends ValueType>(condition: I32, a: Code<T>, b: Code<T>): Code<T> {
  return instruction(a.type, 'select', [a, b, toCode('i32', condition)]);
}

/** The expression without relaxed instructions: multiply-adds as two. */
export function withoutRelaxed(code: Code): Code {
  const operands = code.operands.map(withoutRelaxed);
  const [a, b, c] = operands as V128[];
  if (code.head === 'f32x4.relaxed_madd' && a && b && c) return f32x4.add(c, f32x4.mul(a, b));
  return { ...code, operands };
}

const lineWidth = 320;
function oneLine(code: Code): string {
  return code.operands.length === 0 ? `(${code.head})` : `(${code.head} ${code.operands.map(oneLine).join(' ')})`;
}
/** The text of an expression, broken over lines (operands indented below their instruction) where it is too long for one. */
export function printCode(code: Code, indent: string): string {
  const line = oneLine(code);
  if (indent.length + line.length <= lineWidth || code.operands.length === 0) return indent + line;
  return `${indent}(${code.head}\n${code.operands.map((operand) => printCode(operand, `${indent} `)).join('\n')})`;
}
