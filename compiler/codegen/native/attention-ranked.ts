/**
 * The segment of projection plus top-r (atp-modes.md, topr): all keys are scored in a few directions, the best `count` of them
 * are read exactly, and one key of the log sum exp of the other projected scores and the value `restValue` stands for the rest.
 */
import { addSizes, multiplySizes } from '../../../ir/size.ts';
import type { Size } from '../../../ir/size.ts';
import type { RankedSegment } from '../../kernel/kernel.ts';
import type { SegmentParameters } from '../attention-scratch.ts';
import { attentionFrame } from './attention-frame.ts';
import type { SegmentContext, SegmentText } from './attention-frame.ts';
import { attentionSelect, candidateBytes, candidateRoom } from './attention-select.ts';
import { mostGroup } from './attention-tile.ts';
import { sizeText, type SharedText } from './kernel-text.ts';

const strided = ['projected_query', 'projected_key', 'key', 'value'] as const;

export function rankedParameters({ rest }: RankedSegment): SegmentParameters {
  return {
    operands: [
      ...strided.map((name) => `const f32 *${name}`),
      ...['const i32 *mask', 'const i32 *tokens', ...(rest ? ['const f32 *rest_value'] : [])],
    ],
    integers: ['keys', ...strided.flatMap((name) => ['batch', 'head', 'row'].map((axis) => `${name}_${axis}`))],
  };
}

/** A group of projected queries, then for as many keys as there are columns and rows of scores, a list and candidates. */
export function rankedScratch({ projectedSize }: RankedSegment, [keys = 0]: readonly Size[]): Size {
  return addSizes(
    projectedSize * mostGroup * 4 + candidateRoom,
    multiplySizes(addSizes(keys, 32), 2 * mostGroup * 4 + 4 + candidateBytes),
  );
}

const attendRanked: SharedText = {
  name: 'attend_ranked',
  uses: [attentionFrame, attentionSelect],
  text: String.raw`/* The keys of one key/value head and the projected queries of one head, from the tile's first on. Strides in floats. */
struct ranked {
  const f32 *projected_query, *projected_key, *key, *value;
  i64 projected_query_stride, projected_key_stride, key_stride, value_stride;
  i64 keys, wanted;
  const i32 *mask;
  /* NULL where nothing stands for the rest. */
  const f32 *rest_value;
};

/* Merges one more key into the softmax of a row: the log sum exp of these scores. */
APART void merge_rest(
  const struct attention *tile, i64 row, i64 value_size, const f32 *scores, i64 count, const f32 *rest_value
) {
  vf most = splat(LOWEST), total = splat(0.0f);
  for (i64 j = 0; j < count; j += LANES) most = larger(most, load(scores + j));
  const f32 rest = largest_of(most);
  for (i64 j = 0; j < count; j += LANES) total += exponential_below(load(scores + j) - rest);
  const f32 sum = sum_of(total);
  if (!(sum > 0.0f)) return;
  const f32 old = tile->row_maximum[row], top = rest > old ? rest : old;
  const f32 correction = exponential_below(splat(old - top))[0], weight = sum * exponential_below(splat(rest - top))[0];
  tile->row_maximum[row] = top;
  tile->row_sum[row] = tile->row_sum[row] * correction + weight;
  f32 *const result = tile->row_result + row * tile->result_stride;
  for (i64 c = 0; c < value_size; c += LANES)
    store(result + c, load(result + c) * correction + load_part(rest_value + c, value_size - c) * weight);
}

APART void attend_ranked(
  const struct attention *tile, i64 value_size, i64 projected_size, f32 scale, const struct row_functions *functions,
  const struct ranked *of, i64 first_row, i64 rows
) {
  const i64 stride = (of->keys + 15) / 16 * 16;
  f32 *const panel = (f32 *)tile->own, *const columns = panel + projected_size * ${mostGroup};
  f32 *const scores_of_rows = columns + ${mostGroup} * stride;
  i32 *const list = (i32 *)(scores_of_rows + ${mostGroup} * stride);
  char *const candidates = (char *)(list + stride);
  for (i64 from = 0; from < rows; from += GROUP) {
    const i64 here = minimum(GROUP, rows - from);
    pack_group(of->projected_query + from * of->projected_query_stride, of->projected_query_stride, here, projected_size, scale, panel);
    score_group(panel, projected_size, of->projected_key, of->projected_key_stride, of->keys, columns);
    columns_to_rows(columns, of->keys, scores_of_rows, stride);
    for (i64 row = 0; row < here; row++) {
      f32 *const scores = scores_of_rows + row * stride;
      for (i64 j = 0; j < of->keys; j++) scores[j] = of->mask[j] ? scores[j] : -INFINITY;
      for (i64 j = of->keys; j < stride; j++) scores[j] = -INFINITY;
      const i64 chosen = list_largest(scores, of->keys, of->wanted, list, candidates), own = first_row + from + row;
      for (i64 start = 0; start < chosen; start += LIST_KEYS)
        functions->attend_list(tile, own, list + start, minimum(LIST_KEYS, chosen - start), of->key, of->key_stride, of->value,
          of->value_stride);
      if (!of->rest_value) continue;
      for (i64 i = 0; i < chosen; i++) scores[list[i]] = -INFINITY;
      merge_rest(tile, own, value_size, scores, stride, of->rest_value);
    }
  }
}`,
};

export function rankedText(segment: RankedSegment, { kernel, own, functions }: SegmentContext): SegmentText {
  const { valueSize } = kernel;
  const at = (name: string, head: string): string =>
    `${own(name)} + batch * ${own(`${name}_batch`)} + ${head} * ${own(`${name}_head`)}`;
  return {
    uses: [attendRanked],
    text: `for (i64 own_head = 0; own_head < heads_here; own_head++) {
  const struct ranked rows = {
    .projected_query = ${at('projected_query', '(head + own_head)')} + first_query * ${own('projected_query_row')},
    .projected_key = ${at('projected_key', 'key_head')}, .key = ${at('key', 'key_head')}, .value = ${at('value', 'key_head')},
    .projected_query_stride = ${own('projected_query_row')}, .projected_key_stride = ${own('projected_key_row')},
    .key_stride = ${own('key_row')}, .value_stride = ${own('value_row')}, .keys = ${own('keys')},
    .wanted = ${sizeText(segment.count, { tokens: `(i64)${own('tokens')}[batch]` })}, .mask = ${own('mask')} + batch * ${own('keys')},
    .rest_value = ${segment.rest ? `${own('rest_value')} + (batch * key_heads + key_head) * ${valueSize}` : 'NULL'},
  };
  attend_ranked(&tile, ${valueSize}, ${segment.projectedSize}, scale, ${functions}, &rows, own_head * tile.count, tile.count);
}`,
  };
}
