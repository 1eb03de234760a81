/** The expressions of a loop nest (kernel.ts, `Scalar`), and where their operands lie at an index. */
import type { LoopOperand, Scalar } from '../../kernel/kernel.ts';
import type { ValueType } from './dialect.ts';
import { elementwise } from './elementwise.ts';
import type { KernelBuilder } from './kernel-builder.ts';

export interface LoopNest {
  readonly rank: number;
  readonly operands: readonly LoopOperand[];
  /** There is a reduction axis, after the last one. */
  readonly reduces: boolean;
  /** Before the names of its operands and integers, where a kernel has several nests. */
  readonly prefix?: string;
}
export function operandNames({ operands, prefix = '' }: LoopNest): readonly string[] {
  return operands.map((_, position) => `${prefix}x${position}`);
}
const axes = (rank: number): readonly number[] => Array.from({ length: rank }, (_, axis) => axis);
/** The integers of the nest and its operands, in the order of kernel.ts (those of the result come after them). */
export function integerNames({ rank, operands, reduces, prefix = '' }: LoopNest): readonly string[] {
  return [
    ...axes(rank).map((axis) => `extent_${axis}`),
    ...(reduces ? ['extent_r'] : []),
    ...operands.flatMap(({ indirect }, position) => [
      ...axes(rank).map((axis) => `x${position}_stride_${axis}`),
      ...(reduces ? [`x${position}_stride_r`] : []),
      ...(indirect ? [`x${position}_stride_indirect`] : []),
    ]),
  ].map((name) => prefix + name);
}

/** Where an expression is evaluated. */
export interface ExpressionPlace {
  readonly nest: LoopNest;
  /** The index of each axis, i32; with a reduction, that of its axis last. */
  readonly indices: readonly string[];
  /** The value of the reduction, in an epilogue. */
  readonly reduced: string | null;
}

/** The element of a tensor at an index: sum of index * stride. The last stride may be known to be 0 or 1. */
export function strided(k: KernelBuilder, name: string, indices: readonly string[], lastStride: 0 | 1 | 'any'): string {
  const last = indices.length - 1;
  const terms = indices.flatMap((index, axis) => {
    if (axis === last && lastStride !== 'any') return lastStride === 0 ? [] : [index];
    return [`${index} * ${k.size(`${name}_stride_${axis}`)}`];
  });
  return terms.length === 0 ? k.i32(0) : terms.join(' + ');
}

const valueType = (expression: Scalar): ValueType => (expression.type === 'f32' ? 'f32' : 'i32');

/** The value of an expression; what occurs in it twice is computed once. */
export function evaluate(k: KernelBuilder, root: Scalar, { nest, indices, reduced }: ExpressionPlace): string {
  const counts = new Map<string, number>();
  const count = (expression: Scalar): void => {
    const key = JSON.stringify(expression);
    const known = counts.get(key) ?? 0;
    counts.set(key, known + 1);
    if (known > 0) return;
    if (expression.kind === 'apply') expression.inputs.forEach(count);
    else if (expression.kind === 'load' && expression.indirect) count(expression.indirect);
  };
  count(root);
  const known = new Map<string, string>();
  const emit = (expression: Scalar): string => {
    switch (expression.kind) {
      case 'load': {
        const name = `${nest.prefix ?? ''}x${expression.operand}`;
        const { lastStride } = nest.operands[expression.operand] as LoopOperand;
        const outer = strided(k, name, indices.slice(0, nest.rank), lastStride);
        const along =
          nest.reduces && indices.length > nest.rank ? ` + ${indices[nest.rank] ?? ''} * ${k.size(`${name}_stride_r`)}` : '';
        const jump = expression.indirect ? ` + ${value(expression.indirect)} * ${k.size(`${name}_stride_indirect`)}` : '';
        return k.operand(name).at(`${outer}${along}${jump}`);
      }
      case 'constant':
        return k.literal(expression.type === 'f32' ? 'f32' : 'i32', expression.value);
      case 'index':
        return indices[expression.axis] as string;
      case 'apply': {
        const operand = expression.inputs[expression.op === 'where' ? 1 : 0];
        const types = { operand: operand?.type ?? expression.type, result: expression.type };
        return elementwise[expression.op](k, expression.inputs.map(value), types);
      }
      case 'reduced':
        if (reduced === null) throw new RangeError("'reduced' stands outside of an epilogue.");
        return reduced;
    }
  };
  const value = (expression: Scalar): string => {
    const key = JSON.stringify(expression);
    const found = known.get(key);
    if (found !== undefined) return found;
    const text = emit(expression);
    if ((counts.get(key) ?? 0) < 2 || expression.kind === 'constant' || expression.kind === 'index') return text;
    const name = k.let('shared_value', valueType(expression), text);
    known.set(key, name);
    return name;
  };
  return value(root);
}
