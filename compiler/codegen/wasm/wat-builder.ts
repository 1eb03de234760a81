/**
 * A structured emitter of WAT text. Expressions are typed trees (wat-code.ts); a `FunctionBuilder` writes statements one
 * after the other, with loops and branches as callbacks; a `ModuleBuilder` collects the kernels and those internal functions
 * that they call. An example:
 *
 *     const sumOfRow = defineFunction('sum_of_row', [['row', 'i32'], ['count', 'i32']], 'f32', (f, row, count) => {
 *       const sum = f.let('sum', f32.const(0));
 *       const i = f.local('i', 'i32');
 *       f.for(i, 0, count, 1, () => f.set(sum, f32.add(sum, f32.load(f.element(row, i)))));
 *       return sum;
 *     });
 *     module.kernel('row_sums', { operands: ['x', 'result'], integers: ['columns'] }, (f, { begin, end, operands, integers }) => {
 *       const [x, result] = operands;  const [columns] = integers;
 *       const row = f.local('row', 'i32');
 *       f.for(row, begin, end, 1, () => {
 *         f.comment('result[row] = sum of x[row, :]');
 *         f.store(f.element(result, row), f.call(sumOfRow, f.element(x, i32.mul(row, columns)), columns));
 *       });
 *     });
 */
import type { Size } from '../../../ir/size.ts';
import { i32, instruction, printCode, select, toCode, withoutRelaxed } from './wat-code.ts';
import type { Code, I32, Local, OperandOf, V128, ValueType } from './wat-code.ts';

type Parameters = readonly (readonly [name: string, type: ValueType])[];
type LocalsOf<P extends Parameters> = { readonly [I in keyof P]: Local<P[I][1]> };
type OperandsOf<P extends Parameters> = { readonly [I in keyof P]: OperandOf[P[I][1]] };

/** A function of the module that kernels call; it is emitted where something calls it. */
export interface InternalFunction<P extends Parameters = Parameters, R extends ValueType | null = ValueType | null> {
  readonly name: string;
  readonly parameters: P;
  readonly result: R;
  /** Writes the body. */
  emit(f: FunctionBuilder): void;
}
/** A function of one value to another of the same type. */
export type UnaryFunction<T extends ValueType> = InternalFunction<readonly [readonly ['x', T]], T>;
/** The body returns the result, or nothing where `result` is null. Names are unique in a module. */
export function defineFunction<const P extends Parameters, R extends ValueType | null>(
  name: string,
  parameters: P,
  result: R,
  body: (f: FunctionBuilder, ...parameters: LocalsOf<P>) => R extends ValueType ? Code<R> : void,
): InternalFunction<P, R> {
  const emit = (f: FunctionBuilder): void => {
    const locals = parameters.map(([parameter, type]) => f.parameter(parameter, type));
    const value: Code | void = body(f, ...(locals as unknown as LocalsOf<P>));
    if (value !== undefined) f.emit(value);
  };
  return { name, parameters, result, emit };
}

export class FunctionBuilder {
  readonly #module: ModuleBuilder;
  readonly #lines: string[] = [];
  readonly #names = new Set<string>();
  readonly #parameters: string[] = [];
  readonly #locals: string[] = [];
  // One space a level: loops nest deeply, and every package carries the text.
  #indent = '  ';
  #labels = 0;

  constructor(module: ModuleBuilder) {
    this.#module = module;
  }

  #declare<T extends ValueType>(kind: 'param' | 'local', name: string, type: T): Local<T> {
    let unique = name;
    for (let count = 1; this.#names.has(unique); count++) unique = `${name}_${count}`;
    this.#names.add(unique);
    (kind === 'param' ? this.#parameters : this.#locals).push(`(${kind} $${unique} ${type})`);
    return { ...instruction(type, `local.get $${unique}`), name: unique };
  }
  parameter<T extends ValueType>(name: string, type: T): Local<T> {
    return this.#declare('param', name, type);
  }
  /** A new local, zero at first; a name that is taken gets a number. */
  local<T extends ValueType>(name: string, type: T): Local<T> {
    return this.#declare('local', name, type);
  }
  /** A new local that holds a value from here on. */
  let<T extends ValueType>(name: string, value: Code<T>): Local<T> {
    const local = this.local(name, value.type);
    this.emit(instruction(value.type, `local.set $${local.name}`, [value]));
    return local;
  }

  /** Writes an expression as a statement. */
  emit(code: Code): void {
    this.#lines.push(this.#text(code, this.#indent));
  }
  #text(code: Code, indent: string): string {
    return printCode(this.#module.relaxedSimd ? code : withoutRelaxed(code), indent);
  }
  #line(text: string): void {
    this.#lines.push(this.#indent + text);
  }
  #indented(body: () => void): void {
    const outer = this.#indent;
    this.#indent += ' ';
    body();
    this.#indent = outer;
  }
  comment(text: string): void {
    this.#line(`;; ${text}`);
  }

  set<T extends ValueType>(local: Local<T>, value: OperandOf[T]): void {
    this.emit(instruction(local.type, `local.set $${local.name}`, [toCode(local.type, value)]));
  }
  /** local += amount. */
  increment(local: Local<'i32'>, amount: I32): void {
    this.set(local, i32.add(local, amount));
  }
  /** Stores a value of any type (a vector: 16 bytes) at address + offset. */
  store(address: I32, value: Code, offset = 0): void {
    const align = value.type === 'v128' ? ' align=4' : '';
    const head = `${value.type}.store${offset === 0 ? '' : ` offset=${offset}`}${align}`;
    this.emit(instruction('i32', head, [toCode('i32', address), value]));
  }
  /** Stores one 4-byte lane of a vector. */
  storeLane(address: I32, vector: V128, lane: number, offset = 0): void {
    const head = `v128.store32_lane${offset === 0 ? '' : ` offset=${offset}`} align=4 ${lane}`;
    this.emit(instruction('i32', head, [toCode('i32', address), vector]));
  }
  copyMemory(to: I32, from: I32, bytes: I32): void {
    this.emit(instruction('i32', 'memory.copy', [toCode('i32', to), toCode('i32', from), toCode('i32', bytes)]));
  }
  fillMemory(to: I32, byte: I32, bytes: I32): void {
    this.emit(instruction('i32', 'memory.fill', [toCode('i32', to), toCode('i32', byte), toCode('i32', bytes)]));
  }
  /** The address of the element `index` of a tensor of 4-byte elements. */
  element(base: I32, index: I32): Code<'i32'> {
    return i32.add(base, i32.shl(index, 2));
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.#lines.push(`${this.#indent}(if\n${this.#text(toCode('i32', condition), `${this.#indent} `)}`);
    this.#indented(() => {
      this.#line('(then');
      this.#indented(then);
      this.#line(')');
      if (otherwise === undefined) return;
      this.#line('(else');
      this.#indented(otherwise);
      this.#line(')');
    });
    this.#line(')');
  }
  #loop(name: string, body: () => void, again: () => I32): void {
    const label = `$${name}_${this.#labels++}`;
    this.#line(`(loop ${label}`);
    this.#indented(() => {
      body();
      this.emit(instruction('i32', `br_if ${label}`, [toCode('i32', again())]));
    });
    this.#line(')');
  }
  /**
   * for (variable = from; variable < to; variable += step), signed; `to` is evaluated in every round. Where `from` is the
   * variable itself, the loop goes on from where it stands.
   */
  for(variable: Local<'i32'>, from: I32, to: I32, step: I32, body: () => void): void {
    if (from !== variable) this.set(variable, from);
    const more = () => i32.lt_s(variable, to);
    this.if(more(), () => {
      const round = () => {
        body();
        this.increment(variable, step);
      };
      this.#loop(variable.name, round, more);
    });
  }
  while(condition: () => Code<'i32'>, body: () => void): void {
    this.if(condition(), () => this.#loop('while', body, condition));
  }
  /** Runs the body at least once, and again as long as the condition holds after it. */
  doWhile(body: () => void, condition: () => Code<'i32'>): void {
    this.#loop('repeat', body, condition);
  }
  /** A block that `leave` ends early. */
  block(body: (leave: (condition?: Code<'i32'>) => void) => void): void {
    const label = `$block_${this.#labels++}`;
    this.#line(`(block ${label}`);
    this.#indented(() =>
      body((condition) =>
        this.emit(
          condition === undefined ? instruction('i32', `br ${label}`) : instruction('i32', `br_if ${label}`, [condition]),
        ),
      ),
    );
    this.#line(')');
  }
  return(value?: Code): void {
    this.emit(instruction('i32', 'return', value === undefined ? [] : [value]));
  }

  /** A call as an expression. */
  call<P extends Parameters, R extends ValueType>(called: InternalFunction<P, R>, ...operands: OperandsOf<P>): Code<R> {
    return this.#call(called, called.result, operands);
  }
  /** A call of a function of one operand, where its type is a type parameter. */
  apply<T extends ValueType>(called: UnaryFunction<T>, x: Code<T>): Code<T> {
    return this.#call(called, called.result, [x]);
  }
  /** A call of a function without a result, as a statement. */
  run<P extends Parameters>(called: InternalFunction<P, null>, ...operands: OperandsOf<P>): void {
    this.emit(this.#call(called, 'i32', operands));
  }
  /** A call of a kernel of the same module, as a statement: its items, scratch, operands and integers. */
  runKernel(name: string, ...parameters: readonly I32[]): void {
    this.emit(
      instruction(
        'i32',
        `call $${name}`,
        parameters.map((parameter) => toCode('i32', parameter)),
      ),
    );
  }
  #call<R extends ValueType>(called: InternalFunction, result: R, operands: readonly (number | Code)[]): Code<R> {
    this.#module.use(called);
    const codes = operands.map((operand, position) => {
      const type = called.parameters[position]?.[1];
      if (type === undefined) throw new TypeError(`$${called.name} takes ${called.parameters.length} operands.`);
      return toCode<ValueType>(type, operand);
    });
    return instruction(result, `call $${called.name}`, codes);
  }

  minimum(a: I32, b: I32): Code<'i32'> {
    return this.call(minimumI32, a, b);
  }
  maximum(a: I32, b: I32): Code<'i32'> {
    return this.call(maximumI32, a, b);
  }
  /** An ir size over named i32 values, as the runtime evaluates it: division rounds down (or up), also below zero. */
  size(size: Size, symbols: Readonly<Record<string, I32>>): Code<'i32'> {
    if (typeof size === 'number') return i32.const(size);
    if (typeof size === 'string') {
      const value = symbols[size];
      if (value === undefined) throw new RangeError(`The size has the symbol '${size}', which is not bound in this kernel.`);
      return toCode('i32', value);
    }
    const [a, b] = [this.size(size[1], symbols), this.size(size[2], symbols)];
    switch (size[0]) {
      case '+':
        return i32.add(a, b);
      case '*':
        return i32.mul(a, b);
      case 'floor/':
        return this.call(floorDivide, a, b);
      case 'ceil/':
        return this.call(ceilDivide, a, b);
      case 'min':
        return this.minimum(a, b);
      case 'max':
        return this.maximum(a, b);
    }
  }

  /** The whole function as text. */
  print(name: string, exported: boolean, result: ValueType | null): string {
    const head = [`(func $${name}`];
    if (exported) head.push(`(export "${name}")`);
    const signature = [...this.#parameters, ...(result === null ? [] : [`(result ${result})`])];
    const locals = wrap(this.#locals, '  ');
    return [` ${head.join(' ')}`, ...wrap(signature, '  '), ...locals, ...this.#lines, ' )'].join('\n');
  }
}

function wrap(words: readonly string[], indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    if (line !== '' && indent.length + line.length + word.length + 1 > 120) {
      lines.push(indent + line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, indent + line];
}

const minimumI32 = defineFunction(
  'min_i32',
  [
    ['a', 'i32'],
    ['b', 'i32'],
  ],
  'i32',
  (_, a, b) => select(i32.lt_s(a, b), a, b),
);
const maximumI32 = defineFunction(
  'max_i32',
  [
    ['a', 'i32'],
    ['b', 'i32'],
  ],
  'i32',
  (_, a, b) => select(i32.gt_s(a, b), a, b),
);
const floorDivide = defineFunction(
  'floor_divide',
  [
    ['a', 'i32'],
    ['b', 'i32'],
  ],
  'i32',
  (_, a, b) =>
    // One less than the truncated quotient where there is a rest and the signs differ.
    i32.sub(i32.div_s(a, b), i32.and(i32.lt_s(i32.xor(a, b), 0), i32.ne(i32.rem_s(a, b), 0))),
);
const ceilDivide = defineFunction(
  'ceil_divide',
  [
    ['a', 'i32'],
    ['b', 'i32'],
  ],
  'i32',
  (f, a, b) => i32.sub(0, f.call(floorDivide, i32.sub(0, a), b)),
);

/** The parameters that every kernel has, and its own. */
export interface KernelParameters {
  /** The work items [begin, end). */
  readonly begin: Local<'i32'>;
  readonly end: Local<'i32'>;
  /** Byte address of the lane's own scratch, a multiple of 64. */
  readonly scratch: Local<'i32'>;
  /** Byte addresses. Index with `at`-like destructuring; the order is that of kernel.ts. */
  readonly operands: readonly Local<'i32'>[];
  readonly integers: readonly Local<'i32'>[];
  /** By name; throws where there is none. */
  operand(name: string): Local<'i32'>;
  integer(name: string): Local<'i32'>;
}
/** What a kernel renderer gets: where to write, and the name to export. */
export interface KernelContext {
  readonly module: ModuleBuilder;
  readonly name: string;
  /** False for a kernel that only another kernel of the module calls. */
  readonly exported?: boolean | undefined;
}

export class ModuleBuilder {
  /** Whether the module may use the instructions of the relaxed SIMD extension. */
  readonly relaxedSimd: boolean;
  readonly #functions: string[] = [];
  readonly #internal = new Map<string, { readonly definition: InternalFunction; text: string }>();

  constructor({ relaxedSimd = false }: { readonly relaxedSimd?: boolean } = {}) {
    this.relaxedSimd = relaxedSimd;
  }

  /** Has an internal function emitted; a second definition of one name is an error. */
  use(definition: InternalFunction): void {
    const known = this.#internal.get(definition.name);
    if (known !== undefined) {
      if (known.definition !== definition) throw new Error(`Two internal functions have the name $${definition.name}.`);
      return;
    }
    const entry = { definition, text: '' };
    this.#internal.set(definition.name, entry);
    const f = new FunctionBuilder(this);
    definition.emit(f);
    entry.text = f.print(definition.name, false, definition.result);
  }

  /** Adds a kernel, exported if nothing else is said: ($begin, $end, $scratch, operands..., integers...). Names only have to be readable and differ. */
  kernel(
    name: string,
    parameters: {
      readonly operands: readonly string[];
      readonly integers: readonly string[];
      readonly exported?: boolean | undefined;
    },
    body: (f: FunctionBuilder, parameters: KernelParameters) => void,
  ): void {
    const f = new FunctionBuilder(this);
    const [begin, end, scratch] = [f.parameter('begin', 'i32'), f.parameter('end', 'i32'), f.parameter('scratch', 'i32')];
    const operands = parameters.operands.map((operand) => f.parameter(operand, 'i32'));
    const integers = parameters.integers.map((integer) => f.parameter(integer, 'i32'));
    const named = (locals: readonly Local<'i32'>[], names: readonly string[]) => (wanted: string) => {
      const local = locals[names.indexOf(wanted)];
      if (local === undefined) throw new Error(`The kernel ${name} has no parameter '${wanted}'.`);
      return local;
    };
    body(f, {
      begin,
      end,
      scratch,
      operands,
      integers,
      operand: named(operands, parameters.operands),
      integer: named(integers, parameters.integers),
    });
    this.#functions.push(f.print(name, parameters.exported ?? true, null));
  }

  /** The module as text: internal functions in the order of their names, then the kernels. */
  print(): string {
    const internal = [...this.#internal.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { text }]) => text);
    return `(module\n (import "atpc" "memory" (memory $memory 1))\n\n${[...internal, ...this.#functions].join('\n\n')})\n`;
  }
}
