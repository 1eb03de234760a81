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

export type LoadPhase = 'files' | 'kernels' | 'weights' | 'self-test';
export interface LoadProgress {
  readonly phase: LoadPhase;
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** In the phase `kernels`, which goes on while weights are read: how many of them the device has compiled. */
  readonly kernels?: { readonly done: number; readonly total: number };
}
/** The time of one dispatch of a run. */
export interface StepTime {
  /** Position among the dispatches of the entry point; -1 for all of them, on a device that has no timestamps. */
  readonly step: number;
  /** Milliseconds on the clock of the worker. */
  readonly start: number;
  readonly milliseconds: number;
}
export interface LoadOptions {
  /**
   * `auto` (the default) takes the fastest backend in the package that works here: it times a few of the model's kernels on each before
   * the weights are read. In Node `webgpu` needs the npm package of that name, and `cuda` and `native`, which Node alone has, the npm
   * package `koffi`.
   */
  readonly backend?: 'auto' | 'wasm' | 'webgpu' | 'cuda' | 'native';
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
/** Sampling and length of a generation. Unknown options are refused (ATPC-607). */
export interface GenerateOptions extends CallOptions {
  /** The most tokens of the answer; default: what is left of the model's length. */
  readonly maxTokens?: number;
  /** 0 (the default) always takes the likeliest token; larger is more random. */
  readonly temperature?: number;
  /** Only the so many likeliest tokens; 0 (the default) is all. */
  readonly topK?: number;
  /** Only the likeliest tokens whose probabilities sum to this; 1 (the default) is all. */
  readonly topP?: number;
  /** Only tokens with at least this share of the likeliest one's probability; 0 (the default) is all. */
  readonly minP?: number;
  /** Divides the logits of tokens that were read or generated where positive, and multiplies them where negative (Keskar et al. 2019); 1 (the default) is none. */
  readonly repetitionPenalty?: number;
  /** Ends the answer before the first of these; none of it is given out. */
  readonly stop?: string | readonly string[];
  /** The same seed gives the same text on one backend; default 0. */
  readonly seed?: number;
  /** Gives the log probability of each token, and of so many of the likeliest ones; default: none. */
  readonly logprobs?: number;
}
export interface TokenLogprob {
  readonly id: number;
  readonly text: string;
  /** Natural logarithm of the probability before temperature and cuts. */
  readonly logprob: number;
}
/** A piece of the answer: whole characters; the tokens may be none while a character or a stop string is incomplete. */
export interface GeneratedPiece {
  readonly text: string;
  readonly ids: readonly number[];
  /** One entry for each id, with `logprobs`. */
  readonly logprobs?: readonly (TokenLogprob & { readonly top: readonly TokenLogprob[] })[];
}
export type FinishReason = 'end' | 'stop' | 'length';
export interface GenerationResult {
  readonly text: string;
  readonly ids: readonly number[];
  readonly finish: FinishReason;
  readonly promptTokens: number;
  /** Tokens of the prompt that the session had read before. */
  readonly reusedTokens: number;
  readonly prefillMilliseconds: number;
  readonly decodeMilliseconds: number;
}
/** Iterate to stream the answer, or await `result`; generation starts with either. */
export interface Generation extends AsyncIterable<GeneratedPiece> {
  readonly result: Promise<GenerationResult>;
}
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}
export interface ChatOptions extends GenerateOptions {
  /** Further variables of the model's template. */
  readonly variables?: Readonly<Record<string, unknown>>;
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
  /** The device that computes, in words, or for native the instructions that the processor runs; null for WebAssembly. */
  readonly device: string | null;
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
  /**
   * Continues the text after the prompt. The longest prefix of the prompt that the session has read is not read again. Calls on
   * one session queue up.
   */
  generate(prompt: string | readonly number[], options?: GenerateOptions): Generation;
  /** The answer to a conversation, in the model's own template. */
  chat(messages: readonly ChatMessage[], options?: ChatOptions): Generation;
  /** Token ids that the session has read and generated. */
  readonly ids: readonly number[];
  /** Bytes of its state; 0 until it is first used. */
  readonly stateBytes: number;
  /** The state as bytes; `model.restore` gives a session that goes on from there. */
  save(options?: CallOptions): Promise<Uint8Array<ArrayBuffer>>;
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
  /** A generation in a session of its own. */
  generate(prompt: string | readonly number[], options?: GenerateOptions): Generation;
  chat(messages: readonly ChatMessage[], options?: ChatOptions): Generation;
  tokenize(text: string): Tokenized;
  session(): Session<Inputs, Outputs>;
  /** A session from the bytes of `save()`; rejects with ATPC-608 for bytes of another model, or broken ones. */
  restore(bytes: Uint8Array, options?: CallOptions): Promise<Session<Inputs, Outputs>>;
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
