import type { Executor, ExecutorKind, ExecutorRun } from '../executor.ts';
import type { NamedResults } from '../backend.ts';
import type { PreparedInputs } from '../../inputs.ts';
import type { TensorWriter } from '../stored-numbers.ts';
import { LaneBarrier } from './barrier.ts';
import { WasmExecutor, type SharedKernels } from './executor.ts';

// Without shared memory an abort arrives as a message, which a run has to make room for this often.
const messageMilliseconds = 40;

/** WebAssembly in a worker: kernels block, and between them a run lets messages in. */
class WorkerWasmExecutor implements Executor {
  readonly device = null;
  readonly ready = Promise.resolve();
  readonly shared: SharedKernels | null;
  readonly #executor: WasmExecutor;
  readonly #takesMessages: boolean;

  constructor(
    executor: WasmExecutor,
    { isShared, takesMessages }: { readonly isShared: boolean; readonly takesMessages: boolean },
  ) {
    this.#executor = executor;
    this.#takesMessages = takesMessages;
    this.shared = isShared ? executor.shared : null;
  }
  get memoryBytes(): number {
    return this.#executor.memoryBytes;
  }
  /** A WebAssembly memory never shrinks. */
  get peakMemoryBytes(): number {
    return this.#executor.memoryBytes;
  }
  weightWriter(tensor: Parameters<Executor['weightWriter']>[0]): TensorWriter | undefined {
    return this.#executor.weightWriter(tensor);
  }
  flush(): Promise<void> {
    return Promise.resolve();
  }

  async run(inputs: PreparedInputs, { times, call, isAborted }: ExecutorRun): Promise<NamedResults> {
    const run = this.#executor.run(inputs, { times: times, call, isAborted });
    for (let lastMessages = performance.now(); ;) {
      const step = run.next();
      if (step.done) return step.value;
      if (this.#takesMessages && performance.now() - lastMessages > messageMilliseconds) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        lastMessages = performance.now();
      }
    }
  }

  async openState(): Promise<number> {
    return this.#executor.openState();
  }
  closeState(state: number): void {
    this.#executor.closeState(state);
  }
  async readState(state: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#executor.readState(state);
  }
  async writeState(state: number, bytes: Uint8Array): Promise<void> {
    this.#executor.writeState(state, bytes);
  }
  dispose(): Promise<void> {
    return Promise.resolve();
  }
}

export const wasmKind: ExecutorKind<'wasm'> = {
  async open({ program, kernels, team, abortFlag }) {
    const barrier = team ? new LaneBarrier(team.control, { lane: 0, lanes: team.lanes }) : undefined;
    const executor = await WasmExecutor.create(program, kernels, barrier);
    return new WorkerWasmExecutor(executor, { isShared: team !== null, takesMessages: abortFlag === null });
  },
  async join({ program, shared, team, lane }) {
    const executor = await WasmExecutor.join(program, shared, new LaneBarrier(team.control, { lane, lanes: team.lanes }));
    return (isAborted) => executor.serve(isAborted);
  },
};
