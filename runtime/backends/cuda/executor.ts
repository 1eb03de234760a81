import type { StepTime } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import type { ManifestTensor } from '../../format/manifest.ts';
import { hasState, type EntryPointName, type Program, type ProgramBuffer } from '../../format/program.ts';
import type { Dims, PreparedInputs } from '../../inputs.ts';
import type { NamedResults } from '../backend.ts';
import { DeviceLost, type Executor } from '../executor.ts';
import { elementsOf, inputData, outputData } from '../port-data.ts';
import { dimsAt, hintForCall } from '../slot-bytes.ts';
import { SlotPlan, type PlacedDispatch, type PlacedPort } from '../slot-plan.ts';
import { packSparse, unpackSparse } from '../sparse-bytes.ts';
import type { TensorWriter } from '../stored-numbers.ts';
import { weightWriterOf } from '../weight-writer.ts';
import { CallArena } from './call-arena.ts';
import { CallStaging } from './call-staging.ts';
import { ignoringFailures, type ContextLease } from './context.ts';
import { alignPart, DeviceMemory } from './device-memory.ts';
import type { Address, CudaDriver } from './driver.ts';
import { eventDone } from './event-wait.ts';
import { meaningOf } from './failure.ts';
import { GraphCache } from './graphs.ts';
import { loadKernels, type CudaKernels } from './kernels.ts';
import { Launches } from './launches.ts';
import { callBytes } from './preflight.ts';
import type { PtxText } from './ptx.ts';
import { DeviceStates } from './states.ts';
import { StepEvents } from './step-events.ts';
import { Uploads } from './uploads.ts';

/** Sizes of dispatches begin at multiples of so many bytes. */
const sizesAlignment = 16;

export interface CudaExecutorOptions {
  /** The device in words, for people. */
  readonly description?: string;
  readonly onKernels?: (done: number, total: number) => void;
}

/** A program on a device: its kernels, its memory, and one stream for all that it does. A call that comes again is one graph. */
export class CudaExecutor implements Executor {
  readonly device: string;
  readonly shared = null;
  readonly ready = Promise.resolve();
  readonly #driver: CudaDriver;
  readonly #context: ContextLease;
  readonly #program: Program;
  readonly #memory: DeviceMemory;
  readonly #states: DeviceStates;
  readonly #staging: CallStaging;
  readonly #arena: CallArena;
  readonly #plans = new Map<EntryPointName, SlotPlan>();
  #kernels: CudaKernels | undefined;
  #weights: Address = 0n;
  #stream: StreamTools | undefined;
  #loss: DeviceLost | undefined;
  #disposed = false;

  private constructor(driver: CudaDriver, context: ContextLease, program: Program, description: string) {
    this.device = description;
    this.#driver = driver;
    this.#context = context;
    this.#program = program;
    this.#memory = new DeviceMemory(driver);
    this.#states = new DeviceStates(program, this.#memory);
    this.#staging = new CallStaging(driver);
    this.#arena = new CallArena(program, this.#memory);
  }

  /**
   * Compiles the kernels, which lie in one file, and makes room for the weights, and for a program with state for all of its calls. Gives
   * the context back when it is disposed of, or fails. Rejects as loadKernels says, with ATPC-403 for a program of another target,
   * ATPC-502 where there is no memory, and DeviceLost.
   */
  static async create(
    driver: CudaDriver,
    context: ContextLease,
    program: Program,
    ptx: PtxText,
    { description = 'a CUDA device', onKernels }: CudaExecutorOptions = {},
  ): Promise<CudaExecutor> {
    const executor = new CudaExecutor(driver, context, program, description);
    try {
      if (program.slots === undefined) throw new AtpcError('ATPC-403', 'The program has no slots: it is for another target.');
      await executor.#unlessLost(() => executor.#open(ptx, onKernels));
      return executor;
    } catch (error) {
      await executor.dispose();
      throw error;
    }
  }
  #open(ptx: PtxText, onKernels: CudaExecutorOptions['onKernels']): void {
    const [driver, program] = [this.#driver, this.#program];
    onKernels?.(0, ptx.threads.size);
    const kernels = (this.#kernels = loadKernels(driver, program, ptx));
    onKernels?.(ptx.threads.size, ptx.threads.size);
    this.#stream = new StreamTools(driver, kernels);
    this.#weights = this.#memory.allocate('the weights', Number(program.arenas.weights));
    if (!hasState(program)) return;
    // What fits now fits in every call.
    const sizes = (Object.keys(program.entryPoints) as readonly EntryPointName[]).flatMap((entry) =>
      (['min', 'max'] as const).map((bound) => this.#planOf(entry).place(dimsAt(program, bound)).sizes.byteLength),
    );
    this.#arena.reserve(dimsAt(program, 'max'), Math.max(...sizes));
  }

  get memoryBytes(): number {
    return this.#memory.bytes;
  }
  get peakMemoryBytes(): number {
    return this.#memory.peakBytes;
  }
  get #tools(): StreamTools {
    if (this.#stream) return this.#stream;
    throw new RangeError('The executor is not open.');
  }

  weightWriter(tensor: Pick<ManifestTensor, 'name' | 'storage' | 'shape'>): TensorWriter | undefined {
    const placeOf = (index: number): { readonly buffer: Address; readonly offset: number } => ({
      buffer: this.#weights,
      offset: Number((this.#program.buffers[index] as ProgramBuffer).offset),
    });
    return weightWriterOf(this.#program, tensor, placeOf, (buffer, offset, bytes) => {
      this.#enter();
      try {
        this.#tools.uploads.write(buffer + BigInt(offset), bytes);
      } catch (error) {
        throw this.#noted(error);
      }
    });
  }
  flush(): Promise<void> {
    return this.#unlessLost(() => this.#tools.uploads.flush());
  }

  /** Calls of the driver that follow are for the context of this executor. Throws the loss, once there was one. */
  #enter(): void {
    if (this.#loss) throw this.#loss;
    this.#context.use();
  }
  /** The error to be thrown for what a call threw; a loss is noted. */
  #noted(error: unknown): unknown {
    const meaning = meaningOf(error);
    if (meaning instanceof DeviceLost) this.#loss = meaning;
    return meaning;
  }
  async #unlessLost<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      this.#enter();
      return await work();
    } catch (error) {
      throw this.#noted(error);
    }
  }
  /** Resolves when the stream has done all that it was given. */
  async #idle(): Promise<void> {
    const { done, stream } = this.#tools;
    this.#driver.record(done, stream);
    await eventDone(this.#driver, done);
  }

  openState(): Promise<number> {
    return this.#unlessLost(() => {
      const { state, address } = this.#states.open();
      this.#driver.clear(address, this.#states.bytes, this.#tools.stream);
      return state;
    });
  }
  closeState(state: number): void {
    if (!this.#loss) this.#context.use();
    this.#stream?.forgetState(state);
    this.#states.close(state);
  }
  /** The whole of a state, slot after slot. */
  stateBytes(state: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#unlessLost(async () => {
      const address = this.#states.addressOf(state);
      this.#stage(this.#states.bytes);
      this.#driver.copyToHost(this.#staging.addressAt(0), address, this.#states.bytes, this.#tools.stream);
      await this.#idle();
      return new Uint8Array(this.#staging.bytes.slice(0, this.#states.bytes));
    });
  }
  /** Bytes from the start of what `stateBytes` gives at which a slot begins. */
  stateOffset(slot: number): number {
    return this.#states.offsets.get(slot) ?? 0;
  }
  async readState(state: number): Promise<Uint8Array<ArrayBuffer>> {
    return packSparse(await this.stateBytes(state));
  }
  /** Into a state that was just opened. Rejects with ATPC-608 for bytes that are not those of a state of this program. */
  writeState(state: number, packed: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#unlessLost(async () => {
      const address = this.#states.addressOf(state);
      const bytes = new Uint8Array(this.#states.bytes);
      if (!unpackSparse(packed, bytes))
        throw new AtpcError('ATPC-608', `The bytes of the state are not those of one of ${bytes.length} bytes.`);
      this.#tools.uploads.write(address, bytes);
      await this.#tools.uploads.flush();
    });
  }

  /** Runs an entry point. With `times`, each dispatch is timed on the device, and launched by itself. */
  run(inputs: PreparedInputs, { times }: { readonly times?: StepTime[] | undefined } = {}): Promise<NamedResults> {
    return this.#unlessLost(async () => {
      // What only loading needs is given back.
      this.#tools.uploads.dispose();
      try {
        return await this.#run(inputs, times);
      } catch (error) {
        // Nothing of a call that failed half way may be under way when the next one comes.
        if (!(meaningOf(error) instanceof DeviceLost)) await this.#idle();
        throw error;
      }
    });
  }
  async #run({ entry = 'forward', state, dims, tensors }: PreparedInputs, times: StepTime[] | undefined): Promise<NamedResults> {
    const driver = this.#driver;
    const { stream, done, graphs, launches, stepEvents } = this.#tools;
    const plan = this.#planOf(entry);
    const { dispatches, sizes } = plan.place(dims);
    this.#reserve(dims, sizes.byteLength);
    const [inputs, outputs] = [plan.ports('inputs', dims), plan.ports('outputs', dims)];
    const copies = this.#copiesOf(sizes.byteLength, inputs, outputs);
    this.#stage(copies.bytes);
    // Without outputs nothing says whether a state is there.
    const stateAddress = state === undefined ? undefined : this.#states.addressOf(state);

    new Int32Array(this.#staging.bytes, 0, sizes.length).set(sizes);
    for (const [index, port] of inputs.entries()) {
      const data = inputData(port, tensors);
      const at = copies.inputs[index]?.staged ?? 0;
      const staged =
        data instanceof Float32Array ? new Float32Array(this.#staging.bytes, at) : new Int32Array(this.#staging.bytes, at);
      staged.set(data);
    }
    const copyIn = (): void => {
      for (const { device, staged, bytes } of [copies.sizes, ...copies.inputs])
        if (bytes > 0) driver.copyToDevice(device, this.#staging.addressAt(staged), bytes, stream);
    };
    const copyOut = (): void => {
      for (const { device, staged, bytes } of copies.outputs)
        if (bytes > 0) driver.copyToHost(this.#staging.addressAt(staged), device, bytes, stream);
    };
    const launch = (placed: PlacedDispatch): void =>
      launches.launch(placed, this.#arena.sizes, state ?? null, (binding) => {
        if (binding.kind === 'weight') return this.#weights + BigInt(Number(this.#program.buffers[binding.index]?.offset));
        const offset = this.#states.offsets.get(binding.index);
        if (offset === undefined) return this.#arena.slot(binding.index);
        return (stateAddress ?? this.#states.addressOf(state)) + BigInt(offset);
      });
    const start = performance.now();
    if (times) {
      copyIn();
      stepEvents.record(dispatches.length, (index) => launch(dispatches[index] as PlacedDispatch));
      copyOut();
    } else {
      graphs.run(keyOf(entry, state, dispatches, copies), () => {
        copyIn();
        for (const placed of dispatches) launch(placed);
        copyOut();
      });
    }
    driver.record(done, stream);
    await eventDone(driver, done);
    times?.push(...stepEvents.times(dispatches, start));
    const { bytes } = this.#staging;
    return Object.fromEntries(
      outputs.map((port, index) => [port.name, outputData(port, bytes, copies.outputs[index]?.staged ?? 0)]),
    );
  }

  /** Where sizes, inputs and outputs lie in the staging memory, one after the other, and on the device. */
  #copiesOf(sizesBytes: number, inputs: readonly PlacedPort[], outputs: readonly PlacedPort[]): Copies {
    let at = 0;
    const copy = (device: Address, bytes: number): Copy => {
      const staged = at;
      at += alignPart(bytes);
      return { device, staged, bytes };
    };
    const portCopy = (port: PlacedPort): Copy => copy(this.#arena.slot(port.slot) + BigInt(port.offset), elementsOf(port) * 4);
    return {
      sizes: copy(this.#arena.sizes, sizesBytes),
      inputs: inputs.map(portCopy),
      outputs: outputs.map(portCopy),
      bytes: at,
    };
  }
  #planOf(entry: EntryPointName): SlotPlan {
    let plan = this.#plans.get(entry);
    if (plan === undefined) this.#plans.set(entry, (plan = new SlotPlan(this.#program, entry, sizesAlignment)));
    return plan;
  }
  #stage(bytes: number): void {
    if (this.#staging.reserve(bytes)) this.#tools.graphs.clear();
  }
  /** Makes room for a call. Throws ATPC-502 where there is none, with calls that would do. */
  #reserve(dims: Dims, sizesBytes: number): void {
    const program = this.#program;
    const asked = hasState(program) ? dimsAt(program, 'max') : dims;
    const hint = (): string => {
      const { free } = this.#driver.memory();
      return hintForCall(program, dims, (call) => callBytes(program, call) <= free);
    };
    if (this.#arena.reserve(asked, sizesBytes, hint)) this.#tools.forgetAddresses();
  }

  /** Waits for what the device is at. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const driver = this.#driver;
    try {
      this.#context.use();
      if (this.#stream && !this.#loss) await this.#idle();
    } catch (error) {
      // What was under way has failed, and what is given back now is gone already.
      this.#noted(error);
    }
    this.#stream?.dispose();
    this.#staging.dispose();
    this.#memory.freeAll();
    const module = this.#kernels?.module;
    if (module !== undefined) ignoringFailures(() => driver.unloadModule(module));
    this.#context.release();
  }
}

interface Copy {
  readonly device: Address;
  /** Bytes from the start of the staging memory. */
  readonly staged: number;
  readonly bytes: number;
}
interface Copies {
  readonly sizes: Copy;
  readonly inputs: readonly Copy[];
  readonly outputs: readonly Copy[];
  /** Of the staging memory. */
  readonly bytes: number;
}
/** Equal for calls that give the stream the very same work: the same state, dispatches, grids and copies. */
function keyOf(
  entry: EntryPointName,
  state: number | undefined,
  dispatches: readonly PlacedDispatch[],
  { sizes, inputs, outputs }: Copies,
): string {
  const grids = dispatches.map(({ dispatch, items }) => `${dispatch.step}:${items}`);
  const copies = [sizes, ...inputs, ...outputs].map(({ device, staged, bytes }) => `${device}:${staged}:${bytes}`);
  return [statePrefix(state), entry, grids, copies].join(' ');
}
const statePrefix = (state: number | undefined): string => `state ${state ?? 'none'},`;

/** The stream of an executor, and what belongs to it. */
class StreamTools {
  readonly #driver: CudaDriver;
  readonly stream: Address;
  /** Recorded at the end of what is waited for. */
  readonly done: Address;
  readonly uploads: Uploads;
  readonly graphs: GraphCache;
  readonly launches: Launches;
  readonly stepEvents: StepEvents;

  constructor(driver: CudaDriver, { kernels }: CudaKernels) {
    this.#driver = driver;
    this.stream = driver.createStream();
    try {
      this.done = driver.createEvent(false);
    } catch (error) {
      ignoringFailures(() => driver.destroyStream(this.stream));
      throw error;
    }
    this.uploads = new Uploads(driver, this.stream);
    this.graphs = new GraphCache(driver, this.stream);
    this.launches = new Launches(driver, this.stream, kernels);
    this.stepEvents = new StepEvents(driver, this.stream);
  }
  forgetState(state: number): void {
    this.graphs.clear(statePrefix(state));
    this.launches.forgetState(state);
  }
  /** After memory has moved. */
  forgetAddresses(): void {
    this.graphs.clear();
    this.launches.clear();
  }
  dispose(): void {
    this.graphs.clear();
    this.uploads.dispose();
    this.stepEvents.dispose();
    ignoringFailures(() => this.#driver.destroyEvent(this.done));
    ignoringFailures(() => this.#driver.destroyStream(this.stream));
  }
}
