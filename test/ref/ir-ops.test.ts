import { expect } from 'chai';
import fc from 'fast-check';
import { randomGraph } from './random-graph.ts';
import { expectClose, largestDifference, randomNumbers, randomTensor, tensorOfList } from './tensors.ts';
import { erf } from '../../ir/erf.ts';
import { decomposeNode } from '../../ir/decompose.ts';
import { graphNodes, NodeTable, type Graph, type Node } from '../../ir/graph.ts';
import { evaluateNodes, interpret } from '../../ir/interpret.ts';
import { rewriteGraph } from '../../ir/rewrite.ts';
import { ops, opNames } from '../../ir/ops/table.ts';
import { TypeRuleError } from '../../ir/ops/definition.ts';
import type { OpAttributes, OpName } from '../../ir/ops/attributes.ts';
import type { OpCost, Tensor } from '../../ir/ops/definition.ts';
import type { ElementType } from '../../ir/element-type.ts';
import { evaluateSize, type Size } from '../../ir/size.ts';

/** A graph under construction whose parameters are given as tensors. */
class Bench {
  readonly table = new NodeTable();
  readonly #tensors = new Map<string, Tensor>();
  of(tensor: Tensor): Node {
    const name = `t${this.#tensors.size}`;
    this.#tensors.set(name, tensor);
    return this.table.make('parameter', { name, elementType: tensor.elementType, shape: tensor.shape }, []);
  }
  make<K extends OpName>(op: K, attributes: OpAttributes[K], ...inputs: readonly Node[]): Node {
    return this.table.make(op, attributes, inputs);
  }
  run(node: Node, precision: 'f32' | 'f64' = 'f64'): readonly Tensor[] {
    const parameters = (name: string): Tensor => this.#tensors.get(name) as Tensor;
    return evaluateNodes([node], { parameters, precision }).get(node) as readonly Tensor[];
  }
  value(node: Node): Tensor {
    return this.run(node)[0] as Tensor;
  }
}
const list = (shape: readonly number[], ...values: number[]): Tensor => tensorOfList('f32', shape, values);
const integers = (shape: readonly number[], ...values: number[]): Tensor => tensorOfList('i32', shape, values);
const bools = (shape: readonly number[], ...values: number[]): Tensor => tensorOfList('bool', shape, values);

function costOf<K extends OpName>(node: Node<K>): OpCost {
  const inputs = node.inputs.map((input) => input.type);
  return ops[node.op].cost(node.attributes, inputs, node.type);
}
function graphUses(graph: Graph, op: OpName): boolean {
  return graphNodes(graph).some((node) => node.op === op);
}

/** erf by its alternating Taylor series, DLMF 7.6.1, in fixed point of 320 bits; the largest term of |x| < 6 has 52. */
function preciseErf(x: number): number {
  const bits = 320n;
  const multiply = (a: bigint, b: bigint): bigint => (a * b) >> bits;
  const scaled = BigInt(x * 2 ** 60) << (bits - 60n);
  const square = multiply(scaled, scaled);
  let term = scaled;
  let sum = scaled;
  for (let n = 1n; term !== 0n; n += 1n) {
    term = -multiply(term, square) / n;
    sum += term / (2n * n + 1n);
  }
  const mantissa = Number((2n * sum) >> (bits - 80n)) / 2 ** 80;
  return mantissa / Math.sqrt(Math.PI);
}

function typed(elementType: ElementType, ...shape: readonly Size[]) {
  return { elementType, shape };
}

describe('ir: ops', () => {
  it('have a row each under their own name', () => {
    for (const name of opNames) expect(ops[name].name).to.equal(name);
  });

  describe('type errors are sentences that name both sides', () => {
    const table = new NodeTable();
    const of = (elementType: ElementType, ...shape: readonly Size[]): Node =>
      table.make('input', { name: JSON.stringify([elementType, shape]), ...typed(elementType, ...shape) }, []);
    const causal = { scored: false, bias: false, visible: [] };
    const tuple = (): Node =>
      table.make('segment_means', { count: 2 }, [of('f32', 1, 1, 4, 2), of('f32', 1, 1, 4, 2), of('bool', 1, 4)]);
    const faults: readonly (readonly [string, () => unknown, string])[] = [
      [
        'add',
        () => table.make('add', {}, [of('f32', 'seq', 4), of('f32', 'batch', 4)]),
        'add cannot broadcast f32[seq, 4] with f32[batch, 4]: axis 0 of the result would be seq and batch.',
      ],
      [
        'add of two types',
        () => table.make('add', {}, [of('f32', 4), of('i32', 4)]),
        'add takes operands of one element type, not f32[4] and i32[4]; convert one with cast.',
      ],
      ['too few inputs', () => table.make('add', {}, [of('f32', 4)]), 'add takes 2 inputs, not 1.'],
      [
        'a tuple',
        () => table.make('exp', {}, [tuple()]),
        'exp takes tensors, but input 0 is the tuple (f32[1, 1, 2, 2], f32[1, 1, 2, 2], f32[1, 1, 2]); take an element of it with get.',
      ],
      ['exp', () => table.make('exp', {}, [of('i32', 4)]), 'exp takes f32 as its operand, not i32[4].'],
      [
        'matmul',
        () => table.make('matmul', { transposeRight: true }, [of('f32', 'seq', 384), of('f32', 1536, 512)]),
        'matmul cannot multiply f32[seq, 384] by f32[1536, 512] transposed: it would sum over 384 on the left and 512 on the right.',
      ],
      [
        'reshape',
        () => table.make('reshape', { shape: ['seq', 7] }, [of('f32', 'seq', 8)]),
        'reshape cannot turn f32[seq, 8] into f32[seq, 7]: they have seq*8 and seq*7 elements.',
      ],
      [
        'transpose',
        () => table.make('transpose', { permutation: [0, 0] }, [of('f32', 2, 3)]),
        'transpose needs each of the 2 axes of f32[2, 3] once, not [0, 0].',
      ],
      [
        'slice',
        () => table.make('slice', { axis: 0, start: 3, length: 2 }, [of('f32', 4)]),
        'slice cannot take elements 3 to 5 of axis 0 of f32[4], which has 4.',
      ],
      [
        'concat',
        () => table.make('concat', { axis: 0 }, [of('f32', 4, 2), of('f32', 4, 3)]),
        'concat cannot join f32[4, 2] and f32[4, 3]: they may only differ along axis 0.',
      ],
      [
        'gather',
        () => table.make('gather', { batchAxes: 0 }, [of('f32', 4), of('f32', 2)]),
        'gather takes i32 indices, not f32[2].',
      ],
      [
        'select_clusters',
        () =>
          table.make('select_clusters', { scale: 1, count: 2, tile: 0 }, [
            of('f32', 1, 1, 8, 4),
            of('f32', 1, 1, 3, 4),
            of('f32', 1, 1, 3),
            of('f32', 1, 1, 3),
            of('i32', 1),
          ]),
        'select_clusters needs a whole number of at least 1 as tile, not 0.',
      ],
      [
        'an axis',
        () => table.make('softmax', { axis: 2 }, [of('f32', 4, 4)]),
        'softmax has no axis 2 in f32[4, 4], which has rank 2.',
      ],
      [
        'layer_norm',
        () => table.make('layer_norm', { epsilon: 1e-5 }, [of('f32', 'seq', 8), of('f32', 8), of('f32', 9)]),
        'layer_norm needs its bias to be f32[8] for f32[seq, 8], not f32[9].',
      ],
      [
        'rope',
        () => table.make('rope', { theta: 1e4, maxPositions: 8, divisors: [] }, [of('f32', 1, 2, 'seq', 8), of('i32', 7)]),
        'rope needs a position for each row of f32[1, 2, seq, 8], but the positions i32[7] have 7 where it has seq.',
      ],
      [
        'divisors',
        () => table.make('rope', { theta: 1e4, maxPositions: 8, divisors: [1, 2] }, [of('f32', 1, 2, 7, 8), of('i32', 7)]),
        'rope needs a divisor for each of the 4 frequencies of f32[1, 2, 7, 8], or none, not 2.',
      ],
      [
        'heads',
        () =>
          table.make('attention', { scale: 1, segments: [causal] }, [
            of('f32', 1, 3, 'seq', 8),
            of('f32', 1, 2, 'seq', 8),
            of('f32', 1, 2, 'seq', 8),
          ]),
        'attention needs the heads of f32[1, 3, seq, 8] (3) to be a multiple of the key/value heads of f32[1, 2, seq, 8] (2).',
      ],
      [
        'head sizes',
        () =>
          table.make('attention', { scale: 1, segments: [causal] }, [
            of('f32', 1, 2, 'seq', 8),
            of('f32', 1, 2, 'seq', 4),
            of('f32', 1, 2, 'seq', 8),
          ]),
        'attention needs the same head size in f32[1, 2, seq, 8] and f32[1, 2, seq, 4], but they have 8 (axis 3) and 4 (axis 3).',
      ],
      [
        'get',
        () => table.make('get', { index: 3 }, [tuple()]),
        'get cannot take element 3 of (f32[1, 1, 2, 2], f32[1, 1, 2, 2], f32[1, 1, 2]).',
      ],
      ['constant', () => table.make('constant', { elementType: 'i32', value: 0.5 }, []), 'constant cannot hold 0.5 as i32.'],
    ];
    for (const [what, make, sentence] of faults) {
      it(what, () => {
        expect(make).to.throw(TypeRuleError).with.property('message', sentence);
      });
    }
  });

  it('interns by value: constants that JSON would confuse are different nodes', () => {
    const table = new NodeTable();
    const constants = [-Infinity, Infinity, NaN, 0, -0].map((value) => table.make('constant', { elementType: 'f32', value }, []));
    expect(new Set(constants).size).to.equal(5);
    expect(table.make('constant', { value: Infinity, elementType: 'f32' }, [])).to.equal(constants[1]);
  });

  describe('evaluate', () => {
    it('elementwise ops with broadcasting', () => {
      const bench = new Bench();
      const column = bench.of(list([2, 1], 1, 2));
      const row = bench.of(list([3], 10, 20, 30));
      expect([...bench.value(bench.make('subtract', {}, row, column)).data]).to.deep.equal([9, 19, 29, 8, 18, 28]);
      expect([...bench.value(bench.make('less', {}, bench.make('negate', {}, column), column)).data]).to.deep.equal([1, 1]);
      const chosen = bench.make('where', {}, bench.of(bools([2, 1], 0, 1)), row, column);
      expect([...bench.value(chosen).data]).to.deep.equal([1, 1, 1, 10, 20, 30]);
      const product = bench.make('multiply', {}, bench.of(integers([1], 65537)), bench.of(integers([1], 65537)));
      expect([...bench.value(product).data]).to.deep.equal([131073]);
    });

    it('cast truncates and saturates', () => {
      const bench = new Bench();
      const floats = bench.of(list([6], -1.9, 1.9, 3e9, -3e9, NaN, 0));
      expect([...bench.value(bench.make('cast', { to: 'i32' }, floats)).data]).to.deep.equal([
        -1,
        1,
        2 ** 31 - 1,
        -(2 ** 31),
        0,
        0,
      ]);
      expect([...bench.value(bench.make('cast', { to: 'bool' }, floats)).data]).to.deep.equal([1, 1, 1, 1, 1, 0]);
    });

    it('movement', () => {
      const bench = new Bench();
      const x = bench.of(list([2, 3], 0, 1, 2, 3, 4, 5));
      expect([...bench.value(bench.make('transpose', { permutation: [1, 0] }, x)).data]).to.deep.equal([0, 3, 1, 4, 2, 5]);
      expect([...bench.value(bench.make('slice', { axis: 1, start: 1, length: 2 }, x)).data]).to.deep.equal([1, 2, 4, 5]);
      expect([...bench.value(bench.make('concat', { axis: 1 }, x, x)).data]).to.deep.equal([0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]);
      expect([...bench.value(bench.make('broadcast', { shape: [2, 2, 3] }, x)).data]).to.deep.equal([
        0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5,
      ]);
      const shared = bench.make('gather', { batchAxes: 1 }, x, bench.of(integers([2, 2], 2, 0, 1, 1)));
      expect([...bench.value(shared).data]).to.deep.equal([2, 0, 4, 4]);
      const rows = bench.make('gather', { batchAxes: 0 }, x, bench.of(integers([3], 1, 0, 1)));
      expect([...bench.value(rows).data]).to.deep.equal([3, 4, 5, 0, 1, 2, 3, 4, 5]);
      expect(() => bench.value(bench.make('gather', { batchAxes: 0 }, x, bench.of(integers([1], 2))))).to.throw(
        RangeError,
        'the index 2 in a table of 2 rows',
      );
      expect([...bench.value(bench.make('iota', { shape: [2, 3], axis: 1 })).data]).to.deep.equal([0, 1, 2, 0, 1, 2]);
      expect([...bench.value(bench.make('reduce_sum', { axis: 0 }, x)).data]).to.deep.equal([3, 5, 7]);
      expect([...bench.value(bench.make('reduce_max', { axis: 1 }, x)).data]).to.deep.equal([2, 5]);
    });

    it('matmul as the sum of products, over broadcast batches', () => {
      const next = randomNumbers(5);
      const bench = new Bench();
      const [a, b] = [randomTensor(next, [2, 1, 3, 7]), randomTensor(next, [4, 7, 5])];
      const plain = bench.make('matmul', { transposeRight: false }, bench.of(a), bench.of(b));
      const expected = new Float64Array(2 * 4 * 3 * 5);
      expected.forEach((_, at) => {
        const [batch, head, row, column] = [Math.floor(at / 60), Math.floor(at / 15) % 4, Math.floor(at / 5) % 3, at % 5];
        for (let k = 0; k < 7; k += 1) {
          expected[at] =
            (expected[at] as number) +
            (a.data[(batch * 3 + row) * 7 + k] as number) * (b.data[(head * 7 + k) * 5 + column] as number);
        }
      });
      expectClose(bench.value(plain), tensorOfList('f32', [2, 4, 3, 5], expected), 1e-14);
      const turned = bench.make('transpose', { permutation: [0, 2, 1] }, bench.of(b));
      expectClose(bench.value(bench.make('matmul', { transposeRight: true }, bench.of(a), turned)), bench.value(plain), 1e-14);
    });

    it('rope keeps lengths and turns products by the difference of positions', () => {
      const next = randomNumbers(8);
      const bench = new Bench();
      const x = bench.of(randomTensor(next, [1, 8]));
      const rows = bench.make('broadcast', { shape: [2, 8] }, x);
      const dot = (first: number, second: number): number => {
        const turned = bench.value(
          bench.make('rope', { theta: 10000, maxPositions: 64, divisors: [] }, rows, bench.of(integers([2], first, second))),
        );
        return Array.from({ length: 8 }, (_, i) => (turned.data[i] as number) * (turned.data[8 + i] as number)).reduce(
          (sum, value) => sum + value,
          0,
        );
      };
      expect(dot(3, 10)).to.be.closeTo(dot(20, 27), 1e-12);
      expect(dot(9, 9)).to.be.closeTo(dot(0, 0), 1e-12);
      expect(dot(3, 10)).to.not.be.closeTo(dot(3, 11), 1e-6);
    });

    it('in f32, as float64 rounded at the end of each op', () => {
      const bench = new Bench();
      const x = bench.of(randomTensor(randomNumbers(9), [4, 8], -3, 3));
      const node = bench.make('gelu', {}, x);
      const rounded = tensorOfList('f32', [4, 8], [...bench.value(node).data].map(Math.fround));
      expect(bench.run(node, 'f32')[0]?.data).to.be.instanceOf(Float32Array);
      expect(largestDifference(bench.run(node, 'f32')[0] as Tensor, rounded)).to.equal(0);
    });
  });

  it('erf agrees with its Taylor series in 320-bit arithmetic to 1e-15', () => {
    for (let step = 1; step < 240; step += 1) {
      const x = step / 40 + 1e-3 * Math.sin(step);
      const expected = preciseErf(x);
      expect(Math.abs(erf(x) - expected) / expected, `erf(${x})`).to.be.at.most(1e-15);
      expect(erf(-x)).to.equal(-erf(x));
    }
    expect([erf(0), erf(Infinity), erf(-Infinity), erf(1e-300)]).to.deep.equal([0, 1, -1, 1e-300 * (2 / Math.sqrt(Math.PI))]);
    expect(erf(NaN)).to.be.NaN;
  });

  describe('decompositions compute the same', () => {
    const composites = opNames.filter((name) => ops[name].decompose !== null);
    it('are there for every composite', () => {
      expect(composites).to.have.members(['layer_norm', 'rms_norm', 'softmax', 'rope', 'gelu', 'gelu_tanh', 'silu', 'relu']);
    });
    for (const name of composites) {
      it(name, () => {
        fc.assert(
          fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
            const { graph, ...options } = randomGraph({ seed, ops: [name, 'add', 'reshape'], length: 4 });
            const primitive = rewriteGraph(graph, 'decompose', (node, inputs) => decomposeNode(graph.nodes, node, inputs));
            expect(graphUses(primitive, name)).to.equal(false);
            const whole = interpret(graph, { ...options, precision: 'f64' });
            const parts = interpret(primitive, { ...options, precision: 'f64' });
            for (const output of Object.keys(whole)) expectClose(parts[output] as Tensor, whole[output] as Tensor, 1e-9);
          }),
          { numRuns: 30 },
        );
      });
    }
  });

  it('give costs over the same symbols as their types', () => {
    for (let seed = 0; seed < 60; seed += 1) {
      const { graph, dims, ...options } = randomGraph({ seed });
      interpret(graph, {
        ...options,
        dims,
        trace(node) {
          const { flops, bytes } = costOf(node);
          for (const size of [flops, bytes])
            expect(evaluateSize(size, dims), `${node.op} costs ${JSON.stringify(size)}`).to.be.at.least(0);
        },
      });
    }
    const bench = new Bench();
    const x = bench.of(list([2, 3], 0, 1, 2, 3, 4, 5));
    expect(costOf(bench.make('matmul', { transposeRight: true }, x, x))).to.deep.equal({ flops: 24, bytes: 4 * (6 + 6 + 4) });
  });
});
