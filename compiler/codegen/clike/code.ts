import type { Builtin, Dialect, ElementNumber, NumberType, Parameter, ValueType, VectorType } from './dialect.ts';

/** Writes statements of a C-like language. Values are expressions as text; what is not atomic is in parentheses where it matters. */
export class Code {
  readonly dialect: Dialect;
  readonly #lines: string[] = [];
  readonly #names: Set<string>;
  #depth = 1;

  /** `names` are taken already: of parameters, bindings and functions. */
  constructor(dialect: Dialect, names: Iterable<string> = []) {
    this.dialect = dialect;
    this.#names = new Set(names);
  }
  get lines(): readonly string[] {
    return this.#lines;
  }

  line(text: string): void {
    this.#lines.push(`${'  '.repeat(this.#depth)}${text}`);
  }
  statement(text: string): void {
    this.line(`${text};`);
  }
  comment(text: string): void {
    this.line(`// ${text}`);
  }
  /** A name that nothing else has: the wanted one, or with a number behind. */
  name(wanted: string): string {
    let name = wanted;
    for (let count = 2; this.#names.has(name) || this.dialect.reserved.has(name); count += 1) name = `${wanted}_${count}`;
    this.#names.add(name);
    return name;
  }

  /** A value that does not change; gives its name. */
  let(wanted: string, type: ValueType, value: string): string {
    const name = this.name(wanted);
    this.statement(this.dialect.declaration('constant', name, type, value));
    return name;
  }
  /** A variable, zero without a value; gives its name. */
  var(wanted: string, type: ValueType, value?: string): string {
    const name = this.name(wanted);
    this.statement(this.dialect.declaration('variable', name, type, value));
    return name;
  }
  /** An array of the thread's own, zero at first; gives its name. Indices known when the shader is compiled keep it in registers. */
  array(wanted: string, type: ValueType, count: number): string {
    const name = this.name(wanted);
    this.statement(this.dialect.privateArray(name, type, count));
    return name;
  }
  assign(place: string, value: string): void {
    this.statement(`${place} = ${value}`);
  }
  add(place: string, value: string): void {
    this.statement(`${place} += ${value}`);
  }

  block(header: string, body: () => void): void {
    this.line(`${header} {`);
    this.#depth += 1;
    body();
    this.#depth -= 1;
    this.line('}');
  }
  if(condition: string, yes: () => void, no?: () => void): void {
    this.block(`if (${condition})`, yes);
    if (!no) return;
    this.#lines.pop();
    this.block('} else', no);
  }
  /** for (i = from; i < to; i += step), i an i32; the body gets its name. */
  for(wanted: string, from: string, to: string, step: string, body: (index: string) => void): void {
    const name = this.name(wanted);
    const start = this.dialect.declaration('variable', name, 'i32', from);
    this.block(`for (${start}; ${name} < ${to}; ${name} += ${step})`, () => body(name));
    // The name may be used again: it lives in the loop only.
    this.#names.delete(name);
  }
  /** Before a loop: what it loads is in registers for so many rounds at once, at most. */
  unrollAtMost(times: number): void {
    const hint = this.dialect.unrollAtMost?.(times);
    if (hint !== undefined) this.line(hint);
  }
  while(condition: string, body: () => void): void {
    this.block(`while (${condition})`, body);
  }
  return(value?: string): void {
    this.statement(value === undefined ? 'return' : `return ${value}`);
  }
  /** All threads of the workgroup have to come here. */
  barrier(memory: 'shared' | 'buffers' = 'shared'): void {
    this.statement(this.dialect.barrier(memory));
  }

  // Expressions
  i32(value: number): string {
    return this.dialect.literal('i32', value);
  }
  f32(value: number): string {
    return this.dialect.literal('f32', value);
  }
  literal(type: NumberType, value: number): string {
    return this.dialect.literal(type, value);
  }
  cast(type: ValueType, value: string): string {
    return this.dialect.cast(type, value);
  }
  bitcast(type: ElementNumber, value: string): string {
    return this.dialect.bitcast(type, value);
  }
  select(condition: string, yes: string, no: string): string {
    return this.dialect.select(condition, yes, no);
  }
  vector(type: VectorType, ...parts: readonly string[]): string {
    return this.dialect.vector(type, parts);
  }
  lane(vector: string, lane: string | number): string {
    return this.dialect.lane(vector, lane);
  }
  call(builtin: Builtin, ...parts: readonly string[]): string {
    return this.dialect.call(builtin, parts);
  }
  ceilDivide(value: string, by: string | number): string {
    return `((${value} + ${typeof by === 'number' ? by - 1 : `${by} - 1`}) / ${by})`;
  }
}

/** A function of the language: its name and parameters, and how its body is written. */
export interface FunctionDefinition {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly result: ValueType | null;
  /** Functions that it calls. */
  readonly uses?: readonly FunctionDefinition[];
  body(code: Code): void;
}
export function functionLines(definition: FunctionDefinition, dialect: Dialect): readonly string[] {
  const { name, parameters, result, body } = definition;
  const code = new Code(
    dialect,
    parameters.map((parameter) => parameter.name),
  );
  body(code);
  return [`${dialect.functionHeader(name, parameters, result)} {`, ...code.lines, '}'];
}
