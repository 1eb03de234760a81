/** What the kernels of causal caches do to their state, in float64, from the pseudo-code of the modes expand and stream. */
import { assignClusters } from '../../ir/k-means.ts';
import { dot } from './attention-reference.ts';

type Row = readonly number[];

export interface ClusteredBlock {
  /** Rows of the block, sorted by cluster. */
  readonly order: readonly number[];
  readonly clusters: readonly {
    readonly size: number;
    readonly meanKey: Row;
    readonly meanValue: Row;
    readonly logMass: number;
    readonly radius: number;
  }[];
}
function meanOf(rows: readonly Row[], size: number): Row {
  return Array.from({ length: size }, (_, c) =>
    rows.length === 0 ? 0 : rows.reduce((sum, row) => sum + (row[c] as number), 0) / rows.length,
  );
}
/** `keysPerBlock` clusters of a block of tokens, those beyond the number of tokens empty. */
export function clusterBlock(
  keys: readonly Row[],
  values: readonly Row[],
  keysPerBlock: number,
  iterations: number,
): ClusteredBlock {
  const [headSize, valueSize] = [keys[0]?.length ?? 0, values[0]?.length ?? 0];
  const used = Math.min(keysPerBlock, keys.length);
  const assignment = assignClusters(Float64Array.from(keys.flat()), keys.length, headSize, used, iterations);
  const members = Array.from({ length: keysPerBlock }, (_, j) => [...assignment.keys()].filter((t) => assignment[t] === j));
  return {
    order: members.flat(),
    clusters: members.map((list) => {
      const own = list.map((t) => keys[t] as Row);
      const meanKey = meanOf(own, headSize);
      const distance = (row: Row): number => row.reduce((sum, x, c) => sum + (x - (meanKey[c] as number)) ** 2, 0);
      return {
        size: list.length,
        meanKey,
        meanValue: meanOf(
          list.map((t) => values[t] as Row),
          valueSize,
        ),
        logMass: Math.log(list.length),
        radius: own.reduce((sum, row) => sum + distance(row), 0) / Math.max(1, list.length),
      };
    }),
  };
}

/** The indices of the `count` largest scores, ascending, ties to the earlier one. */
export function keptOf(scores: readonly number[], count: number): readonly number[] {
  return [...scores.keys()]
    .sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);
}

/** What the queries [head][i] pay to each key [j]: sums of exp(q . k * scale - lse) where the query sees the key. */
export function paidTo(
  keys: readonly Row[],
  queries: readonly (readonly Row[])[],
  logSumExps: readonly Row[],
  scale: number,
  sees: (query: number, key: number) => boolean,
): readonly number[] {
  return keys.map((key, j) =>
    queries.reduce(
      (total, rows, head) =>
        rows.reduce(
          (sum, row, i) => (sees(i, j) ? sum + Math.exp(dot(row, key) * scale - ((logSumExps[head] as Row)[i] as number)) : sum),
          total,
        ),
      0,
    ),
  );
}
