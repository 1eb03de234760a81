import type { StepTime } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import type { PreparedInputs } from '../../inputs.ts';
import type { TargetName } from '../../format/manifest.ts';
import type { FileSource, WorkerHandle } from '../../platform/platform.ts';
import type { Backend, NamedResults, Threads } from '../backend.ts';
import { StateLost } from '../executor.ts';
import { createControlBlock } from '../wasm/barrier.ts';
import { sharesMemory } from '../wasm/feature-probe.ts';
import { awaitNoneBlocking, createPendingWords } from './pending-work.ts';
import {
  fromRecord,
  toRecord,
  type CallResults,
  type LoadRequest,
  type MemoryUse,
  type Request,
  type Response,
  everyCall,
  type Team,
} from './protocol.ts';

export interface WorkerLoad extends Pick<LoadRequest, 'program' | 'kernels' | 'tensors' | 'weightFiles' | 'urls' | 'cache'> {
  /** Hands out the weight files where `urls` is null. */
  readonly source: FileSource;
  readonly onProgress: (loadedBytes: number) => void;
  readonly onNotice?: ((sentence: string) => void) | undefined;
  readonly onKernels?: (done: number, total: number) => void;
  readonly onProfile?: ((steps: readonly StepTime[]) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}
// A process that ends waits for work of a device for at most so long.
const exitMilliseconds = 10_000;

export interface WorkerBackendOptions extends Pick<Backend, 'why' | 'threads'> {
  readonly name: TargetName;
  /** Whether aborts go through shared memory, where the host has it; default true. Several threads need it. */
  readonly shareMemory?: boolean;
}
interface Pending {
  resolve(result: CallResults[keyof CallResults]): void;
  reject(reason: unknown): void;
  readonly signal: AbortSignal | undefined;
}

/**
 * A backend that runs in a worker, so that the thread of the caller stays free. Further workers compute with it, on the same
 * memory; the first one alone gets calls. When one of them ends, all do.
 */
export class WorkerBackend implements Backend {
  readonly name: TargetName;
  readonly why: string;
  readonly threads: Threads;
  readonly #worker: WorkerHandle;
  readonly #workers: readonly WorkerHandle[];
  readonly #pending = new Map<number, Pending>();
  readonly #abortFlag: Int32Array | null;
  /** Of work in the worker for which this thread has to wait before the process ends: WebGPU's, and that of machine code. */
  readonly #pendingWords: Int32Array<SharedArrayBuffer> | null;
  #source: FileSource | undefined;
  #onProgress: (loadedBytes: number) => void = () => {};
  #onNotice: WorkerLoad['onNotice'];
  #onKernels: WorkerLoad['onKernels'];
  #onProfile: WorkerLoad['onProfile'];
  #nextCall = 0;
  #memory: MemoryUse = { memoryBytes: 0, peakMemoryBytes: 0 };
  #device: string | null = null;
  #joined = 0;
  #join: ((response: Extract<Response, { kind: 'loaded' }>) => void) | undefined;
  #ended: AtpcError | undefined;
  #hasEnded: () => void = () => {};
  #disposal: Promise<void> | undefined;

  /** `threads.used` workers are taken from `start`; one for machine code. */
  constructor(start: () => WorkerHandle, { name, why, threads, shareMemory = true }: WorkerBackendOptions) {
    const worker = start();
    // The threads of machine code are its own.
    const others = Array.from({ length: name === 'native' ? 0 : threads.used - 1 }, start);
    this.#worker = worker;
    this.#workers = [worker, ...others];
    this.name = name;
    this.why = why;
    this.threads = threads;
    this.#abortFlag = shareMemory && sharesMemory() ? new Int32Array(new SharedArrayBuffer(4)).fill(-1) : null;
    // Other targets can be stopped anywhere by a process that ends.
    const waits = name === 'webgpu' || name === 'native';
    const words = (this.#pendingWords = waits && sharesMemory() ? createPendingWords() : null);
    if (words) {
      worker.onExit(() => {
        if (name === 'native') this.#stop();
        awaitNoneBlocking(words, exitMilliseconds);
      });
    }
    worker.onMessage((message) => this.#receive(message as Response));
    for (const each of this.#workers) each.onDeath((reason) => this.#died(reason));
    for (const other of others) {
      other.onMessage((message) => this.#receive(message as Response));
      // The first worker alone keeps the process alive while there is a call.
      other.keepAlive(false);
    }
  }

  /** Whatever call runs, and any after it. */
  #stop(): void {
    if (this.#abortFlag) Atomics.store(this.#abortFlag, 0, everyCall);
  }

  /** The other workers may be waiting for the one that ended, and will not find out. */
  #died(reason: string): void {
    this.#end(new AtpcError('ATPC-503', `The worker that runs the model ended: ${reason}.`, { hint: 'Load the model again.' }));
    this.#hasEnded();
    void this.#terminate();
  }
  async #terminate(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  get memoryBytes(): number {
    return this.#memory.memoryBytes;
  }
  get peakMemoryBytes(): number {
    return this.#memory.peakMemoryBytes;
  }
  get device(): string | null {
    return this.#device;
  }

  /** Loads the program and its weights; once, before the first run. */
  async load(load: WorkerLoad): Promise<void> {
    const { source, onProgress, onKernels, onNotice, onProfile, signal, program, ...files } = load;
    this.#source = source;
    this.#onNotice = onNotice;
    this.#onProgress = onProgress;
    this.#onKernels = onKernels;
    this.#onProfile = onProfile;
    const { kernels, tensors, weightFiles, urls, cache } = files;
    const abortFlag = this.#abortFlag;
    const lanes = this.threads.used;
    const team: Team | null = lanes > 1 ? { lanes, control: createControlBlock(program.dims.length) } : null;
    this.#join = ({ shared }) => {
      if (team === null || shared === null) return this.#pending.get(0)?.resolve(null);
      for (const [lane, worker] of this.#workers.entries())
        if (lane > 0) worker.post({ kind: 'join', program, shared, abortFlag, team, lane } satisfies Request);
    };
    const [target, pending, profile] = [this.name, this.#pendingWords, onProfile !== undefined];
    const parts = { program, kernels, tensors, weightFiles, urls, cache };
    const message: LoadRequest = { kind: 'load', target, ...parts, profile, abortFlag, pending, team };
    try {
      await this.#call<'load'>(() => message as Extract<Request, { kind: 'load' }>, [], signal);
    } finally {
      this.#onProgress = () => {};
      this.#onKernels = undefined;
      this.#source = undefined;
      this.#join = undefined;
    }
  }

  run(inputs: PreparedInputs, signal?: AbortSignal): Promise<NamedResults> {
    const buffers = inputs.tensors.map((tensor) => tensor.data.buffer);
    const profile = this.#onProfile !== undefined;
    return this.#call<'run'>((call) => ({ kind: 'run', call, inputs, profile }), buffers, signal);
  }
  openState(): Promise<number> {
    return this.#call<'openState'>((call) => ({ kind: 'openState', call }));
  }
  closeState(state: number): void {
    if (!this.#ended) this.#worker.post({ kind: 'closeState', state } satisfies Request);
  }
  readState(state: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#call<'readState'>((call) => ({ kind: 'readState', call, state }));
  }
  async writeState(state: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#call<'writeState'>((call) => ({ kind: 'writeState', call, state, bytes }), [bytes.buffer]);
  }

  #call<K extends keyof CallResults>(
    request: (call: number) => Extract<Request, { kind: K }>,
    transfer: readonly ArrayBuffer[] = [],
    signal?: AbortSignal,
  ): Promise<CallResults[K]> {
    if (this.#ended) return Promise.reject(this.#ended);
    const reason: unknown = signal?.reason;
    if (signal?.aborted) return Promise.reject(reason);
    const call = this.#nextCall++;
    const abort = (): void => {
      if (this.#abortFlag) Atomics.store(this.#abortFlag, 0, call);
      this.#worker.post({ kind: 'abort', call } satisfies Request);
    };
    const settle = (): void => {
      signal?.removeEventListener('abort', abort);
      this.#pending.delete(call);
      // What is disposed of says when it has come to rest.
      this.#worker.keepAlive(this.#pending.size > 0 || this.#disposal !== undefined);
    };
    const answered = new Promise<CallResults[K]>((resolve, reject) => {
      this.#pending.set(call, { resolve: (result) => resolve(result as CallResults[K]), reject, signal });
    });
    signal?.addEventListener('abort', abort, { once: true });
    this.#worker.keepAlive(true);
    this.#worker.post(request(call), transfer);
    return answered.finally(settle);
  }

  #receive(response: Response): void {
    switch (response.kind) {
      case 'progress':
        return this.#onProgress(response.loadedBytes);
      case 'notice':
        return this.#onNotice?.(response.sentence);
      case 'kernels':
        return this.#onKernels?.(response.done, response.total);
      case 'read':
        return void this.#handOut(response);
      case 'loaded':
        this.#memory = response;
        this.#device = response.device;
        return this.#join?.(response);
      case 'joined':
        this.#joined += 1;
        if (this.#joined === this.#workers.length - 1) this.#pending.get(0)?.resolve(null);
        return;
      case 'result':
        this.#memory = response;
        if (response.times) this.#onProfile?.(response.times);
        return this.#pending.get(response.call)?.resolve(response.result);
      case 'aborted': {
        const pending = this.#pending.get(response.call);
        return pending?.reject(pending.signal?.reason);
      }
      case 'stateLost':
        return this.#pending
          .get(response.call)
          ?.reject(new StateLost('The device was lost, and with it the state of the session.'));
      case 'failed':
        return this.#pending.get(response.call)?.reject(fromRecord(response.error));
      case 'ended':
        return this.#hasEnded();
    }
  }

  async #handOut({ read, path, begin, end }: Extract<Response, { kind: 'read' }>): Promise<void> {
    let answer: Request;
    const transfer: ArrayBuffer[] = [];
    try {
      const bytes = await this.#source?.read(path, begin, end);
      if (bytes === undefined) return;
      transfer.push(bytes.buffer);
      answer = { kind: 'bytes', read, bytes };
    } catch (error) {
      answer = { kind: 'unreadable', read, error: toRecord(error) };
    }
    this.#worker.post(answer, transfer);
  }

  #end(error: AtpcError): void {
    this.#ended ??= error;
    for (const pending of this.#pending.values()) pending.reject(this.#ended);
  }

  /** A device has to come to rest before its worker may be terminated; other targets are stopped where they are. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }
  async #dispose(): Promise<void> {
    const isDead = this.#ended !== undefined;
    this.#end(new AtpcError('ATPC-606', 'The model was disposed of.'));
    if (this.name !== 'wasm' && !isDead) {
      if (this.name === 'native') this.#stop();
      const atRest = new Promise<void>((resolve) => (this.#hasEnded = resolve));
      this.#worker.keepAlive(true);
      this.#worker.post({ kind: 'end' } satisfies Request);
      await atRest;
    }
    await this.#terminate();
  }
}
