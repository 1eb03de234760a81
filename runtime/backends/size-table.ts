import { sizeOperators, type SizeExpression } from '../format/expression.ts';

/** Position of a value in a table. */
export type SizeIndex = number;

/** Values that change together: once a call, or once a round of a repeat. A scope sees what is around it. */
export interface SizeScope {
  /** The scopes around it, the outermost first, and itself. */
  readonly path: readonly SizeScope[];
  readonly symbols: ReadonlyMap<string, SizeIndex>;
  readonly instructions: Instruction[];
}
interface Instruction {
  readonly target: SizeIndex;
  readonly apply: (a: number, b: number) => number;
  readonly left: SizeIndex;
  readonly right: SizeIndex;
}
const constants = -1;

/**
 * Size expressions as straight-line code over one array of values. Parts that are alike are computed once: the layers of a model
 * share nearly all of theirs, so that a call whose dims have changed recomputes tens of values and not thousands.
 */
export class SizeTable {
  readonly #values: number[] = [];
  /** Depth of the scope that a value changes with. */
  readonly #depths: number[] = [];
  readonly #constants = new Map<number, SizeIndex>();
  readonly #operations = new Map<string, SizeIndex>();

  /** The scope of a call, or that of the rounds inside another. Its symbols are to be set before it is computed. */
  scope(symbols: readonly string[], around?: SizeScope, fixed: Readonly<Record<string, number>> = {}): SizeScope {
    const path = [...(around?.path ?? [])];
    const known = new Map(around?.symbols);
    for (const [name, value] of Object.entries(fixed)) known.set(name, this.#constant(value));
    for (const name of symbols) known.set(name, this.#push(NaN, path.length));
    const scope = { path, symbols: known, instructions: [] };
    path.push(scope);
    return scope;
  }
  #push(value: number, depth: number): SizeIndex {
    this.#depths.push(depth);
    return this.#values.push(value) - 1;
  }

  /** Throws RangeError for a symbol that is not in the scope. */
  add(expression: SizeExpression, scope: SizeScope): SizeIndex {
    if (typeof expression === 'number') return this.#constant(expression);
    if (typeof expression === 'string') {
      const index = scope.symbols.get(expression);
      if (index === undefined) throw new RangeError(`The dim '${expression}' has no value.`);
      return index;
    }
    const apply = sizeOperators[expression[0]];
    const [left, right] = [this.add(expression[1], scope), this.add(expression[2], scope)];
    const depth = Math.max(this.#depths[left] as number, this.#depths[right] as number);
    if (depth === constants) return this.#constant(apply(this.#values[left] as number, this.#values[right] as number));
    const key = `${expression[0]} ${left} ${right}`;
    const known = this.#operations.get(key);
    if (known !== undefined) return known;
    const target = this.#push(NaN, depth);
    this.#operations.set(key, target);
    (scope.path[depth] as SizeScope).instructions.push({ target, apply, left, right });
    return target;
  }
  #constant(value: number): SizeIndex {
    let index = this.#constants.get(value);
    if (index === undefined) this.#constants.set(value, (index = this.#push(value, constants)));
    return index;
  }

  isConstant(index: SizeIndex): boolean {
    return this.#depths[index] === constants;
  }
  at(index: SizeIndex): number {
    return this.#values[index] as number;
  }
  /** Does nothing for a symbol that the scope has not. */
  set(scope: SizeScope, symbol: string, value: number): void {
    const index = scope.symbols.get(symbol);
    if (index !== undefined) this.#values[index] = value;
  }
  /** Computes what changes with a scope, after its symbols were set and the scopes around it were computed. */
  compute({ instructions }: SizeScope): void {
    const values = this.#values;
    for (const { target, apply, left, right } of instructions)
      values[target] = apply(values[left] as number, values[right] as number);
  }
}
