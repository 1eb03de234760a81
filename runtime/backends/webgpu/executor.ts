import type { TensorOutput } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import { evaluateExpression } from '../../format/expression.ts';
import type { ManifestTensor } from '../../format/manifest.ts';
import { hasState, type EntryPointName, type Program, type ProgramSlot } from '../../format/program.ts';
import type { Dims, PreparedInputs } from '../../inputs.ts';
import type { NamedResults } from '../backend.ts';
import type { TensorWriter } from '../stored-numbers.ts';
import { alignBytes, DeviceBuffers } from './device-buffers.ts';
import { kernelTexts } from './kernel-texts.ts';
import { createPipelines, type KernelPipeline } from './pipelines.ts';
import { WebGpuPlan, type PlacedDispatch, type PlacedPort, type PlannedDispatch } from './plan.ts';
import { WeightRanges } from './weight-ranges.ts';

// GPUBufferUsage and GPUMapMode as numbers, since Node has no global objects for them (WebGPU, section 5.1.4).
const usage = { mapRead: 0x1, copySource: 0x4, copyDestination: 0x8, uniform: 0x40, storage: 0x80 } as const;
const storageUsage = usage.storage | usage.copySource | usage.copyDestination;

/** A program on a device: its pipelines, and its memory. A call is one submission. */
export class WebGpuExecutor {
  readonly device: GPUDevice;
  readonly #program: Program;
  readonly #slots: readonly ProgramSlot[];
  readonly #pipelines: ReadonlyMap<string, KernelPipeline>;
  readonly #buffers: DeviceBuffers;
  readonly #weights: WeightRanges;
  readonly #plans = new Map<EntryPointName, WebGpuPlan>();
  /** Buffers of slots but those of states, which belong to sessions. */
  readonly #shared: (GPUBuffer | undefined)[];
  readonly #states = new Map<number, ReadonlyMap<number, GPUBuffer>>();
  /** By dispatch, then by state; -1 for none. Good until a buffer is replaced. */
  #bindGroups = new Map<PlannedDispatch, Map<number, GPUBindGroup>>();
  #uniforms: GPUBuffer | undefined;
  readonly #staging: GPUBuffer[] = [];
  #nextState = 0;

  private constructor(
    device: GPUDevice,
    program: Program,
    pipelines: ReadonlyMap<string, KernelPipeline>,
    buffers: DeviceBuffers,
    weights: WeightRanges,
  ) {
    this.device = device;
    this.#program = program;
    this.#slots = program.slots ?? [];
    this.#pipelines = pipelines;
    this.#buffers = buffers;
    this.#weights = weights;
    this.#shared = this.#slots.map(() => undefined);
  }

  /**
   * Compiles the kernels, which lie in one file, and makes room for the weights, and for a program with state for all of its
   * calls. Rejects with ATPC-403 for a file that does not fit the program, 502 where there is no memory, 505 for a kernel that the
   * device refuses.
   */
  static async create(
    device: GPUDevice,
    program: Program,
    kernelFile: string,
    onProgress?: (done: number, total: number) => void,
  ): Promise<WebGpuExecutor> {
    if (program.slots === undefined) throw new AtpcError('ATPC-403', 'program.json has no slots: it is for another target.');
    const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
    const weights = new WeightRanges(program, Math.min(maxStorageBufferBindingSize, maxBufferSize));
    const buffers = new DeviceBuffers(device);
    try {
      const [pipelines] = await Promise.all([
        createPipelines(device, program, kernelTexts(kernelFile), onProgress),
        buffers.allocate('the weights', weights.bufferBytes, storageUsage).then((made) => weights.placeIn(made)),
      ]);
      const executor = new WebGpuExecutor(device, program, pipelines, buffers, weights);
      if (hasState(program)) await executor.#reserve(Object.fromEntries(program.dims.map(({ name, max }) => [name, max])));
      return executor;
    } catch (error) {
      buffers.freeAll();
      throw error;
    }
  }

  get memoryBytes(): number {
    return this.#buffers.bytes;
  }
  get peakMemoryBytes(): number {
    return this.#buffers.peakBytes;
  }
  weightWriter(tensor: Pick<ManifestTensor, 'name' | 'storage' | 'shape'>): TensorWriter | undefined {
    return this.#weights.writer(this.device.queue, tensor);
  }

  async openState(): Promise<number> {
    if (!hasState(this.#program)) throw new AtpcError('ATPC-605', 'The model keeps nothing between calls.');
    const slots = this.#slotsOf('state');
    const sizes = slots.map((slot) => Number((this.#slots[slot] as ProgramSlot).bytes));
    const made = await this.#buffers.allocate('the state of one more session', sizes, storageUsage);
    const state = this.#nextState++;
    this.#states.set(state, new Map(slots.map((slot, index) => [slot, made[index] as GPUBuffer])));
    return state;
  }
  closeState(state: number): void {
    const buffers = this.#states.get(state);
    if (buffers === undefined) return;
    this.#states.delete(state);
    for (const groups of this.#bindGroups.values()) groups.delete(state);
    for (const buffer of buffers.values()) this.#buffers.free(buffer);
  }
  /** The whole of a state, slot after slot. */
  async readState(state: number): Promise<Uint8Array<ArrayBuffer>> {
    const buffers = [...this.#needState(state).values()];
    const total = buffers.reduce((sum, { size }) => sum + size, 0);
    const staging = await this.#stagingOf(total);
    const encoder = this.device.createCommandEncoder();
    let at = 0;
    for (const buffer of buffers) {
      encoder.copyBufferToBuffer(buffer, 0, staging, at, buffer.size);
      at += buffer.size;
    }
    this.device.queue.submit([encoder.finish()]);
    return this.#read(staging, total);
  }
  /** Into a state that was just opened. Throws ATPC-608 for bytes of another length. */
  writeState(state: number, bytes: Uint8Array<ArrayBuffer>): void {
    const buffers = [...this.#needState(state).values()];
    const total = buffers.reduce((sum, { size }) => sum + size, 0);
    if (bytes.length !== total) throw new AtpcError('ATPC-608', `The bytes of the state are not those of one of ${total} bytes.`);
    let at = 0;
    for (const buffer of buffers) {
      this.device.queue.writeBuffer(buffer, 0, bytes, at, buffer.size);
      at += buffer.size;
    }
  }
  #needState(state: number | undefined): ReadonlyMap<number, GPUBuffer> {
    const buffers = state === undefined ? undefined : this.#states.get(state);
    if (buffers) return buffers;
    throw new RangeError(`There is no open state ${String(state)}.`);
  }

  /** Runs an entry point: one submission, and one read of what it gives. */
  async run({ entry = 'forward', state, dims, tensors }: PreparedInputs): Promise<NamedResults> {
    const plan = this.#planOf(entry);
    const { dispatches, uniforms } = plan.place(dims);
    if (!hasState(this.#program)) await this.#reserve(dims);
    await this.#reserveUniforms(uniforms.byteLength);
    const { queue } = this.device;
    for (const port of plan.ports('inputs', dims)) {
      const data = tensors.find(({ name }) => name === port.name)?.data;
      if (data?.length !== elementsOf(port) || data instanceof Float32Array !== (port.elementType === 'f32'))
        throw new AtpcError('ATPC-601', `The input '${port.name}' is missing or does not fit [${port.shape.join(', ')}].`);
      queue.writeBuffer(this.#shared[port.slot] as GPUBuffer, port.offset, data);
    }
    if (uniforms.length > 0) queue.writeBuffer(this.#uniforms as GPUBuffer, 0, uniforms);
    const outputs = plan.ports('outputs', dims);
    const total = outputs.reduce((sum, port) => sum + alignBytes(elementsOf(port) * 4), 0);
    const staging = await this.#stagingOf(total);
    const encoder = this.device.createCommandEncoder();
    this.#encode(encoder, dispatches, state);
    let at = 0;
    for (const port of outputs) {
      const bytes = elementsOf(port) * 4;
      if (bytes > 0) encoder.copyBufferToBuffer(this.#shared[port.slot] as GPUBuffer, port.offset, staging, at, bytes);
      at += alignBytes(bytes);
    }
    queue.submit([encoder.finish()]);
    const bytes = await this.#read(staging, total);
    let from = 0;
    return Object.fromEntries(
      outputs.map((port) => {
        const result = resultOf(port, bytes.buffer, from);
        from += alignBytes(elementsOf(port) * 4);
        return [port.name, result];
      }),
    );
  }

  #encode(encoder: GPUCommandEncoder, dispatches: readonly PlacedDispatch[], state: number | undefined): void {
    const pass = encoder.beginComputePass();
    for (const { dispatch, items, uniformOffset } of dispatches) {
      const { pipeline } = this.#pipelineOf(dispatch);
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, this.#bindGroupOf(dispatch, state), [uniformOffset]);
      // No dimension of a grid may be longer than this (WebGPU, section 3.6.2, maxComputeWorkgroupsPerDimension).
      const rows = Math.ceil(items / this.device.limits.maxComputeWorkgroupsPerDimension);
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
      const states = usesState ? this.#needState(state) : undefined;
      const resources = dispatch.bindings.map(({ kind, index }): GPUBufferBinding => {
        if (kind === 'weight') return this.#weights.binding(index);
        return { buffer: (states?.get(index) ?? this.#shared[index]) as GPUBuffer };
      });
      const uniform = { buffer: this.#uniforms as GPUBuffer, offset: 0, size: Math.ceil((dispatch.values.length * 4) / 16) * 16 };
      group = this.device.createBindGroup({
        layout: this.#pipelineOf(dispatch).layout,
        entries: [uniform, ...resources].map((resource, binding) => ({ binding, resource })),
      });
      groups.set(key, group);
    }
    return group;
  }

  #planOf(entry: EntryPointName): WebGpuPlan {
    let plan = this.#plans.get(entry);
    if (plan === undefined) {
      plan = new WebGpuPlan(this.#program, entry, this.device.limits.minUniformBufferOffsetAlignment);
      this.#plans.set(entry, plan);
    }
    return plan;
  }
  #slotsOf(type: ProgramSlot['class']): readonly number[] {
    return this.#slots.flatMap((slot, index) => (slot.class === type ? [index] : []));
  }

  /** Makes the buffers of all slots but the states' large enough for these dims. */
  async #reserve(dims: Dims): Promise<void> {
    const { maxStorageBufferBindingSize } = this.device.limits;
    const wanted = this.#slots.flatMap((slot, index) => {
      if (slot.class === 'state') return [];
      const bytes = alignBytes(evaluateExpression(slot.bytes, dims));
      if (bytes > maxStorageBufferBindingSize) {
        const call = Object.entries(dims).map(([name, value]) => `${name} ${value}`);
        throw new AtpcError(
          'ATPC-502',
          `A call with ${call.join(', ')} needs a buffer of ${bytes} bytes; this device binds at most ${maxStorageBufferBindingSize}.`,
          { hint: 'Use a smaller batch or shorter inputs.' },
        );
      }
      return bytes > (this.#shared[index]?.size ?? 0) ? [{ index, bytes }] : [];
    });
    if (wanted.length === 0) return;
    // What is too small goes first, so that old and new never lie side by side.
    for (const { index } of wanted) {
      const old = this.#shared[index];
      if (old) this.#buffers.free(old);
      this.#shared[index] = undefined;
    }
    this.#bindGroups = new Map();
    const made = await this.#buffers.allocate(
      'inputs, outputs and workspace',
      wanted.map(({ bytes }) => bytes),
      storageUsage,
    );
    wanted.forEach(({ index }, position) => (this.#shared[index] = made[position]));
  }
  async #reserveUniforms(bytes: number): Promise<void> {
    if (bytes <= (this.#uniforms?.size ?? 0)) return;
    if (this.#uniforms) this.#buffers.free(this.#uniforms);
    this.#bindGroups = new Map();
    const [made] = await this.#buffers.allocate('uniforms', [bytes], usage.uniform | usage.copyDestination);
    this.#uniforms = made;
  }

  /** A buffer to read back from; it comes back to the others when it was read. */
  async #stagingOf(bytes: number): Promise<GPUBuffer> {
    const fits = this.#staging.findIndex((buffer) => buffer.size >= bytes);
    const [found] = fits < 0 ? [] : this.#staging.splice(fits, 1);
    if (found) return found;
    const small = this.#staging.pop();
    if (small) this.#buffers.free(small);
    const [made] = await this.#buffers.allocate('what is read back', [bytes], usage.mapRead | usage.copyDestination);
    return made as GPUBuffer;
  }
  async #read(staging: GPUBuffer, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    await staging.mapAsync(1, 0, alignBytes(bytes));
    const copy = new Uint8Array(staging.getMappedRange(0, alignBytes(bytes)).slice(0, bytes));
    staging.unmap();
    this.#staging.push(staging);
    return copy;
  }

  dispose(): void {
    this.#states.clear();
    this.#bindGroups.clear();
    this.#buffers.freeAll();
  }
}

function elementsOf({ shape }: PlacedPort): number {
  return shape.reduce((product, size) => product * size, 1);
}
function resultOf(port: PlacedPort, buffer: ArrayBuffer, from: number): TensorOutput {
  const { shape, elementType } = port;
  const elements = elementsOf(port);
  if (elementType === 'f32') return { elementType, shape, data: new Float32Array(buffer, from, elements).slice() };
  const integers = new Int32Array(buffer, from, elements);
  if (elementType === 'i32') return { elementType, shape, data: integers.slice() };
  return { elementType, shape, data: Uint8Array.from(integers) };
}
