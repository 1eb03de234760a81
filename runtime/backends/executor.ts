import type { StepTime } from '../api.ts';
import type { ManifestFile, ManifestTensor, TargetName } from '../format/manifest.ts';
import type { PreparedInputs } from '../inputs.ts';
import type { NamedResults } from './backend.ts';
import type { TensorWriter } from './stored-numbers.ts';
import type { JoinRequest, LoadRequest } from './worker/protocol.ts';
import type { PendingWork } from './worker/pending-work.ts';
import type { SharedKernels } from './wasm/executor.ts';

export interface ExecutorRun {
  /** The number of the call. */
  readonly call: number;
  /** Receives the time of each dispatch. */
  readonly times?: StepTime[] | undefined;
  readonly isAborted: () => boolean;
}
/** What a run rejects with when `isAborted` said so. */
export class RunAborted extends Error {}
/** The device is gone, and all memory on it: what was asked for has to be asked of another executor. */
export class DeviceLost extends Error {}
/** The state of a session is gone with the device that it was on; the session can read its tokens again. */
export class StateLost extends Error {}

/** A program with its kernels and its memory, in a worker. Calls come one at a time. */
export interface Executor {
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
  /** What computes, in words, of machine code its instructions; null for WebAssembly. */
  readonly device: string | null;
  /** What further lanes need; null where there are none. */
  readonly shared: SharedKernels | null;
  /** Settles when the kernels can run; weights may be written before. */
  readonly ready: Promise<void>;
  /** Takes the stored bytes of a tensor to its places; undefined for a tensor that the program does not use. */
  weightWriter(tensor: Pick<ManifestTensor, 'name' | 'storage' | 'shape'>): TensorWriter | undefined;
  /** Resolves when what was written has arrived, so that whoever reads weights does not run ahead. */
  flush(): Promise<void>;
  /** As Backend says; reject with StateLost for a state that is not there, and DeviceLost. */
  openState(): Promise<number>;
  closeState(state: number): void;
  readState(state: number): Promise<Uint8Array<ArrayBuffer>>;
  writeState(state: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  run(inputs: PreparedInputs, run: ExecutorRun): Promise<NamedResults>;
  /** After it, nothing is pending any more. */
  dispose(): Promise<void>;
}

export interface OpenContext {
  /** Reads a file of the package and verifies it. */
  readonly readFile: (file: ManifestFile) => Promise<Uint8Array<ArrayBuffer>>;
  /** What has to have ended before the worker may. */
  readonly pending: PendingWork;
  readonly onKernels: (done: number, total: number) => void;
}
/** How a worker runs the programs of one target. */
export interface ExecutorKind<Name extends TargetName> {
  open(request: LoadRequest<Name>, context: OpenContext): Promise<Executor>;
  /** Makes this thread one more lane of another's executor; what it gives never returns. */
  join?(request: JoinRequest): Promise<(isAborted: (call: number) => boolean) => never>;
}
