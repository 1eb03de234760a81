import type { StepTime } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import type { ManifestFile, ManifestTensor } from '../../format/manifest.ts';
import type { FileSource, Platform, Port } from '../../platform/platform.ts';
import { readVerifiedChunks } from '../../source.ts';
import type { NamedResults } from '../backend.ts';
import { LaneBarrier } from '../wasm/barrier.ts';
import { RunAborted, WasmExecutor } from '../wasm/executor.ts';
import { storageBytes, type TensorWriter } from '../stored-numbers.ts';
import { fromRecord, toRecord, type CallResults, type Request, type Response } from './protocol.ts';

// Without shared memory an abort arrives as a message, which a run has to make room for this often.
const messageMilliseconds = 40;

type RunRequest = Extract<Request, { kind: 'run' }>;
type StateRequest = Extract<Request, { kind: 'openState' | 'closeState' | 'readState' | 'writeState' }>;
type JoinRequest = Extract<Request, { kind: 'join' }>;
type LoadRequest = Extract<Request, { kind: 'load' }>;
/** Opens the weights that lie at the addresses of a request; `notice` tells the caller of `load` a sentence. */
export type OpenWeights = (
  request: LoadRequest & { readonly urls: NonNullable<LoadRequest['urls']> },
  platform: Platform,
  notice: (sentence: string) => void,
) => FileSource | Promise<FileSource>;
export const weightsAt: OpenWeights = ({ urls }, platform) => platform.files((path) => new URL(urls[path] as string));

/** The worker's side: loads a program, then runs one call after the other; or joins a worker that does, as one more lane. */
export class WorkerServer {
  readonly #port: Port;
  readonly #platform: Platform;
  readonly #openWeights: OpenWeights;
  readonly #reads = new Map<number, { resolve(bytes: Uint8Array<ArrayBuffer>): void; reject(error: Error): void }>();
  #executor: WasmExecutor | undefined;
  #abortFlag: Int32Array | null = null;
  #abortedCall = 0;
  #nextRead = 1;
  #last: Promise<void> = Promise.resolve();

  constructor(port: Port, platform: Platform, openWeights: OpenWeights = weightsAt) {
    this.#port = port;
    this.#platform = platform;
    this.#openWeights = openWeights;
    port.onMessage((message) => this.#receive(message as Request));
  }

  #receive(request: Request): void {
    switch (request.kind) {
      case 'load':
        return void this.#answer(0, this.#load(request));
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
    }
  }

  /** A run lets messages in on its way; what they ask for has to wait for it. */
  #inOrder(call: number, work: () => Promise<void>): void {
    this.#last = this.#answer(call, this.#last.then(work));
  }
  #answer(call: number, work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => {
      // Anything but a refusal is a fault in a kernel or in here: the worker ends, and the main thread hears why.
      if (!(error instanceof AtpcError)) setTimeout(() => this.#crash(error), 0);
      else this.#post({ kind: 'failed', call, error: toRecord(error) });
    });
  }
  #crash(error: unknown): never {
    throw error;
  }
  #post(response: Response, transfer: readonly ArrayBuffer[] = []): void {
    this.#port.post(response, transfer);
  }

  async #load(request: LoadRequest): Promise<void> {
    this.#abortFlag = request.abortFlag;
    const barrier = request.team ? new LaneBarrier(request.team.control, { lane: 0, lanes: request.team.lanes }) : undefined;
    const executor = await WasmExecutor.create(request.program, request.kernels, barrier);
    const { urls } = request;
    const source =
      urls === null
        ? this.#requestedFiles(request.weightFiles)
        : await this.#openWeights({ ...request, urls }, this.#platform, (sentence) => this.#post({ kind: 'notice', sentence }));
    try {
      let loadedBytes = 0;
      const progress = (bytes: number): void => this.#post({ kind: 'progress', loadedBytes: (loadedBytes += bytes) });
      const written = new Set<string>();
      for (const file of request.weightFiles) {
        const tensors = request.tensors.filter((tensor) => tensor.file === file.path);
        for (const name of await this.#loadFile(executor, source, file, tensors, progress)) written.add(name);
      }
      const missing = request.program.weights.find((weight) => !written.has(weight.tensor));
      if (missing) throw new AtpcError('ATPC-403', `The tensor '${missing.tensor}' of program.json is not in the manifest.`);
    } finally {
      await source.close();
    }
    this.#executor = executor;
    this.#post({ kind: 'loaded', memoryBytes: executor.memoryBytes, shared: barrier ? executor.shared : null });
  }

  async #join({ program, shared, abortFlag, team, lane }: JoinRequest): Promise<void> {
    this.#abortFlag = abortFlag;
    const executor = await WasmExecutor.join(program, shared, new LaneBarrier(team.control, { lane, lanes: team.lanes }));
    this.#post({ kind: 'joined' });
    // Not in this promise: whatever it throws has to end the worker, or the other lanes would wait for it.
    setTimeout(() => executor.serve((call) => this.#isAborted(call)), 0);
  }

  /** Streams a file into the memory; returns the names of the tensors that the program uses. */
  async #loadFile(
    executor: WasmExecutor,
    source: FileSource,
    file: ManifestFile,
    tensors: readonly ManifestTensor[],
    progress: (bytes: number) => void,
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
      progress(chunk.length);
      at = end;
    }
    return writers.map(({ tensor }) => tensor.name);
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

  #needExecutor(): WasmExecutor {
    if (this.#executor) return this.#executor;
    throw new AtpcError('ATPC-503', 'The worker got a call before it had loaded the model.');
  }

  async #useState(request: StateRequest): Promise<void> {
    const executor = this.#needExecutor();
    switch (request.kind) {
      case 'openState':
        return this.#result(request.call, executor.openState());
      case 'closeState':
        return executor.closeState(request.state);
      case 'readState': {
        const bytes = executor.readState(request.state);
        return this.#result(request.call, bytes, [bytes.buffer]);
      }
      case 'writeState':
        executor.writeState(request.state, request.bytes);
        return this.#result(request.call, null);
    }
  }
  #result(
    call: number,
    result: CallResults[keyof CallResults],
    transfer: readonly ArrayBuffer[] = [],
    times?: readonly StepTime[],
  ): void {
    const { memoryBytes } = this.#needExecutor();
    this.#post({ kind: 'result', call, result, memoryBytes, ...(times ? { times } : {}) }, transfer);
  }

  async #run({ call, inputs, profile }: RunRequest): Promise<void> {
    const executor = this.#needExecutor();
    const times: StepTime[] | undefined = profile ? [] : undefined;
    const run = executor.run(inputs, { times, call, isAborted: () => this.#isAborted(call) });
    let results: NamedResults | undefined;
    for (let lastMessages = performance.now(); results === undefined;) {
      let step: IteratorResult<void, NamedResults>;
      try {
        step = run.next();
      } catch (error) {
        if (error instanceof RunAborted) return this.#post({ kind: 'aborted', call });
        throw error;
      }
      if (step.done) results = step.value;
      else if (this.#abortFlag === null && performance.now() - lastMessages > messageMilliseconds) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        lastMessages = performance.now();
      }
    }
    const buffers = Object.values(results).map((tensor) => tensor.data.buffer);
    this.#result(call, results, buffers, times);
  }
  #isAborted(call: number): boolean {
    return this.#abortFlag === null ? this.#abortedCall === call : Atomics.load(this.#abortFlag, 0) === call;
  }
}
