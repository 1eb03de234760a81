import { expect } from 'chai';
import { isSteady, recordedGolden } from '../../compiler/golden.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { NodeTable, type Graph, type Node } from '../../ir/graph.ts';

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
  const steady = (first: readonly number[], second: readonly number[]): boolean => {
    const values = (name: string): Tensor => f32(name === 'first' ? first : second);
    const inputs = { x: f32([0.5, -1.5, 2]) };
    const golden = recordedGolden(inputs, interpret(graph, { inputs, parameters: values, precision: 'f64' }));
    return isSteady(graph, inputs, values, golden);
  };

  it('are steady where errors of f32 change no choice', () => {
    expect(steady([1, 2, 3], [1, 2, 2.9])).to.equal(true);
    expect(steady([3, 1, -1], [1, 2, 3])).to.equal(true);
  });
  it('are not where two scores are nearer than that', () => {
    expect(steady([1, 2, 3], [1, 2, 3 * (1 - 2 ** -23)])).to.equal(false);
  });
});
