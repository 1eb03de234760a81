/**
 * The segment of principal keys (atp-modes.md, expand): queries read clusters by mean key and log mass, except the best, whose tokens
 * they read exactly. Each query chooses for itself by the second-order estimate e_j = s_j + scale^2 |q|^2 rho_j / (2 e), or all
 * queries of the tile choose together as the op `select_clusters` says. Tokens of a cluster lie in a row, so that what a tile reads
 * exactly are the ranges of the clusters that any of its queries has chosen, each query masked to its own.
 */
import type { Size } from '../../../../ir/size.ts';
import { AtpcError } from '../../../../runtime/errors.ts';
import type { AttentionKernel, ClustersSegment } from '../../../kernel/kernel.ts';
import type { Rows } from '../rows.ts';
import { sizeExpression } from '../size-expression.ts';
import { absent, chooseLargest, isChosen } from './attention-choice.ts';
import { unseen, type AttentionFrame } from './attention-frame.ts';
import { groupRows } from './attention-layout.ts';
import type { SegmentRenderer } from './attention-segment.ts';
import { attendChosen } from './attention-chosen.ts';

type Expand = NonNullable<ClustersSegment['expand']>;
const countOf = (expand: Expand | null): Size | null => (expand !== null && 'count' in expand ? expand.count : null);
const shareOf = (expand: Expand): number | null => ('share' in expand ? expand.share : null);
const expandsNone = (expand: Expand | null): expand is null => expand === null || ('most' in expand && expand.most === 0);
/** Whether the queries of a tile choose together. */
const isShared = (expand: Expand): boolean => 'tile' in expand && expand.tile !== 1;
/** Rankings of a cluster: one for each query of the tile, or one. */
function choosersOf(expand: Expand, { schedule }: AttentionKernel): number {
  if (!isShared(expand)) return schedule.queryTile;
  if ('tile' in expand && expand.tile === schedule.queryTile) return 1;
  throw new AtpcError(
    'ATPC-307',
    `A workgroup has ${schedule.queryTile} queries; those that choose clusters together are others.`,
  );
}

export const clustersSegment: SegmentRenderer<ClustersSegment> = {
  operands: ({ expand, tokens }) => [
    ...['mean_key', 'mean_value', 'log_mass'],
    ...(expand ? ['radius', 'offsets', 'sorted_key', 'sorted_value'] : []),
    ...(tokens || countOf(expand) !== null ? ['tokens'] : []),
  ],
  integers: ({ expand }) => ['clusters', 'capacity', ...(expand ? ['keys'] : [])],
  vectors: ({ expand }, { headSize, valueSize }) => ({
    ...(headSize % 4 === 0 ? { mean_key: [], ...(expand ? { sorted_key: [] } : {}) } : {}),
    ...(valueSize % 4 === 0 ? { mean_value: [], ...(expand ? { sorted_value: [] } : {}) } : {}),
  }),
  // The rankings of every cluster, and the number of each one that is chosen.
  scratch: ({ expand }, kernel) =>
    expandsNone(expand) ? null : { integer: 'capacity', elements: choosersOf(expand, kernel) + 1 },
  write(frame, segment, names, scratch) {
    const { k } = frame;
    const { expand } = segment;
    const clusters = k.size(names('clusters'));
    const count = countOf(expand);
    k.if(`${clusters} > 0`, () =>
      frame.whereTokens(segment.tokens, names('tokens'), () => {
        const own = clustersOf(frame, names);
        const plain = (): void => attendMeans(frame, own, null);
        if (expandsNone(expand)) return plain();
        if (count === null) {
          const most = 'most' in expand ? expand.most : 0;
          return expandClusters(frame, own, { expand, wanted: k.i32(most), tokens: null, scratch, names });
        }
        const tokens = k.let('unpadded', 'i32', k.operand(names('tokens')).at(frame.batch));
        const wanted = frame.uniform('wanted', sizeExpression(k, count, { tokens }));
        k.if(`${wanted} <= 0`, plain, () => expandClusters(frame, own, { expand, wanted, tokens, scratch, names }));
      }),
    );
  },
};

/** The clusters of one key/value head. */
interface Clusters {
  readonly count: string;
  /** batch * key/value heads + head. */
  readonly headIndex: string;
  readonly first: string;
  readonly keys: Rows;
  readonly values: Rows;
  logMass(cluster: string): string;
}
function clustersOf(frame: AttentionFrame, names: (name: string) => string): Clusters {
  const { k, kernel } = frame;
  const headIndex = k.let('head_index', 'i32', `${frame.batch} * ${k.size('key_heads')} + ${frame.keyHead}`);
  const first = k.let('first_cluster', 'i32', `${headIndex} * ${k.size(names('capacity'))}`);
  const rows = (name: string, size: number): Rows => ({
    operand: k.operand(names(name)),
    size,
    start: (row) => `(${first} + ${row}) * ${size}`,
  });
  return {
    count: k.size(names('clusters')),
    headIndex,
    first,
    keys: rows('mean_key', kernel.headSize),
    values: rows('mean_value', kernel.valueSize),
    logMass: (cluster) => k.operand(names('log_mass')).at(`${first} + ${cluster}`),
  };
}

/** All clusters by mean and log mass, except those that are chosen. */
function attendMeans(frame: AttentionFrame, { count, keys, values, logMass }: Clusters, chosen: Rankings | null): void {
  const rules =
    chosen === null
      ? {}
      : chosen.shared
        ? { keyIsSeen: (key: string) => `!${chosen.ownChoice(key, 0)}` }
        : { rowSees: (key: string, row: number) => `!${chosen.ownChoice(key, row)}` };
  frame.attend({ first: '0', end: count, keys, values, bias: logMass, isPrepared: chosen !== null, ...rules });
}

interface Expansion {
  readonly expand: Expand;
  readonly wanted: string;
  /** Unpadded tokens, where the number of clusters goes by them. */
  readonly tokens: string | null;
  /** First element of the workgroup's scratch. */
  readonly scratch: string;
  readonly names: (name: string) => string;
}
/** The rankings of a tile, and what was chosen by them. */
interface Rankings {
  readonly shared: boolean;
  /** Whether the thread's query `row` (AttentionFrame.rowOffsets) has chosen a cluster. */
  ownChoice(cluster: string, row: number): string;
}

function expandClusters(frame: AttentionFrame, clusters: Clusters, expansion: Expansion): void {
  const { k, kernel, layout, rowGroup } = frame;
  const { expand, scratch, wanted, names } = expansion;
  const shared = isShared(expand);
  const choosers = choosersOf(expand, kernel);
  // Of the thread: one for each of its queries, or one.
  const own = shared ? [0] : Array.from({ length: groupRows }, (_, row) => row);
  const estimates = new Estimates(frame, clusters, k.operand(names('radius')));
  const ranking = (cluster: string, row: number): string => {
    const chooser = shared ? '' : ` + ${rowGroup} * ${groupRows} + ${row}`;
    return k.scratchAt(`${scratch} + ${cluster} * ${choosers}${chooser}`);
  };
  const bounds = shared
    ? rankTogether(frame, estimates, expansion, ranking)
    : rankAlone(frame, clusters, estimates, expansion, ranking);
  const choices = chooseLargest(frame, {
    count: clusters.count,
    goal: wanted,
    ranking: (index, chooser) => ranking(index, chooser),
    bounds: own.map((row) => bounds.least(row)),
    largest: own.map((row) => bounds.largest(row)),
    lanes: shared ? layout.threads : layout.lanes,
  });
  const thresholds = choices.map(({ threshold }) => threshold);
  const ends = choices.map(({ end }) => end);
  const ownThresholds = shared ? thresholds : frame.ownRows(thresholds, 'f32');
  const ownEnds = shared ? ends : frame.ownRows(ends, 'i32');
  const chosen: Rankings = {
    shared,
    ownChoice(cluster, row) {
      const chooser = shared ? 0 : row;
      const choice = { threshold: ownThresholds[chooser] as string, end: ownEnds[chooser] as string };
      const place = shared ? '' : ` + ${frame.firstRow} + ${frame.rowOffsets[row] as number}`;
      return isChosen(choice, k.scratchAt(`${scratch} + ${cluster} * ${choosers}${place}`), cluster);
    },
  };
  frame.prepareListed();
  attendMeans(frame, clusters, chosen);
  attendChosen(frame, {
    ...clusters,
    choosers,
    choices,
    rankings: (cluster, chooser) => k.scratchAt(`${scratch} + ${cluster} * ${choosers} + ${chooser}`),
    isSeen: shared ? null : (cluster, row) => chosen.ownChoice(cluster, row),
    list: (index) => k.scratchAt(`${scratch} + ${choosers} * ${k.size(names('capacity'))} + ${index}`),
    offset: (cluster) =>
      k.operand(names('offsets')).at(`${clusters.headIndex} * (${k.size(names('capacity'))} + 1) + ${cluster}`),
    sortedKeys: sortedRows(frame, names, 'sorted_key', kernel.headSize, clusters),
    sortedValues: sortedRows(frame, names, 'sorted_value', kernel.valueSize, clusters),
  });
}
function sortedRows(
  { k }: AttentionFrame,
  names: (name: string) => string,
  name: string,
  size: number,
  { headIndex }: Clusters,
): Rows {
  const first = k.let(`${name}_first`, 'i32', `${headIndex} * ${k.size(names('keys'))}`);
  return { operand: k.operand(names(name)), size, start: (row) => `(${first} + ${row}) * ${size}` };
}

/** The estimates of clusters for the queries of a thread. */
class Estimates {
  readonly #frame: AttentionFrame;
  readonly #clusters: Clusters;
  readonly #radius: { at(index: string): string };
  /** |q|^2 of each query of the thread, vec4. */
  readonly squares: string;

  constructor(frame: AttentionFrame, clusters: Clusters, radius: { at(index: string): string }) {
    this.#frame = frame;
    this.#clusters = clusters;
    this.#radius = radius;
    const { k, kernel, queries, rowGroup } = frame;
    this.squares = k.var('squares', 'vec4<f32>');
    for (let row = 0; row < groupRows; row += 1) {
      const start = k.let('query_start', 'i32', queries.start(`(${rowGroup} * ${groupRows} + ${row})`));
      k.unrollAtMost(4);
      k.for('column', '0', k.i32(kernel.headSize), '1', (column) => {
        const element = k.let('element', 'f32', queries.operand.at(`${start} + ${column}`));
        k.add(k.lane(this.squares, row), `${element} * ${element}`);
      });
    }
  }
  radius(cluster: string): string {
    return this.#radius.at(`${this.#clusters.first} + ${cluster}`);
  }
  isEmpty(cluster: string): string {
    const { k } = this.#frame;
    return `${this.#clusters.logMass(cluster)} < ${k.f32(unseen)}`;
  }
  /** Visits the thread's clusters of every tile with their estimates, a vec4; `absent` for an empty one. `afterTile` holds what all threads do. */
  visit(
    body: (cluster: string, estimate: string, inTile: string) => void,
    afterTile?: (tile: string, count: string) => void,
  ): void {
    const { k, kernel, layout, queries } = this.#frame;
    const { count, keys, logMass } = this.#clusters;
    const { scale, headSize } = kernel;
    k.for('tile', '0', count, k.i32(layout.keyTile), (tile) => {
      const inTile = k.let('count', 'i32', k.call('min', k.i32(layout.keyTile), `${count} - ${tile}`));
      this.#frame.scoreTile({ queries, keys }, tile, inTile).forEach((product, index) => {
        const number = this.#frame.keyInTile(index);
        k.if(`${number} < ${inTile}`, () => {
          const cluster = k.let('cluster', 'i32', `${tile} + ${number}`);
          const spread = k.let('spread', 'f32', `${k.f32((scale * scale) / (2 * headSize))} * ${this.radius(cluster)}`);
          const estimate = k.var('estimate', 'vec4<f32>', k.vector('vec4<f32>', k.f32(absent)));
          k.if(`!(${this.isEmpty(cluster)})`, () =>
            k.assign(
              estimate,
              `${product} * ${k.f32(scale)} + ${k.vector('vec4<f32>', logMass(cluster))} + ${this.squares} * ${spread}`,
            ),
          );
          body(cluster, estimate, number);
        });
      });
      afterTile?.(tile, inTile);
    });
  }
}

interface RankingBounds {
  /** Rankings above it may be chosen. */
  least(row: number): string;
  /** The largest ranking. */
  largest(row: number): string;
}

/** Ranks clusters by each query's estimates. */
function rankAlone(
  frame: AttentionFrame,
  { count }: Clusters,
  estimates: Estimates,
  { expand }: Expansion,
  ranking: (cluster: string, row: number) => string,
): RankingBounds {
  const { k, layout } = frame;
  const most = k.var('largest_estimates', 'vec4<f32>', k.vector('vec4<f32>', k.f32(absent)));
  estimates.visit((cluster, estimate) => {
    k.assign(most, k.call('max', most, estimate));
    for (let row = 0; row < groupRows; row += 1) k.assign(ranking(cluster, row), k.lane(estimate, row));
  });
  k.barrier();
  const largest = frame.reduceOverLanes('largest', most, (a, b) => k.call('max', a, b));
  const share = shareOf(expand);
  if (share === null) return { least: () => k.f32(absent), largest: (row) => k.lane(largest, row) };
  k.comment('log Z: of all estimates, and of what the segments before hold');
  const own = k.var('own_sum', 'vec4<f32>');
  k.for('cluster', frame.lane, count, k.i32(layout.lanes), (cluster) => {
    const rows = Array.from({ length: groupRows }, (_, row) => `${ranking(cluster, row)} - ${k.lane(largest, row)}`);
    k.add(own, k.call('exp', k.vector('vec4<f32>', ...rows)));
  });
  k.barrier();
  const sum = frame.reduceOverLanes('estimates_sum', own, (a, b) => `${a} + ${b}`);
  k.barrier();
  const before = frame.softmaxSoFar();
  const top = k.let('top', 'vec4<f32>', k.call('max', largest, before.maximum));
  const ofEstimates = `${sum} * ${k.call('exp', `${largest} - ${top}`)}`;
  const ofBefore = `${before.total} * ${k.call('exp', `${before.maximum} - ${top}`)}`;
  const logZ = k.let('log_z', 'vec4<f32>', `${top} + ${k.call('log', `${ofEstimates} + ${ofBefore}`)}`);
  const least = k.let('least', 'vec4<f32>', `${logZ} + ${k.vector('vec4<f32>', k.f32(Math.log(share)))}`);
  return { least: (row) => k.lane(least, row), largest: (row) => k.lane(largest, row) };
}

/** The ranking of a query of zeros, or of a cluster whose tokens are all the same: what the op takes for -inf. */
const least = -1e37;

/**
 * Ranks clusters by the query for which reading the cluster by its mean is most wrong: the largest, over the queries, of
 * e_ij - log Z_i + log |q_i| + log rho_j / 2. Scores are computed twice rather than kept.
 */
function rankTogether(
  frame: AttentionFrame,
  estimates: Estimates,
  { tokens }: Expansion,
  ranking: (cluster: string, row: number) => string,
): RankingBounds {
  const { k, layout, rowGroup } = frame;
  const { keyTile, rowGroups, threads } = layout;
  const top = k.var('top', 'vec4<f32>', k.vector('vec4<f32>', k.f32(absent)));
  const own = k.var('own_sum', 'vec4<f32>');
  estimates.visit((_, estimate) => {
    const raised = k.let('raised', 'vec4<f32>', k.call('max', top, estimate));
    const [before, now] = [k.call('exp', `${top} - ${raised}`), k.call('exp', `${estimate} - ${raised}`)];
    k.assign(own, `${own} * ${before} + ${now}`);
    k.assign(top, raised);
  });
  k.barrier();
  const largest = frame.reduceOverLanes('largest', top, (a, b) => k.call('max', a, b));
  k.barrier();
  const sum = frame.reduceOverLanes('estimates_sum', `${own} * ${k.call('exp', `${top} - ${largest}`)}`, (a, b) => `${a} + ${b}`);
  k.comment('padded queries have no say where there are others');
  const offsets = Array.from({ length: groupRows }, (_, row) => {
    const query = `${frame.firstQuery} + ${rowGroup} * ${groupRows} + ${row}`;
    const chooses = `(${frame.firstQuery} >= ${tokens ?? ''} || ${query} < ${tokens ?? ''})`;
    const square = k.lane(estimates.squares, row);
    const norm = `0.5 * ${k.call('log', square)} - ${k.lane(largest, row)} - ${k.call('log', k.lane(sum, row))}`;
    return k.select(`${chooses} && ${square} > 0.0`, norm, k.select(chooses, k.f32(least), k.f32(unseen)));
  });
  const offset = k.let('offset', 'vec4<f32>', k.vector('vec4<f32>', ...offsets));
  const ofGroups = k.shared('group_rankings', 'f32', rowGroups * keyTile);
  const most = k.var('largest_ranking', 'f32', k.f32(absent));
  estimates.visit(
    (_, estimate, inTile) => {
      const ranked = k.let('ranked', 'vec4<f32>', `${estimate} + ${offset}`);
      const lanes = Array.from({ length: groupRows }, (_, row) => k.lane(ranked, row));
      k.assign(
        `${ofGroups}[${rowGroup} * ${keyTile} + ${inTile}]`,
        lanes.reduce((a, b) => k.call('max', a, b)),
      );
    },
    (tile, inTile) => {
      k.barrier();
      k.for('number', k.thread, inTile, k.i32(threads), (number) => {
        const cluster = k.let('cluster', 'i32', `${tile} + ${number}`);
        const groups = Array.from({ length: rowGroups }, (_, group) => `${ofGroups}[${group * keyTile} + ${number}]`);
        const radius = k.let('radius', 'f32', estimates.radius(cluster));
        const spread = k.select(`${radius} > 0.0`, `0.5 * ${k.call('log', radius)}`, k.f32(least));
        const ranked = `${groups.reduce((a, b) => k.call('max', a, b))} + ${spread}`;
        const value = k.let('ranking', 'f32', k.select(estimates.isEmpty(cluster), k.f32(absent), ranked));
        k.assign(ranking(cluster, 0), value);
        k.assign(most, k.call('max', most, value));
      });
    },
  );
  k.barrier('buffers');
  k.barrier();
  // Every row group needs the largest of all threads.
  const all = k.shared('largest_rankings', 'f32', threads);
  k.assign(`${all}[${k.thread}]`, most);
  k.barrier();
  k.for('other', '0', k.i32(threads), '1', (other) => k.assign(most, k.call('max', most, `${all}[${other}]`)));
  return { least: () => k.f32(absent), largest: () => most };
}
