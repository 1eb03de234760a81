/** Runs a freshly compiled program in this process: for calibration, for golden outputs and for tests. */
import type { TensorOutput } from '../../runtime/api.ts';
import { WasmExecutor } from '../../runtime/backends/wasm/executor.ts';
import type { EntryPointName, Program } from '../../runtime/format/program.ts';

export type RunInputs = Readonly<Record<string, Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>>;
export interface RunnableProgram {
  /** Inputs by name, row-major, bool as i32; every input must be given. */
  run(dims: Readonly<Record<string, number>>, inputs: RunInputs, call?: StatefulCall): Readonly<Record<string, TensorOutput>>;
  openState(): number;
  closeState(state: number): void;
  /** A copy of the first state buffer whose name ends like this, such as `position`. */
  readState(state: number, name: string): Float32Array | Int32Array;
  readonly memoryBytes: number;
}
export interface StatefulCall {
  readonly entry: EntryPointName;
  readonly state: number;
}

export async function instantiateProgram(
  program: Program,
  code: Uint8Array,
  tensor: (name: string) => Promise<Float32Array | Uint8Array>,
): Promise<RunnableProgram> {
  const executor = await WasmExecutor.create(program, code);
  const shapes = new Map(program.weights.map((weight) => [weight.tensor, weight.shape]));
  for (const [name, shape] of shapes) {
    const values = await tensor(name);
    const storage = values instanceof Uint8Array ? 'U8' : 'F32';
    const writer = executor.weightWriter({ name, storage, shape });
    writer?.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return {
    openState: () => executor.openState(),
    closeState: (state) => executor.closeState(state),
    readState(state, name) {
      const buffer = program.buffers.find((candidate) => candidate.class === 'state' && candidate.name.endsWith(name));
      if (buffer === undefined) throw new RangeError(`The program has no state '${name}'.`);
      const bytes = executor.stateBytes(state).slice();
      const [offset, elements] = [Number(buffer.offset), Number(buffer.bytes) / 4];
      return buffer.elementType === 'i32'
        ? new Int32Array(bytes.buffer, offset, elements)
        : new Float32Array(bytes.buffer, offset, elements);
    },
    run(dims, inputs, call) {
      const tensors = Object.entries(inputs).map(([name, data]) => ({ name, data }));
      const running = executor.run({ ...call, dims, tensors });
      for (let step = running.next(); ; step = running.next()) if (step.done) return step.value;
    },
    get memoryBytes() {
      return executor.memoryBytes;
    },
  };
}
