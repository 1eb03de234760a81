/**
 * The segment of principal keys (atp-modes.md, expand): every query reads all clusters by mean key and log mass, except the
 * best by the second-order estimate e_j = s_j + scale^2 |q|^2 rho_j / (2 e), whose tokens it reads exactly: a number of them, or
 * those that hold more than a share of everything that the query sees.
 */
import { addSizes, multiplySizes } from '../../../ir/size.ts';
import type { Size } from '../../../ir/size.ts';
import type { AttentionKernel, ClustersSegment } from '../../kernel/kernel.ts';
import type { SegmentParameters } from '../attention-scratch.ts';
import { AtpcError } from '../../../runtime/errors.ts';
import { at, emitKeyRows, emitMerge, headIndex, whereTokens } from './attention-frame.ts';
import type { AttentionFrame, SegmentLocals } from './attention-frame.ts';
import { attendRows, fillList, gatherListBytes, gatherRows } from './attention-gather.ts';
import { findThresholds, listSelected } from './attention-select.ts';
import { addBias, emitExp, padTile, panelRowBytes, scoreTile } from './attention-tile.ts';
import { vectorMath } from './math.ts';
import { defineFunction } from './wat-builder.ts';
import { f32, f32x4, i32, i32x4, v128 } from './wat-code.ts';
import type { Code, Local, V128 } from './wat-code.ts';

export function clustersParameters({ expand, tokens }: ClustersSegment): SegmentParameters {
  return {
    operands: [
      'mean_key',
      'mean_value',
      'log_mass',
      ...(expand ? ['radius', 'offsets', 'sorted_key', 'sorted_value'] : []),
      ...(tokens || countOf(expand) !== null ? ['tokens'] : []),
    ],
    integers: ['clusters', 'capacity', ...(expand ? ['keys'] : [])],
  };
}
/** The number of clusters to expand as a size of "tokens", where that is the rule. */
function countOf(expand: ClustersSegment['expand']): Size | null {
  return expand !== null && 'count' in expand ? expand.count : null;
}
/** What a cluster must hold of a query's softmax to be expanded, where there is such a rule. */
function shareOf(expand: ClustersSegment['expand']): number | null {
  return expand !== null && 'share' in expand ? expand.share : null;
}

// Scratch of an expanded segment from layout.segments on: fixed parts first, then those that grow with the clusters.
const tokenList = 0;
const tokenScores = tokenList + gatherListBytes;
const thresholds = tokenScores + gatherRows * 4;
const budgets = thresholds + panelRowBytes;
/** i32 [queryTile] each: chosen clusters of a query, and how many of them are read. */
const lengths = budgets + panelRowBytes;
const cursorsOf = (queryTile: number): number => lengths + queryTile * 4;
const growingOf = (queryTile: number): number => cursorsOf(queryTile) + queryTile * 4;
/** f32 [C rounded up to 4][queryTile], estimates f32 [C][8], lists i32 [queryTile][C]; for as many clusters as there can be. */
export function clustersScratch(
  segment: ClustersSegment,
  [, capacity = 0]: readonly Size[],
  { schedule }: AttentionKernel,
): Size {
  if (segment.expand === null) return 0;
  return addSizes(growingOf(schedule.queryTile), multiplySizes(addSizes(capacity, 3), schedule.queryTile * 8 + panelRowBytes));
}

/**
 * Bytes of keys and values that all queries of a tile read before the next ones are touched: half of a small second-level cache.
 * Without it each query sweeps over all keys by itself, which at 16,384 tokens was bound by memory and slower than dense.
 */
const sweepBytes = 512 * 1024;

/** estimates[j][8] = scores[j][8] + weights[8] * radius[j]; score rows at a stride in bytes. */
const estimate = defineFunction(
  'attention_estimate',
  [
    ['scores', 'i32'],
    ['scores_stride', 'i32'],
    ['count', 'i32'],
    ['radius', 'i32'],
    ['panel', 'i32'],
    ['size', 'i32'],
    ['estimates', 'i32'],
  ],
  null,
  (f, scores, scoresStride, count, radius, panel, size, estimates) => {
    const [row, from, to] = [f.local('row', 'i32'), f.let('from', scores), f.let('to', estimates)];
    f.comment('weights = |scale q|^2 / (2 size)');
    const lanes = [0, 16].map((half) => ({ half, weight: f.let('weight', f32x4.splat(0)) }));
    const column = f.let('column', panel);
    f.for(row, 0, size, 1, () => {
      for (const { half, weight } of lanes) {
        const element = f.let('element', v128.load(column, half));
        f.set(weight, f32x4.multiplyAdd(element, element, weight));
      }
      f.increment(column, panelRowBytes);
    });
    const share = f.let('share', f32x4.splat(f32.div(0.5, f32.convert_i32_s(size))));
    for (const { weight } of lanes) f.set(weight, f32x4.mul(weight, share));
    f.for(row, 0, count, 1, () => {
      const spread = f.let('spread', v128.load32_splat(f.element(radius, row)));
      for (const { half, weight } of lanes) f.store(to, f32x4.multiplyAdd(weight, spread, v128.load(from, half)), half);
      f.increment(from, scoresStride);
      f.increment(to, panelRowBytes);
    });
  },
);

/**
 * Thresholds as findThresholds gives them, for the at most `most` largest of estimates[count][8] of those with
 * estimate - log Z > logShare. Z is the sum of the exponentials of all estimates and of what the softmax (maximum[8], sum[8]) holds.
 */
const findShares = defineFunction(
  'attention_find_shares',
  [
    ['estimates', 'i32'],
    ['count', 'i32'],
    ['most', 'i32'],
    ['log_share', 'f32'],
    ['maximum', 'i32'],
    ['sum', 'i32'],
    ['threshold', 'i32'],
    ['budget', 'i32'],
  ],
  null,
  (f, estimates, count, most, logShare, maximum, sum, threshold, budget) => {
    const [row, at] = [f.local('row', 'i32'), f.local('at', 'i32')];
    const overRows = (step: () => void): void => {
      f.set(at, estimates);
      f.for(row, 0, count, 1, () => {
        step();
        f.increment(at, panelRowBytes);
      });
    };
    const halves = [0, 16].map((half) => ({ half, top: f.let('top', v128.load(maximum, half)) }));
    overRows(() => {
      for (const { half, top } of halves) f.set(top, f32x4.pmax(top, v128.load(at, half)));
    });
    const lanes = halves.map(({ half, top }) => {
      const before = emitExp(f, f32x4.sub(v128.load(maximum, half), top));
      return { half, top, total: f.let('total', f32x4.mul(v128.load(sum, half), before)) };
    });
    overRows(() => {
      for (const { half, top, total } of lanes) f.set(total, f32x4.add(total, emitExp(f, f32x4.sub(v128.load(at, half), top))));
    });
    f.comment('strictly above: none of those that are equal');
    const bounds = lanes.map(({ half, top, total }) => {
      const logSum = f.call(vectorMath.log, total);
      const bound = f.let('bound', f32x4.add(f32x4.add(top, logSum), f32x4.splat(logShare)));
      return { half, bound, above: f.let('above', i32x4.splat(0)) };
    });
    overRows(() => {
      for (const { half, bound, above } of bounds) f.set(above, i32x4.sub(above, f32x4.gt(v128.load(at, half), bound)));
    });
    const tooMany = bounds.map(({ above }): V128 => i32x4.gt_s(above, i32x4.splat(most))).reduce((a, b) => v128.or(a, b));
    f.if(
      v128.any_true(tooMany),
      () => {
        f.run(findThresholds, estimates, count, most, threshold, budget);
        f.comment('what has more than `most` above its bound keeps the threshold');
        for (const { half, bound, above } of bounds) {
          const limited = f.let('limited', i32x4.gt_s(above, i32x4.splat(most)));
          f.store(threshold, v128.bitselect(v128.load(threshold, half), bound, limited), half);
          f.store(budget, v128.and(v128.load(budget, half), limited), half);
        }
      },
      () => {
        for (const { half, bound } of bounds) {
          f.store(threshold, bound, half);
          f.store(budget, i32x4.splat(0), half);
        }
      },
    );
  },
);

export function emitClusters(frame: AttentionFrame, segment: ClustersSegment, { operand, integer }: SegmentLocals): void {
  const { f, kernel } = frame;
  const { expand } = segment;
  if (expand && 'tile' in expand && expand.tile !== 1) {
    throw new AtpcError(
      'ATPC-307',
      `The target wasm chooses clusters for each query by itself, not for ${expand.tile} together.`,
    );
  }
  const clusters = integer('clusters');
  const count = countOf(expand);
  const tokens = segment.tokens || count !== null ? operand('tokens') : null;
  const visit = (): void => {
    const index = f.let('head_index', headIndex(frame));
    const first = f.let('first_cluster', i32.mul(index, integer('capacity')));
    const rowsAt = (name: string, size: number): Local<'i32'> =>
      f.let(`${name}_rows`, i32.add(operand(name), i32.mul(first, size * 4)));
    const key = rowsAt('mean_key', kernel.headSize);
    const value = rowsAt('mean_value', kernel.valueSize);
    const logMass = f.let('log_mass_row', f.element(operand('log_mass'), first));
    const plain = (): void =>
      emitKeyRows(frame, {
        key,
        keyStride: kernel.headSize * 4,
        value,
        valueStride: kernel.valueSize * 4,
        first: 0,
        end: clusters,
        bias: logMass,
        mask: null,
        visible: null,
      });
    if (expand === null) return plain();
    const expanded = (wanted: Local<'i32'>): void => {
      const radius = f.let('radius_row', f.element(operand('radius'), first));
      const offsets = f.let('offsets_row', f.element(operand('offsets'), i32.add(first, index)));
      const firstToken = i32.mul(index, integer('keys'));
      const sortedKey = f.let('sorted_key_rows', i32.add(operand('sorted_key'), i32.mul(firstToken, kernel.headSize * 4)));
      const sortedValue = f.let('sorted_value_rows', i32.add(operand('sorted_value'), i32.mul(firstToken, kernel.valueSize * 4)));
      emitExpanded(frame, shareOf(expand), { clusters, wanted, key, value, logMass, radius, offsets, sortedKey, sortedValue });
    };
    if (!('count' in expand)) return expand.most > 0 ? expanded(f.let('wanted', i32.const(expand.most))) : plain();
    const tokensHere = tokens === null ? i32.const(0) : i32.load(f.element(tokens, frame.batch));
    const wanted = f.let('wanted', f.size(expand.count, { tokens: tokensHere }));
    f.if(i32.le_s(wanted, 0), plain, () => expanded(wanted));
  };
  f.if(i32.gt_s(clusters, 0), () => whereTokens(frame, segment.tokens, tokens, visit));
}

/** Addresses of one key/value head, and counts. */
type ExpandedRows = Readonly<
  Record<'clusters' | 'wanted' | 'key' | 'value' | 'logMass' | 'radius' | 'offsets' | 'sortedKey' | 'sortedValue', Local<'i32'>>
>;

function emitExpanded(frame: AttentionFrame, share: number | null, rows: ExpandedRows): void {
  const { f, kernel, layout, groups } = frame;
  const { headSize, valueSize, schedule } = kernel;
  const stride = schedule.queryTile * 4;
  const own = (offset: number): Code<'i32'> => at(frame, layout.segments + offset);
  f.comment('unused clusters stand at the end');
  const count = f.let('used', rows.clusters);
  f.block((leave) =>
    f.while(
      () => i32.gt_s(count, 0),
      () => {
        leave(f32.gt(f32.load(f.element(rows.logMass, i32.sub(count, 1))), -Infinity));
        f.increment(count, -1);
      },
    ),
  );
  const scores = f.let('cluster_scores', own(growingOf(schedule.queryTile)));
  const estimates = f.let('estimates', i32.add(scores, i32.mul(i32.and(i32.add(count, 3), -4), stride)));
  const lists = f.let('lists', i32.add(estimates, i32.mul(count, panelRowBytes)));
  f.run(scoreTile, at(frame, layout.panels), groups, headSize, rows.key, headSize * 4, count, scores, stride);
  f.run(addBias, scores, stride, groups, count, rows.logMass);
  const group = f.local('chosen_group', 'i32');
  f.for(group, 0, groups, 1, () => {
    const column = f.let('score_column', i32.add(scores, i32.shl(group, 5)));
    const columnOf = (offset: number): Code<'i32'> => i32.add(at(frame, offset), i32.shl(group, 5));
    const panel = i32.add(at(frame, layout.panels), i32.mul(group, headSize * panelRowBytes));
    const ownLists = f.let('own_lists', f.element(lists, i32.mul(i32.shl(group, 3), count)));
    f.run(estimate, column, stride, count, rows.radius, panel, headSize, estimates);
    if (share === null) f.run(findThresholds, estimates, count, rows.wanted, own(thresholds), own(budgets));
    else {
      const [maximum, sum] = [columnOf(layout.maximum), columnOf(layout.sum)];

      const logShare = Math.fround(Math.log(share));
      f.run(findShares, estimates, count, rows.wanted, logShare, maximum, sum, own(thresholds), own(budgets));
    }
    const ownLengths = i32.add(own(lengths), i32.shl(group, 5));
    f.run(listSelected, estimates, count, own(thresholds), own(budgets), ownLists, count, ownLengths, column, stride);
  });
  f.comment('the clusters that are left');
  f.run(padTile, scores, stride, groups, count);
  const start = f.local('start', 'i32');
  f.for(start, 0, count, schedule.keyTile, () => {
    const tile = i32.add(scores, i32.mul(start, stride));
    const length = f.minimum(schedule.keyTile, i32.sub(count, start));
    emitMerge(frame, tile, length, i32.add(rows.value, i32.mul(start, valueSize * 4)), valueSize * 4);
  });
  emitChosenTokens(frame, rows, lists, count);
}

/** The tokens of the listed clusters of each query, in sweeps over the tokens that all queries of the tile make together. */
function emitChosenTokens(frame: AttentionFrame, rows: ExpandedRows, lists: Local<'i32'>, clusters: Local<'i32'>): void {
  const { f, kernel, layout, query, queryStride } = frame;
  const { headSize, valueSize, scale, schedule } = kernel;
  const own = (offset: number): Code<'i32'> => at(frame, layout.segments + offset);
  const cursors = cursorsOf(schedule.queryTile);
  const [row, entry, token] = [f.local('query_index', 'i32'), f.local('entry', 'i32'), f.local('token', 'i32')];
  const [filled, limit] = [f.local('filled', 'i32'), f.local('sweep_end', 'i32')];
  const attend = (): void => {
    f.run(
      attendRows,
      i32.add(query, i32.mul(row, queryStride)),
      headSize,
      scale,
      own(tokenList),
      filled,
      rows.sortedKey,
      headSize * 4,
      rows.sortedValue,
      valueSize * 4,
      valueSize,
      own(tokenScores),
      f.element(at(frame, layout.maximum), row),
      f.element(at(frame, layout.sum), row),
      i32.add(at(frame, layout.result), i32.mul(row, layout.resultStride)),
    );
    f.set(filled, 0);
  };
  const sweepTokens = Math.max(64, Math.floor(sweepBytes / ((headSize + valueSize) * 4)));
  const end = f.let('tokens_end', i32.load(f.element(rows.offsets, clusters)));
  f.fillMemory(own(cursors), 0, schedule.queryTile * 4);
  f.for(limit, sweepTokens, i32.add(end, sweepTokens), sweepTokens, () =>
    f.for(row, 0, frame.rows, 1, () => {
      const list = f.let('list', f.element(lists, i32.mul(row, clusters)));
      const length = f.let('length', i32.load(f.element(own(lengths), row)));
      f.set(entry, i32.load(f.element(own(cursors), row)));
      f.set(filled, 0);
      f.block((leave) =>
        f.while(
          () => i32.lt_s(entry, length),
          () => {
            const cluster = f.let('cluster', f.element(rows.offsets, i32.load(f.element(list, entry))));
            f.set(token, i32.load(cluster));
            leave(i32.ge_s(token, limit));
            const last = f.let('cluster_end', i32.load(cluster, 4));
            f.while(
              () => i32.lt_s(token, last),
              () => {
                const length = f.let('run', f.minimum(i32.sub(last, token), i32.sub(gatherRows, filled)));
                f.run(fillList, f.element(own(tokenList), filled), token, length);
                f.increment(filled, length);
                f.increment(token, length);
                f.if(i32.eq(filled, gatherRows), attend);
              },
            );
            f.increment(entry, 1);
          },
        ),
      );
      f.store(f.element(own(cursors), row), entry);
      f.if(filled, attend);
    }),
  );
}
