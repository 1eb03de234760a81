import type { SizeExpression } from './expression.ts';

/** The manifest of a package: what is in it, how much memory it takes, what it approximates, and how to check it. */
export interface Manifest {
  readonly formatVersion: 1;
  readonly name: string;
  readonly compiler: { readonly name: 'atpc'; readonly version: string };
  readonly runtime: { readonly version: string; readonly sha256: string };
  /** SHA-256 over the model's configuration and weights as they were read. */
  readonly modelHash: string;
  /**
   * What the weights were asked to be stored as (-q); null: as the checkpoint has them. For `atpc eval`: packages of earlier versions do not
   * say, and the runtime goes by `tensors`.
   */
  readonly storage?: StorageType | null;
  readonly family: string;
  readonly task: Task;
  readonly dims: readonly { readonly name: string; readonly min: number; readonly max: number }[];
  readonly inputs: readonly ManifestPort[];
  readonly outputs: readonly ManifestPort[];
  /**
   * Every file of the package but manifest.json, index.js (which carries the manifest's hash) and package.json (which
   * package managers rewrite when they publish).
   */
  readonly files: readonly ManifestFile[];
  readonly tensors: readonly ManifestTensor[];
  /** What the package can run on: a program and its kernels each, over the same tensors. */
  readonly targets: readonly ManifestTarget[];
  readonly attention: ManifestAttention;
  /** What a session keeps between calls; null for a model without state. */
  readonly state: ManifestState | null;
  readonly tokenizer: ManifestTokenizer | null;
  /** Inputs with the outputs of the reference interpreter, for `selfTest()`; a target may have its own. */
  readonly golden: readonly ManifestGolden[];
  /** Every approximation in the package, in words; empty when there is none. A target may have its own. */
  readonly approximations: readonly string[];
  readonly source: { readonly license: string | null; readonly description: string };
}

export type StorageType = 'f32' | 'f16' | 'q8' | 'q4';

export type Task =
  | { readonly kind: 'tensors' }
  | { readonly kind: 'embed'; readonly output: string; readonly normalized: boolean; readonly size: number }
  | { readonly kind: 'classify'; readonly output: string; readonly labels: readonly string[] }
  /** Token ids in, logits [1, rows, vocabulary] out, with a state. */
  | {
      readonly kind: 'generate';
      readonly output: string;
      readonly vocabulary: number;
      /** Any of them ends a generation. */
      readonly endIds: readonly number[];
      /** Whether the tokenizer configuration has a chat template. */
      readonly chat: boolean;
    };

export interface ManifestState {
  readonly elementType: 'f32';
  /** Tokens that a session can hold, prompt and answer together. */
  readonly maxTokens: number;
  /** Positions that the model was trained for; above, time and memory are claimed, not quality. */
  readonly trainedTokens: number;
  /** The longest piece of a prompt that one call of `prefill` takes. */
  readonly chunk: number;
  /** Whether a session can go back to any shorter prefix of its tokens: only where every cache keeps all tokens as they came. */
  readonly rewinds: boolean;
}

export interface ManifestPort {
  readonly name: string;
  readonly elementType: 'f32' | 'i32' | 'bool';
  readonly shape: readonly SizeExpression[];
  /** An input that may be left out, and the value it is filled with. */
  readonly default?: number;
  /** The values are ids below this number; others are refused before the program runs. */
  readonly vocabulary?: number;
}
export interface ManifestFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** SHA-256 of every 16 MiB chunk, so that verification streams; absent for files of one chunk. */
  readonly chunks?: readonly string[];
}
export interface ManifestTensor {
  readonly name: string;
  /** Storage type in the weight file. */
  readonly storage: 'F32' | 'F16' | 'BF16' | 'U8';
  readonly shape: readonly number[];
  readonly file: string;
  /** Byte range in the file, from its first byte. */
  readonly begin: number;
  readonly end: number;
}
/**
 * What a host may have or lack, by target. wasm: 128-bit SIMD, shared memory with atomics, fused multiply-adds. webgpu: optional
 * features of a device (WebGPU, section 24). cuda: the version of CUDA that a driver supports, which decides what PTX it takes: any, since
 * a package has PTX of the compilers that were there. native: the system that a library is for, the level of x86-64 that it needs
 * (x86-64 psABI, section 3.1.1), and instructions for products of 8-bit integers.
 */
export interface TargetFeatures {
  readonly wasm: 'simd128' | 'threads' | 'relaxed-simd';
  readonly webgpu: 'subgroups' | 'shader-f16';
  readonly cuda: `cuda-${number}`;
  readonly native:
    | `${'linux' | 'darwin'}-${'x64' | 'arm64'}`
    | 'x86-64-v2'
    | 'x86-64-v3'
    | 'avx-vnni'
    | 'x86-64-v4'
    | 'avx512-vnni'
    | 'arm-dotprod';
}
export type TargetName = keyof TargetFeatures;
export type WasmFeature = TargetFeatures['wasm'];
export interface ManifestTarget<Name extends TargetName = TargetName> {
  readonly name: Name;
  /** Path of the program, whose kernels are those of the variants. */
  readonly program: string;
  /** Builds of the same kernels; each needs a host with all of its features. None where a compiler was missing that makes them. */
  readonly variants: readonly ManifestVariant<Name>[];
  /**
   * Peak bytes as formulas of the dims: `total` = weights + workspace + io + state + scratch. On wasm that is for one thread: each
   * further one adds `scratch`.
   */
  readonly memory: { readonly [K in 'weights' | 'workspace' | 'io' | 'state' | 'scratch' | 'total']: SizeExpression };
  /** Bytes that one session keeps; 0 for a model without state. */
  readonly stateBytes: number;
  /** Instead of those of the manifest, where the target chooses its principal keys otherwise. */
  readonly golden?: readonly ManifestGolden[];
  readonly approximations?: readonly string[];
}
export interface ManifestVariant<Name extends TargetName = TargetName> {
  readonly file: string;
  /** With `threads`, a module of WebAssembly imports a shared memory; without it, a memory of its own. */
  readonly features: readonly TargetFeatures[Name][];
}
export interface ManifestAttention {
  /** Share or count that `--keys` asked for, as given; null for a plan without one. */
  readonly keys: string | null;
  /** Why the plan is what it is: forced by --attn, read from a file, or the cheapest at the typical length. */
  readonly reason: string;
  /** SHA-256 of the text that bases and measured shares come from; null where nothing was calibrated. */
  readonly calibration: string | null;
  readonly layers: readonly ManifestLayerPlan[];
  /** What the plan loses against dense attention, where it was measured (--max-loss). */
  readonly loss?: ManifestLoss;
}
/** The loss of a plan on text of the person who compiled, in the unit of the task. */
export interface ManifestLoss {
  /** What was measured: KL divergence, cosine distance or disagreement. */
  readonly name: string;
  readonly unit: string;
  /** What `--max-loss` allowed. */
  readonly bound: number;
  /** Over the documents that the plan was not searched on, with the 95 % interval of the mean; `high` is not above the bound. */
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly documents: number;
  readonly tokens: number;
  /** SHA-256 of the files of --calibrate, one behind the other. */
  readonly textHash: string;
  /** On a passage that is repeated from far back, in models that generate. */
  readonly repeats?: number;
}
export interface ManifestLayerPlan {
  readonly layer: number;
  /** One entry for each run of key/value heads of one mode, in the packed order. */
  readonly heads: readonly ManifestHeadPlan[];
}
export interface ManifestHeadPlan {
  readonly mode: string;
  /** The heads of the checkpoint, in the packed order. */
  readonly kvHeads: readonly number[];
  /** Nominal share of keys, 1 for dense. */
  readonly keys: number;
  /** Mean and largest share of keys measured on the calibration text; null where nothing was measured. */
  readonly measuredKeys: { readonly mean: number; readonly max: number } | null;
  /** What the heads keep between calls, in a model with state: the kind and the numbers of its CacheSpec (ir/cache.ts). */
  readonly cache?: ManifestCache;
}
export interface ManifestCache {
  readonly kind: string;
  readonly parameters: Readonly<Record<string, number | null>>;
}
export interface ManifestTokenizer {
  readonly file: string;
  readonly config: string;
  /** Longest input in token ids, special tokens counted. */
  readonly maxLength: number;
  readonly padId: number;
  /** Text with its ids, recorded by the compiler: the runtime's tokenizer must agree. */
  readonly fixtures: readonly { readonly text: string; readonly ids: readonly number[] }[];
}
export interface ManifestGolden {
  readonly inputs: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>>;
  /** Output name -> shape and values; long outputs keep their first 64 elements. */
  readonly outputs: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>>;
  readonly tolerance: number;
  /**
   * What the tolerance is a part of: absent, of the recorded value, and of 1 where that is larger; `largest`, of the largest recorded
   * value of the output, as errors of products of rounded numbers are.
   */
  readonly toleranceOf?: 'largest';
}
