import type { TensorOutput } from '../api.ts';
import type { PreparedInputs } from '../inputs.ts';

export interface Threads {
  readonly used: number;
  readonly why: string;
}
export type NamedResults = Record<string, TensorOutput>;

/** What runs a program somewhere. Calls come one at a time: the model queues them. */
export interface Backend {
  readonly name: string;
  readonly why: string;
  /** How many threads compute, and why not another number. */
  readonly threads: Threads;
  /** What computes, in words, of machine code its instructions; null for WebAssembly. */
  readonly device: string | null;
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
  /** Takes the tensors over: their buffers may be transferred. Rejects with the signal's reason once the run has stopped. */
  run(inputs: PreparedInputs, signal?: AbortSignal): Promise<NamedResults>;
  /**
   * Memory for the state of one session, as many bytes as the program's arena of state. Rejects with ATPC-502 where there is none.
   * Calls that use the state reject with StateLost once its device was lost: the session has to read its tokens into another one.
   */
  openState(): Promise<number>;
  /** The memory is free for the next session; calls that still use it come before. */
  closeState(state: number): void;
  /** What a state holds, without the room that it has not used; and back, into a state that was just opened. */
  readState(state: number): Promise<Uint8Array<ArrayBuffer>>;
  writeState(state: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  dispose(): Promise<void>;
}
