import { expect } from 'chai';
import type { Rounding } from '../../compiler/codegen/target.ts';
import { isSteady, recordedGolden } from '../../compiler/golden.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { NodeTable, type Graph, type Node } from '../../ir/graph.ts';
import type { ManifestGolden } from '../../runtime/format/manifest.ts';
import { goldenFault } from '../../runtime/self-test.ts';

const f32 = (values: readonly number[]): Tensor => ({
  elementType: 'f32',
  shape: [values.length],
  data: Float32Array.from(values),
});

/** Gives a where a sum of products beats another, and b where it does not: a choice, as principal keys are chosen. */
function choice(): Graph {
  const nodes = new NodeTable();
  const input = nodes.make('input', { name: 'x', elementType: 'f32', shape: [3] }, []);
  const parameter = (name: string): Node => nodes.make('parameter', { name, elementType: 'f32', shape: [3] }, []);
  const score = (name: string): Node =>
    nodes.make('reduce_sum', { axis: 0 }, [nodes.make('multiply', {}, [input as Node, parameter(name)]) as Node]);
  const better = nodes.make('less', {}, [score('second'), score('first')]) as Node;
  const one = nodes.make('constant', { elementType: 'f32', value: 1 }, []) as Node;
  const two = nodes.make('constant', { elementType: 'f32', value: 2 }, []) as Node;
  return {
    name: 'choice',
    dims: [],
    inputs: [input],
    outputs: [{ name: 'y', node: nodes.make('where', {}, [better, one, two]) }],
    nodes,
  };
}

describe('inputs of golden vectors', () => {
  const graph = choice();
  const steady = (first: readonly number[], second: readonly number[], rounding?: Rounding): boolean => {
    const values = (name: string): Tensor => f32(name === 'first' ? first : second);
    const inputs = { x: f32([0.5, -1.5, 2]) };
    const golden = recordedGolden(inputs, interpret(graph, { inputs, parameters: values, precision: 'f64' }), rounding);
    return isSteady(graph, inputs, values, golden, rounding);
  };

  it('are steady where errors of f32 change no choice', () => {
    expect(steady([1, 2, 3], [1, 2, 2.9])).to.equal(true);
    expect(steady([3, 1, -1], [1, 2, 3])).to.equal(true);
  });
  it('are not where two scores are nearer than that', () => {
    expect(steady([1, 2, 3], [1, 2, 3 * (1 - 2 ** -23)])).to.equal(false);
  });

  it('are not for rounded products where those change a choice, though f32 does not', () => {
    const scores = [
      [1, 2, 3],
      [1, 2, 3 * (1 - 2 ** -12)],
    ] as const;
    expect(steady(...scores)).to.equal(true);
    expect(steady(...scores, { unit: 2 ** -11, tolerance: 1e-2, words: '' })).to.equal(false);
    expect(steady([3, 1, -1], [1, 2, 3], { unit: 2 ** -11, tolerance: 1e-2, words: '' })).to.equal(true);
  });
});

describe('the tolerance of a golden vector', () => {
  const golden = (rounding?: Rounding): ManifestGolden => recordedGolden({}, { y: f32([20, 0.01]) }, rounding);
  const fault = (vector: ManifestGolden, values: readonly number[]): string | undefined =>
    goldenFault(vector, { y: f32(values) })?.message;

  it('is of each value, and of 1 where it is less', () => {
    expect(fault(golden(), [20.0019, 0.01009])).to.equal(undefined);
    expect(fault(golden(), [20.0021, 0.01])).to.match(/ATPC-405: .* at position 0; recorded is 20, tolerance 0\.002\./);
    expect(fault(golden(), [20, 0.0102])).to.match(/at position 1/);
  });
  it('is of the largest value where products are rounded', () => {
    const rounded = golden({ unit: 2 ** -11, tolerance: 1e-2, words: '' });
    expect(fault(rounded, [20.19, 0.2])).to.equal(undefined);
    expect(fault(rounded, [20.21, 0.01])).to.match(/at position 0; recorded is 20, tolerance 0\.2\./);
    expect(fault(rounded, [20, 0.22])).to.match(/at position 1/);
    const small = recordedGolden({}, { y: f32([0.1, 0.01]) }, { unit: 2 ** -11, tolerance: 1e-2, words: '' });
    expect(fault(small, [0.1009, 0.0109])).to.equal(undefined);
    expect(fault(small, [0.1011, 0.01])).to.match(/at position 0/);
  });
});
