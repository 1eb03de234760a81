import { nativeTarget } from '../../compiler/codegen/native/target.ts';
import type { RunnableProgram } from '../../compiler/program/run-program.ts';
import { weightsBase, layoutOf, reservedLayout, align, type Layout } from '../../runtime/backends/one-memory/layout.ts';
import { RunPlan, type PreparedPort } from '../../runtime/backends/one-memory/plan.ts';
import { tensorWriter } from '../../runtime/backends/one-memory/weights.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import { dispatchSteps, hasState, type EntryPoint, type Program } from '../../runtime/format/program.ts';
import type { TensorOutput } from '../../runtime/api.ts';
import type { Backend } from './conformance.ts';
import { loadLibrary, nativeLevels, type NativeLevel } from './native-library.ts';

export async function instantiateNative(
  program: Program,
  text: string,
  level: NativeLevel,
  tensor: (name: string) => Promise<Float32Array | Uint8Array>,
): Promise<RunnableProgram> {
  const call = loadLibrary(text, level);
  const names = [...text.matchAll(/^\/\/ === kernel (\w+) ===$/gm)].map(([, name]) => name ?? '');
  const stateBytes = hasState(program) ? evaluateExpression(program.arenas.state, {}) : 0;
  const reserved = reservedLayout(program, 1);
  let memory = new Uint8Array(align(reserved?.totalBytes ?? weightsBase + evaluateExpression(program.arenas.weights, {})));
  const states: number[] = [];
  const grow = (bytes: number): void => {
    if (bytes <= memory.length) return;
    const larger = new Uint8Array(bytes);
    larger.set(memory);
    memory = larger;
  };
  const kernels = new Map(
    (Object.values(program.entryPoints) as readonly EntryPoint[])
      .flatMap(({ steps }) => dispatchSteps(steps))
      .map((step) => {
        const index = names.indexOf(step.kernel);
        return [step.kernel, (...parameters: number[]) => call(index, BigInt64Array.from(parameters, BigInt), memory)] as const;
      }),
  );
  for (const weight of program.weights) {
    const values = await tensor(weight.tensor);
    const storage = values instanceof Uint8Array ? 'U8' : 'F32';
    const address = weightsBase + Number(program.buffers[weight.buffer]?.offset);
    const writer = tensorWriter(storage, [{ memory: memory.buffer, address, shape: weight.shape, packing: weight.packing }]);
    writer.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  const read = (port: PreparedPort): TensorOutput => {
    const { shape, address, elements, elementType } = port;
    if (elementType === 'f32') return { elementType, shape, data: new Float32Array(memory.buffer, address, elements).slice() };
    const integers = new Int32Array(memory.buffer, address, elements).slice();
    return elementType === 'i32'
      ? { elementType, shape, data: integers }
      : { elementType: 'bool', shape, data: Uint8Array.from(integers) };
  };
  return {
    openState() {
      const address = memory.length;
      grow(address + align(stateBytes));
      return states.push(address) - 1;
    },
    closeState: () => undefined,
    readState(state, name) {
      const buffer = program.buffers.find((candidate) => candidate.class === 'state' && candidate.name.endsWith(name));
      if (buffer === undefined) throw new RangeError(`The program has no state '${name}'.`);
      const [start, elements] = [(states[state] as number) + Number(buffer.offset), Number(buffer.bytes) / 4];
      return buffer.elementType === 'i32'
        ? new Int32Array(memory.buffer, start, elements).slice()
        : new Float32Array(memory.buffer, start, elements).slice();
    },
    run(dims, inputs, stateful) {
      const layout: Layout = reserved ?? layoutOf(program, dims, 1);
      if (!reserved) grow(align(layout.totalBytes));
      const plan = new RunPlan({ program, kernels, entry: stateful?.entry ?? 'forward', layout }, dims);
      plan.begin(dims, stateful ? states[stateful.state] : 0);
      for (const port of plan.inputs) {
        const data = inputs[port.name];
        if (data === undefined) throw new RangeError(`No input ${port.name}`);
        if (data instanceof Float32Array) new Float32Array(memory.buffer, port.address, port.elements).set(data);
        else new Int32Array(memory.buffer, port.address, port.elements).set(data);
      }
      for (const dispatch of plan.dispatches()) {
        dispatch.parameters[0] = dispatch.first;
        dispatch.parameters[1] = dispatch.last;
        dispatch.kernel(...dispatch.parameters);
      }
      return Object.fromEntries(plan.outputs.map((port) => [port.name, read(port)]));
    },
    get memoryBytes() {
      return memory.length;
    },
  };
}

export const nativeBackends: readonly Backend[] = nativeLevels.map((level) => ({
  name: `native ${level}`,
  target: nativeTarget,
  build: [level],
  instantiate: (program, files, tensor) =>
    instantiateNative(program, String(files.find(({ path }) => path === 'kernels.c')?.content), level, tensor),
}));
