/**
 * Loops around an expression: work items are the indices of all axes but the last, a row is the last axis, of which LANES neighbours
 * are computed at a time. What is left of a row is a vector as well, of fewer elements, so that an element does not depend on where
 * it stands. Shared by map and norm kernels, which differ in what they do with a row.
 */
import type { ElementType } from '../../../ir/element-type.ts';
import type { LoopOperand, Scalar } from '../../kernel/kernel.ts';
import { elementwise } from './elementwise.ts';
import { f32Constant } from './kernel-text.ts';

export interface LoopNest {
  readonly rank: number;
  readonly operands: readonly LoopOperand[];
  /** There is a reduction axis, after the last one. */
  readonly reduces: boolean;
}
const axesOf = ({ rank }: LoopNest): readonly number[] => Array.from({ length: rank }, (_, axis) => axis);
export const vectorType = (type: ElementType): string => (type === 'f32' ? 'vf' : 'vi');
export const elementName = (type: ElementType): string => (type === 'f32' ? 'f32' : 'i32');
/** Functions on integers have a suffix. */
const suffix = (type: ElementType): string => (type === 'f32' ? '' : '_i');

export function operandDeclarations({ operands }: LoopNest): readonly string[] {
  return operands.map(({ elementType }, position) => `const ${elementName(elementType)} *x${position}`);
}
/** The integers of the nest and its operands, in the order of kernel.ts (those of the result come after them). */
export function integerNames(nest: LoopNest): readonly string[] {
  const strides = nest.operands.flatMap(({ indirect }, position) => [
    ...axesOf(nest).map((axis) => `x${position}_stride_${axis}`),
    ...(nest.reduces ? [`x${position}_stride_r`] : []),
    ...(indirect ? [`x${position}_stride_indirect`] : []),
  ]);
  return [...axesOf(nest).map((axis) => `extent_${axis}`), ...(nest.reduces ? ['extent_r'] : []), ...strides];
}

/** Declares index_0, index_1, ... of an item. */
export function indicesOfItem(nest: LoopNest): readonly string[] {
  const outer = nest.rank - 1;
  if (outer === 0) return [];
  const lines = ['i64 rest = item;'];
  for (let axis = outer - 1; axis > 0; axis -= 1) {
    lines.push(`const i64 index_${axis} = rest % extent_${axis};`, `rest /= extent_${axis};`);
  }
  return [...lines, 'const i64 index_0 = rest;'];
}
/** Where the row of an item begins in a tensor. */
export function rowStart(nest: LoopNest, name: string): string {
  const terms = axesOf(nest)
    .slice(0, -1)
    .map((axis) => ` + index_${axis} * ${name}_stride_${axis}`);
  return `${name}${terms.join('')}`;
}
export function rowStarts(nest: LoopNest): readonly string[] {
  return nest.operands.map(
    ({ elementType }, position) =>
      `const ${elementName(elementType)} *const x${position}_row = ${rowStart(nest, `x${position}`)};`,
  );
}

type Load = Extract<Scalar, { kind: 'load' }>;
function children(expression: Scalar): readonly Scalar[] {
  if (expression.kind === 'apply') return expression.inputs;
  return expression.kind === 'load' && expression.indirect !== undefined ? [expression.indirect] : [];
}
/** Whether the value may change from one index of the last axis to the next. */
function variesAlongRow(expression: Scalar, nest: LoopNest): boolean {
  if (expression.kind === 'index') return expression.axis === nest.rank - 1;
  if (expression.kind === 'reduced') return true;
  if (expression.kind === 'load' && nest.operands[expression.operand]?.lastStride !== 0) return true;
  return children(expression).some((child) => variesAlongRow(child, nest));
}
/** Where an expression is evaluated: at `count` neighbours from `at` on. */
export interface Place {
  /** Loads move along the reduction, whose index is `r`. */
  readonly inReduction: boolean;
  /** The value of the reduction, in an epilogue. */
  readonly reduced: string | null;
}
/** Expressions of one kernel as C; every subexpression that occurs twice has a name. */
export class ExpressionWriter {
  readonly #nest: LoopNest;
  #names = 0;
  /** Rows of tables that all of a row reads, by their load. */
  readonly #hoisted = new Map<string, string>();

  constructor(nest: LoopNest) {
    this.#nest = nest;
  }

  /** Statements before the loop along a row: which row of a table it reads, where that is the same for all of it. */
  hoist(expression: Scalar): readonly string[] {
    const lines: string[] = [];
    const visit = (each: Scalar): void => {
      children(each).forEach(visit);
      if (each.kind !== 'load' || each.indirect === undefined) return;
      if (this.#nest.reduces || variesAlongRow(each.indirect, this.#nest)) return;
      const key = JSON.stringify(each);
      if (this.#hoisted.has(key)) return;
      const name = `x${each.operand}_from${this.#hoisted.size === 0 ? '' : `_${this.#hoisted.size}`}`;
      const index = this.#value(each.indirect, { inReduction: false, reduced: null }, 'row', new Map());
      lines.push(`const i64 ${name} = (i64)(${index})[0] * x${each.operand}_stride_indirect;`);
      this.#hoisted.set(key, name);
    };
    visit(expression);
    return lines;
  }

  /** The statements that an expression needs, and the expression. */
  write(root: Scalar, place: Place): { readonly lines: readonly string[]; readonly value: string } {
    const counts = new Map<string, number>();
    const count = (expression: Scalar): void => {
      const key = JSON.stringify(expression);
      const known = counts.get(key) ?? 0;
      counts.set(key, known + 1);
      if (known === 0) children(expression).forEach(count);
    };
    count(root);
    const lines: string[] = [];
    const names = new Map<string, string>();
    const nameShared = (expression: Scalar): void => {
      const key = JSON.stringify(expression);
      if (names.has(key)) return;
      children(expression).forEach(nameShared);
      if ((counts.get(key) ?? 0) < 2 || expression.kind === 'constant' || expression.kind === 'reduced') return;
      this.#names += 1;
      const name = `shared_${this.#names}`;
      lines.push(`const ${vectorType(expression.type)} ${name} = ${this.#value(expression, place, 'lanes', names)};`);
      names.set(key, name);
    };
    nameShared(root);
    return { lines, value: this.#value(root, place, 'lanes', names) };
  }

  #value(expression: Scalar, place: Place, at: 'lanes' | 'row', names: ReadonlyMap<string, string>): string {
    const known = names.get(JSON.stringify(expression));
    if (known !== undefined) return known;
    const inner = (child: Scalar): string => this.#value(child, place, at, names);
    switch (expression.kind) {
      case 'load':
        return this.#load(expression, place, at, inner);
      case 'constant':
        return expression.type === 'f32' ? `splat(${f32Constant(expression.value)})` : `splat_i(${expression.value | 0})`;
      case 'index':
        if (expression.axis === this.#nest.rank - 1) return at === 'row' ? 'splat_i(0)' : '(splat_i((i32)at) + lane_numbers())';
        return `splat_i((i32)${expression.axis === this.#nest.rank ? 'r' : `index_${expression.axis}`})`;
      case 'apply': {
        const operand = expression.inputs[expression.op === 'where' ? 1 : 0];
        const types = { operand: operand?.type ?? expression.type, result: expression.type };
        return elementwise[expression.op](expression.inputs.map(inner), types);
      }
      case 'reduced':
        if (place.reduced === null) throw new RangeError("'reduced' stands outside of an epilogue.");
        return place.reduced;
    }
  }

  #load(load: Load, { inReduction }: Place, at: 'lanes' | 'row', inner: (child: Scalar) => string): string {
    const name = `x${load.operand}`;
    const lastStride = this.#nest.operands[load.operand]?.lastStride ?? 'any';
    const last = `${name}_stride_${this.#nest.rank - 1}`;
    const kind = suffix(load.type);
    const along = at === 'row' || lastStride === 0 ? '' : lastStride === 1 ? ' + at' : ` + at * ${last}`;
    const reduction = inReduction ? ` + r * ${name}_stride_r` : '';
    const start = `${name}_row${along}${reduction}`;
    const hoisted = this.#hoisted.get(JSON.stringify(load));
    if (load.indirect !== undefined && hoisted === undefined) {
      const step = lastStride === 'any' ? last : String(lastStride);
      return `load_rows${kind}(${start}, ${step}, ${inner(load.indirect)}, ${name}_stride_indirect, ${at === 'row' ? '1' : 'count'})`;
    }
    const from = hoisted === undefined ? start : `${start} + ${hoisted}`;
    if (at === 'row' || lastStride === 0) return `splat${kind}(*(${from}))`;
    return lastStride === 1 ? `load_part${kind}(${from}, count)` : `load_apart${kind}(${from}, ${last}, count)`;
  }
}

/** Stores a vector at `at` of a row that begins at NAME_row. */
export function storeAlong(
  name: string,
  elementType: ElementType,
  lastStride: 0 | 1 | 'any',
  axis: number,
  value: string,
): string {
  const kind = suffix(elementType);
  if (lastStride === 1) return `store_part${kind}(${name}_row + at, ${value}, count);`;
  return `store_apart${kind}(${name}_row + at * ${name}_stride_${axis}, ${name}_stride_${axis}, ${value}, count);`;
}
