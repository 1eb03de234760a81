import { float32ToFloat16 } from '../../compiler/weights/float16.ts';
import type { Executor } from '../../runtime/backends/executor.ts';
import type { Program } from '../../runtime/format/program.ts';

/** Gives an executor the tensors of its program, each stored as the program has it. */
export async function writeTensors(
  executor: Pick<Executor, 'weightWriter' | 'flush'>,
  program: Program,
  tensor: (name: string) => Promise<Float32Array | Uint8Array>,
): Promise<void> {
  const shapes = new Map(program.weights.map((weight) => [weight.tensor, weight.shape]));
  const isHalf = (name: string): boolean =>
    program.weights.some(({ tensor: own, buffer }) => own === name && program.buffers[buffer]?.elementType === 'f16');
  for (const [name, shape] of shapes) {
    const values = await tensor(name);
    const half = values instanceof Float32Array && isHalf(name);
    const storage = values instanceof Uint8Array ? 'U8' : half ? 'F16' : 'F32';
    const { buffer, byteOffset, byteLength } = half ? float32ToFloat16(values).halves : values;
    executor.weightWriter({ name, storage, shape })?.write(new Uint8Array(buffer, byteOffset, byteLength));
  }
  await executor.flush();
}
