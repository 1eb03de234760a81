import type { StepTime } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import type { ManifestTensor } from '../../format/manifest.ts';
import { entryPointNames, type EntryPointName, type Program } from '../../format/program.ts';
import type { Dims, PreparedInputs } from '../../inputs.ts';
import type { NamedResults } from '../backend.ts';
import { RunAborted } from '../executor.ts';
import type { LaneBarrier } from './barrier.ts';
import {
  checkMemory,
  checkReserved,
  describeDims,
  reservedLayout,
  weightsBase,
  weightsEnd,
  type Layout,
} from '../one-memory/layout.ts';
import type { PreparedDispatch, RunPlan } from '../one-memory/plan.ts';
import { PlanCache } from '../one-memory/plan-cache.ts';
import { readOutput, writeInput, type PortPlace } from '../one-memory/ports.ts';
import { StateSlots } from '../one-memory/state-slots.ts';
import { weightWriter } from '../one-memory/weights.ts';
import { clearBytes, packSparse, unpackSparse } from '../sparse-bytes.ts';
import type { TensorWriter } from '../stored-numbers.ts';
import { kernelsOf, type ExportedKernel } from './kernels.ts';
import { pageBytes, wasmLimit } from './memory-limit.ts';

// A run can be stopped within 50 ms: a dispatch runs in ranges of items that take about this long each. The first range is
// shorter, because its length goes by the last run with these dims, and the work may depend on the data.
const firstRangeMilliseconds = 4;
const rangeMilliseconds = 20;

export interface RunOptions {
  /** Receives the time of each dispatch, of all lanes together. */
  readonly times?: StepTime[] | undefined;
  /** Asked after every range of items. */
  readonly isAborted?: () => boolean;
  /** The number of the call, for the other lanes. */
  readonly call?: number;
}
/** What the lanes of one model have in common; both can be posted to other workers. */
export interface SharedKernels {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** A program with its kernels and its memory. Nothing is allocated in a run but the arrays that hold the results. */
export class WasmExecutor {
  readonly #program: Program;
  readonly #memory: WebAssembly.Memory;
  readonly #plans: PlanCache<ExportedKernel>;
  readonly #barrier: LaneBarrier | undefined;
  readonly #layout: Layout | undefined;
  readonly #states: StateSlots | undefined;
  readonly shared: SharedKernels;

  private constructor(
    program: Program,
    shared: SharedKernels,
    kernels: ReadonlyMap<string, ExportedKernel>,
    barrier: LaneBarrier | undefined,
  ) {
    this.#program = program;
    this.#memory = shared.memory;
    this.#barrier = barrier;
    this.#layout = reservedLayout(program, barrier?.lanes ?? 1);
    this.#states = this.#layout && new StateSlots(wasmLimit, this.#layout.totalBytes, Number(program.arenas.state));
    this.#plans = new PlanCache({ program, kernels, place: barrier, layout: this.#layout });
    this.shared = shared;
  }

  /**
   * Instantiates kernel code, which imports `atpc.memory`, on a memory that has room for the weights, and for a program with state
   * for all of its calls too; a shared one, for code that wants it, where there is a barrier. Throws ATPC-403 for code that does not fit the program and ATPC-502 where there
   * is no memory.
   */
  static async create(program: Program, code: Uint8Array, barrier?: LaneBarrier): Promise<WasmExecutor> {
    const reserved = reservedLayout(program, barrier?.lanes ?? 1);
    const bytes = reserved?.totalBytes ?? weightsEnd(program);
    if (reserved) checkReserved(wasmLimit, reserved, Number(program.arenas.state));
    else checkMemory(wasmLimit, bytes, bytes, {});
    let memory: WebAssembly.Memory;
    try {
      memory = new WebAssembly.Memory({
        initial: Math.ceil(bytes / pageBytes),
        maximum: wasmLimit.bytes / pageBytes,
        shared: barrier !== undefined,
      });
    } catch (cause) {
      throw new AtpcError('ATPC-502', `There is no memory for ${bytes} bytes${reserved ? '' : ' of weights'}.`, { cause });
    }
    try {
      const { module, instance } = await WebAssembly.instantiate(code, { atpc: { memory } });
      return new WasmExecutor(program, { module, memory }, kernelsOf(program, instance.exports), barrier);
    } catch (cause) {
      if (cause instanceof AtpcError) throw cause;
      if (/content security policy/i.test(String(cause))) {
        throw new AtpcError('ATPC-501', `The Content-Security-Policy of this page forbids WebAssembly: ${String(cause)}`, {
          hint: "Add 'wasm-unsafe-eval' to its script-src; it allows WebAssembly and no code from strings.",
          cause,
        });
      }
      throw new AtpcError('ATPC-403', `The kernel file cannot be instantiated: ${String(cause)}.`, { cause });
    }
  }

  /** One more lane, on the memory of lane 0. */
  static async join(program: Program, shared: SharedKernels, barrier: LaneBarrier): Promise<WasmExecutor> {
    const { exports } = await WebAssembly.instantiate(shared.module, { atpc: { memory: shared.memory } });
    return new WasmExecutor(program, shared, kernelsOf(program, exports), barrier);
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Takes the stored bytes of a tensor to its places in the program; undefined for a tensor that the program does not use. */
  weightWriter(tensor: Pick<ManifestTensor, 'name' | 'storage' | 'shape'>): TensorWriter | undefined {
    return weightWriter(this.#program, tensor, ({ offset }) => ({
      memory: this.#memory.buffer,
      address: weightsBase + Number(offset),
    }));
  }

  /** Makes room for one more state and returns its number. Throws ATPC-502 where there is none. */
  openState(): number {
    const states = this.#needStates();
    const state = states.open();
    try {
      this.#grow(states.end, () => `the state of one more session, which takes ${states.bytes}`);
    } catch (error) {
      states.close(state);
      throw error;
    }
    return state;
  }
  /** What a session has read must not be found in the next one's state. */
  closeState(state: number): void {
    clearBytes(this.stateBytes(state));
    this.#needStates().close(state);
  }
  readState(state: number): Uint8Array<ArrayBuffer> {
    return packSparse(this.stateBytes(state));
  }
  /** For a state that was opened and not used. Throws ATPC-608 for bytes that are not those of a state of this program. */
  writeState(state: number, bytes: Uint8Array): void {
    const target = this.stateBytes(state);
    if (unpackSparse(bytes, target)) return;
    throw new AtpcError('ATPC-608', `The bytes of the state are not those of one of ${target.length} bytes.`);
  }
  /** The memory of a state, until the next call. */
  stateBytes(state: number): Uint8Array {
    const states = this.#needStates();
    return new Uint8Array(this.#memory.buffer, states.addressOf(state), states.bytes);
  }
  #needStates(): StateSlots {
    if (this.#states) return this.#states;
    throw new AtpcError('ATPC-605', 'The model keeps nothing between calls.');
  }

  /**
   * Runs an entry point. The generator yields after every range of items, so that messages can come in; it is to be run
   * to its end. Throws RunAborted, and an Error with the name of a kernel that trapped.
   */
  *run(inputs: PreparedInputs, options: RunOptions = {}): Generator<void, NamedResults, void> {
    const { entry = 'forward', state, dims } = inputs;
    const plan = this.#plans.planOf(entry, dims);
    const address = this.#states?.addressOf(state) ?? 0;
    plan.begin(dims, address);
    // The other lanes sleep until `start`: the memory grows and is written to by this one alone.
    if (!this.#layout) this.#reserve(plan, dims);
    for (const port of plan.inputs) writeInput(port, inputs, this.#placeOf(port));
    const values = this.#program.dims.map((dim) => dims[dim.name] ?? 0);
    this.#barrier?.start({ call: options.call ?? 0, entry: entryPointNames.indexOf(entry), stateAddress: address, dims: values });
    yield* this.#walk(plan, options);
    return Object.fromEntries(plan.outputs.map((port) => [port.name, readOutput(port, this.#placeOf(port))]));
  }

  #placeOf({ address }: Pick<PortPlace, 'address'>): PortPlace {
    return { memory: this.#memory.buffer, address };
  }

  /** Takes part in every call from now on; never returns. */
  serve(isAborted: (call: number) => boolean): never {
    const barrier = this.#barrier;
    if (barrier === undefined) throw new Error('An executor without a barrier has no other lanes.');
    const names = this.#program.dims.map((dim) => dim.name);
    for (;;) {
      const { call, entry, stateAddress, dims: values } = barrier.awaitStart(names.length);
      const dims = Object.fromEntries(names.map((name, index) => [name, values[index] as number]));
      try {
        const plan = this.#plans.planOf(entryPointNames[entry] as EntryPointName, dims);
        plan.begin(dims, stateAddress);
        const walk = this.#walk(plan, { isAborted: () => isAborted(call) });
        while (walk.next().done !== true);
      } catch (error) {
        if (!(error instanceof RunAborted)) throw error;
      }
    }
  }

  /**
   * This lane's share of every dispatch. All lanes meet after each, so that the next finds what this one wrote; but for dispatches
   * that lane 0 does alone, it is enough to meet when others come next.
   */
  *#walk(plan: RunPlan<ExportedKernel>, { times, isAborted = () => false }: RunOptions): Generator<void, void, void> {
    let [met, alone, finished] = [false, false, true];
    for (const dispatch of plan.dispatches()) {
      const start = performance.now();
      if (alone && !dispatch.oneLane) this.#meet(finished);
      alone = dispatch.oneLane;
      if (finished) finished = yield* runDispatch(dispatch, isAborted);
      if (!alone) {
        this.#meet(finished);
        met = true;
      }
      times?.push({ step: dispatch.step, start, milliseconds: performance.now() - start });
    }
    // Lane 0 has to know that the others have begun a call before it starts the next.
    if (alone || !met) this.#meet(finished);
  }
  /** Throws RunAborted where this lane, or another, did not finish. */
  #meet(finished: boolean): void {
    const goOn = this.#barrier ? this.#barrier.arrive(!finished) : finished;
    if (!goOn) throw new RunAborted();
  }

  /** Grows the memory where a run needs more than any run before. */
  #reserve({ totalBytes }: RunPlan<ExportedKernel>, dims: Dims): void {
    if (totalBytes <= this.memoryBytes) return;
    checkMemory(wasmLimit, totalBytes, weightsEnd(this.#program), dims);
    const hint = 'Use a smaller batch or shorter inputs.';
    this.#grow(totalBytes, () => `a call with ${describeDims(dims)}, which needs ${totalBytes}`, hint);
  }
  #grow(totalBytes: number, what: () => string, hint = 'Dispose of sessions that are no longer used.'): void {
    const missing = totalBytes - this.memoryBytes;
    if (missing <= 0) return;
    try {
      this.#memory.grow(Math.ceil(missing / pageBytes));
    } catch (cause) {
      throw new AtpcError('ATPC-502', `There is no memory for ${what()} bytes.`, { hint, cause });
    }
  }
}

/** Computes the items of this lane; returns false where it was aborted before the end of a call. */
function* runDispatch(dispatch: PreparedDispatch<ExportedKernel>, isAborted: () => boolean): Generator<void, boolean, void> {
  const { first, last, parameters } = dispatch;
  let total = 0;
  let rate = dispatch.millisecondsPerItem;
  for (let begin = first, probe = 1; begin < last;) {
    const milliseconds = begin === first ? firstRangeMilliseconds : rangeMilliseconds;
    // The first run at some dims finds the rate: one item, two, four, ... until a range takes long enough to measure.
    const count = rate === undefined ? probe : Math.max(1, milliseconds / rate);
    const end = Math.min(last, begin + Math.floor(count));
    const before = performance.now();
    parameters[0] = begin;
    parameters[1] = end;
    try {
      Reflect.apply(dispatch.kernel, undefined, parameters);
    } catch (cause) {
      throw new Error(`the kernel of '${dispatch.label}' stopped: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
    const elapsed = performance.now() - before;
    total += elapsed;
    if (elapsed >= 1) rate = elapsed / (end - begin);
    probe *= 2;
    begin = end;
    yield;
    if (isAborted()) return false;
  }
  if (last > first) dispatch.millisecondsPerItem = total / (last - first);
  return true;
}
