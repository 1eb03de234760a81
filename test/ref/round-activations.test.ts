/** Left sides of products, rounded to 8 bits block by block. */
import { expect } from 'chai';
import fc from 'fast-check';
import { NodeTable, type Graph } from '../../ir/graph.ts';
import { interpret } from '../../ir/interpret.ts';
import { roundActivations } from '../../passes/round-activations.ts';
import { randomNumbers, randomTensor, tensorOfList } from './tensors.ts';

const [rows, depth, block] = [3, 8, 4];
function graphOf(): Graph {
  const nodes = new NodeTable();
  const x = nodes.make('input', { name: 'x', elementType: 'f32', shape: [rows, depth] }, []);
  const weight = (name: string) => nodes.make('parameter', { name, elementType: 'f32', shape: [depth, depth] }, []);
  // Two products in a row: one in blocks, one in plain numbers.
  const first = nodes.make('matmul', { transposeRight: true }, [x, weight('blocks')]);
  const second = nodes.make('matmul', { transposeRight: true }, [first, weight('plain')]);
  return {
    name: 'products',
    dims: [],
    inputs: [x],
    outputs: [first, second].map((node, i) => ({ name: `out${i}`, node })),
    nodes,
  };
}
const identity = tensorOfList(
  'f32',
  [depth, depth],
  Array.from({ length: depth * depth }, (_, i) => Number(i % (depth + 1) === 0)),
);
const blockOf = (name: string): number | null => (name === 'blocks' ? block : null);

describe('rounded activations', () => {
  it('are multiples of a 127th of the largest of their block, the nearest ones, and zeros stay', () => {
    const element = fc.oneof(fc.float({ noNaN: true, min: -1e4, max: 1e4 }), fc.constant(0));
    fc.assert(
      fc.property(fc.array(element, { minLength: rows * depth, maxLength: rows * depth }), (values) => {
        const x = tensorOfList('f32', [rows, depth], values);
        const graph = roundActivations(graphOf(), blockOf);
        const { out0 } = interpret(graph, { inputs: { x }, parameters: () => identity, precision: 'f64' });
        for (let start = 0; start < values.length; start += block) {
          const own = values.slice(start, start + block);
          const step = Math.max(...own.map(Math.abs)) / 127;
          own.forEach((value, i) => {
            const found = out0?.data[start + i] ?? NaN;
            expect(Math.abs(found - value)).to.be.at.most(step * (0.5 + 1e-9));
            if (step > 0) expect(Math.abs(found / step - Math.round(found / step))).to.be.below(1e-6);
          });
        }
      }),
      { seed: 8, numRuns: 200 },
    );
  });
  it('are those of products with blocks alone', () => {
    const x = randomTensor(randomNumbers(1), [rows, depth]);
    const run = (graph: Graph) => interpret(graph, { inputs: { x }, parameters: () => identity, precision: 'f64' });
    const { out0, out1 } = run(roundActivations(graphOf(), blockOf));
    expect(Array.from(out0?.data ?? [])).to.not.deep.equal(Array.from(x.data));
    expect(Array.from(out1?.data ?? [])).to.deep.equal(Array.from(out0?.data ?? [NaN]));
    const untouched = graphOf();
    expect(roundActivations(untouched, () => null).outputs.map(({ node }) => node)).to.deep.equal(
      untouched.outputs.map(({ node }) => node),
    );
  });
});
