/** Models whose weights stay in blocks, from graph to kernels, against the interpreter over the values of the blocks. */
import { expect } from 'chai';
import { build, emit, moduleOf, type Built } from '../../compiler/build.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { lower } from '../../compiler/kernel/lower.ts';
import { dequantise, type BlockFormat, type BlockMatrix } from '../../compiler/weights/block-format.ts';
import { concatRows } from '../../compiler/weights/block-matrix.ts';
import { graphNodes, isOp, NodeTable, type Graph, type Node } from '../../ir/graph.ts';
import { evaluateNodes, interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import { bufferClasses, type Program } from '../../runtime/format/program.ts';
import { bertInputs, tinyBert } from '../models/tiny-bert.ts';
import { randomNumbers } from '../ref/tensors.ts';
import { expectClose } from './conformance.ts';

const q4: BlockFormat = { bits: 4, block: 32, signed: false, minima: true };
const q8: BlockFormat = { bits: 8, block: 32, signed: true, minima: false };
const q6: BlockFormat = { bits: 8, block: 16, signed: true, minima: false };
type FormatOf = (parameter: string) => BlockFormat | null;

function randomMatrix(random: () => number, format: BlockFormat, [rows = 0, columns = 0]: readonly number[]): BlockMatrix {
  const blocks = (rows * columns) / format.block;
  const scale = format.bits === 4 ? 0.06 : 0.004;
  const scales = Float32Array.from({ length: blocks }, () => scale * (0.5 + random()));
  return {
    format,
    shape: [rows, columns],
    quants: Uint8Array.from({ length: (rows * columns * format.bits) / 8 }, () => 256 * random()),
    scales,
    minima: format.minima ? scales.map((value) => -8 * value) : null,
  };
}

/** The parameters of a graph: matrices for those that have a format, and the values of all. */
class Weights {
  readonly matrices = new Map<string, BlockMatrix>();
  readonly values = new Map<string, Tensor>();

  constructor(graph: Graph, formatOf: FormatOf, plain: (name: string) => Tensor) {
    const random = randomNumbers(17);
    for (const node of graphNodes(graph)) {
      if (!isOp(node, 'parameter')) continue;
      const { name } = node.attributes;
      const shape = node.attributes.shape.map(Number);
      const format = formatOf(name);
      if (format === null) this.values.set(name, plain(name));
      else {
        const matrix = randomMatrix(random, format, shape);
        this.matrices.set(name, matrix);
        this.values.set(name, { elementType: 'f32', shape, data: dequantise(matrix) });
      }
    }
  }
  readonly parameters = (name: string): Tensor => this.values.get(name) as Tensor;
  matrixOf(node: Node): BlockMatrix {
    if (isOp(node, 'parameter')) return this.matrices.get(node.attributes.name) as BlockMatrix;
    expect(node.op).to.equal('concat');
    return concatRows(node.inputs.map((input) => this.matrixOf(input)));
  }
  /** The contents of a weight of the program, row-major. */
  contents(tensor: string, { stage }: Built): Uint8Array | ArrayLike<number> {
    const part = (['quants', 'scales', 'minima'] as const).find((suffix) => tensor.endsWith(`.${suffix}`));
    const name = part === undefined ? tensor : tensor.slice(0, -part.length - 1);
    const node = stage.derived.get(name);
    if (part !== undefined) {
      const matrix = node ? this.matrixOf(node) : this.matrices.get(name);
      return matrix?.[part] ?? [];
    }
    if (!node) return this.parameters(name).data;
    return (evaluateNodes([node], { parameters: this.parameters }).get(node)?.[0] as Tensor).data;
  }
}

/** Runs `forward` over one memory, each dispatch in two parts. */
async function run(
  built: Built,
  weights: Weights,
  inputs: Readonly<Record<string, Tensor>>,
  dims: Readonly<Record<string, number>>,
): Promise<Readonly<Record<string, Float32Array>>> {
  const { program } = built;
  const forward = program.entryPoints.forward as NonNullable<Program['entryPoints']['forward']>;
  const size = (expression: Program['arenas']['io']): number => evaluateExpression(expression, dims);
  let end = 64;
  const bases = new Map(
    bufferClasses.map((name) => {
      const base = end;
      end += Math.ceil(size(program.arenas[name]) / 64) * 64;
      return [name, base];
    }),
  );
  const memory = new WebAssembly.Memory({ initial: Math.ceil(end / 65536) });
  const { files } = await emit(built, wasmTarget, { build: ['simd128'] });
  const { instance } = await WebAssembly.instantiate(new Uint8Array(moduleOf(files)), { atpc: { memory } });
  const address = (index: number): number => {
    const buffer = program.buffers[index] as Program['buffers'][number];
    return (bases.get(buffer.class) as number) + size(buffer.offset);
  };
  for (const { tensor, buffer, shape, packing } of program.weights) {
    const values = weights.contents(tensor, built);
    if (values instanceof Uint8Array) new Uint8Array(memory.buffer, address(buffer), values.length).set(values);
    else {
      const [rows = 1, columns = 1] = shape;
      const width = packing.kind === 'panels' ? packing.width : null;
      const to = new Float32Array(memory.buffer, address(buffer));
      for (let at = 0; at < values.length; at += 1) {
        const [row, column] = [Math.floor(at / columns), at % columns];
        const place = width === null ? at : (Math.floor(row / width) * columns + column) * width + (row % width);
        to[place] = values[at] as number;
      }
      expect(values.length, tensor).to.equal(shape.length === 1 ? rows : shape.reduce((product, extent) => product * extent, 1));
    }
  }
  for (const { name, buffer } of forward.inputs) {
    const { data } = inputs[name] as Tensor;
    new Int32Array(memory.buffer, address(buffer), data.length).set(data);
  }
  for (const step of forward.steps) {
    if (step.kind !== 'dispatch') throw new Error('A model without state has no repeats.');
    const items = size(step.items);
    const operands = step.operands.map(({ buffer, offset }) => address(buffer) + 4 * size(offset));
    const kernel = instance.exports[step.kernel] as (...parameters: number[]) => void;
    const middle = Math.floor(items / 2);
    for (const [first, last] of [
      [0, middle],
      [middle, items],
    ] as const) {
      if (first < last) kernel(first, last, bases.get('scratch') as number, ...operands, ...step.integers.map(size));
    }
  }
  return Object.fromEntries(
    forward.outputs.map(({ name, buffer, shape }) => {
      const count = shape.reduce<number>((product, extent) => product * size(extent), 1);
      return [name, new Float32Array(memory.buffer, address(buffer), count).slice()];
    }),
  );
}
const kinds = ({ list }: Built): readonly string[] => list.dispatches.map(({ kernel }) => kernel.kind);
async function faultOf(action: () => unknown): Promise<unknown> {
  return Promise.resolve()
    .then(action)
    .catch((error: unknown) => error);
}

describe('weights in blocks, lowered for wasm', () => {
  it('a model of several formats gives what its values give', async () => {
    const model = await tinyBert();
    const formats: readonly (readonly [RegExp, BlockFormat])[] = [
      [/word_embeddings\.weight$/, q8],
      [/(query|key|attention\.output\.dense|intermediate\.dense)\.weight$/, q4],
      [/value\.weight$/, q8],
      [/\d\.output\.dense\.weight$/, q6],
    ];
    const formatOf: FormatOf = (name) => formats.find(([pattern]) => pattern.test(name))?.[1] ?? null;
    const built = build(model.graph, { plan: densePlan, target: wasmTarget, verify: true, formatOf });
    // Query and key have one format and become one product; the value has another. In each layer four more products.
    expect(kinds(built).filter((kind) => kind === 'block_gemm').length).to.equal(2 * 5);
    expect(kinds(built).filter((kind) => kind === 'block_lookup').length).to.equal(1);
    expect(kinds(built)).not.to.include('gemm');
    const weights = new Weights(model.graph, formatOf, model.parameters);
    const inputs = bertInputs([40, 33, 7], 40);
    const expected = interpret(model.graph, { inputs, parameters: weights.parameters, precision: 'f64' });
    for (const [name, values] of Object.entries(await run(built, weights, inputs, { batch: 3, seq: 40 }))) {
      expectClose(values, (expected[name] as Tensor).data, 1e-4, name);
    }
  });

  /** Look-up and output layer over one table. */
  function tied(): Graph {
    const nodes = new NodeTable();
    const ids = nodes.make('input', { name: 'ids', elementType: 'i32', shape: [1, 'n'] }, []);
    const table = nodes.make('parameter', { name: 'table', elementType: 'f32', shape: [50, 64] }, []);
    const rows = nodes.make('gather', { batchAxes: 0 }, [table, ids]) as Node;
    const logits = nodes.make('matmul', { transposeRight: true }, [nodes.make('silu', {}, [rows]) as Node, table]) as Node;
    return {
      name: 'tied',
      dims: [{ name: 'n', min: 1, max: 64 }],
      inputs: [ids],
      outputs: [{ name: 'logits', node: logits }],
      nodes,
    };
  }
  const oneFormat: FormatOf = () => q8;

  it('a table that is looked up and multiplied with lies in memory once, in blocks', async () => {
    const graph = tied();
    const built = build(graph, { plan: densePlan, target: wasmTarget, verify: true, formatOf: oneFormat });
    expect(kinds(built)).to.deep.equal(['block_lookup', 'map', 'block_gemm']);
    expect(built.program.weights.map(({ tensor, shape }) => [tensor, ...shape])).to.deep.equal([
      ['table.quants', 50, 64],
      ['table.scales', 50, 2],
    ]);
    const [quants, scales] = built.program.buffers;
    expect([quants?.elementType, quants?.bytes, scales?.elementType, scales?.bytes]).to.deep.equal(['u8', 3200, 'f32', 400]);
    const weights = new Weights(graph, oneFormat, () => expect.fail('There is no other parameter.'));
    const random = randomNumbers(18);
    for (const n of [1, 5, 64]) {
      const ids = Int32Array.from({ length: n }, () => 50 * random());
      const inputs: Readonly<Record<string, Tensor>> = { ids: { elementType: 'i32', shape: [1, n], data: ids } };
      const expected = interpret(graph, { inputs, parameters: weights.parameters, precision: 'f64' });
      const { logits } = await run(built, weights, inputs, { n });
      expectClose(logits ?? [], (expected['logits'] as Tensor).data, 1e-5, `${n} rows`);
    }
  });
  /** Rows of the table, and the table (or a row of it) as numbers. */
  const readTwice = (numbers: (graph: Graph, table: Node) => Node): Graph => {
    const graph = tied();
    const table = graphNodes(graph).find((node) => isOp(node, 'parameter')) as Node;
    const rows = graph.nodes.make('gather', { batchAxes: 0 }, [table, graph.inputs[0] as Node]) as Node;
    const added = graph.nodes.make('add', {}, [rows, numbers(graph, table)]) as Node;
    return { ...graph, outputs: [{ name: 'logits', node: added }] };
  };
  const lastRow = ({ nodes }: Graph, table: Node): Node => nodes.make('slice', { axis: 0, start: 3, length: 1 }, [table]);
  const largest = ({ nodes }: Graph, table: Node): Node => nodes.make('reduce_max', { axis: 0 }, [table]);

  it('what something else reads is expanded: a part of a table, or the table', async () => {
    for (const [numbers, inBlocks] of [
      [lastRow, ['table']],
      [largest, []],
    ] as const) {
      const graph = readTwice(numbers);
      const built = build(graph, { plan: densePlan, target: wasmTarget, verify: true, formatOf: oneFormat });
      expect([...built.formats.keys()]).to.deep.equal(inBlocks);
      expect(kinds(built)[0]).to.equal(inBlocks.length > 0 ? 'block_lookup' : 'map');
    }
  });
  it('a parameter in blocks where plain numbers are read is refused', async () => {
    const { stage } = build(readTwice(lastRow), { plan: densePlan, target: wasmTarget, verify: true, formatOf: oneFormat });
    const fault = await faultOf(() => lower(stage, wasmTarget, { formatOf: oneFormat }));
    expect(fault).to.be.instanceOf(AtpcError);
    expect(String(fault)).to.include("'table#2' is kept as signed q8 in blocks of 32");
  });
});
