/**
 * The segment of projection plus top-r (atp-modes.md, topr): all keys are scored in a few directions, the best `count` of them
 * are read exactly, and one key of the log sum exp of the other projected scores and the value `restValue` stands for the rest.
 */
import { addSizes, multiplySizes } from '../../../ir/size.ts';
import type { Size } from '../../../ir/size.ts';
import type { RankedSegment } from '../../kernel/kernel.ts';
import type { SegmentParameters } from '../attention-scratch.ts';
import { at, emitPanel, headAddress, headIndex, whereTokens } from './attention-frame.ts';
import type { AttentionFrame, SegmentLocals } from './attention-frame.ts';
import { attendRows, emitParts, gatherRows } from './attention-gather.ts';
import { findThresholds, listSelected } from './attention-select.ts';
import { emitExp, lowest, padTile, panelRowBytes, scoreTile, softmaxTile } from './attention-tile.ts';
import { defineFunction } from './wat-builder.ts';
import { f32, f32x4, i32 } from './wat-code.ts';
import type { Code, Local } from './wat-code.ts';

const strided = ['projected_query', 'projected_key', 'key', 'value'] as const;

export function rankedParameters({ rest }: RankedSegment): SegmentParameters {
  return {
    operands: [...strided, 'mask', 'tokens', ...(rest ? ['rest_value'] : [])],
    integers: ['keys', ...strided.flatMap((name) => ['batch', 'head', 'row'].map((axis) => `${name}_${axis}`))],
  };
}

// Scratch from layout.segments on: fixed parts first, then the panel of projected queries, scores [s up to 4][8], lists [8][s].
const rowScores = 0;
const thresholds = rowScores + gatherRows * 4;
const budgets = thresholds + 32;
const lengths = budgets + 32;
const restMaximum = lengths + 32;
const restSum = restMaximum + 32;
const restCorrection = restSum + 32;
const panel = restCorrection + 32;
export function rankedScratch({ projectedSize }: RankedSegment, [keys = 0]: readonly Size[]): Size {
  return addSizes(panel + projectedSize * panelRowBytes, multiplySizes(addSizes(keys, 3), 2 * panelRowBytes));
}

/** scores[j][8] = -inf where mask[j] is 0. */
const hideMasked = defineFunction(
  'attention_hide_masked',
  [
    ['scores', 'i32'],
    ['mask', 'i32'],
    ['count', 'i32'],
  ],
  null,
  (f, scores, mask, count) => {
    const row = f.local('row', 'i32');
    f.for(row, 0, count, 1, () =>
      f.if(i32.eqz(i32.load(f.element(mask, row))), () => {
        const to = f.let('to', i32.add(scores, i32.shl(row, 5)));
        f.store(to, f32x4.splat(-Infinity));
        f.store(to, f32x4.splat(-Infinity), 16);
      }),
    );
  },
);

/** Merges one more key into the softmax of one query: its score is rest_maximum + log(rest_sum). */
const mergeRest = defineFunction(
  'attention_merge_rest',
  [
    ['rest_maximum', 'f32'],
    ['rest_sum', 'f32'],
    ['rest_value', 'i32'],
    ['value_size', 'i32'],
    ['maximum', 'i32'],
    ['sum', 'i32'],
    ['result', 'i32'],
  ],
  null,
  (f, restMost, restTotal, restValue, valueSize, maximum, sum, result) => {
    const column = f.local('column', 'i32');
    const old = f.let('old', f32.load(maximum));
    const top = f.let('top', f32.max(old, restMost));
    const exp = (difference: Code<'f32'>): Code<'f32'> => f32x4.extract_lane(emitExp(f, f32x4.splat(difference)), 0);
    const correction = f.let('correction', exp(f32.sub(old, top)));
    const weight = f.let('weight', f32.mul(restTotal, exp(f32.sub(restMost, top))));
    f.store(maximum, top);
    f.store(sum, f32.add(f32.mul(f32.load(sum), correction), weight));
    f.for(column, 0, valueSize, 1, () => {
      const to = f.let('to', f.element(result, column));
      f.store(to, f32.add(f32.mul(f32.load(to), correction), f32.mul(weight, f32.load(f.element(restValue, column)))));
    });
  },
);

export function emitRanked(frame: AttentionFrame, segment: RankedSegment, { operand, integer }: SegmentLocals): void {
  const { f, kernel, layout, batch, head, keyHead, groups, firstQuery } = frame;
  const own = (offset: number): Code<'i32'> => at(frame, layout.segments + offset);
  const keys = integer('keys');
  const tokens = operand('tokens');
  whereTokens(frame, segment.tokens, tokens, () => {
    const rows = Object.fromEntries(
      strided.map((name) => {
        const of = name === 'projected_query' ? head : keyHead;
        const start = headAddress(frame, operand(name), of, integer(`${name}_batch`), integer(`${name}_head`));
        return [name, { at: f.let(`${name}_rows`, start), stride: f.let(`${name}_stride`, i32.shl(integer(`${name}_row`), 2)) }];
      }),
    ) as { readonly [N in (typeof strided)[number]]: { readonly at: Local<'i32'>; readonly stride: Local<'i32'> } };
    const { projected_query: projectedQuery, projected_key: projectedKey, key, value } = rows;
    f.set(projectedQuery.at, i32.add(projectedQuery.at, i32.mul(firstQuery, projectedQuery.stride)));
    const mask = f.let('mask_row', f.element(operand('mask'), i32.mul(batch, keys)));
    const wanted = f.let('wanted', f.size(segment.count, { tokens: i32.load(f.element(tokens, batch)) }));
    const scores = f.let('projected_scores', own(panel + segment.projectedSize * panelRowBytes));
    const lists = f.let('lists', i32.add(scores, i32.mul(i32.and(i32.add(keys, 3), -4), panelRowBytes)));
    const group = f.local('ranked_group', 'i32');
    f.for(group, 0, groups, 1, () => {
      emitPanel(frame, projectedQuery.at, projectedQuery.stride, segment.projectedSize, group, own(panel));
      f.run(scoreTile, own(panel), 1, segment.projectedSize, projectedKey.at, projectedKey.stride, keys, scores, panelRowBytes);
      f.run(hideMasked, scores, mask, keys);
      f.if(
        i32.gt_s(wanted, 0),
        () => {
          f.run(findThresholds, scores, keys, wanted, own(thresholds), own(budgets));
          f.run(listSelected, scores, keys, own(thresholds), own(budgets), lists, keys, own(lengths), scores, panelRowBytes);
        },
        () => f.fillMemory(own(lengths), 0, 32),
      );
      if (segment.rest) {
        for (const half of [0, 16]) {
          f.store(own(restMaximum), f32x4.splat(lowest), half);
          f.store(own(restSum), f32x4.splat(0), half);
        }
        f.run(padTile, scores, panelRowBytes, 1, keys);
        f.run(softmaxTile, scores, panelRowBytes, 1, keys, own(restMaximum), own(restSum), own(restCorrection));
      }
      const lane = f.local('lane', 'i32');
      f.for(lane, 0, f.minimum(8, i32.sub(frame.rows, i32.shl(group, 3))), 1, () => {
        const row = f.let('query_index', i32.add(i32.shl(group, 3), lane));
        const maximum = f.let('row_maximum', f.element(at(frame, layout.maximum), row));
        const sum = f.let('row_total', f.element(at(frame, layout.sum), row));
        const result = f.let('row_result', i32.add(at(frame, layout.result), i32.mul(row, layout.resultStride)));
        const query = f.let('query_row', i32.add(frame.query, i32.mul(row, frame.queryStride)));
        const list = f.let('list', f.element(lists, i32.mul(lane, keys)));
        const length = f.let('length', i32.load(f.element(own(lengths), lane)));
        emitParts(f, list, length, (part, count) =>
          f.run(
            attendRows,
            query,
            kernel.headSize,
            kernel.scale,
            part,
            count,
            key.at,
            key.stride,
            value.at,
            value.stride,
            kernel.valueSize,
            own(rowScores),
            maximum,
            sum,
            result,
          ),
        );
        if (!segment.rest) return;
        const total = f.let('rest_total', f32.load(f.element(own(restSum), lane)));
        const restValue = i32.add(operand('rest_value'), i32.mul(headIndex(frame), kernel.valueSize * 4));
        f.if(f32.gt(total, 0), () => {
          const most = f32.load(f.element(own(restMaximum), lane));
          f.run(mergeRest, most, total, restValue, kernel.valueSize, maximum, sum, result);
        });
      });
    });
  });
}
