import type { StepTime } from '../../api.ts';
import type { CacheStore } from '../../cache/api.ts';
import { AtpcError, type ErrorCode } from '../../errors.ts';
import type { ManifestFile, ManifestTensor, TargetFeatures, TargetName } from '../../format/manifest.ts';
import type { Program } from '../../format/program.ts';
import type { PreparedInputs } from '../../inputs.ts';
import type { NamedResults } from '../backend.ts';
import type { SharedKernels } from '../wasm/executor.ts';
import type { LanePlace } from '../one-memory/plan.ts';

export interface Team extends Pick<LanePlace, 'lanes'> {
  readonly control: Int32Array<SharedArrayBuffer>;
}
/** A file of kernels, and what a device or driver has to have for it. */
export interface DeviceBuild<Feature> {
  readonly file: ManifestFile;
  readonly features: readonly Feature[];
}
/** What the kernels of a target are to a worker. */
export interface TargetKernels {
  /** The module. */
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** The builds, of which the worker reads the one that the adapter has the features for. */
  readonly webgpu: readonly DeviceBuild<TargetFeatures['webgpu']>[];
  /** PTX for drivers of several versions, of which the worker reads the newest that the driver takes. */
  readonly cuda: readonly DeviceBuild<TargetFeatures['cuda']>[];
  /** Libraries, of which the worker loads the one of the highest level that the processor has. */
  readonly native: readonly DeviceBuild<TargetFeatures['native']>[];
}
export interface LoadRequest<Name extends TargetName = TargetName> {
  readonly kind: 'load';
  readonly target: Name;
  readonly program: Program;
  readonly kernels: TargetKernels[Name];
  readonly tensors: readonly ManifestTensor[];
  readonly weightFiles: readonly ManifestFile[];
  /** Where each file lies that the worker reads, or null when the main thread hands them out on request, while it loads. */
  readonly urls: Readonly<Record<string, string>> | null;
  /** Where weights are kept, and the URL of browser-cache.js. */
  readonly cache?: { readonly store: CacheStore; readonly module: string } | undefined;
  /** Whether runs will be asked for their times. */
  readonly profile: boolean;
  /** Holds the number of the call to abort; null where memory cannot be shared. */
  readonly abortFlag: Int32Array | null;
  /** The words of PendingWork, where the main thread looks at them. */
  readonly pending: Int32Array<SharedArrayBuffer> | null;
  /** For several threads: the words of their barrier, and how many they are. The worker is lane 0. */
  readonly team: Team | null;
}
/** Of a target that is known by `target`. */
export type AnyLoadRequest = { [Name in TargetName]: LoadRequest<Name> }[TargetName];
/** In place of the number of a call to abort: all of them, as the lanes of native libraries know too (ATPC_EVERY_CALL). */
export const everyCall = -2;
/** Makes the worker another lane. It takes no message after this one. */
export interface JoinRequest {
  readonly kind: 'join';
  readonly program: Program;
  readonly shared: SharedKernels;
  readonly abortFlag: Int32Array | null;
  readonly team: Team;
  readonly lane: number;
}
/** What the main thread sends. One call runs at a time. */
export type Request =
  | AnyLoadRequest
  | JoinRequest
  | { readonly kind: 'bytes'; readonly read: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'unreadable'; readonly read: number; readonly error: ErrorRecord }
  /** Calls run in the order in which they come. */
  | { readonly kind: 'run'; readonly call: number; readonly inputs: PreparedInputs; readonly profile: boolean }
  | { readonly kind: 'openState'; readonly call: number }
  | { readonly kind: 'closeState'; readonly state: number }
  | { readonly kind: 'readState'; readonly call: number; readonly state: number }
  | {
      readonly kind: 'writeState';
      readonly call: number;
      readonly state: number;
      readonly bytes: Uint8Array<ArrayBuffer>;
    }
  | { readonly kind: 'abort'; readonly call: number }
  /** Ends all work, in order; the worker says when it may be terminated. */
  | { readonly kind: 'end' };

/** What the calls of each kind give. */
export interface CallResults {
  readonly load: null;
  readonly run: NamedResults;
  readonly openState: number;
  readonly readState: Uint8Array<ArrayBuffer>;
  readonly writeState: null;
}

export interface MemoryUse {
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
}
/** What the worker answers. `load` is call 0. */
export type Response =
  | { readonly kind: 'progress'; readonly loadedBytes: number }
  /** A sentence for the caller of `load`. */
  | { readonly kind: 'notice'; readonly sentence: string }
  | { readonly kind: 'kernels'; readonly done: number; readonly total: number }
  | { readonly kind: 'read'; readonly read: number; readonly path: string; readonly begin: number; readonly end: number }
  | ({ readonly kind: 'loaded'; readonly device: string | null; readonly shared: SharedKernels | null } & MemoryUse)
  | { readonly kind: 'joined' }
  | ({
      readonly kind: 'result';
      readonly call: number;
      readonly result: CallResults[keyof CallResults];
      /** Of every dispatch, where the run was asked to measure. */
      readonly times?: readonly StepTime[];
    } & MemoryUse)
  | { readonly kind: 'aborted'; readonly call: number }
  /** The state that the call is about went with its device. */
  | { readonly kind: 'stateLost'; readonly call: number }
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly call: number; readonly error: ErrorRecord };

/** An error as plain data: structured clone keeps neither the class nor the fields of an AtpcError. */
export interface ErrorRecord {
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly hint: string | null;
  readonly stack: string | null;
}

export function toRecord(error: unknown): ErrorRecord {
  if (!(error instanceof Error)) return { code: null, message: String(error), hint: null, stack: null };
  const stack = error.stack ?? null;
  if (!(error instanceof AtpcError)) return { code: null, message: error.message, hint: null, stack };
  return { code: error.code, message: error.message.slice(`${error.code}: `.length), hint: error.hint ?? null, stack };
}
export function fromRecord({ code, message, hint, stack }: ErrorRecord): Error {
  const error = code === null ? new Error(message) : new AtpcError(code, message, hint === null ? {} : { hint });
  if (stack !== null) error.stack = stack;
  return error;
}
