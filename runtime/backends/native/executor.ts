import type { StepTime } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import type { ManifestTensor } from '../../format/manifest.ts';
import { dispatchSteps, type EntryPoint, type Program } from '../../format/program.ts';
import type { PreparedInputs } from '../../inputs.ts';
import type { NamedResults } from '../backend.ts';
import { RunAborted, type Executor, type ExecutorRun } from '../executor.ts';
import {
  checkMemory,
  checkReserved,
  layoutOf,
  reservedLayout,
  weightsBase,
  weightsEnd,
  type Layout,
} from '../one-memory/layout.ts';
import type { RunPlan } from '../one-memory/plan.ts';
import { PlanCache } from '../one-memory/plan-cache.ts';
import { readOutput, writeInput, type PortPlace } from '../one-memory/ports.ts';
import { StateSlots } from '../one-memory/state-slots.ts';
import { weightWriter } from '../one-memory/weights.ts';
import { dimsAt } from '../slot-bytes.ts';
import { packSparse, unpackSparse } from '../sparse-bytes.ts';
import type { TensorWriter } from '../stored-numbers.ts';
import { DispatchList } from './dispatch-list.ts';
import { kernelsOf } from './kernels.ts';
import type { PendingWork } from '../worker/pending-work.ts';
import type { NativeLibrary } from './library.ts';
import { machineLimit, NativeMemory } from './memory.ts';

export interface NativeExecutorOptions {
  readonly lanes: number;
  /** Holds the number of the call to stop; those who have it stop a call from any thread. */
  readonly abort: Int32Array;
  readonly description: string;
  /** Calls of the library are counted there: a thread may not end in one. */
  readonly pending: PendingWork;
}
interface CreatedParts extends NativeExecutorOptions {
  readonly kernels: ReadonlyMap<string, number>;
  readonly memory: NativeMemory;
  readonly team: bigint;
  readonly weightPlaces: readonly (PortPlace | undefined)[];
}

/** A program with the library of its kernels, its memory and its lanes. It closes the library when it is disposed of. */
export class NativeExecutor implements Executor {
  readonly ready = Promise.resolve();
  readonly shared = null;
  readonly device: string;
  readonly #program: Program;
  readonly #library: NativeLibrary;
  readonly #memory: NativeMemory;
  readonly #team: bigint;
  readonly #lanes: number;
  readonly #abort: Int32Array;
  readonly #pending: PendingWork;
  /** Of each buffer of the weights. */
  readonly #weightPlaces: readonly (PortPlace | undefined)[];
  readonly #plans: PlanCache<number>;
  readonly #lists = new WeakMap<RunPlan<number>, DispatchList>();
  readonly #layout: Layout | undefined;
  readonly #states: StateSlots | undefined;
  /** The most that calls have needed, weights among it. */
  #callBytes: number;
  #openStates = 0;
  #peakBytes = 0;

  private constructor(program: Program, library: NativeLibrary, parts: CreatedParts) {
    const { kernels, memory, team, lanes, abort, description, pending, weightPlaces } = parts;
    this.#program = program;
    this.#library = library;
    this.#memory = memory;
    this.#team = team;
    this.#lanes = lanes;
    this.#abort = abort;
    this.#pending = pending;
    this.#weightPlaces = weightPlaces;
    this.device = description;
    this.#layout = reservedLayout(program, lanes);
    this.#states = this.#layout && new StateSlots(memory.limit, this.#layout.totalBytes, Number(program.arenas.state));
    // Lanes add their own scratch: the plan is that of the first.
    this.#plans = new PlanCache({ program, kernels, layout: this.#layout, place: { lane: 0, lanes: 1 } });
    this.#callBytes = this.#layout?.totalBytes ?? weightsEnd(program);
  }

  /**
   * Takes memory for the weights and for all calls and sessions, as far as the machine has it. Throws ATPC-403 for a library that does not
   * fit the program, and ATPC-502 where the least call, and session, does not fit.
   */
  static create(program: Program, library: NativeLibrary, options: NativeExecutorOptions): NativeExecutor {
    const { lanes } = options;
    const kernels = kernelsOf(program, library);
    const limit = machineLimit();
    const reserved = reservedLayout(program, lanes);
    const stateBytes = Number(program.arenas.state);
    const leastDims = dimsAt(program, 'min');
    const least = reserved ? reserved.totalBytes + stateBytes + 64 : layoutOf(program, leastDims, lanes).totalBytes;
    if (reserved) checkReserved(limit, reserved, stateBytes);
    else checkMemory(limit, least, weightsEnd(program), leastDims);
    const most = reserved ? limit.bytes : layoutOf(program, dimsAt(program, 'max'), lanes).totalBytes;
    const memory = NativeMemory.reserve(library, Math.max(least, Math.min(limit.bytes, most)), least);
    const team = library.gather(lanes);
    if (team === undefined) {
      memory.release();
      throw new AtpcError('ATPC-502', `The system gives no ${lanes} threads.`, { hint: 'Load with fewer threads.' });
    }
    memory.readOften(weightsEnd(program));
    try {
      const weightPlaces = program.buffers.map(({ class: type, offset, bytes }) =>
        type === 'weights' ? memory.place(weightsBase + Number(offset), Number(bytes)) : undefined,
      );
      return new NativeExecutor(program, library, { ...options, kernels, memory, team, weightPlaces });
    } catch (error) {
      library.disband(team);
      memory.release();
      throw error;
    }
  }

  get memoryBytes(): number {
    const bytes = this.#callBytes + this.#openStates * Number(this.#program.arenas.state);
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    return bytes;
  }
  get peakMemoryBytes(): number {
    return Math.max(this.#peakBytes, this.memoryBytes);
  }

  weightWriter(tensor: Pick<ManifestTensor, 'name' | 'storage' | 'shape'>): TensorWriter | undefined {
    const { buffers } = this.#program;
    return weightWriter(this.#program, tensor, (buffer) => this.#weightPlaces[buffers.indexOf(buffer)] as PortPlace);
  }
  flush(): Promise<void> {
    return Promise.resolve();
  }

  openState(): Promise<number> {
    return this.#settle(() => {
      const state = this.#needStates().open();
      this.#openStates += 1;
      return state;
    });
  }
  /** What a session has read must not be found in the next one's state. */
  closeState(state: number): void {
    const states = this.#needStates();
    const address = states.addressOf(state);
    states.close(state);
    this.#openStates -= 1;
    // At once, before another session can open it.
    void this.#settle(() => this.#memory.clear(address, states.bytes));
  }
  readState(state: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#settle(() => packSparse(this.stateBytes(state)));
  }
  /** For a state that was opened and not used. Rejects with ATPC-608 for bytes that are not those of a state of this program. */
  writeState(state: number, bytes: Uint8Array): Promise<void> {
    return this.#settle(() => {
      const target = this.stateBytes(state);
      if (unpackSparse(bytes, target)) return;
      throw new AtpcError('ATPC-608', `The bytes of the state are not those of one of ${target.length} bytes.`);
    });
  }
  #settle<T>(work: () => T): Promise<T> {
    return this.#pending.track(() => new Promise((resolve) => resolve(work())));
  }
  /** The memory of a state. */
  stateBytes(state: number): Uint8Array {
    const states = this.#needStates();
    return new Uint8Array(this.#memory.view(states.addressOf(state), states.bytes));
  }
  #needStates(): StateSlots {
    if (this.#states) return this.#states;
    throw new AtpcError('ATPC-605', 'The model keeps nothing between calls.');
  }

  /** Rejects with RunAborted where the word of aborts holds the number of the call. */
  run(inputs: PreparedInputs, run: ExecutorRun): Promise<NamedResults> {
    return this.#pending.track(() => this.#run(inputs, run));
  }
  async #run(inputs: PreparedInputs, { times, call }: ExecutorRun): Promise<NamedResults> {
    const { entry = 'forward', state, dims } = inputs;
    const plan = this.#plans.planOf(entry, dims);
    plan.begin(dims, this.#states?.addressOf(state) ?? 0);
    const layout = this.#layout ?? layoutOf(this.#program, dims, this.#lanes);
    if (!this.#layout) checkMemory(this.#memory.limit, layout.totalBytes, weightsEnd(this.#program), dims);
    this.#callBytes = Math.max(this.#callBytes, layout.totalBytes);
    for (const port of plan.inputs) writeInput(port, inputs, this.#memory.place(port.address, 4 * port.elements));
    const list = this.#listOf(plan, this.#program.entryPoints[entry] as EntryPoint);
    list.write();
    const measured = times ? new Float64Array(2 * list.steps.length) : null;
    const began = performance.now();
    const finished = await this.#library.run({
      team: this.#team,
      steps: list.numbers,
      stepCount: list.steps.length,
      base: this.#memory.base,
      scratchStride: layout.scratchStride,
      abort: this.#abort,
      call,
      rates: list.rates,
      times: measured,
    });
    if (!finished) throw new RunAborted();
    if (measured) times?.push(...list.steps.map((step, at) => stepTime(step, began, measured, at)));
    return Object.fromEntries(
      plan.outputs.map((port) => [port.name, readOutput(port, this.#memory.place(port.address, 4 * port.elements))]),
    );
  }
  #listOf(plan: RunPlan<number>, { steps }: EntryPoint): DispatchList {
    let list = this.#lists.get(plan);
    if (list === undefined) this.#lists.set(plan, (list = new DispatchList(plan, dispatchSteps(steps).length, this.#lanes)));
    return list;
  }

  dispose(): Promise<void> {
    return this.#settle(() => {
      this.#library.disband(this.#team);
      this.#memory.release();
      this.#library.close();
    });
  }
}

function stepTime(step: number, began: number, measured: Float64Array, at: number): StepTime {
  return { step, start: began + (measured[2 * at] as number), milliseconds: measured[2 * at + 1] as number };
}
