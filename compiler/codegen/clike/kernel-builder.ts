/** Writes one kernel of a GPU: names its operands, sizes and shared arrays, and puts the parts together. */
import type { BindingPattern, BoundOperand } from '../../kernel/binding.ts';
import type { BufferElementType } from '../../../runtime/format/program.ts';
import { Code, functionLines, type FunctionDefinition } from './code.ts';
import type { BindingSource, Dialect, ElementNumber, SharedArray, Subgroups, VectorType } from './dialect.ts';

/** What a renderer of kernels is given. */
export interface KernelContext {
  readonly dialect: Dialect;
  readonly name: string;
  readonly pattern: BindingPattern;
  /** Whether the kernel has scratch memory: one more buffer, f32, which it may read and write. */
  readonly scratch: boolean;
  readonly features: KernelFeatures;
}
export interface KernelFeatures {
  readonly subgroups: Subgroups;
  /** 16-bit floats in buffers and shared arrays; sums are f32 in any case. */
  readonly half: boolean;
}

/** What elements are read as. */
const elementNumbers: { readonly [K in BufferElementType]: ElementNumber } = {
  f32: 'f32',
  f16: 'f32',
  i32: 'i32',
  bool: 'i32',
  u8: 'u32',
};
/** What a binding holds them as; halves as words, two in each, where the kernel has no 16-bit floats. */
function storedNumber(type: BufferElementType, half: boolean): ElementNumber {
  return type === 'f16' ? (half ? 'f16' : 'u32') : elementNumbers[type];
}

/**
 * A place in memory that is read and written by element. Indices are i32 expressions, in elements (of u8, in words of four). What is
 * stored as f16 is read as f32, and never written.
 */
export class Operand {
  readonly name: string;
  readonly #code: Code;
  readonly #binding: BindingSource;
  readonly #type: ElementNumber;
  readonly #halves: boolean;
  readonly #offset: string | null;
  /** Whether `vectorAt` and `storeVector` move four elements at once; else they move one after the other. */
  readonly vectors: boolean;

  constructor(name: string, code: Code, binding: BindingSource, elementType: BufferElementType, offset: string | null) {
    this.name = name;
    this.#halves = elementType === 'f16';
    this.#code = code;
    this.#binding = binding;
    this.#type = elementNumbers[elementType];
    this.#offset = offset;
    this.vectors = binding.type.startsWith('vec4');
  }
  get #vectorType(): VectorType {
    return `vec4<${this.#type}>`;
  }
  #place(index: string): string {
    return this.#offset === null ? index : `${this.#offset} + ${index}`;
  }
  #converted(element: string, stored: string): string {
    if (this.#halves) return this.#code.cast('f32', element);
    return stored === this.#type ? element : this.#code.bitcast(this.#type, element);
  }

  /** The element at an index. */
  at(index: string): string {
    const { name, type } = this.#binding;
    const place = this.#place(index);
    if (this.#halves && type.includes('u32')) {
      const word = this.vectors
        ? this.#code.lane(`${name}[(${place}) >> 3u]`, `((${place}) >> 1u) & 3`)
        : `${name}[(${place}) >> 1u]`;
      return this.#code.lane(this.#code.call('unpackHalves', word), `(${place}) & 1`);
    }
    if (!this.vectors) return this.#converted(`${name}[${place}]`, type);
    const lane = this.#code.lane(`${name}[(${place}) >> 2u]`, `(${place}) & 3`);
    return this.#halves ? this.#code.cast('f32', lane) : lane;
  }
  /** Four elements from an index on, which is a multiple of four where the operand has vectors. */
  vectorAt(index: string): string {
    const { name, type } = this.#binding;
    if (this.vectors && !(this.#halves && type.includes('u32'))) {
      const vector = `${name}[(${this.#place(index)}) >> 2u]`;
      return this.#halves ? this.#code.vector('vec4<f32>', vector) : vector;
    }
    const lanes = [0, 1, 2, 3].map((lane) => this.at(lane === 0 ? index : `${index} + ${lane}`));
    return this.#code.vector(this.#vectorType, ...lanes);
  }
  /** Eight halves as four words, from an index on that is a multiple of eight: with vectors, in a kernel without 16-bit floats. */
  eightHalvesAt(index: string): string {
    return `${this.#binding.name}[(${this.#place(index)}) >> 3u]`;
  }
  store(index: string, value: string): void {
    const { name, type } = this.#binding;
    const place = this.#place(index);
    if (this.vectors) this.#code.assign(this.#code.lane(`${name}[(${place}) >> 2u]`, `(${place}) & 3`), value);
    else this.#code.assign(`${name}[${place}]`, type === this.#type ? value : this.#code.bitcast(type as ElementNumber, value));
  }
  storeVector(index: string, value: string): void {
    const { name } = this.#binding;
    if (this.vectors) return this.#code.assign(`${name}[(${this.#place(index)}) >> 2u]`, value);
    const vector = this.#code.let('lanes', this.#vectorType, value);
    for (const lane of [0, 1, 2, 3]) this.store(lane === 0 ? index : `${index} + ${lane}`, this.#code.lane(vector, lane));
  }
}

export interface KernelSettings {
  /** Names of the operands, in the order of kernel.ts. */
  readonly operands: readonly string[];
  /** Names of the integers, in the order of kernel.ts. */
  readonly integers: readonly string[];
  readonly workgroupSize: number;
  /** What the kernel computes, in a line or two. */
  readonly comment: string;
}

export class KernelBuilder extends Code {
  readonly context: KernelContext;
  readonly workgroupSize: number;
  /** Number of the thread in its workgroup, i32. */
  readonly thread: string;
  /** Number of the workgroup: the item, i32. */
  readonly item: string;
  readonly #settings: KernelSettings;
  readonly #sizes: readonly string[];
  readonly #bindings: readonly BindingSource[];
  readonly #operands = new Map<string, Operand>();
  readonly #shared: SharedArray[] = [];
  readonly #once = new Map<string, string>();
  readonly #functions = new Map<string, FunctionDefinition>();
  #usesSubgroups = false;
  #usesHalf = false;

  constructor(context: KernelContext, settings: KernelSettings) {
    const { dialect, pattern, scratch } = context;
    super(dialect, [...dialect.globalNames, ...settings.operands]);
    this.context = context;
    this.workgroupSize = settings.workgroupSize;
    this.#settings = settings;
    if (pattern.operands.length !== settings.operands.length) {
      throw new RangeError(
        `The kernel ${context.name} has ${settings.operands.length} operands; ${pattern.operands.length} are bound.`,
      );
    }
    this.#bindings = [
      ...pattern.written.map((written, binding) =>
        bindingOf(pattern.operands, settings.operands, { binding, written, half: context.features.half }),
      ),
      ...(scratch ? [{ name: 'scratch', type: 'f32', written: true } as const] : []),
    ];
    for (const { name } of this.#bindings) this.name(name);
    pattern.operands.forEach(({ binding, elementType }, index) => {
      const name = settings.operands[index] as string;
      const operand = new Operand(
        name,
        this,
        this.#bindings[binding] as BindingSource,
        elementType,
        dialect.size(`${name}_offset`),
      );
      this.#operands.set(name, operand);
    });
    this.#sizes = ['items', ...settings.operands.map((name) => `${name}_offset`), ...settings.integers];
    this.thread = dialect.place.thread;
    this.item = dialect.place.workgroup;
  }

  operand(name: string): Operand {
    const operand = this.#operands.get(name);
    if (operand === undefined) throw new RangeError(`The kernel ${this.context.name} has no operand '${name}'.`);
    return operand;
  }
  /** An integer of the dispatch. */
  size(name: string): string {
    if (!this.#sizes.includes(name)) throw new RangeError(`The kernel ${this.context.name} has no integer '${name}'.`);
    return this.dialect.size(name);
  }
  /** The scratch memory of the whole dispatch, f32; items share it out among themselves. */
  scratchAt(index: string): string {
    if (!this.context.scratch) throw new RangeError(`The kernel ${this.context.name} has no scratch.`);
    return `scratch[${index}]`;
  }

  /** An array that the threads of the workgroup share; gives its name. */
  shared(wanted: string, type: SharedArray['type'], count: number): string {
    const name = this.name(wanted);
    if (type.includes('f16')) this.#usesHalf = true;
    this.#shared.push({ name, type, count });
    return name;
  }
  /** The same array wherever it is asked for by this name, as long as the most that was: for what is done with before the next use. */
  sharedOnce(wanted: string, type: SharedArray['type'], count: number): string {
    const known = this.#once.get(wanted) ?? this.shared(wanted, type, count);
    this.#once.set(wanted, known);
    const place = this.#shared.findIndex(({ name }) => name === known);
    const { count: before = count } = this.#shared[place] ?? {};
    this.#shared[place] = { name: known, type, count: Math.max(before, count) };
    return known;
  }
  get sharedBytes(): number {
    return this.#shared.reduce((sum, { type, count }) => sum + bytesOfType(type) * count, 0);
  }
  /** Makes a function known; gives its name. */
  use(definition: FunctionDefinition): string {
    for (const used of definition.uses ?? []) this.use(used);
    this.#functions.set(definition.name, definition);
    return definition.name;
  }
  useSubgroups(): void {
    this.#usesSubgroups = true;
  }

  /** The whole kernel as text. */
  print(): string {
    const { dialect, name } = this.context;
    return dialect.kernel({
      name,
      comment: this.#settings.comment.split('\n'),
      sizes: this.#sizes,
      bindings: this.#bindings,
      shared: this.#shared,
      functions: [...this.#functions.values()].map((definition) => functionLines(definition, dialect)),
      workgroupSize: this.workgroupSize,
      usesHalf: this.#usesHalf || this.#bindings.some(({ type }) => type.includes('f16')),
      usesSubgroups: this.#usesSubgroups,
      body: this.lines,
    });
  }
}

/** One binding holds every operand that lies in its buffer; what they are stored as is what all of them can be read from. */
function bindingOf(
  operands: readonly BoundOperand[],
  names: readonly string[],
  { binding, written, half }: { readonly binding: number; readonly written: boolean; readonly half: boolean },
): BindingSource {
  const own = operands.flatMap((operand, index) => (operand.binding === binding ? [{ ...operand, name: names[index] }] : []));
  const types = [...new Set(own.map(({ elementType }) => storedNumber(elementType, half)))];
  const [only = 'u32', ...others] = types;
  const type = others.length > 0 ? 'u32' : own.every(({ vectors }) => vectors) ? (`vec4<${only}>` as const) : only;
  return { name: `${own.map(({ name }) => name).join('_')}_buffer`, type, written };
}
export function bytesOfType(type: SharedArray['type']): number {
  return (type.includes('f16') ? 2 : 4) * (type.startsWith('vec4') ? 4 : 1);
}
