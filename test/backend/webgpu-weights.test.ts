/** How weights lie in a device: 16-bit floats as they are stored, and what is too large for one binding in parts. */
import { expect } from 'chai';
import { build, emit } from '../../compiler/build.ts';
import { webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import type { Target } from '../../compiler/codegen/target.ts';
import { Parameters, storedAsHalf } from '../../compiler/program/parameters.ts';
import { float16ToFloat32, float32ToFloat16 } from '../../compiler/weights/float16.ts';
import { storedAs } from '../../compiler/weights/stored-as.ts';
import { formatsOf, memorySource, type TensorSource } from '../../compiler/weights/tensor-source.ts';
import { NodeTable, type Graph, type Node } from '../../ir/graph.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import type { Program } from '../../runtime/format/program.ts';
import { dispatchSteps, mainEntryPoint } from '../../runtime/format/program.ts';
import { DeviceTensorWriter } from '../../runtime/backends/device-tensor-writer.ts';
import { requires, requiresTime } from '../requirements.ts';
import { testDevice, webgpuIsThere } from '../webgpu-adapter.ts';
import { expectClose } from './conformance.ts';
import { instantiateOnDevice } from './webgpu-backend.ts';

const [vocabulary, width] = [70, 32];
/** A table whose rows are looked up, a layer with bias, activation and residual, and the table again as the last product. */
function tiedGraph(looksUp: boolean): Graph {
  const nodes = new NodeTable();
  const parameter = (name: string, shape: readonly number[]): Node =>
    nodes.make('parameter', { name, elementType: 'f32', shape }, []);
  const table = parameter('table', [vocabulary, width]);
  const input = looksUp
    ? nodes.make('input', { name: 'x', elementType: 'i32', shape: [7] }, [])
    : nodes.make('input', { name: 'x', elementType: 'f32', shape: [7, width] }, []);
  const rows = looksUp ? nodes.make('gather', { batchAxes: 0 }, [table, input]) : input;
  const product = (x: Node, weight: Node): Node => nodes.make('matmul', { transposeRight: true }, [x, weight]);
  const inner = nodes.make('add', {}, [product(rows, parameter('inner', [width, width])), parameter('bias', [width])]);
  const hidden = nodes.make('add', {}, [nodes.make('gelu_tanh', {}, [inner]), rows]);
  const logits = nodes.make('add', {}, [product(hidden, table), parameter('last', [vocabulary])]);
  return { name: 'tied', dims: [], inputs: [input], outputs: [{ name: 'logits', node: logits }], nodes };
}
const random = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
};
const tensorOf = (seed: number, ...shape: readonly number[]): { shape: readonly number[]; data: Float32Array } => {
  const next = random(seed);
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next() / 2) };
};
const plainSource = memorySource({
  table: tensorOf(1, vocabulary, width),
  inner: tensorOf(2, width, width),
  bias: tensorOf(3, width),
  last: tensorOf(4, vocabulary),
});

interface Outcome {
  readonly program: Program;
  readonly memoryBytes: number;
}
/** Runs the graph on the device and compares it with the interpreter, over the values that the package holds. */
async function compare(graph: Graph, tensors: TensorSource, target: Target, storage: 'F16' | null): Promise<Outcome> {
  const built = build(graph, {
    plan: densePlan,
    target,
    verify: true,
    formatOf: formatsOf(tensors),
    isHalf: storedAsHalf(tensors, storage),
  });
  const parameters = new Parameters({
    source: tensors,
    derived: built.stage.derived,
    computed: {},
    storage,
    formats: built.formats,
  });
  const { files } = await emit(built, target, { build: [] });
  const runnable = await instantiateOnDevice(built.program, files, (name) => parameters.readTensor(name));
  const isIds = graph.inputs[0]?.attributes.elementType === 'i32';
  const x = isIds ? Int32Array.of(0, 69, 3, 35, 36, 3, 1) : Float32Array.from({ length: 7 * width }, random(5));
  const found = await runnable.run({}, { x });
  const values = new Map<string, Tensor>();
  for (const name of tensors.names())
    values.set(name, { elementType: 'f32', shape: tensors.info(name).shape, data: await parameters.read(name) });
  const input: Tensor = { elementType: isIds ? 'i32' : 'f32', shape: isIds ? [7] : [7, width], data: x };
  const expected = interpret(graph, {
    inputs: { x: input },
    parameters: (name) => values.get(name) as Tensor,
    precision: 'f64',
  });
  expectClose(found['logits']?.data ?? [], expected['logits']?.data ?? [], 1e-5, 'logits');
  return { program: built.program, memoryBytes: runnable.memoryBytes };
}
const kernelsOf = ({ entryPoints }: Program): readonly string[] =>
  dispatchSteps(mainEntryPoint({ entryPoints } as Program).steps).map(({ kernel }) => kernel);
const { memory } = webgpuTarget;
function cutAt(weightBytes: number): Target {
  if (memory.kind !== 'buffers') throw new TypeError('WebGPU binds buffers.');
  return { ...webgpuTarget, memory: { ...memory, weightBytes } };
}

describe('weights on WebGPU', () => {
  before(function () {
    requires(this, 'webgpu', webgpuIsThere());
    requiresTime(this);
  });

  it('that are stored in 16 bits stay so where products read them, and another read shares them', async () => {
    const { program } = await compare(tiedGraph(true), plainSource, webgpuTarget, 'F16');
    const types = Object.fromEntries(
      program.weights.map(({ tensor, buffer }) => [
        tensor,
        [program.buffers[buffer]?.elementType, program.buffers[buffer]?.bytes],
      ]),
    );
    expect(types).to.deep.equal({
      table: ['f16', vocabulary * width * 2],
      inner: ['f16', width * width * 2],
      bias: ['f32', width * 4],
      last: ['f32', vocabulary * 4],
    });
    const plain = await compare(tiedGraph(true), plainSource, webgpuTarget, null);
    expect(plain.program.buffers.map(({ elementType }) => elementType)).to.not.include('f16');
  });

  for (const [what, type, looksUp, storage] of [
    ['plain', undefined, false, null],
    ['16-bit', undefined, false, 'F16'],
    ['q8', 'q8', true, null],
    ['q4', 'q4', true, null],
  ] as const) {
    it(`${what}: a weight beyond one binding is cut by rows, and gives the same`, async () => {
      const graph = tiedGraph(looksUp);
      const { tensors } = storedAs(plainSource, graph, type);
      const whole = await compare(graph, tensors, webgpuTarget, storage);
      const limit = 20 * width;
      const { program } = await compare(graph, tensors, cutAt(limit), storage);
      expect(whole.program.weights.filter(({ rows }) => rows)).to.deep.equal([]);
      const parts = program.weights.filter(({ tensor }) => tensor.startsWith('table') && !/scales|minima/.test(tensor));
      expect(parts.length).to.be.greaterThan(1);
      let next = 0;
      for (const { rows, buffer, shape } of parts) {
        expect(rows?.[0]).to.equal(next);
        next = rows?.[1] ?? NaN;
        expect(shape[0]).to.equal(vocabulary);
        expect(program.buffers[buffer]?.bytes).to.be.at.most(limit);
      }
      expect(next).to.equal(vocabulary);
      expect(kernelsOf(program).length).to.be.greaterThan(kernelsOf(whole.program).length);
    });
  }
  it('a table of plain numbers beyond one binding is refused with ATPC-307, and said to need blocks', () => {
    const make = (): unknown => build(tiedGraph(true), { plan: densePlan, target: cutAt(20 * width), verify: true });
    expect(make).to.throw().with.property('code', 'ATPC-307');
    expect(make).to.throw(/'table'/);
  });

  it('arrive in pieces of any size, an odd number of 16-bit floats too', async () => {
    const device = await testDevice();
    const values = Float32Array.from({ length: 21 }, random(9));
    const { halves } = float32ToFloat16(values);
    const stored = new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength);
    for (const piece of [1, 3, 5, 42]) {
      const made = [64, 96, 64].map((size) => device.createBuffer({ size, usage: 0x4 | 0x8 | 0x80 }));
      const [asStored, decoded, part] = made as [GPUBuffer, GPUBuffer, GPUBuffer];
      const writer = new DeviceTensorWriter<GPUBuffer>((...write) => device.queue.writeBuffer(...write), 'F16', values.length, [
        { buffer: asStored, offset: 0, halves: true, elements: [0, 21] },
        { buffer: decoded, offset: 4, halves: false, elements: [0, 21] },
        { buffer: part, offset: 8, halves: true, elements: [8, 20] },
      ]);
      for (let at = 0; at < stored.length; at += piece) writer.write(stored.subarray(at, at + piece));
      expect(writer.written).to.equal(21);
      const staging = device.createBuffer({ size: 224, usage: 0x1 | 0x8 });
      const encoder = device.createCommandEncoder();
      let at = 0;
      for (const buffer of made) {
        encoder.copyBufferToBuffer(buffer, 0, staging, at, buffer.size);
        at += buffer.size;
      }
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(1);
      const bytes = staging.getMappedRange().slice(0);
      expect(new Uint16Array(bytes, 0, 22)).to.deep.equal(Uint16Array.of(...halves, 0));
      expect(new Float32Array(bytes, 64 + 4, 22)).to.deep.equal(Float32Array.of(...float16ToFloat32(halves), 0));
      expect(new Uint16Array(bytes, 160 + 8, 13)).to.deep.equal(Uint16Array.of(...halves.subarray(8, 20), 0));
      for (const buffer of [...made, staging]) buffer.destroy();
    }
  });
});
