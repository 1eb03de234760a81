import type { TargetFile } from '../../compiler/codegen/target.ts';
import { webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import { WebGpuExecutor } from '../../runtime/backends/webgpu/executor.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import { mainEntryPoint, type Program } from '../../runtime/format/program.ts';
import { testDevice, webgpuIsThere } from '../webgpu-adapter.ts';
import type { Backend, BackendProgram } from './conformance.ts';
import { writeTensors } from './write-tensors.ts';

/** The kernel file of one build. */
function kernelFile(files: readonly TargetFile[]): string {
  const content = files[0]?.content;
  if (typeof content !== 'string') throw new TypeError('The target gave no text.');
  return content;
}

/** A program on the device that all tests share. */
export async function instantiateOnDevice(
  program: Program,
  files: readonly TargetFile[],
  tensor: (name: string) => Promise<Float32Array | Uint8Array>,
): Promise<BackendProgram & { readonly executor: WebGpuExecutor }> {
  const executor = await WebGpuExecutor.create(await testDevice(), program, kernelFile(files));
  await writeTensors(executor, program, tensor);
  return {
    executor,
    run: (dims, inputs, call) =>
      executor.run({ ...call, dims, tensors: Object.entries(inputs).map(([name, data]) => ({ name, data })) }),
    openState: () => executor.openState(),
    closeState: (state) => executor.closeState(state),
    async readState(state, name) {
      const buffer = program.buffers.find((candidate) => candidate.class === 'state' && candidate.name.endsWith(name));
      if (buffer?.slot === undefined) throw new RangeError(`The program has no state '${name}'.`);
      const slots = (program.slots ?? []).flatMap((slot, index) => (slot.class === 'state' ? [{ ...slot, index }] : []));
      const before = slots
        .filter(({ index }) => index < (buffer.slot as number))
        .reduce((sum, { bytes }) => sum + Number(bytes), 0);
      const bytes = await executor.stateBytes(state);
      const place = [bytes.buffer, before + Number(buffer.offset), Number(buffer.bytes) / 4] as const;
      return buffer.elementType === 'i32' ? new Int32Array(...place) : new Float32Array(...place);
    },
    get memoryBytes() {
      return executor.memoryBytes;
    },
  };
}

export const webgpuBackend: Backend = {
  name: 'webgpu',
  target: webgpuTarget,
  build: [],
  refuses: { ops: ['principal_rows'], modes: ['svd'] },
  needs: { requirement: 'webgpu', isThere: webgpuIsThere },
  // What the outputs are read back through.
  besidesArenas: (program, dims) =>
    mainEntryPoint(program).outputs.reduce(
      (sum, { shape }) => sum + 4 * shape.reduce<number>((product, size) => product * evaluateExpression(size, dims), 1),
      0,
    ),
  instantiate: instantiateOnDevice,
};
