/**
 * What differs between the C-like languages that kernels are written in. Arithmetic, comparisons, assignments, `if` and braces are
 * the same in all of them; everything else goes through this table.
 */
export type NumberType = 'f32' | 'f16' | 'i32' | 'u32' | 'bool';
export type ElementNumber = Exclude<NumberType, 'bool'>;
export type VectorType = `vec4<${ElementNumber}>`;
export type ValueType = NumberType | VectorType;

/** Functions that every language has under some name. `fma(a, b, c)` is a b + c; `round` goes to the nearest, ties to even. */
export type Builtin =
  'abs' | 'clamp' | 'cos' | 'dot' | 'exp' | 'floor' | 'fma' | 'log' | 'max' | 'min' | 'round' | 'sin' | 'sqrt' | 'unpackHalves';

/** A buffer of the kernel. */
export interface BindingSource {
  readonly name: string;
  readonly type: Exclude<ValueType, 'bool'>;
  readonly written: boolean;
}
/** An array that the threads of a workgroup share. */
export interface SharedArray {
  readonly name: string;
  readonly type: Exclude<ValueType, 'bool'> | 'atomic<u32>';
  readonly count: number;
}
/** Reductions over subgroups of threads (WGSL, section 17.12): none, those of the device, or of a size that is imitated. */
export type Subgroups = 'none' | 'device' | { readonly imitated: number };

/** A kernel before it is put into a language. */
export interface KernelSource {
  readonly name: string;
  /** What it computes, for the reader. */
  readonly comment: readonly string[];
  /** i32 values of a dispatch, in order; the first is the number of workgroups. */
  readonly sizes: readonly string[];
  readonly bindings: readonly BindingSource[];
  readonly shared: readonly SharedArray[];
  /** Whole functions, each as lines. */
  readonly functions: readonly (readonly string[])[];
  readonly workgroupSize: number;
  readonly usesHalf: boolean;
  readonly usesSubgroups: boolean;
  readonly body: readonly string[];
}

export interface Parameter {
  readonly name: string;
  readonly type: ValueType;
}

export interface Dialect {
  readonly name: string;
  /** Words that cannot name anything. */
  readonly reserved: ReadonlySet<string>;
  /** Names that every kernel has. */
  readonly globalNames: readonly string[];
  literal(type: NumberType, value: number): string;
  /** A value of the given bits, for infinities and NaN, which WGSL has no literal for. */
  floatOfBits(bits: number): string;
  /** Without the semicolon. A variable without a value is zero. */
  declaration(kind: 'constant' | 'variable', name: string, type: ValueType, value?: string): string;
  /** An array of the thread's own, zero at first. */
  privateArray(name: string, type: ValueType, count: number): string;
  cast(type: ValueType, value: string): string;
  bitcast(type: ElementNumber, value: string): string;
  select(condition: string, yes: string, no: string): string;
  /** From one part (for all lanes) or four. */
  vector(type: VectorType, parts: readonly string[]): string;
  /** A lane of a vector: a number from 0 to 3, or an expression. */
  lane(vector: string, lane: string | number): string;
  call(builtin: Builtin, parts: readonly string[]): string;
  /** A line before a loop that keeps the compiler from unrolling it more often; absent where a language has none. */
  unrollAtMost?(times: number): string;
  size(name: string): string;
  /** Threads of the workgroup have come here, and see what the others wrote to shared arrays or to buffers. */
  barrier(memory: 'shared' | 'buffers'): string;
  /** The value of a shared variable (a place in a shared array), the same for all threads; holds a barrier. */
  uniformLoad(place: string): string;
  /** Places in a shared array of the type atomic<u32>. Sums of integers are the same in any order. */
  readonly atomic: {
    load(place: string): string;
    store(place: string, value: string): string;
    add(place: string, value: string): string;
  };
  readonly subgroup: {
    readonly size: string;
    /** The value that the thread `lane ^ mask` of the subgroup has. */
    exchange(value: string, mask: string): string;
  };
  readonly place: {
    /** Number of the thread in its workgroup, and of the workgroup, both i32. */
    readonly thread: string;
    readonly workgroup: string;
  };
  functionHeader(name: string, parameters: readonly Parameter[], result: ValueType | null): string;
  kernel(source: KernelSource): string;
}
