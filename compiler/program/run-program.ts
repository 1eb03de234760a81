/** Runs a freshly compiled program in this process: for calibration, for golden outputs and for tests. */
import type { TensorOutput } from '../../runtime/api.ts';
import { WasmExecutor } from '../../runtime/backends/wasm/executor.ts';
import type { Program } from '../../runtime/format/program.ts';

export type RunInputs = Readonly<Record<string, Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>>;
export interface RunnableProgram {
  /** Inputs by name, row-major, bool as i32; every input must be given. */
  run(dims: Readonly<Record<string, number>>, inputs: RunInputs): Readonly<Record<string, TensorOutput>>;
  readonly memoryBytes: number;
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
    run(dims, inputs) {
      const tensors = Object.entries(inputs).map(([name, data]) => ({ name, data }));
      const running = executor.run({ dims, tensors });
      for (let step = running.next(); ; step = running.next()) if (step.done) return step.value;
    },
    get memoryBytes() {
      return executor.memoryBytes;
    },
  };
}
