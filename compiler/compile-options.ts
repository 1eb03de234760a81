import type { Manifest, StorageType } from '../runtime/format/manifest.ts';
import { precisions, type Precision } from './codegen/cuda/precision.ts';
import { activationTypes, type ActivationType } from './codegen/native/activations.ts';
import type { RooflineReport } from './roofline/report.ts';

export { precisions, type Precision };
export { activationTypes, type ActivationType };

/** How weights are stored: as numbers, or (matrices whose rows are whole blocks) in blocks of 32 with 8 or 4 bits. */
export const weightTypes = ['f32', 'f16', 'q8', 'q4'] as const satisfies readonly StorageType[];
export type WeightType = StorageType;

export interface CompileOptions {
  /** A model file (.ts), a Hugging Face folder, or a GGUF file. */
  readonly model: string;
  /** Folder with the weights, for a model file; a folder brings its own. */
  readonly weights?: string;
  /** Where the package is written. */
  readonly out: string;
  /** Name of the package; default: the model's name. */
  readonly name?: string;
  /** What the package runs on, `wasm`, `webgpu`, `cuda` and `native` in any order; default ['wasm']. The plan is that of the first, in this order. */
  readonly targets?: readonly string[];
  /** What both sides of products and of attention are multiplied as, for target `cuda` alone; sums are f32. Default f32. */
  readonly precision?: Precision;
  /** What the left sides of products with weights in blocks are multiplied as, for target `native` alone. Default f32. */
  readonly activations?: ActivationType;
  /**
   * Attention mode for every layer and head, or `auto`: the cheapest plan at `typicalLength` whose loss on `calibrate` stays under `maxLoss`.
   * Without it each layer takes the cheapest at `typicalLength`, and nothing is measured.
   */
  readonly attention?: string;
  /** `1/4`, `0.25` (a share) or `64` (a count at full length); default 1/4. */
  readonly keys?: string;
  /** Tokens a typical input has, for the cost formula; default 256. */
  readonly typicalLength?: number;
  /** Plan file (YAML): a mode for each layer and head; excludes `attention` and `keys`. */
  readonly plan?: string;
  /** Files (.txt, .jsonl) of text like the model will read: where mode hybrid finds its heads, and what `maxLoss` is measured on. */
  readonly calibrate?: readonly string[];
  /**
   * The most that attention may lose against dense attention, in the unit of the task: mean KL in nats for models that generate, 1 - cosine
   * of embeddings, share of changed labels. Held against the upper end of the 95 % interval. Throws ATPC-315 where it cannot be met.
   */
  readonly maxLoss?: number;
  /** File that receives the plan that `attention: 'auto'` found, as `plan` reads it. */
  readonly writePlan?: string;
  /** Tokens that a session of a generating model can hold; default: the length that it was trained for. */
  readonly maxLength?: number;
  /** Allows a `maxLength` above the trained length. */
  readonly beyondTrainedContext?: boolean;
  /** Storage type of the weights; default: as in the checkpoint. */
  readonly storage?: WeightType;
  /** Folder that receives the IR after every pass. */
  readonly dump?: string;
  /** Runs the verifier after every pass. */
  readonly verify?: boolean;
  /** Allows mode svd on a checkpoint that was not tuned for it. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CompileProgress) => void;
}

export interface CompileProgress {
  readonly phase: CompilePhase;
  /** 0 to 1 within the phase, where it is known. */
  readonly fraction?: number;
  readonly detail?: string;
}
export const compilePhases = ['read model', 'run passes', 'emit kernels', 'write weights', 'check package'] as const;
export type CompilePhase = (typeof compilePhases)[number];

export interface CompileReport {
  readonly out: string;
  readonly manifest: Manifest;
  readonly seconds: number;
  readonly packageBytes: number;
  readonly weightBytes: number;
  /** One a target; dispatches are those of the entry point that gives all that the model gives. */
  readonly programs: readonly { readonly target: string; readonly kernels: number; readonly dispatches: number }[];
  /** Sentences that the person should read: what stayed dense and why, unused tensors, approximations. */
  readonly notes: readonly string[];
  readonly plan: PlanReport;
}

/** What `atpc inspect plan` prints: a row a layer and run of heads, at some lengths. */
export interface PlanReport {
  readonly reason: string;
  readonly rows: readonly PlanRow[];
  readonly totals: readonly PlanTotal[];
  /** Tokens that a session can hold, for a model with state; longer lengths in the report are for comparison. */
  readonly sessionTokens?: number;
  /** Where a device was named: what its kernels would take there at best. */
  readonly roofline?: RooflineReport;
}
export interface PlanRow {
  readonly layer: number;
  readonly mode: string;
  readonly heads: readonly number[];
  /** Nominal share of keys. */
  readonly keys: number;
  /** FLOPs of attention (both products and the work of the mode) at each length, dense and planned. */
  readonly atLengths: readonly { readonly tokens: number; readonly denseFlops: number; readonly planFlops: number }[];
}
export interface PlanTotal {
  readonly tokens: number;
  readonly denseFlops: number;
  readonly planFlops: number;
  /** Whole model, attention and everything else. */
  readonly modelDenseFlops: number;
  readonly modelPlanFlops: number;
  readonly predictedDenseMilliseconds: number;
  readonly predictedPlanMilliseconds: number;
  /** Peak memory of one call, for a model without state. */
  readonly peakBytes?: number;
  /** Bytes of a session that can hold so many tokens, for a model with state. */
  readonly denseStateBytes?: number;
  readonly planStateBytes?: number;
}

/** What `atpc inspect model` prints. */
export interface ModelReport {
  readonly family: string;
  readonly name: string;
  readonly task: string;
  readonly parameters: number;
  readonly weightBytes: number;
  readonly layers: number;
  readonly heads: number;
  readonly inputs: readonly { readonly name: string; readonly type: string }[];
  readonly outputs: readonly { readonly name: string; readonly type: string }[];
  readonly tokenizer: string | null;
  readonly maxLength: number;
  readonly unusedTensors: readonly string[];
}
