import type { StepTime } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import type { ManifestTensor } from '../../format/manifest.ts';
import { hasState, type EntryPointName, type Program, type ProgramSlot } from '../../format/program.ts';
import type { Dims, PreparedInputs } from '../../inputs.ts';
import type { NamedResults } from '../backend.ts';
import { DeviceLost, type Executor } from '../executor.ts';
import { elementsOf, inputData, outputData } from '../port-data.ts';
import { alignBytes, dimsAt, slotBytes, sumOf } from '../slot-bytes.ts';
import { SlotPlan, type PlacedDispatch, type PlannedDispatch } from '../slot-plan.ts';
import { packSparse, unpackSparse } from '../sparse-bytes.ts';
import type { TensorWriter } from '../stored-numbers.ts';
import { PendingWork } from '../worker/pending-work.ts';
import { DeviceBuffers } from './device-buffers.ts';
import { kernelTexts } from './kernel-texts.ts';
import { createPipelines, type KernelPipeline } from './pipelines.ts';
import { checkCall } from './preflight.ts';
import { ReadBack } from './read-back.ts';
import { DeviceStates } from './states.ts';
import { stepTimes, Timestamps } from './timestamps.ts';
import { storageUsage, usage } from './usage.ts';
import { WeightRanges } from './weight-ranges.ts';

// How long `device.lost` may take to settle after something failed because of it.
const lossMilliseconds = 500;

export interface WebGpuExecutorOptions {
  /** The device in words, for people. */
  readonly description?: string;
  readonly pending?: PendingWork;
  readonly onKernels?: (done: number, total: number) => void;
  /** Gives the device back. */
  readonly release?: () => void;
}

/** A program on a device: its pipelines, and its memory. A call is one submission. */
export class WebGpuExecutor implements Executor {
  readonly device: string;
  readonly shared = null;
  readonly ready: Promise<void>;
  readonly #device: GPUDevice;
  readonly #program: Program;
  readonly #slots: readonly ProgramSlot[];
  readonly #buffers: DeviceBuffers;
  readonly #weights: WeightRanges;
  readonly #states: DeviceStates;
  readonly #readBack: ReadBack;
  readonly #timestamps: Timestamps;
  readonly #pending: PendingWork;
  readonly #release: (() => void) | undefined;
  readonly #plans = new Map<EntryPointName, SlotPlan>();
  /** Buffers of slots but those of states, which belong to sessions. */
  readonly #common: (GPUBuffer | undefined)[];
  #pipelines: ReadonlyMap<string, KernelPipeline> = new Map();
  /** By dispatch, then by state; -1 for none. Good until a buffer is replaced. */
  #bindGroups = new Map<PlannedDispatch, Map<number, GPUBindGroup>>();
  #uniforms: GPUBuffer | undefined;
  #loss: DeviceLost | undefined;

  private constructor(device: GPUDevice, program: Program, kernelFile: string, options: WebGpuExecutorOptions) {
    const { description = 'a WebGPU device', pending = new PendingWork(), onKernels, release } = options;
    this.device = description;
    this.#device = device;
    this.#program = program;
    this.#slots = program.slots ?? [];
    this.#pending = pending;
    this.#release = release;
    this.#buffers = new DeviceBuffers(device, pending);
    this.#weights = new WeightRanges(program, device.limits);
    this.#states = new DeviceStates(program, this.#buffers);
    this.#readBack = new ReadBack(this.#buffers, pending);
    this.#timestamps = new Timestamps(device, this.#buffers);
    this.#common = this.#slots.map(() => undefined);
    void device.lost.then(({ reason, message }) => {
      this.#loss = new DeviceLost(`The device was lost (${reason}): ${message}`);
    });
    this.ready = this.#unlessLost(async () => {
      this.#pipelines = await createPipelines(device, program, kernelTexts(kernelFile), pending, onKernels);
    });
    // Whoever opens the executor waits for it; until then it is nobody's failure.
    this.ready.catch(() => undefined);
  }

  /**
   * Makes room for the weights, and for a program with state for all of its calls, while the kernels, which lie in one file, are
   * compiled: `ready`, which rejects with ATPC-403 for a file that does not fit the program and ATPC-505 for a kernel that the device
   * refuses. Rejects with ATPC-403 for a program of another target, and ATPC-502 where there is no memory.
   */
  static async open(
    device: GPUDevice,
    program: Program,
    kernelFile: string,
    options: WebGpuExecutorOptions = {},
  ): Promise<WebGpuExecutor> {
    if (program.slots === undefined) throw new AtpcError('ATPC-403', 'The program has no slots: it is for another target.');
    const executor = new WebGpuExecutor(device, program, kernelFile, options);
    try {
      await executor.#unlessLost(() => executor.#allocate());
      return executor;
    } catch (error) {
      await executor.dispose();
      throw error;
    }
  }
  /** The same, with the kernels compiled. */
  static async create(
    device: GPUDevice,
    program: Program,
    kernelFile: string,
    options: WebGpuExecutorOptions = {},
  ): Promise<WebGpuExecutor> {
    const executor = await WebGpuExecutor.open(device, program, kernelFile, options);
    try {
      await executor.ready;
      return executor;
    } catch (error) {
      await executor.dispose();
      throw error;
    }
  }
  async #allocate(): Promise<void> {
    this.#weights.placeIn(await this.#buffers.allocate('the weights', this.#weights.bufferBytes, storageUsage));
    if (hasState(this.#program)) await this.#reserve(dimsAt(this.#program, 'max'));
  }

  get memoryBytes(): number {
    return this.#buffers.bytes;
  }
  get peakMemoryBytes(): number {
    return this.#buffers.peakBytes;
  }
  weightWriter(tensor: Pick<ManifestTensor, 'name' | 'storage' | 'shape'>): TensorWriter | undefined {
    return this.#weights.writer(this.#device.queue, tensor);
  }
  flush(): Promise<void> {
    return this.#unlessLost(async () => {
      const { queue } = this.#device;
      // What was written goes with the next submission.
      queue.submit([]);
      await this.#pending.track(() => queue.onSubmittedWorkDone());
    });
  }

  /**
   * Does work of the device; rejects with DeviceLost where that is gone. Nothing throws on a lost device, and only a mapping is sure to
   * reject, a moment before or after `device.lost` settles.
   */
  async #unlessLost<T>(work: () => Promise<T>): Promise<T> {
    this.#checkLoss();
    let result: T;
    try {
      result = await work();
    } catch (error) {
      if (!(error instanceof AtpcError)) {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const waited = new Promise<void>((resolve) => (timer = setTimeout(resolve, lossMilliseconds)));
        await Promise.race([this.#device.lost, waited]);
        clearTimeout(timer);
      }
      this.#checkLoss();
      throw error;
    }
    this.#checkLoss();
    return result;
  }
  #checkLoss(): void {
    if (this.#loss) throw this.#loss;
  }

  openState(): Promise<number> {
    return this.#unlessLost(() => this.#states.open());
  }
  closeState(state: number): void {
    for (const groups of this.#bindGroups.values()) groups.delete(state);
    this.#states.close(state);
  }
  /** The whole of a state, slot after slot. */
  stateBytes(state: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#unlessLost(async () => {
      const buffers = [...this.#states.of(state).values()];
      const total = sumOf(buffers.map(({ size }) => size));
      const staging = await this.#readBack.take(total);
      const read = this.#checked(() => {
        const encoder = this.#device.createCommandEncoder();
        let at = 0;
        for (const buffer of buffers) {
          encoder.copyBufferToBuffer(buffer, 0, staging, at, buffer.size);
          at += buffer.size;
        }
        this.#device.queue.submit([encoder.finish()]);
        return this.#readBack.read(staging, total);
      });
      return new Uint8Array(await read);
    });
  }
  async readState(state: number): Promise<Uint8Array<ArrayBuffer>> {
    return packSparse(await this.stateBytes(state));
  }
  /** Into a state that was just opened. Rejects with ATPC-608 for bytes that are not those of a state of this program. */
  writeState(state: number, packed: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#unlessLost(() => {
      const buffers = [...this.#states.of(state).values()];
      const bytes = new Uint8Array(sumOf(buffers.map(({ size }) => size)));
      if (!unpackSparse(packed, bytes))
        throw new AtpcError('ATPC-608', `The bytes of the state are not those of one of ${bytes.length} bytes.`);
      let at = 0;
      for (const buffer of buffers) {
        this.#device.queue.writeBuffer(buffer, 0, bytes, at, buffer.size);
        at += buffer.size;
      }
      return this.flush();
    });
  }

  /**
   * Runs an entry point: one submission, and one read of what it gives. With `times`, each dispatch is a pass of its own where the
   * device has timestamps; where it has none, one time with the step -1 stands for the whole call.
   */
  run(inputs: PreparedInputs, { times }: { readonly times?: StepTime[] | undefined } = {}): Promise<NamedResults> {
    return this.#unlessLost(() => this.#run(inputs, times));
  }
  async #run({ entry = 'forward', state, dims, tensors }: PreparedInputs, times: StepTime[] | undefined): Promise<NamedResults> {
    const plan = this.#planOf(entry);
    const { dispatches, sizes } = plan.place(dims);
    if (!hasState(this.#program)) await this.#reserve(dims);
    await this.#reserveUniforms(sizes.byteLength);
    const stamps = times && Timestamps.areThere(this.#device) && dispatches.length > 0 ? this.#timestamps : undefined;
    await stamps?.reserve(dispatches.length);
    const outputs = plan.ports('outputs', dims);
    const resultBytes = sumOf(outputs.map((port) => alignBytes(elementsOf(port) * 4)));
    const total = resultBytes + (stamps ? Timestamps.bytesOf(dispatches.length) : 0);
    const staging = await this.#readBack.take(total);

    const start = performance.now();
    const bytes = await this.#checked(() => {
      const { queue } = this.#device;
      for (const port of plan.ports('inputs', dims))
        queue.writeBuffer(this.#common[port.slot] as GPUBuffer, port.offset, inputData(port, tensors));
      if (sizes.length > 0) queue.writeBuffer(this.#uniforms as GPUBuffer, 0, sizes);
      const encoder = this.#device.createCommandEncoder();
      this.#encode(encoder, dispatches, state, stamps);
      let at = 0;
      for (const port of outputs) {
        const length = elementsOf(port) * 4;
        if (length > 0) encoder.copyBufferToBuffer(this.#common[port.slot] as GPUBuffer, port.offset, staging, at, length);
        at += alignBytes(length);
      }
      stamps?.copyInto(encoder, dispatches.length, staging, resultBytes);
      queue.submit([encoder.finish()]);
      // A mapping waits for what was copied into its buffer, which is nothing for a program without outputs.
      const done = total === 0 ? this.#pending.track(() => queue.onSubmittedWorkDone()) : undefined;
      return Promise.all([this.#readBack.read(staging, total), done]).then(([read]) => read);
    });
    if (stamps) times?.push(...stepTimes(dispatches, new BigUint64Array(bytes, resultBytes), start));
    else times?.push({ step: -1, start, milliseconds: performance.now() - start });
    let from = 0;
    return Object.fromEntries(
      outputs.map((port) => {
        const result = outputData(port, bytes, from);
        from += alignBytes(elementsOf(port) * 4);
        return [port.name, result];
      }),
    );
  }

  /**
   * Work that is submitted at once. A submission that the device refuses is left out, and its buffers keep what they held before: so
   * nothing is given out before the device has said that there was no error. Rejects with ATPC-505 and ATPC-502.
   */
  async #checked<T>(submit: () => Promise<T>): Promise<T> {
    const device = this.#device;
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    let result: Promise<T>;
    let popped: Promise<readonly (GPUError | null)[]> | undefined;
    const pop = (): Promise<readonly (GPUError | null)[]> =>
      this.#pending.track(() => Promise.all([device.popErrorScope(), device.popErrorScope()]));
    try {
      result = submit();
    } catch (error) {
      popped = pop();
      await popped.catch(() => undefined);
      throw error;
    }
    popped = pop();
    const [read, errors] = await Promise.allSettled([result, popped]);
    const [invalid, memory] = errors.status === 'fulfilled' ? errors.value : [];
    if (memory) throw new AtpcError('ATPC-502', `The device has no memory for the call: ${memory.message}`);
    if (invalid) throw new AtpcError('ATPC-505', `The device refuses the call: ${invalid.message}`);
    if (read.status === 'rejected') throw read.reason;
    if (errors.status === 'rejected') throw errors.reason;
    return read.value;
  }

  #encode(
    encoder: GPUCommandEncoder,
    dispatches: readonly PlacedDispatch[],
    state: number | undefined,
    stamps: Timestamps | undefined,
  ): void {
    const begin = (index: number): GPUComputePassEncoder =>
      encoder.beginComputePass(stamps ? { timestampWrites: stamps.writes(index) } : {});
    let pass = begin(0);
    for (const [index, { dispatch, items, sizesOffset }] of dispatches.entries()) {
      if (stamps && index > 0) {
        pass.end();
        pass = begin(index);
      }
      const { pipeline } = this.#pipelineOf(dispatch);
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, this.#bindGroupOf(dispatch, state), [sizesOffset]);
      // No dimension of a grid may be longer than this (WebGPU, section 3.6.2, maxComputeWorkgroupsPerDimension).
      const rows = Math.ceil(items / this.#device.limits.maxComputeWorkgroupsPerDimension);
      pass.dispatchWorkgroups(Math.ceil(items / rows), rows);
    }
    pass.end();
  }
  #pipelineOf({ kernel }: PlannedDispatch): KernelPipeline {
    return this.#pipelines.get(kernel) as KernelPipeline;
  }
  #bindGroupOf(dispatch: PlannedDispatch, state: number | undefined): GPUBindGroup {
    const usesState = dispatch.bindings.some(({ kind, index }) => kind === 'slot' && this.#slots[index]?.class === 'state');
    const key = usesState ? (state ?? -1) : -1;
    let groups = this.#bindGroups.get(dispatch);
    if (groups === undefined) this.#bindGroups.set(dispatch, (groups = new Map<number, GPUBindGroup>()));
    let group = groups.get(key);
    if (group === undefined) {
      const states = usesState ? this.#states.of(state) : undefined;
      const resources = dispatch.bindings.map(({ kind, index }): GPUBufferBinding => {
        if (kind === 'weight') return this.#weights.binding(index);
        return { buffer: (states?.get(index) ?? this.#common[index]) as GPUBuffer };
      });
      const uniform = { buffer: this.#uniforms as GPUBuffer, offset: 0, size: alignBytes(dispatch.values.length * 4) };
      group = this.#device.createBindGroup({
        layout: this.#pipelineOf(dispatch).layout,
        entries: [uniform, ...resources].map((resource, binding) => ({ binding, resource })),
      });
      groups.set(key, group);
    }
    return group;
  }

  #planOf(entry: EntryPointName): SlotPlan {
    let plan = this.#plans.get(entry);
    if (plan === undefined) {
      plan = new SlotPlan(this.#program, entry, this.#device.limits.minUniformBufferOffsetAlignment);
      this.#plans.set(entry, plan);
    }
    return plan;
  }
  /** Makes the buffers of all slots but the states' large enough for these dims. */
  async #reserve(dims: Dims): Promise<void> {
    checkCall(this.#program, dims, this.#device.limits);
    const wanted = slotBytes(this.#program, dims).flatMap((bytes, index) => {
      const isState = this.#slots[index]?.class === 'state';
      return !isState && bytes > (this.#common[index]?.size ?? 0) ? [{ index, bytes }] : [];
    });
    if (wanted.length === 0) return;
    // What is too small goes first, so that old and new never lie side by side.
    for (const { index } of wanted) {
      const old = this.#common[index];
      if (old) this.#buffers.free(old);
      this.#common[index] = undefined;
    }
    this.#bindGroups = new Map();
    const sizes = wanted.map(({ bytes }) => bytes);
    const made = await this.#buffers.allocate('inputs, outputs and workspace', sizes, storageUsage);
    wanted.forEach(({ index }, position) => (this.#common[index] = made[position]));
  }
  async #reserveUniforms(bytes: number): Promise<void> {
    if (bytes <= (this.#uniforms?.size ?? 0)) return;
    if (this.#uniforms) this.#buffers.free(this.#uniforms);
    this.#uniforms = undefined;
    this.#bindGroups = new Map();
    const [made] = await this.#buffers.allocate('uniforms', [bytes], usage.uniform | usage.copyDestination);
    this.#uniforms = made;
  }

  async dispose(): Promise<void> {
    await this.#pending.settled();
    this.#states.clear();
    this.#bindGroups.clear();
    this.#timestamps.dispose();
    this.#buffers.freeAll();
    this.#release?.();
  }
}
