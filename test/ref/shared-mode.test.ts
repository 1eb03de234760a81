/** Mode shared by hand: clusters of projected hidden states, keys and values made of their means, the first token as it is. */
import { expect } from 'chai';
import { NodeTable, type Graph, type Node } from '../../ir/graph.ts';
import { interpret } from '../../ir/interpret.ts';
import { assignClusters } from '../../ir/k-means.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { shared, sharedProjectionParameter } from '../../passes/atp/modes/shared.ts';
import { applyProjection, countTokens, projectionOf, type AttentionSite, type MakeNode } from '../../passes/atp/site.ts';
import { randomNumbers, randomTensor } from './tensors.ts';

const [width, heads, headSize] = [8, 2, 3];
const size = heads * headSize;
const parameters: Readonly<Record<string, Tensor>> = Object.fromEntries(
  (
    [
      ['query', [size, width]],
      ['key', [size, width]],
      ['key.bias', [size]],
      ['value', [size, width]],
      ['value.bias', [size]],
      [sharedProjectionParameter(0), [width, width]],
    ] as const
  ).map(([name, shape], index) => [name, randomTensor(randomNumbers(index + 1), shape, -1, 1)]),
);
const at = (name: string, index: number): number => parameters[name]?.data[index] ?? NaN;

/** The mode at 1/2 on one sequence, in float64. */
function attend(x: Tensor, mask: readonly number[]): readonly number[] {
  const nodes = new NodeTable();
  const make: MakeNode = (op, attributes, inputs) => nodes.make(op, attributes, inputs);
  const tokens = mask.length;
  const inputs = [
    nodes.make('input', { name: 'x', elementType: 'f32', shape: [1, tokens, width] }, []),
    nodes.make('input', { name: 'mask', elementType: 'bool', shape: [1, tokens] }, []),
  ] as const;
  const parameter = (name: string): Node =>
    make('parameter', { name, elementType: 'f32', shape: parameters[name]?.shape ?? [] }, []);
  const project = (name: string, biased: boolean): Node =>
    applyProjection(make, {
      x: inputs[0],
      weight: parameter(name),
      bias: biased ? parameter(`${name}.bias`) : null,
      heads,
      headSize,
    });
  const [query, key, value] = [project('query', false), project('key', true), project('value', true)];
  const [keys, values] = [projectionOf(key), projectionOf(value)];
  if (!keys || !values) throw new TypeError('There is no projection.');
  const site: AttentionSite = {
    layer: 0,
    make,
    query,
    key,
    value,
    mask: inputs[1],
    tokens: countTokens(make, inputs[1]),
    scale: 0.5,
    queriesPerChoice: 1,
    kvHeads: { chosen: [0, 1], total: heads },
    projections: { key: keys, value: values },
  };
  const outputs = [{ name: 'out', node: shared.build(site, [1, 2]) }];
  const graph: Graph = { name: 'shared', dims: [], inputs, outputs, nodes };
  const bound = { x, mask: { elementType: 'bool' as const, shape: [1, tokens], data: Uint8Array.from(mask) } };
  const results = interpret(graph, { inputs: bound, parameters: (name) => parameters[name] as Tensor, precision: 'f64' });
  return Array.from(results['out']?.data ?? []);
}

/** rows [n, width] times a weight [out, width]. */
function times(rows: readonly (readonly number[])[], name: string, out: number, bias = false): number[][] {
  return rows.map((row) =>
    Array.from({ length: out }, (_, column) =>
      row.reduce((sum, value, i) => sum + value * at(name, column * width + i), bias ? at(`${name}.bias`, column) : 0),
    ),
  );
}
/** The same from its definition: `clusters` are the tokens of each. */
function expected(x: Tensor, clusters: readonly (readonly number[])[]): readonly number[] {
  const tokens = x.shape[1] as number;
  const rowOf = (token: number): number[] => Array.from(x.data.subarray(token * width, (token + 1) * width));
  const means = clusters.map((own) =>
    Array.from({ length: width }, (_, i) => own.reduce((sum, token) => sum + (rowOf(token)[i] ?? 0), 0) / own.length),
  );
  const rows = Array.from({ length: tokens }, (_, token) => rowOf(token));
  const [queries, keys, values] = [
    times(rows, 'query', size),
    times(means, 'key', size, true),
    times(means, 'value', size, true),
  ];
  return Array.from({ length: heads }, (_, head) => head * headSize).flatMap((first) =>
    queries.flatMap((query) => {
      const scores = keys.map((key, index) => {
        let product = 0;
        for (let i = first; i < first + headSize; i += 1) product += (query[i] ?? 0) * (key[i] ?? 0);
        return Math.exp(0.5 * product) * (clusters[index]?.length ?? 0);
      });
      const total = scores.reduce((sum, score) => sum + score, 0);
      return Array.from({ length: headSize }, (_, i) =>
        scores.reduce((sum, score, index) => sum + (score / total) * (values[index]?.[first + i] ?? 0), 0),
      );
    }),
  );
}
function expectClose(found: readonly number[], wanted: readonly number[]): void {
  expect(found.length).to.equal(wanted.length);
  found.forEach((value, index) => expect(value, `element ${index}`).to.be.closeTo(wanted[index] ?? NaN, 1e-6));
}

describe('mode shared', () => {
  const hidden = (tokens: number): Tensor => randomTensor(randomNumbers(tokens), [1, tokens, width], -1, 1);

  it('makes keys and values of the means of a block of clusters, of a tail that is kept, and of the first token', () => {
    const tokens = 150;
    const x = hidden(tokens);
    const projected = times(
      Array.from({ length: tokens }, (_, token) => Array.from(x.data.subarray(token * width, (token + 1) * width))),
      sharedProjectionParameter(0),
      width,
    );
    // 64 clusters of tokens 1 to 128; the 21 tokens behind them are fewer than 64.
    const block = Float64Array.from(projected.slice(1, 129).flat());
    const members: number[][] = Array.from({ length: 64 }, () => []);
    assignClusters(block, 128, width, 64, 2).forEach((cluster, token) => members[cluster]?.push(token + 1));
    const tail = Array.from({ length: 21 }, (_, index) => [129 + index]);
    const clusters = [[0], ...members.filter((own) => own.length > 0), ...tail];
    expect(clusters.length)
      .to.be.below(1 + 64 + 21 + 1)
      .and.above(21 + 32);
    expectClose(attend(x, Array<number>(tokens).fill(1)), expected(x, clusters));
  });
  it('is dense where there is a key for every token: up to 64 tokens and the first', () => {
    for (const tokens of [1, 2, 65]) {
      const each = Array.from({ length: tokens }, (_, token) => [token]);
      expectClose(attend(hidden(tokens), Array<number>(tokens).fill(1)), expected(hidden(tokens), each));
    }
  });
  it('sees no padding, the first token included', () => {
    const x = hidden(70);
    const mask = Array.from({ length: 70 }, (_, token) => Number(token > 0 && token < 40));
    const each = Array.from({ length: 39 }, (_, index) => [index + 1]);
    expectClose(attend(x, mask), expected(x, each));
  });
  it('counts its keys', () => {
    expect([1, 64, 65, 66, 128, 129, 193, 194, 512].map((tokens) => shared.keysRead([1, 2], tokens, 1))).to.deep.equal([
      1, 64, 65, 65, 65, 65, 129, 129, 257,
    ]);
    expect(shared.keysRead([1, 4], 512, 1)).to.equal(1 + 64 + 64);
  });
  it('counts the work of attention, and what linear layers save', () => {
    const shape = { layer: 0, queryHeads: 12, kvHeads: 12, headSize: 32, valueSize: 32, encoder: true };
    const { streamed, gathered, saved } = shared.flops([1, 2], 512, shape, 1);
    // 257 keys of 512 tokens; projected on 32 directions, and twice against the 64 centres of a block.
    expect(streamed).to.equal(2 * 12 * 512 * 257 * 64 + 2 * 512 * 32 * 384 + 2 * (2 * 512 * 64 * 32));
    expect([gathered, saved]).to.deep.equal([0, 2 * (2 * (512 - 257) * 384 * 384)]);
  });
});
