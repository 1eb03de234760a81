import type { StepTime } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import type { ManifestFile, ManifestTensor, TargetName } from '../../format/manifest.ts';
import type { FileSource, Platform, Port } from '../../platform/platform.ts';
import { readVerified, readVerifiedChunks } from '../../source.ts';
import { DeviceLost, RunAborted, StateLost, type Executor, type ExecutorKind } from '../executor.ts';
import { storageBytes, type TensorWriter } from '../stored-numbers.ts';
import { PendingWork } from './pending-work.ts';
import { fromRecord, toRecord, type AnyLoadRequest, type CallResults, type JoinRequest, type LoadRequest } from './protocol.ts';
import type { MemoryUse, Request, Response } from './protocol.ts';

type RunRequest = Extract<Request, { kind: 'run' }>;
type StateRequest = Extract<Request, { kind: 'openState' | 'closeState' | 'readState' | 'writeState' }>;
/** Opens the files that lie at the addresses of a request; `notice` tells the caller of `load` a sentence. */
export type OpenWeights = (
  request: LoadRequest & { readonly urls: NonNullable<LoadRequest['urls']> },
  platform: Platform,
  notice: (sentence: string) => void,
) => FileSource | Promise<FileSource>;
export const weightsAt: OpenWeights = ({ urls }, platform) => platform.files((path) => new URL(urls[path] as string));

// A device that is lost as often as this, with no call that came to its end in between, will be lost again.
const mostLosses = 3;

/** How the worker runs the programs of each target; a package carries those of its own targets. */
export type ExecutorKinds = { readonly [Name in TargetName]?: ExecutorKind<Name> };

/** The worker's side: loads a program, then runs one call after the other; or joins a worker that does, as one more lane. */
export class WorkerServer {
  readonly #port: Port;
  readonly #platform: Platform;
  readonly #kinds: ExecutorKinds;
  readonly #openWeights: OpenWeights;
  readonly #reads = new Map<number, { resolve(bytes: Uint8Array<ArrayBuffer>): void; reject(error: Error): void }>();
  #pending = new PendingWork();
  #request: AnyLoadRequest | undefined;
  /** Undefined before the load, and after its device was lost. */
  #executor: Executor | undefined;
  #source: FileSource | undefined;
  /** Losses of a device since the last call that came to its end, and the last of all. */
  #losses = 0;
  #loss: DeviceLost | undefined;
  #abortFlag: Int32Array | null = null;
  #abortedCall = 0;
  #nextRead = 1;
  #ending: AtpcError | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(port: Port, platform: Platform, kinds: ExecutorKinds, openWeights: OpenWeights = weightsAt) {
    this.#port = port;
    this.#platform = platform;
    this.#kinds = kinds;
    this.#openWeights = openWeights;
    port.onMessage((message) => this.#receive(message as Request));
  }

  #receive(request: Request): void {
    switch (request.kind) {
      case 'load':
        return this.#inOrder(0, () => this.#load(request));
      case 'join':
        return void this.#answer(0, this.#join(request));
      case 'run':
        return this.#inOrder(request.call, () => this.#run(request));
      case 'openState':
      case 'readState':
      case 'writeState':
        return this.#inOrder(request.call, () => this.#useState(request));
      case 'closeState':
        return this.#inOrder(0, () => this.#useState(request));
      case 'abort':
        this.#abortedCall = request.call;
        return;
      case 'bytes':
        this.#reads.get(request.read)?.resolve(request.bytes);
        this.#reads.delete(request.read);
        return;
      case 'unreadable':
        this.#reads.get(request.read)?.reject(fromRecord(request.error));
        this.#reads.delete(request.read);
        return;
      case 'end':
        return void this.#end();
    }
  }

  /** A run lets messages in on its way; what they ask for has to wait for it. */
  #inOrder(call: number, work: () => Promise<void>): void {
    const unlessEnding = (): Promise<void> => (this.#ending ? Promise.reject(this.#ending) : work());
    this.#last = this.#answer(call, this.#last.then(unlessEnding));
  }
  #answer(call: number, work: Promise<void>): Promise<void> {
    return work.catch(async (error: unknown) => {
      if (error instanceof RunAborted) return this.#post({ kind: 'aborted', call });
      if (error instanceof StateLost) return this.#post({ kind: 'stateLost', call });
      if (error instanceof AtpcError) return this.#post({ kind: 'failed', call, error: toRecord(error) });
      // Anything else is a fault in a kernel or in here: the worker ends, and the main thread hears why. A device ends in order.
      await this.#executor?.dispose();
      setTimeout(() => this.#crash(error), 0);
    });
  }
  #crash(error: unknown): never {
    throw error;
  }
  #post(response: Response, transfer: readonly ArrayBuffer[] = []): void {
    this.#port.post(response, transfer);
  }

  /** What runs comes to its end, or the load to its next piece; then nothing is pending, and the worker may be terminated. */
  async #end(): Promise<void> {
    this.#ending = new AtpcError('ATPC-606', 'The model was disposed of.');
    await this.#source?.close();
    for (const { reject } of this.#reads.values()) reject(this.#ending);
    await this.#last;
    await this.#executor?.dispose();
    await this.#pending.settled();
    this.#executor = undefined;
    this.#post({ kind: 'ended' });
  }

  async #load(request: AnyLoadRequest): Promise<void> {
    this.#request = request;
    this.#abortFlag = request.abortFlag;
    if (request.pending) this.#pending = new PendingWork(request.pending);
    await this.#withExecutor(({ device, shared, memoryBytes, peakMemoryBytes }) => {
      this.#post({ kind: 'loaded', device, shared, memoryBytes, peakMemoryBytes });
      return Promise.resolve();
    });
  }

  /** An executor with its weights. */
  async #open(request: AnyLoadRequest): Promise<Executor> {
    const { urls, kernels, weightFiles } = request;
    const handedOut = request.target !== 'wasm' ? request.kernels.map(({ file }) => file) : [];
    const source =
      urls === null
        ? this.#requestedFiles([...weightFiles, ...handedOut])
        : await this.#openWeights({ ...request, urls }, this.#platform, (sentence) => this.#post({ kind: 'notice', sentence }));
    this.#source = source;
    const context = {
      pending: this.#pending,
      readFile: (file: ManifestFile): Promise<Uint8Array<ArrayBuffer>> => readVerified(this.#platform, source, file),
      onKernels: (done: number, total: number): void => this.#post({ kind: 'kernels', done, total }),
    };
    let executor: Executor | undefined;
    try {
      const kind = this.#kinds[request.target] as ExecutorKind<TargetName> | undefined;
      if (!kind) throw new AtpcError('ATPC-501', `This worker runs no kernels for ${request.target}.`);
      executor = await kind.open({ ...request, kernels }, context);
      // A kernel that is refused ends the load before the rest of the weights is read.
      const refused: { error?: unknown } = {};
      executor.ready.catch((error: unknown) => (refused.error = error));
      await this.#loadWeights(executor, source, request, () => {
        if (refused.error !== undefined) throw refused.error as Error;
      });
      await executor.ready;
      return executor;
    } catch (error) {
      await executor?.dispose();
      throw this.#ending ?? error;
    } finally {
      this.#source = undefined;
      await source.close();
    }
  }

  async #loadWeights(
    executor: Executor,
    source: FileSource,
    { weightFiles, tensors, program }: LoadRequest,
    check: () => void,
  ): Promise<void> {
    let loadedBytes = 0;
    const afterChunk = async (bytes: number): Promise<void> => {
      await executor.flush();
      check();
      if (this.#ending) throw this.#ending;
      this.#post({ kind: 'progress', loadedBytes: (loadedBytes += bytes) });
    };
    const written = new Set<string>();
    for (const file of weightFiles) {
      const inFile = tensors.filter((tensor) => tensor.file === file.path);
      for (const name of await this.#loadFile(executor, source, file, inFile, afterChunk)) written.add(name);
    }
    const missing = program.weights.find((weight) => !written.has(weight.tensor));
    if (missing) throw new AtpcError('ATPC-403', `The tensor '${missing.tensor}' of the program is not in the manifest.`);
  }

  /** Streams a file into the memory; returns the names of the tensors that the program uses. */
  async #loadFile(
    executor: Executor,
    source: FileSource,
    file: ManifestFile,
    tensors: readonly ManifestTensor[],
    afterChunk: (bytes: number) => Promise<void>,
  ): Promise<string[]> {
    const writers: { readonly tensor: ManifestTensor; readonly writer: TensorWriter }[] = [];
    for (const tensor of tensors) {
      const bytes = tensor.shape.reduce((product, size) => product * size, 1) * storageBytes[tensor.storage];
      if (tensor.end - tensor.begin !== bytes || tensor.end > file.bytes) {
        throw new AtpcError('ATPC-403', `The tensor '${tensor.name}' has no valid byte range in ${file.path}.`);
      }
      const writer = executor.weightWriter(tensor);
      if (writer) writers.push({ tensor, writer });
    }
    let at = 0;
    for await (const chunk of readVerifiedChunks(this.#platform, source, file)) {
      const end = at + chunk.length;
      for (const { tensor, writer } of writers) {
        if (tensor.end > at && tensor.begin < end)
          writer.write(chunk.subarray(Math.max(0, tensor.begin - at), Math.min(chunk.length, tensor.end - at)));
      }
      await afterChunk(chunk.length);
      at = end;
    }
    return writers.map(({ tensor }) => tensor.name);
  }

  async #join(request: JoinRequest): Promise<void> {
    this.#abortFlag = request.abortFlag;
    const serve = await this.#kinds.wasm?.join?.(request);
    this.#post({ kind: 'joined' });
    // Not in this promise: whatever it throws has to end the worker, or the other lanes would wait for it.
    setTimeout(() => serve?.((call) => this.#isAborted(call)), 0);
  }

  /** Files that only the main thread can read, because the caller handed them over. */
  #requestedFiles(files: readonly ManifestFile[]): FileSource {
    const sizeOf = (path: string): number => files.find((file) => file.path === path)?.bytes ?? 0;
    return {
      local: false,
      size: (path) => Promise.resolve(sizeOf(path)),
      read: (path, begin, end = sizeOf(path)) =>
        new Promise((resolve, reject) => {
          const read = this.#nextRead++;
          this.#reads.set(read, { resolve, reject });
          this.#post({ kind: 'read', read, path, begin, end });
        }),
      close: () => Promise.resolve(),
    };
  }

  /**
   * Does work with the executor. Where its device is lost, the work is done again on another one, with the weights read again; rejects
   * with ATPC-506 where they cannot be, or where devices do not last.
   */
  async #withExecutor<T>(work: (executor: Executor) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const executor = (this.#executor ??= await this.#openAgain());
        const result = await work(executor);
        this.#losses = 0;
        return result;
      } catch (error) {
        if (!(error instanceof DeviceLost)) throw error;
        await this.#executor?.dispose();
        this.#executor = undefined;
        this.#losses += 1;
        this.#loss = error;
        if (this.#losses <= mostLosses) continue;
        throw new AtpcError('ATPC-506', `${error.message} Devices were lost ${this.#losses} times in a row.`, {
          hint: "Load the model with backend: 'wasm'.",
        });
      }
    }
  }
  async #openAgain(): Promise<Executor> {
    const [request, loss] = [this.#request, this.#loss];
    if (!request) throw new AtpcError('ATPC-503', 'The worker got a call before it had loaded the model.');
    if (!loss) return this.#open(request);
    if (request.urls === null) {
      throw new AtpcError('ATPC-506', `${loss.message} The weights cannot be read again: they were handed over to load.`, {
        hint: 'Load the model again.',
      });
    }
    try {
      return await this.#open(request);
    } catch (error) {
      if (!(error instanceof AtpcError) || this.#ending) throw error;
      throw new AtpcError('ATPC-506', `${loss.message} The model cannot be put on another one: ${error.message}`, {
        cause: error,
      });
    }
  }

  async #useState(request: StateRequest): Promise<void> {
    switch (request.kind) {
      case 'openState':
        return this.#result(request.call, await this.#withExecutor((executor) => executor.openState()));
      case 'closeState':
        return this.#executor?.closeState(request.state);
      case 'readState': {
        const bytes = await this.#withExecutor((executor) => executor.readState(request.state));
        return this.#result(request.call, bytes, [bytes.buffer]);
      }
      case 'writeState':
        await this.#withExecutor((executor) => executor.writeState(request.state, request.bytes));
        return this.#result(request.call, null);
    }
  }
  #result(
    call: number,
    result: CallResults[keyof CallResults],
    transfer: readonly ArrayBuffer[] = [],
    times?: readonly StepTime[],
  ): void {
    const { memoryBytes = 0, peakMemoryBytes = 0 }: Partial<MemoryUse> = this.#executor ?? {};
    this.#post({ kind: 'result', call, result, memoryBytes, peakMemoryBytes, ...(times ? { times } : {}) }, transfer);
  }

  async #run({ call, inputs, profile }: RunRequest): Promise<void> {
    const isAborted = (): boolean => this.#isAborted(call);
    let times: StepTime[] | undefined;
    const results = await this.#withExecutor((executor) => {
      if (isAborted()) throw new RunAborted();
      times = profile ? [] : undefined;
      return executor.run(inputs, { times, call, isAborted });
    });
    // What a device was given to do cannot be stopped: the results are dropped.
    if (isAborted()) throw new RunAborted();
    const buffers = Object.values(results).map((tensor) => tensor.data.buffer);
    this.#result(call, results, buffers, times);
  }
  #isAborted(call: number): boolean {
    return this.#abortFlag === null ? this.#abortedCall === call : Atomics.load(this.#abortFlag, 0) === call;
  }
}
