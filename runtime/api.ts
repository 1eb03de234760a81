/**
 * What a package offers to its users. This file imports nothing: its text is the first half of every package's index.d.ts.
 */

/** Numbers of a tensor in row-major order. */
export type TensorData =
  Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | readonly (number | bigint | boolean)[];
/** Nested arrays, all of one length at each level; the nesting is the shape. */
export type Nested<T> = readonly (T | Nested<T>)[];
export type NestedArray = Nested<number | bigint | boolean>;
/** Numbers with their shape, or nested arrays of them. */
export type InputOf<Data extends TensorData, T> = { readonly data: Data; readonly shape: readonly number[] } | Nested<T>;
export type FloatInput = InputOf<Float32Array | Float64Array | readonly number[], number>;
/** Integers of 32 bits; they may come as 64-bit ones, as other tools give them. */
export type IntegerInput = InputOf<Int32Array | BigInt64Array | Uint8Array | readonly (number | bigint)[], number | bigint>;
/** Booleans, or 0 and 1. */
export type BooleanInput = InputOf<
  Uint8Array | Int32Array | BigInt64Array | readonly (boolean | number | bigint)[],
  boolean | number | bigint
>;
/** An input of any element type. */
export type TensorInput = InputOf<TensorData, number | bigint | boolean>;

export interface FloatTensor {
  readonly elementType: 'f32';
  readonly data: Float32Array<ArrayBuffer>;
  readonly shape: readonly number[];
}
export interface IntegerTensor {
  readonly elementType: 'i32';
  readonly data: Int32Array<ArrayBuffer>;
  readonly shape: readonly number[];
}
export interface BooleanTensor {
  readonly elementType: 'bool';
  /** 0 or 1. */
  readonly data: Uint8Array<ArrayBuffer>;
  readonly shape: readonly number[];
}
export type TensorOutput = FloatTensor | IntegerTensor | BooleanTensor;

export type LoadPhase = 'files' | 'weights' | 'self-test';
export interface LoadProgress {
  readonly phase: LoadPhase;
  readonly loadedBytes: number;
  readonly totalBytes: number;
}
/** The time of one dispatch of a run. */
export interface StepTime {
  /** Position among the dispatches of program.json. */
  readonly step: number;
  /** Milliseconds on the clock of the worker. */
  readonly start: number;
  readonly milliseconds: number;
}
export interface LoadOptions {
  /** `auto` takes the fastest backend in the package that works here. */
  readonly backend?: 'auto' | 'wasm';
  /** The folder of the package, when it is not the one that index.js lies in; in browsers it may be relative to the page. */
  readonly baseUrl?: string | URL;
  /** The package's files by path, such as `weights/model.safetensors`, instead of reading them from the folder. */
  readonly files?: Readonly<Record<string, Uint8Array>> | ((path: string) => Promise<Uint8Array>);
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Called after every run of the program, the self-test's too, with the time of each dispatch. */
  readonly onProfile?: (steps: readonly StepTime[]) => void;
  /**
   * Threads that compute a call together, 1 to 64; `auto` (the default) takes one for each available processor, at most 4.
   * Results are the same for any number.
   */
  readonly threads?: number | 'auto';
  /** Runs the package's golden vectors before the model is handed out; default true. */
  readonly selfTest?: boolean;
}

/** A call is aborted by its signal and then rejects with the signal's reason. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}
export interface EmbedOptions extends CallOptions {
  /** Scales embeddings to length 1; the default is what the model was made for. */
  readonly normalize?: boolean;
}
export interface Classification {
  readonly label: string;
  /** Probability of the label. */
  readonly score: number;
  /** Probability of every label. */
  readonly scores: Readonly<Record<string, number>>;
}
export interface Tokenized {
  /** Token ids with the special tokens, no longer than the model allows. */
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  readonly truncated: boolean;
}

export interface AttentionHeads {
  readonly mode: string;
  readonly kvHeads: readonly number[];
  /** Nominal share of keys, 1 for dense. */
  readonly keys: number;
  readonly measuredKeys: { readonly mean: number; readonly max: number } | null;
}
export interface ModelInfo {
  readonly name: string;
  readonly backend: string;
  /** Why this backend was taken. */
  readonly why: string;
  readonly threads: {
    readonly used: number;
    /** Why it is this number. */
    readonly why: string;
  };
  readonly memory: {
    /** Bytes that the backend holds now. */
    readonly bytes: number;
    /** The largest they have been. */
    readonly peakBytes: number;
    /** Bytes of a call with every dim at its maximum. */
    readonly maximumBytes: number;
    /** Peak bytes with this number of threads, as an expression of the dims. */
    readonly formula: unknown;
  };
  readonly dims: readonly { readonly name: string; readonly min: number; readonly max: number }[];
  readonly attention: {
    readonly keys: string | null;
    readonly reason: string;
    readonly layers: readonly { readonly layer: number; readonly heads: readonly AttentionHeads[] }[];
  };
  /** Everything in the package that is not exact, in words. */
  readonly approximations: readonly string[];
  readonly compilerVersion: string;
  readonly runtimeVersion: string;
}

/** What `run` takes and gives; a package has its own, with the names and types of its ports. */
export type NamedInputs = Readonly<Record<string, TensorInput | undefined>>;
export type NamedOutputs = Readonly<Record<string, TensorOutput>>;

/** One line of calls with its own state. Ends with its model, or on its own with `dispose()`. */
export interface Session<Inputs = NamedInputs, Outputs = NamedOutputs> {
  run(inputs: Inputs, options?: CallOptions): Promise<Outputs>;
  dispose(): void;
  [Symbol.dispose](): void;
}

/** Calls queue up and run one after the other, first come, first served. */
export interface Model<Inputs = NamedInputs, Outputs = NamedOutputs> {
  /** Named tensors in, named tensors out. Inputs with a default may be left out. */
  run(inputs: Inputs, options?: CallOptions): Promise<Outputs>;
  /** Texts are batched by length; the results come in the order of the texts. */
  embed(text: string, options?: EmbedOptions): Promise<Float32Array<ArrayBuffer>>;
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array<ArrayBuffer>[]>;
  classify(text: string, options?: CallOptions): Promise<Classification>;
  classify(texts: readonly string[], options?: CallOptions): Promise<Classification[]>;
  tokenize(text: string): Tokenized;
  session(): Session<Inputs, Outputs>;
  info(): ModelInfo;
  /** Bytes that the backend holds now. */
  readonly memoryBytes: number;
  /** Compares this backend with the recorded outputs of the reference interpreter; rejects with ATPC-405. */
  selfTest(options?: CallOptions): Promise<void>;
  /** Ends the worker and frees its memory; calls that still wait reject with ATPC-606. */
  dispose(): Promise<void>;
  [Symbol.dispose](): void;
  [Symbol.asyncDispose](): Promise<void>;
}
