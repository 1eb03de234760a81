/**
 * Scores of the keys of a cache of mode stream (ir/cache.ts): what the queries of a block paid to each of them. The lanes are keys,
 * packed once per tile, so that the sums over heads and queries run in order and cross no lanes.
 */
import type { Size } from '../../../ir/size.ts';
import type { ScoreKeysKernel } from '../../kernel/kernel.ts';
import { fewKeys, fewRows, fewStride, packFew, scoreFew } from './attention-few.ts';
import { emitExp, packPanel, panelLanes, panelRowBytes, scoreTile } from './attention-tile.ts';
import { defineFunction } from './wat-builder.ts';
import type { KernelContext } from './wat-builder.ts';
import { f32, f32x4, i32, i32x4, select, v128 } from './wat-code.ts';
import type { Code } from './wat-code.ts';

/** Query rows that are scored at a time. */
const rowsAtATime = 32;

/** Keys a tile; a lane of work is one tile of one key/value head. */
export function scoreKeysSchedule(): ScoreKeysKernel['schedule'] {
  return { keyTile: 64 };
}

function layoutOf({ headSize, schedule }: ScoreKeysKernel) {
  const { keyTile } = schedule;
  const addresses = 0;
  const panels = addresses + 64;
  const scores = panels + keyTile * headSize * 4;
  const sums = scores + Math.max(rowsAtATime * keyTile * 4, fewRows * fewStride);
  return { addresses, panels, scores, sums, end: sums + keyTile * 4 };
}
export function scoreKeysScratch(kernel: ScoreKeysKernel): Size {
  return layoutOf(kernel).end;
}

/**
 * sums[lane] += exp(scores[row][lane] - log_sum_exps[row]) over `rows` rows in order, for 8 * groups lanes; a row sees the lanes up to
 * `last`, the next one up to last + step, and so on. Strides in bytes.
 */
const addWeights = defineFunction(
  'score_keys_add_weights',
  [
    ['scores', 'i32'],
    ['scores_stride', 'i32'],
    ['groups', 'i32'],
    ['rows', 'i32'],
    ['log_sum_exps', 'i32'],
    ['log_sum_exp_stride', 'i32'],
    ['last', 'i32'],
    ['step', 'i32'],
    ['sums', 'i32'],
  ],
  null,
  (f, scores, scoresStride, groups, rows, logSumExps, logSumExpStride, last, step, sums) => {
    const [group, row, at, from] = [f.local('group', 'i32'), f.local('row', 'i32'), f.local('at', 'i32'), f.local('from', 'i32')];
    const lanes = [0, 4].map((first) => f.let('lanes', i32x4.const(first, first + 1, first + 2, first + 3)));
    const limit = f.local('limit', 'v128');
    f.for(group, 0, groups, 1, () => {
      const to = f.let('to', i32.add(sums, i32.shl(group, 5)));
      f.set(at, i32.add(scores, i32.shl(group, 5)));
      f.set(from, logSumExps);
      f.set(limit, i32x4.splat(last));
      const totals = lanes.map((_, half) => f.let('total', v128.load(to, half * 16)));
      f.for(row, 0, rows, 1, () => {
        const logSumExp = f.let('log_sum_exp', v128.load32_splat(from));
        totals.forEach((total, half) => {
          const lane = lanes[half] ?? limit;
          const weight = emitExp(f, f32x4.sub(v128.load(at, half * 16), logSumExp));
          f.set(total, f32x4.add(total, v128.and(weight, i32x4.le_s(lane, limit))));
        });
        f.set(limit, i32x4.add(limit, i32x4.splat(step)));
        f.increment(at, scoresStride);
        f.increment(from, logSumExpStride);
      });
      totals.forEach((total, half) => f.store(to, total, half * 16));
      for (const lane of lanes) f.set(lane, i32x4.add(lane, i32x4.splat(panelLanes)));
    });
  },
);

export function renderScoreKeys(kernel: ScoreKeysKernel, { module, name }: KernelContext): void {
  const { headSize, atoms, scale, decay, schedule } = kernel;
  const { keyTile } = schedule;
  if (keyTile % panelLanes !== 0) throw new RangeError(`Tiles of keys are multiples of ${panelLanes}; this is ${keyTile}.`);
  const parameters = {
    operands: ['query', 'log_sum_exp', 'key', 'score', 'position'],
    integers: [
      ...['heads', 'key_heads', 'queries', 'query_head', 'query_row', 'log_sum_exp_head'],
      ...['rows', 'atoms_used', 'exact', 'start', 'begins_block'],
    ],
  };
  const layout = layoutOf(kernel);
  const servesFew = headSize % 4 === 0 && keyTile <= fewKeys;
  module.kernel(name, parameters, (f, k) => {
    const at = (offset: number): Code<'i32'> => i32.add(k.scratch, offset);
    const [queries, rows, exact, atomsUsed] = [
      k.integer('queries'),
      k.integer('rows'),
      k.integer('exact'),
      k.integer('atoms_used'),
    ];
    const tiles = f.let('tiles', i32.div_u(i32.add(rows, keyTile - 1), keyTile));
    const headsPerKeyHead = f.let('heads_per_key_head', i32.div_u(k.integer('heads'), k.integer('key_heads')));
    const end = f.let('end_row', i32.add(exact, atoms));
    const firstNew = f.let('first_new', i32.sub(end, queries));
    const factor = f.let('factor', select(k.integer('begins_block'), f32.const(decay), f32.const(1)));
    f.comment('one query a head: the heads are the rows');
    const single = f.let('single', i32.eq(queries, 1));
    const bytes = (of: 'query_head' | 'query_row' | 'log_sum_exp_head'): Code<'i32'> => i32.shl(k.integer(of), 2);
    const outer = f.let('outer', select(single, i32.const(1), headsPerKeyHead));
    const inner = f.let('inner', select(single, headsPerKeyHead, queries));
    const queryStride = f.let('query_stride', select(single, bytes('query_head'), bytes('query_row')));
    const sumStride = f.let('sum_stride', select(single, bytes('log_sum_exp_head'), i32.const(4)));
    const step = f.let('step', i32.eqz(single));
    const [item, lane, group] = [f.local('item', 'i32'), f.local('lane', 'i32'), f.local('group', 'i32')];
    const [head, chunk] = [f.local('head', 'i32'), f.local('chunk', 'i32')];
    f.for(item, k.begin, k.end, 1, () =>
      f.block((leave) => {
        const keyHead = f.let('key_head', i32.div_u(item, tiles));
        const first = f.let('first', i32.mul(i32.rem_u(item, tiles), keyTile));
        const count = f.let('count', i32.sub(f.minimum(i32.add(first, keyTile), end), first));
        f.comment('a tile between the atoms in use and the exact rows, or after them, has nothing to do');
        leave(i32.le_s(count, 0));
        leave(i32.and(i32.ge_s(first, atomsUsed), i32.le_s(i32.add(first, count), atoms)));
        const firstRow = f.let('first_row', i32.add(i32.mul(keyHead, rows), first));
        const key = f.let('key_rows', i32.add(k.operand('key'), i32.mul(firstRow, headSize * 4)));
        const groups = f.let('groups', i32.shr_u(i32.add(count, panelLanes - 1), 3));
        const store = (): void =>
          f.for(lane, 0, count, 1, () => {
            const row = f.let('row', i32.add(first, lane));
            f.if(i32.or(i32.lt_s(row, atomsUsed), i32.ge_s(row, atoms)), () => {
              const score = f.let('score', f.element(k.operand('score'), i32.add(firstRow, lane)));
              const before = f.local('before', 'f32');
              f.if(
                i32.ge_s(row, firstNew),
                () => {
                  f.set(before, 0);
                  const position = f.element(k.operand('position'), i32.add(firstRow, lane));
                  f.store(position, i32.add(k.integer('start'), i32.sub(row, firstNew)));
                },
                () => f.set(before, f32.mul(factor, f32.load(score))),
              );
              f.store(score, f32.add(before, f32.load(f.element(at(layout.sums), lane))));
            });
          });
        f.fillMemory(at(layout.sums), 0, keyTile * 4);
        if (servesFew) {
          f.if(i32.and(single, i32.le_s(inner, fewRows)), () => {
            f.comment('few rows: nothing is packed but the queries');
            const queryHead = f.let('first_query_head', i32.mul(keyHead, headsPerKeyHead));
            const query = f.element(k.operand('query'), i32.mul(queryHead, k.integer('query_head')));
            const sums = f.element(k.operand('log_sum_exp'), i32.mul(queryHead, k.integer('log_sum_exp_head')));
            const scores = at(layout.scores);
            f.run(packFew, query, queryStride, inner, headSize, scale, at(layout.panels));
            f.run(scoreFew, inner, at(layout.panels), headSize, key, headSize * 4, count, scores);
            f.run(addWeights, scores, fewStride, groups, inner, sums, sumStride, keyTile, 0, at(layout.sums));
            store();
            leave();
          });
        }
        f.comment('pack the keys, times the scale');
        f.for(group, 0, groups, 1, () => {
          for (let panel = 0; panel < panelLanes; panel++) {
            const row = f.minimum(i32.add(i32.shl(group, 3), panel), i32.sub(count, 1));
            f.store(at(layout.addresses), i32.add(key, i32.mul(row, headSize * 4)), panel * 4);
          }
          const panels = i32.add(at(layout.panels), i32.mul(group, headSize * panelRowBytes));
          f.run(packPanel, at(layout.addresses), headSize, scale, panels);
        });
        f.comment('queries before this one see no key of the tile');
        const seeing = i32.sub(first, firstNew);
        const from = f.let('from', select(single, i32.const(0), f.maximum(0, seeing)));
        f.for(head, 0, outer, 1, () => {
          const queryHead = f.let('query_head_index', i32.add(i32.mul(keyHead, headsPerKeyHead), head));
          const query = f.let('query_rows', f.element(k.operand('query'), i32.mul(queryHead, k.integer('query_head'))));
          const sumOf = i32.mul(queryHead, k.integer('log_sum_exp_head'));
          const logSumExps = f.let('log_sum_exps', f.element(k.operand('log_sum_exp'), sumOf));
          f.for(chunk, from, inner, rowsAtATime, () => {
            const now = f.let('now', f.minimum(rowsAtATime, i32.sub(inner, chunk)));
            const chunkRows = i32.add(query, i32.mul(chunk, queryStride));
            const scores = at(layout.scores);
            f.run(scoreTile, at(layout.panels), groups, headSize, chunkRows, queryStride, now, scores, keyTile * 4);
            const sums = i32.add(logSumExps, i32.mul(chunk, sumStride));
            const last = i32.sub(i32.add(firstNew, i32.mul(chunk, step)), first);
            f.run(addWeights, scores, keyTile * 4, groups, now, sums, sumStride, last, step, at(layout.sums));
          });
        });
        store();
      }),
    );
  });
}
