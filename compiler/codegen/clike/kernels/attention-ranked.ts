import type { RankedSegment } from '../../../kernel/kernel.ts';
import { sizeExpression } from '../size-expression.ts';
import { unseen, type AttentionFrame } from './attention-frame.ts';
import { headStrides } from './attention-keys.ts';
import type { SegmentRenderer } from './attention-segment.ts';
import { selectBest } from './attention-select.ts';

const strided = ['projected_query', 'projected_key', 'key', 'value'] as const;

/** Projection plus top-r: all keys scored in a few directions, the best of them read exactly, and one key for the rest. */
export const rankedSegment: SegmentRenderer<RankedSegment> = {
  operands: ({ rest }) => [...strided, 'mask', 'tokens', ...(rest ? ['rest_value'] : [])],
  integers: () => ['keys', ...strided.flatMap(headStrides)],
  vectors({ projectedSize, rest }, { headSize, valueSize }) {
    const sizes = { projected_query: projectedSize, projected_key: projectedSize, key: headSize, value: valueSize };
    const rows = strided.filter((name) => sizes[name] % 4 === 0).map((name) => [name, headStrides(name)] as const);
    return { ...Object.fromEntries(rows), ...(rest && valueSize % 4 === 0 ? { rest_value: [] } : {}) };
  },
  write: (frame, segment, names) => frame.whereTokens(segment.tokens, names('tokens'), () => writeRanked(frame, segment, names)),
};

function writeRanked(frame: AttentionFrame, segment: RankedSegment, names: (name: string) => string): void {
  const { k, kernel, layout } = frame;
  const count = k.size(names('keys'));
  const tokens = frame.uniform('tokens_here', k.operand(names('tokens')).at(frame.batch));
  const wanted = k.let('wanted', 'i32', sizeExpression(k, segment.count, { tokens }));
  const queries = frame.queryRows(names('projected_query'), segment.projectedSize);
  const projected = frame.keyRows(names('projected_key'), segment.projectedSize);
  const restScores = segment.rest ? k.sharedOnce('rest_scores', 'f32', layout.queryTile) : null;
  selectBest(frame, {
    wanted,
    count,
    keys: frame.keyRows(names('key'), kernel.headSize),
    values: frame.keyRows(names('value'), kernel.valueSize),
    scores(tile, inTile) {
      const scores = frame.scoreTile({ queries, keys: projected }, tile, inTile);
      scores.forEach((score, index) => {
        const key = `${frame.batch} * ${count} + ${tile} + ${k.call('min', frame.keyInTile(index), `${inTile} - 1`)}`;
        const seen = `(${frame.keyInTile(index)} < ${inTile}) & (${k.operand(names('mask')).at(key)} != 0)`;
        const none = k.vector('vec4<f32>', k.f32(unseen));
        k.assign(score, k.select(seen, `${score} * ${k.f32(kernel.scale)}`, none));
      });
      return scores;
    },
    restScores,
  });
  if (restScores === null) return;
  k.comment('one key for the rest: the log sum exp of their scores');
  const values = {
    operand: k.operand(names('rest_value')),
    size: kernel.valueSize,
    start: () => `(${frame.batch} * ${k.size('key_heads')} + ${frame.keyHead}) * ${kernel.valueSize}`,
  };
  frame.attendScored(restScores, values);
}
