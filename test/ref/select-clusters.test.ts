import { expect } from 'chai';
import fc from 'fast-check';
import { evaluateNodes } from '../../ir/interpret.ts';
import { NodeTable } from '../../ir/graph.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { ops } from '../../ir/ops/table.ts';
import { evaluateSize, type Size } from '../../ir/size.ts';
import { randomNumbers, randomTensor, tensorOfList } from './tensors.ts';

interface Problem {
  readonly query: Tensor;
  readonly meanKey: Tensor;
  readonly logMass: Tensor;
  readonly radius: Tensor;
  readonly tokens: Tensor;
}
const [scale, size] = [0.5, 4];

/** Two sequences, `groups` key/value heads, two query heads for each. */
function problem(seed: number, queries: number, clusters: number, groups = 2): Problem {
  const next = randomNumbers(seed);
  const of = [2, groups, clusters];
  return {
    query: randomTensor(next, [2, 2 * groups, queries, size], -3, 3),
    meanKey: randomTensor(next, [...of, size], -3, 3),
    logMass: randomTensor(next, of, 0, 3),
    radius: randomTensor(next, of, 0.1, 3),
    tokens: tensorOfList('i32', [2], [queries, Math.ceil(queries / 2)]),
  };
}
const operandNames = ['query', 'meanKey', 'logMass', 'radius', 'tokens'] as const;

function selectionNode(drawn: Problem, count: Size, tile: number) {
  const table = new NodeTable();
  const operands = operandNames.map((name) => {
    const { elementType, shape } = drawn[name];
    return table.make('input', { name, elementType, shape }, []);
  });
  return table.make('select_clusters', { scale, count, tile }, operands);
}
/** The choice of every row of every query head, as lists. */
function choices(drawn: Problem, count: Size, tile: number): number[][][] {
  const node = selectionNode(drawn, count, tile);
  const [selection] = evaluateNodes([node], {
    inputs: { ...drawn },
    parameters: () => drawn.query,
    precision: 'f64',
  }).get(node) as readonly [Tensor];
  const [batch, heads, rows, width] = selection.shape as [number, number, number, number];
  return Array.from({ length: batch * heads }, (_, head) =>
    Array.from({ length: rows }, (__, row) => [
      ...selection.data.subarray((head * rows + row) * width, (head * rows + row + 1) * width),
    ]),
  );
}
/** One sequence, one head, from lists of queries and of clusters. */
function single(queries: readonly number[][], clusters: readonly { key: number[]; mass: number; radius: number }[]): Problem {
  const column = (values: readonly number[]): Tensor => tensorOfList('f32', [1, 1, clusters.length], values);
  return {
    query: tensorOfList('f32', [1, 1, queries.length, 2], queries.flat()),
    meanKey: tensorOfList(
      'f32',
      [1, 1, clusters.length, 2],
      clusters.flatMap(({ key }) => key),
    ),
    logMass: column(clusters.map(({ mass }) => Math.log(mass))),
    radius: column(clusters.map(({ radius }) => radius)),
    tokens: tensorOfList('i32', [1], [queries.length]),
  };
}
const drawn = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
  queries: fc.integer({ min: 1, max: 40 }),
  clusters: fc.integer({ min: 1, max: 12 }),
});
const runs = { numRuns: 60 };

describe('ir: choosing clusters', () => {
  it('a tile of 1 is the largest estimates of each query by itself', () => {
    fc.assert(
      fc.property(drawn, ({ seed, queries, clusters }) => {
        const given = problem(seed, queries, clusters);
        const found = choices(given, 3, 1);
        const { query, meanKey, logMass, radius } = given;
        found.forEach((rows, head) =>
          rows.forEach((choice, row) => {
            const own = [...query.data.subarray((head * queries + row) * size, (head * queries + row + 1) * size)];
            const square = own.reduce((sum, value) => sum + value ** 2, 0);
            const first = Math.floor(head / 2) * clusters;
            const estimates = Array.from({ length: clusters }, (_, j) => {
              const product = own.reduce((sum, value, i) => sum + value * (meanKey.data[(first + j) * size + i] as number), 0);
              const spread = (scale ** 2 * square * (radius.data[first + j] as number)) / (2 * size);
              return scale * product + (logMass.data[first + j] as number) + spread;
            });
            const order = estimates.map((_, j) => j).sort((a, b) => (estimates[b] as number) - (estimates[a] as number));
            expect(choice).to.deep.equal([0, 1, 2].map((place) => order[place] ?? -1));
          }),
        );
      }),
      runs,
    );
  });

  it('all rows of a tile get the same clusters, and rows of other tiles have no say in them', () => {
    fc.assert(
      fc.property(drawn, fc.integer({ min: 2, max: 16 }), ({ seed, queries, clusters }, tile) => {
        const given = problem(seed, queries, clusters);
        const found = choices(given, 2, tile);
        for (const rows of found)
          rows.forEach((choice, row) => expect(choice).to.deep.equal(rows[Math.floor(row / tile) * tile]));
        const changed = given.query.data.map((value, at) => (Math.floor(at / size) % queries < tile ? value : 2 - value));
        choices({ ...given, query: { ...given.query, data: changed } }, 2, tile).forEach((rows, head) =>
          expect(rows.slice(0, tile)).to.deep.equal(found[head]?.slice(0, tile)),
        );
      }),
      runs,
    );
  });

  it('padded queries, more of them, and other sequences change no choice of a tile with tokens', () => {
    fc.assert(
      fc.property(drawn, fc.nat(20), fc.integer({ min: 2, max: 16 }), ({ seed, queries, clusters }, more, tile) => {
        const given = problem(seed, queries, clusters);
        const length = queries + more;
        const next = randomNumbers(seed + 1);
        const query = randomTensor(next, [2, 4, length, size], -9, 9);
        const [tokens] = given.tokens.data.slice(1) as unknown as [number];
        for (let head = 0; head < 8; head += 1) {
          const rows = head < 4 ? queries : tokens;
          query.data.set(given.query.data.subarray(head * queries * size, (head * queries + rows) * size), head * length * size);
        }
        const [alone, padded] = [choices(given, 2, tile), choices({ ...given, query }, 2, tile)];
        alone.forEach((rows, head) => {
          const own = head < 4 ? queries : tokens;
          expect(padded[head]?.slice(0, own)).to.deep.equal(rows.slice(0, own));
        });
      }),
      runs,
    );
  });

  it('all clusters are chosen where there are no more than asked for, and empty ones never', () => {
    const given = problem(5, 20, 6);
    given.logMass.data[2] = -Infinity;
    for (const rows of choices(given, 6, 16).slice(0, 2)) {
      for (const choice of rows) {
        expect([...choice].sort((a, b) => a - b)).to.deep.equal([-1, 0, 1, 3, 4, 5]);
        expect(choice.at(-1)).to.equal(-1);
      }
    }
  });

  it('ties go to the lower cluster, tokens that are all the same come last', () => {
    const same = { key: [1, 0], mass: 4, radius: 0.5 };
    const apart = { key: [0, 1], mass: 4, radius: 0.5 };
    const point = { key: [3, 0], mass: 4, radius: 0 };
    const queries = [
      [1, 0],
      [1, 0],
    ];
    expect(choices(single(queries, [point, apart, same, same, point]), 5, 2)[0]?.[0]).to.deep.equal([2, 3, 1, 0, 4]);
    // By itself a query has the largest first, whatever it stands for.
    expect(choices(single(queries, [point, apart, same, same, point]), 5, 1)[0]?.[0]).to.deep.equal([0, 4, 2, 3, 1]);
  });

  it('one query that needs a cluster outweighs others that hardly do', () => {
    const clusters = [
      { key: [4, 0], mass: 2, radius: 1 },
      { key: [0, 4], mass: 2, radius: 1 },
      { key: [1.5, 1.5], mass: 2, radius: 1 },
    ];
    // Summed over the queries, the third cluster has more than the second.
    const queries = [...Array.from({ length: 15 }, () => [2, 1.2]), [0, 2]];
    expect(choices(single(queries, clusters), 2, 16)[0]?.[0]).to.have.members([0, 1]);
  });

  it('a shared choice costs every estimate twice', () => {
    const flops = (tile: number): number => {
      const { attributes, inputs, type } = selectionNode(problem(1, 16, 8), 2, tile);
      return evaluateSize(
        ops.select_clusters.cost(
          attributes,
          inputs.map((input) => input.type),
          type,
        ).flops,
        {},
      );
    };
    expect(flops(1)).to.equal(2 * (2 * 4 * 16 * size) * 8);
    expect(flops(16)).to.equal(2 * flops(1));
  });
});
