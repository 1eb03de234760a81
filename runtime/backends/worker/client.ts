import type { StepTime } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import type { PreparedInputs } from '../../inputs.ts';
import type { FileSource, WorkerHandle } from '../../platform/platform.ts';
import type { Backend, NamedResults, Threads } from '../backend.ts';
import { createControlBlock } from '../wasm/barrier.ts';
import { sharesMemory } from '../wasm/feature-probe.ts';
import { fromRecord, toRecord, type CallResults, type Request, type Response, type Team } from './protocol.ts';

export interface WorkerLoad extends Omit<Extract<Request, { kind: 'load' }>, 'kind' | 'abortFlag' | 'team'> {
  /** Hands out the weight files where `urls` is null. */
  readonly source: FileSource;
  readonly onProgress: (loadedBytes: number) => void;
  readonly onNotice?: ((sentence: string) => void) | undefined;
  readonly onProfile?: ((steps: readonly StepTime[]) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}
export interface WorkerBackendOptions extends Pick<Backend, 'name' | 'why' | 'threads'> {
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
  readonly name: string;
  readonly why: string;
  readonly threads: Threads;
  readonly #worker: WorkerHandle;
  readonly #workers: readonly WorkerHandle[];
  readonly #pending = new Map<number, Pending>();
  readonly #abortFlag: Int32Array | null;
  #source: FileSource | undefined;
  #onProgress: (loadedBytes: number) => void = () => {};
  #onNotice: WorkerLoad['onNotice'];
  #onProfile: WorkerLoad['onProfile'];
  #nextCall = 0;
  #memoryBytes = 0;
  #joined = 0;
  #join: ((response: Extract<Response, { kind: 'loaded' }>) => void) | undefined;
  #ended: AtpcError | undefined;

  /** `threads.used` workers are taken from `start`. */
  constructor(start: () => WorkerHandle, { name, why, threads, shareMemory = true }: WorkerBackendOptions) {
    const worker = start();
    const others = Array.from({ length: threads.used - 1 }, start);
    this.#worker = worker;
    this.#workers = [worker, ...others];
    this.name = name;
    this.why = why;
    this.threads = threads;
    this.#abortFlag = shareMemory && sharesMemory() ? new Int32Array(new SharedArrayBuffer(4)).fill(-1) : null;
    worker.onMessage((message) => this.#receive(message as Response));
    for (const each of this.#workers) each.onDeath((reason) => this.#died(reason));
    for (const other of others) {
      other.onMessage((message) => this.#receive(message as Response));
      // The first worker alone keeps the process alive while there is a call.
      other.keepAlive(false);
    }
  }

  /** The other workers may be waiting for the one that ended, and will not find out. */
  #died(reason: string): void {
    this.#end(new AtpcError('ATPC-503', `The worker that runs the model ended: ${reason}.`, { hint: 'Load the model again.' }));
    void this.#terminate();
  }
  async #terminate(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }
  /** A WebAssembly memory never shrinks. */
  get peakMemoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Loads the program and its weights; once, before the first run. */
  async load({ source, onProgress, onNotice, onProfile, signal, ...request }: WorkerLoad): Promise<void> {
    const { program } = request;
    this.#source = source;
    this.#onNotice = onNotice;
    this.#onProgress = onProgress;
    this.#onProfile = onProfile;
    const abortFlag = this.#abortFlag;
    const lanes = this.#workers.length;
    const team: Team | null = lanes > 1 ? { lanes, control: createControlBlock(program.dims.length) } : null;
    this.#join = ({ shared }) => {
      if (team === null || shared === null) return this.#pending.get(0)?.resolve(null);
      for (const [lane, worker] of this.#workers.entries())
        if (lane > 0) worker.post({ kind: 'join', program, shared, abortFlag, team, lane } satisfies Request);
    };
    const message = { kind: 'load', ...request, abortFlag, team } as const;
    try {
      await this.#call<'load'>(() => message, [], signal);
    } finally {
      this.#onProgress = () => {};
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
      this.#worker.keepAlive(this.#pending.size > 0);
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
      case 'read':
        return void this.#handOut(response);
      case 'loaded':
        this.#memoryBytes = response.memoryBytes;
        return this.#join?.(response);
      case 'joined':
        this.#joined += 1;
        if (this.#joined === this.#workers.length - 1) this.#pending.get(0)?.resolve(null);
        return;
      case 'result':
        this.#memoryBytes = response.memoryBytes;
        if (response.times) this.#onProfile?.(response.times);
        return this.#pending.get(response.call)?.resolve(response.result);
      case 'aborted': {
        const pending = this.#pending.get(response.call);
        return pending?.reject(pending.signal?.reason);
      }
      case 'failed':
        return this.#pending.get(response.call)?.reject(fromRecord(response.error));
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

  async dispose(): Promise<void> {
    this.#end(new AtpcError('ATPC-606', 'The model was disposed of.'));
    await this.#terminate();
  }
}
