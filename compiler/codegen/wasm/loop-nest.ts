/**
 * The loops around an expression: work items are the indices of all axes but the last, a row is the last axis. Shared by map
 * and norm kernels, which differ in what they do with a row.
 */
import type { ElementType } from '../../../ir/element-type.ts';
import type { LoopOperand, Scalar } from '../../kernel/kernel.ts';
import {
  emitScalar,
  emitVector,
  hoistKey,
  indirectLoads,
  indirectOffset,
  isVectorisable,
  variesAlongLast,
} from './expression.ts';
import type { ExpressionScope } from './expression.ts';
import type { FunctionBuilder, KernelParameters } from './wat-builder.ts';
import { f32, f32x4, i32, i32x4 } from './wat-code.ts';
import type { Code, Local, V128 } from './wat-code.ts';

export interface LoopNest {
  readonly rank: number;
  readonly operands: readonly LoopOperand[];
  /** There is a reduction axis, after the last one. */
  readonly reduces: boolean;
}
const axesOf = (nest: LoopNest): readonly number[] => Array.from({ length: nest.rank }, (_, axis) => axis);

export function operandNames(nest: LoopNest): readonly string[] {
  return nest.operands.map((_, position) => `x${position}`);
}
/** The integers of the nest and its operands, in the order of kernel.ts (those of the result come after them). */
export function integerNames(nest: LoopNest): readonly string[] {
  const extents = axesOf(nest).map((axis) => `extent_${axis}`);
  const strides = nest.operands.flatMap((operand, position) => [
    ...axesOf(nest).map((axis) => `x${position}_stride_${axis}`),
    ...(nest.reduces ? [`x${position}_stride_r`] : []),
    ...(operand.indirect ? [`x${position}_stride_indirect`] : []),
  ]);
  return [...extents, ...(nest.reduces ? ['extent_r'] : []), ...strides];
}

/** A tensor that the nest walks over: its base at the current item, and how it moves along the last axis. */
interface Walker {
  readonly base: Local<'i32'>;
  readonly lastStride: 0 | 1 | 'any';
  /** Bytes from one element of the last axis to the next, where `lastStride` is 'any'. */
  readonly lastBytes: Code<'i32'>;
}
/** Byte address of the element `at` (bytes if elements are neighbours) of the last axis. */
function along(walker: Walker, at: Code<'i32'>): Code<'i32'> {
  if (walker.lastStride === 0) return walker.base;
  if (walker.lastStride === 1) return i32.add(walker.base, at);
  return i32.add(walker.base, i32.mul(i32.shr_u(at, 2), walker.lastBytes));
}

export interface RowResult {
  readonly elementType: ElementType;
  readonly lastStride: 0 | 1 | 'any';
}
export interface Reduction {
  readonly kind: 'sum' | 'max';
  readonly epilogue: Scalar | null;
}

/** The items of a nest, and its operands and integers by name. */
export interface NestParameters extends Pick<KernelParameters, 'operand' | 'integer'> {
  readonly begin: Code<'i32'>;
  readonly end: Code<'i32'>;
}

/** The state of a nest inside its kernel function. */
export class NestEmitter {
  readonly #f: FunctionBuilder;
  readonly #nest: LoopNest;
  readonly #parameters: NestParameters;
  readonly #index: readonly Local<'i32'>[];
  readonly #walkers: readonly Walker[];
  readonly #indirectBytes: ReadonlyMap<number, Code<'i32'>>;
  /** The position along the last axis, in bytes of neighbouring elements. */
  readonly #at: Local<'i32'>;
  readonly #lastBytes: Code<'i32'>;

  constructor(f: FunctionBuilder, nest: LoopNest, parameters: NestParameters) {
    this.#f = f;
    this.#nest = nest;
    this.#parameters = parameters;
    this.#index = axesOf(nest)
      .slice(0, -1)
      .map((axis) => f.local(`index_${axis}`, 'i32'));
    this.#at = f.local('at', 'i32');
    this.#lastBytes = f.let('last_bytes', i32.shl(parameters.integer(`extent_${nest.rank - 1}`), 2));
    this.#walkers = nest.operands.map(({ lastStride }, position) => this.walker(`x${position}`, lastStride));
    const indirect = nest.operands.flatMap((operand, position) => (operand.indirect ? [position] : []));
    this.#indirectBytes = new Map(
      indirect.map((position) => [
        position,
        f.let(`x${position}_indirect_bytes`, i32.shl(parameters.integer(`x${position}_stride_indirect`), 2)),
      ]),
    );
  }

  walker(name: string, lastStride: 0 | 1 | 'any'): Walker {
    const f = this.#f;
    const lastBytes =
      lastStride === 'any'
        ? f.let(`${name}_last_bytes`, i32.shl(this.#parameters.integer(`${name}_stride_${this.#nest.rank - 1}`), 2))
        : i32.const(lastStride * 4);
    return { base: f.local(`${name}_base`, 'i32'), lastStride, lastBytes };
  }

  /** Loops over the items; `row` is written with the indices and the bases of the operands set. */
  overItems(row: (item: Local<'i32'>) => void): void {
    const f = this.#f;
    const item = f.local('item', 'i32');
    f.for(item, this.#parameters.begin, this.#parameters.end, 1, () => {
      this.#setIndices(item);
      this.#walkers.forEach((walker, position) => this.setBase(walker, `x${position}`));
      row(item);
    });
  }
  #setIndices(item: Code<'i32'>): void {
    const f = this.#f;
    const outer = this.#index.length;
    if (outer === 0) return;
    const rest = outer > 1 ? f.let('rest', item) : item;
    for (let axis = outer - 1; axis > 0; axis--) {
      const extent = this.#parameters.integer(`extent_${axis}`);
      f.set(this.#index[axis] as Local<'i32'>, i32.rem_u(rest, extent));
      f.set(rest as Local<'i32'>, i32.div_u(rest, extent));
    }
    f.set(this.#index[0] as Local<'i32'>, rest);
  }
  setBase(walker: Walker, name: string): void {
    const terms = this.#index.map((index, axis) => i32.mul(index, this.#parameters.integer(`${name}_stride_${axis}`)));
    const base = this.#parameters.operand(name);
    this.#f.set(walker.base, terms.length === 0 ? base : this.#f.element(base, i32.add(...terms)));
  }

  #scope(address: (operand: number) => Code<'i32'>, reductionIndex: Code<'i32'> | null, hoisted: ExpressionScope['hoisted']) {
    const lastAxis = this.#nest.rank - 1;
    return (reduced: Code | null): ExpressionScope => ({
      f: this.#f,
      operands: this.#nest.operands,
      lastAxis,
      address,
      index: (axis) => {
        if (axis === lastAxis) return i32.shr_u(this.#at, 2);
        const index = axis === this.#nest.rank ? reductionIndex : this.#index[axis];
        if (index === null || index === undefined) throw new RangeError(`The loop nest has no axis ${axis} here.`);
        return index;
      },
      indirectBytes: (operand) => {
        const bytes = this.#indirectBytes.get(operand);
        if (bytes === undefined) throw new RangeError(`The operand ${operand} has no indirect stride.`);
        return bytes;
      },
      reduced,
      hoisted,
    });
  }
  #walker(operand: number): Walker {
    const walker = this.#walkers[operand];
    if (walker === undefined) throw new RangeError(`The kernel has no operand ${operand}.`);
    return walker;
  }

  /**
   * Writes one row: result[..., j] = the expression at j, for all j of the last axis; four at a time where operands allow.
   * `walker` is the result's, its base set.
   */
  emitRow(body: Scalar, result: RowResult, walker: Walker, reduction: Reduction | null): void {
    const f = this.#f;
    const { operands, rank } = this.#nest;
    const lastAxis = rank - 1;
    const expressions = reduction?.epilogue ? [body, reduction.epilogue] : [body];
    const hoisted = reduction === null ? this.#hoist(body) : new Map<string, Code<'i32'>>();
    const value = (vector: boolean): Code =>
      reduction === null
        ? emit(vector, body, this.#scope((operand) => along(this.#walker(operand), this.#at), null, hoisted)(null))
        : this.#reduce(vector, body, reduction);
    const vectorisable = result.lastStride === 1 && expressions.every((one) => isVectorisable(one, operands, lastAxis));
    f.set(this.#at, 0);
    if (vectorisable) {
      f.for(this.#at, 0, i32.and(this.#lastBytes, -16), 16, () => f.store(along(walker, this.#at), value(true)));
    }
    f.for(this.#at, this.#at, this.#lastBytes, 4, () => f.store(along(walker, this.#at), value(false)));
  }

  /** Computes the offsets of indirect loads that are the same all along the row. */
  #hoist(body: Scalar): Map<string, Code<'i32'>> {
    const hoisted = new Map<string, Code<'i32'>>();
    const atRow = this.#scope((operand) => this.#walker(operand).base, null, hoisted)(null);
    // Innermost first, so that an index that is itself gathered finds its own offset.
    for (const load of indirectLoads(body).toReversed()) {
      if (hoisted.has(hoistKey(load)) || variesAlongLast(load.indirect, this.#nest.operands, this.#nest.rank - 1)) continue;
      hoisted.set(hoistKey(load), this.#f.let(`x${load.operand}_offset`, indirectOffset(load, atRow)));
    }
    return hoisted;
  }

  /** The reduction at the current place of the row, in the order of r, and its epilogue. */
  #reduce(vector: boolean, body: Scalar, reduction: Reduction): Code {
    const f = this.#f;
    const suffix = vector ? '_x4' : '';
    const pointers = this.#walkers.map((walker, position) => f.let(`x${position}_pointer${suffix}`, along(walker, this.#at)));
    const total = f.let(`total${suffix}`, initial(reduction.kind, body.type, vector));
    const r = f.local(`r${suffix}`, 'i32');
    const inside = this.#scope((operand) => pointers[operand] as Code<'i32'>, r, new Map())(null);
    f.for(r, 0, this.#parameters.integer('extent_r'), 1, () => {
      f.set(total, combine(f, reduction.kind, body.type, total, emit(vector, body, inside)));
      pointers.forEach((pointer, position) =>
        f.increment(pointer, i32.shl(this.#parameters.integer(`x${position}_stride_r`), 2)),
      );
    });
    if (reduction.epilogue === null) return total;
    const after = this.#scope((operand) => along(this.#walker(operand), this.#at), null, new Map())(total);
    return emit(vector, reduction.epilogue, after);
  }
}

function emit(vector: boolean, expression: Scalar, scope: ExpressionScope): Code {
  return vector ? emitVector(expression, scope) : emitScalar(expression, scope);
}
function initial(kind: Reduction['kind'], type: ElementType, vector: boolean): Code {
  if (type === 'f32') {
    const value = kind === 'sum' ? 0 : -Infinity;
    return vector ? f32x4.splat(value) : f32.const(value);
  }
  const value = kind === 'sum' || type === 'bool' ? 0 : -(2 ** 31);
  return vector ? i32x4.splat(value) : i32.const(value);
}
function combine(f: FunctionBuilder, kind: Reduction['kind'], type: ElementType, total: Code, value: Code): Code {
  if (total.type === 'v128') {
    const [a, b] = [total as V128, value as V128];
    if (type === 'f32') return kind === 'sum' ? f32x4.add(a, b) : f32x4.max(a, b);
    return kind === 'sum' ? i32x4.add(a, b) : i32x4.max_s(a, b);
  }
  if (type === 'f32') return (kind === 'sum' ? f32.add : f32.max)(total as Code<'f32'>, value as Code<'f32'>);
  const [a, b] = [total as Code<'i32'>, value as Code<'i32'>];
  return kind === 'sum' ? i32.add(a, b) : f.maximum(a, b);
}
