/** The op that chooses the clusters whose tokens are read exactly (atp-modes.md, section 2, expand). */
import {
  expectElementType,
  expectGroupedHeads,
  expectPositiveInteger,
  expectRank,
  expectSameSize,
  operands,
  tensorInputs,
} from './rule.ts';
import { costOf } from './cost.ts';
import { best } from './best.ts';
import { countAtMost, elementsIn, sizeOf } from './type-sizes.ts';
import type { OpDefinition, Tensor } from './definition.ts';
import { tensorType } from '../type.ts';
import { multiplySizes } from '../size.ts';

/** The clusters of one key/value head that have tokens, as one query head sees them. */
interface HeadClusters {
  readonly indices: readonly number[];
  /** The second-order estimate e_ij of each of them for one row of the queries; of other clusters 0. */
  estimate(row: number): Float64Array;
  /** Half the logarithm of each cluster's mean squared distance from its mean; -inf where all tokens are the same. */
  readonly logSpread: Float64Array;
  /** log |q_i|. */
  logNorm(row: number): number;
}

function headClusters(
  [query, meanKey, logMass, radius]: readonly [Tensor, Tensor, Tensor, Tensor],
  scale: number,
  first: number,
): HeadClusters {
  const size = query.shape[3] as number;
  const clusters = meanKey.shape[2] as number;
  const indices = Array.from({ length: clusters }, (_, j) => j).filter((j) => logMass.data[first + j] !== -Infinity);
  const squareOf = (row: number): number => {
    let square = 0;
    for (let i = 0; i < size; i += 1) square += (query.data[row * size + i] as number) ** 2;
    return square;
  };
  return {
    indices,
    estimate(row) {
      const square = squareOf(row);
      const estimate = new Float64Array(clusters);
      for (const j of indices) {
        let product = 0;
        for (let i = 0; i < size; i += 1)
          product += (query.data[row * size + i] as number) * (meanKey.data[(first + j) * size + i] as number);
        const spread = (scale ** 2 * square * (radius.data[first + j] as number)) / (2 * size);
        estimate[j] = scale * product + (logMass.data[first + j] as number) + spread;
      }
      return estimate;
    },
    logSpread: Float64Array.from({ length: clusters }, (_, j) => Math.log(radius.data[first + j] as number) / 2),
    logNorm: (row) => Math.log(squareOf(row)) / 2,
  };
}

/**
 * What the clusters are ranked by for queries that choose together. A query's share of attention in a cluster,
 * exp(e_ij - log Z_i), times the standard deviation of its scores there, which goes by |q_i| sqrt(rho_j), is what reading the
 * cluster by its mean gets wrong; the query that it is most wrong for decides. Measured against other rules:
 * docs/decisions/gpus-choose-clusters-per-tile.md.
 */
function sharedRanking({ indices, estimate, logSpread, logNorm }: HeadClusters, rows: readonly number[]): Float64Array {
  const ranking = new Float64Array(logSpread.length).fill(-Infinity);
  for (const row of rows) {
    const own = estimate(row);
    const largest = indices.reduce((most, j) => Math.max(most, own[j] as number), -Infinity);
    const sum = indices.reduce((total, j) => total + Math.exp((own[j] as number) - largest), 0);
    const offset = logNorm(row) - largest - Math.log(sum);
    for (const j of indices) ranking[j] = Math.max(ranking[j] as number, (own[j] as number) + offset);
  }
  return ranking.map((value, j) => value + (logSpread[j] as number));
}

export const select_clusters: OpDefinition<'select_clusters'> = {
  name: 'select_clusters',
  inputs: 5,
  type(attributes, inputs) {
    const [query, meanKey, logMass, radius, tokens] = tensorInputs('select_clusters', inputs, 5);
    const op = 'select_clusters';
    expectElementType(op, 'query', query, 'f32');
    expectRank(op, 'query [b, H, n, e]', query, 4);
    expectElementType(op, 'mean key', meanKey, 'f32');
    expectRank(op, 'mean key [b, G, C, e]', meanKey, 4);
    expectSameSize(op, 'batch', query, 0, meanKey, 0);
    expectGroupedHeads(op, query, meanKey);
    expectSameSize(op, 'head size', query, 3, meanKey, 3);
    for (const [role, type] of [
      ['log mass', logMass],
      ['radius', radius],
    ] as const) {
      expectElementType(op, role, type, 'f32');
      expectRank(op, `${role} [b, G, C]`, type, 3);
      expectSameSize(op, 'batch', meanKey, 0, type, 0);
      expectSameSize(op, 'key/value heads', meanKey, 1, type, 1);
      expectSameSize(op, 'number of clusters', meanKey, 2, type, 2);
    }
    expectElementType(op, 'token counts', tokens, 'i32');
    expectRank(op, 'token count [b]', tokens, 1);
    expectSameSize(op, 'batch', query, 0, tokens, 0);
    expectPositiveInteger(op, 'tile', attributes.tile);
    return tensorType('i32', [...query.shape.slice(0, 3), countAtMost(attributes.count, sizeOf(query, 2))]);
  },
  evaluate({ scale, count, tile }, inputs, context) {
    const [query, meanKey, logMass, radius, tokens] = operands(inputs, 5);
    const [batches, heads, queries] = query.shape as readonly [number, number, number];
    const [, groups, clusters] = meanKey.shape as readonly [number, number, number];
    const width = context.size(count, { tokens: queries });
    const selection = context.allocate('i32', [batches, heads, queries, width]);
    selection.data.fill(-1);
    for (let head = 0; head < batches * heads; head += 1) {
      const batch = Math.floor(head / heads);
      const group = Math.floor(((head % heads) * groups) / heads);
      const own = headClusters([query, meanKey, logMass, radius], scale, (batch * groups + group) * clusters);
      const unpadded = tokens.data[batch] as number;
      const chosen = Math.min(context.size(count, { tokens: unpadded }), width);
      for (let start = 0; start < queries; start += tile) {
        const rows = Array.from({ length: Math.min(tile, queries - start) }, (_, i) => start + i);
        const choosing = start < unpadded ? rows.filter((row) => row < unpadded) : rows;
        const rowOf = (row: number): number => head * queries + row;
        const ranking = tile === 1 ? own.estimate(rowOf(start)) : sharedRanking(own, choosing.map(rowOf));
        const choice = best(own.indices, ranking, chosen);
        for (const row of rows) selection.data.set(choice, rowOf(row) * width);
      }
    }
    return [selection];
  },
  cost({ tile }, inputs, output) {
    const [query, meanKey] = inputs;
    const clusters = meanKey?.kind === 'tensor' ? sizeOf(meanKey, 2) : 0;
    // A tile needs the log sum exp of every query before it can compare: estimates are computed twice rather than kept.
    return costOf(multiplySizes(tile === 1 ? 2 : 4, elementsIn(query), clusters), inputs, output);
  },
  decompose: null,
};
