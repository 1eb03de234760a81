/**
 * What the segments of an attention kernel share: the place of everything in scratch, and the item at hand (a tile of queries of one
 * head, or few queries of several heads of one key/value head) with its running softmax.
 */
import type { AttentionKernel } from '../../kernel/kernel.ts';
import { attentionRows, fewKeys, listKeys, mostRows } from './attention-few.ts';
import { mostGroup } from './attention-tile.ts';
import type { SharedText } from './kernel-text.ts';

export interface SegmentContext {
  readonly kernel: AttentionKernel;
  /** A parameter of the segment in the C text. */
  own(name: string): string;
  /** Head size, value size and tile of keys; the functions of rows or NULL: arguments that C functions share. */
  readonly sizes: string;
  readonly functions: string;
}
/** Statements that add a segment to the softmax of `tile`. */
export interface SegmentText {
  readonly uses: readonly SharedText[];
  readonly text: string;
}

/** Byte offsets from the lane's scratch; `segments` is the start of what a segment needs for itself. */
export interface ScratchLayout {
  readonly offsets: Readonly<Record<(typeof parts)[number], number>>;
  readonly segments: number;
  /** Whether queries of tiles have, beside their groups, a softmax by rows for keys that each chooses for itself. */
  readonly chooses: boolean;
  /** Whether there are rows at all: for these, or where few queries are rows. */
  readonly byRows: boolean;
  /** Floats from one row to the next. */
  readonly queryStride: number;
  readonly resultStride: number;
}
/** In the order of the fields of `struct attention`. */
const parts = [
  ...['panels', 'scores', 'bias', 'maximum', 'sum', 'correction', 'result'],
  ...['row_query', 'row_maximum', 'row_sum', 'row_correction', 'row_result'],
] as const;

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;
export function scratchLayout({ headSize, valueSize, segments, schedule }: AttentionKernel): ScratchLayout {
  const { queryTile, keyTile, fewQueries } = schedule;
  // Whole groups at any level of instruction sets.
  const tileRows = roundUp(queryTile, mostGroup);
  const chooses = segments.some(
    (segment) => segment.kind === 'ranked' || (segment.kind === 'clusters' && segment.expand !== null),
  );
  const byRows = fewQueries || chooses;
  const rows = byRows ? Math.max(tileRows, mostRows) : 0;
  const [queryStride, resultStride] = [roundUp(headSize, 16), roundUp(valueSize, 16)];
  const floats: Readonly<Record<string, number>> = {
    panels: tileRows * headSize,
    scores: Math.max(keyTile * mostGroup, byRows ? Math.max(mostRows * fewKeys, listKeys) : 0),
    bias: Math.max(keyTile, fewKeys),
    maximum: tileRows,
    sum: tileRows,
    correction: tileRows,
    result: tileRows * valueSize,
    row_query: rows * queryStride,
    row_maximum: rows,
    row_sum: rows,
    row_correction: rows,
    row_result: rows * resultStride,
  };
  let used = 0;
  const offsets = Object.fromEntries(
    parts.map((part) => {
      const at = used;
      used += roundUp((floats[part] ?? 0) * 4, 64);
      return [part, at];
    }),
  ) as ScratchLayout['offsets'];
  return { offsets, segments: used, chooses, byRows, queryStride, resultStride };
}

/** The statement that makes `tile` over the lane's scratch. */
export function tileStatement({ offsets, segments, queryStride, resultStride }: ScratchLayout): string {
  const fields = parts.map((part) => `.${part} = (f32 *)(scratch + ${offsets[part]})`);
  return `struct attention tile = {
  ${fields.join(',\n  ')},
  .own = scratch + ${segments}, .query_stride = ${queryStride}, .result_stride = ${resultStride},
};`;
}

export function rowFunctionsName(headSize: number, valueSize: number): string {
  return `rows_${headSize}_${valueSize}`;
}
/** The functions of rows of these sizes; kernels of equal sizes have them in common. */
const ofSizes = new Map<string, SharedText>();
export function rowFunctions(headSize: number, valueSize: number): SharedText {
  const name = `attention_rows_${headSize}_${valueSize}`;
  const known = ofSizes.get(name);
  if (known) return known;
  const sizes = `${headSize}_${valueSize}`;
  const text: SharedText = {
    name,
    uses: [attentionFrame],
    text: `APART void score_rows_${sizes}(
  i64 rows, const f32 *query, i64 query_stride, const f32 *key, i64 key_stride, i64 count, f32 *scores, i64 scores_stride,
  const f32 *ahead, i64 ahead_stride
) {
  score_rows_of(${headSize}, rows, query, query_stride, key, key_stride, count, scores, scores_stride, ahead, ahead_stride,
    ${valueSize});
}
APART void add_values_rows_${sizes}(
  i64 rows, const f32 *weights, i64 weights_stride, i64 count, const f32 *value, i64 value_stride, f32 *result, i64 result_stride,
  const f32 *correction, const f32 *ahead, i64 ahead_stride
) {
  add_values_rows_of(${valueSize}, rows, weights, weights_stride, count, value, value_stride, result, result_stride, correction,
    ahead, ahead_stride, ${headSize});
}
/* Online softmax of one row of the tile over the keys list[0 .. count), at most ${listKeys}. */
APART void attend_list_${sizes}(
  const struct attention *tile, i64 row, const i32 *list, i64 count, const f32 *key, i64 key_stride, const f32 *value, i64 value_stride
) {
  f32 correction, *const scores = tile->scores, *const result = tile->row_result + row * tile->result_stride;
  score_rows_at_once(1, ${headSize}, 1, tile->row_query + row * tile->query_stride, 0, key, key_stride, list, count, scores, 0,
    NULL, 0, 0);
  softmax_rows(1, scores, 0, count, tile->row_maximum + row, tile->row_sum + row, &correction);
  add_values_at_once(1, ${valueSize}, 1, 1, scores, 0, count, value, value_stride, list, result, 0, &correction, NULL, 0, 0);
}
/* scores[j] = query . key[j], and result += sum over j of weights[j] * value[j], for few rows that lie together. */
APART void score_run_${sizes}(const f32 *query, const f32 *key, i64 count, f32 *scores) {
  score_rows_at_once(1, ${headSize}, 0, query, 0, key, ${headSize}, NULL, count, scores, 0, NULL, 0, 0);
}
APART void add_run_${sizes}(const f32 *weights, i64 count, const f32 *value, f32 *result) {
  const f32 one = 1.0f;
  add_values_at_once(1, ${valueSize}, 0, 1, weights, 0, count, value, ${valueSize}, NULL, result, 0, &one, NULL, 0, 0);
}
static const struct row_functions ${rowFunctionsName(headSize, valueSize)} = {
  score_rows_${sizes}, add_values_rows_${sizes}, attend_list_${sizes}, score_run_${sizes}, add_run_${sizes},
};`,
  };
  ofSizes.set(name, text);
  return text;
}

export const attentionFrame: SharedText = {
  name: 'attention_frame',
  uses: [attentionRows],
  text: String.raw`struct attention;
/* The functions of rows for the sizes of a kernel's heads. */
struct row_functions {
  void (*score)(i64, const f32 *, i64, const f32 *, i64, i64, f32 *, i64, const f32 *, i64);
  void (*add_values)(i64, const f32 *, i64, i64, const f32 *, i64, f32 *, i64, const f32 *, const f32 *, i64);
  void (*attend_list)(const struct attention *, i64, const i32 *, i64, const f32 *, i64, const f32 *, i64);
  void (*score_run)(const f32 *, const f32 *, i64, f32 *);
  void (*add_run)(const f32 *, i64, const f32 *, f32 *);
};

/* The item at hand. */
struct attention {
  /* f32 [tile / GROUP][head size][GROUP]: the queries times the scale. */
  f32 *panels;
  /* f32 [key tile][GROUP], or [row][FEW_KEYS]. */
  f32 *scores;
  /* f32 [key tile]. */
  f32 *bias;
  /* The running softmax, f32 [tile] each; result f32 [tile / GROUP][value size][GROUP]. */
  f32 *maximum, *sum, *correction, *result;
  /* Queries times the scale by rows, and a running softmax of theirs for keys that each row reads by itself. */
  f32 *row_query, *row_maximum, *row_sum, *row_correction, *row_result;
  /* What a segment needs for itself. */
  char *own;
  i64 query_stride, result_stride;
  /* Queries of a head; the first of the tile, and how many it has. Rows of all heads at hand: those of a head lie together. */
  i64 queries, first_query, count, rows;
  /* Whether all keys are read by rows. */
  int by_rows;
};

/* Keys and values in order, and what limits them: query i sees the keys i + from <= j <= i + to. Strides in floats. */
struct key_rows {
  const f32 *key, *value;
  i64 key_stride, value_stride, first, end;
  const f32 *bias;
  const i32 *mask;
  i64 from, to;
};
/* No limit; sums of two of them stay far from the bounds of i32. */
#define ANYWHERE ((i64)1 << 29)
/* Keys that rows read at a time, and at most of a list. */
#define FEW_KEYS ${fewKeys}
#define LIST_KEYS ${listKeys}
/* The most rows at a time. */
#define MOST_ROWS ${mostRows}

/* Fills the bias of keys [start, start + count); tells up to where any can be seen, and whether any bias is not 0. */
APART i64 fill_bias(const struct key_rows *keys, i64 start, i64 count, f32 *bias, int *biased) {
  i64 seen = 0;
  *biased = 0;
  for (i64 j = 0; j < count; j++) {
    const f32 own = keys->bias ? keys->bias[start + j] : 0.0f;
    bias[j] = keys->mask && !keys->mask[start + j] ? -INFINITY : own;
    *biased |= bias[j] != 0.0f;
    if (bias[j] > -INFINITY) seen = j + 1;
  }
  return seen;
}

/* Softmax of a finished tile of scores of one group, and its values into the result. */
INLINE void merge_group(
  const struct attention *tile, const int value_size, i64 group, f32 *scores, i64 count, const f32 *value, i64 value_stride
) {
  const i64 at = group * GROUP;
  softmax_group(scores, count, tile->maximum + at, tile->sum + at, tile->correction + at);
  add_values_group(scores, count, value, value_stride, value_size, tile->correction + at, tile->result + at * value_size);
}

INLINE void attend_tile(
  const struct attention *tile, const int head_size, const int value_size, const struct key_rows *keys, i64 start, i64 count, int biased
) {
  for (i64 group = 0; group * GROUP < tile->count; group++) {
    /* The lane l of the group sees low + l <= j <= high + l of the tile of keys. */
    const i64 first_lane = tile->first_query + group * GROUP - start;
    const i64 low = first_lane + keys->from, high = first_lane + keys->to;
    const i64 first = maximum(low, 0), length = minimum(count, high + minimum(GROUP, tile->count - group * GROUP)) - first;
    if (length <= 0) continue;
    const f32 *const key = keys->key + (start + first) * keys->key_stride;
    score_group(tile->panels + group * GROUP * head_size, head_size, key, keys->key_stride, length, tile->scores);
    if (biased) bias_group(tile->scores, length, tile->bias + first);
    if (high - first < length - 1 || low - first + GROUP - 1 > 0) limit_group(tile->scores, length, low - first, high - first);
    merge_group(tile, value_size, group, tile->scores, length, keys->value + (start + first) * keys->value_stride, keys->value_stride);
  }
}

/* Scores of keys that a row does not see become -inf. */
APART void limit_rows(const struct attention *tile, const struct key_rows *keys, i64 start, i64 count) {
  for (i64 row = 0; row < tile->rows; row++) {
    const i64 query = tile->first_query + row % tile->count - start;
    f32 *const scores = tile->scores + row * FEW_KEYS;
    for (i64 j = 0; j < minimum(count, query + keys->from); j++) scores[j] = -INFINITY;
    for (i64 j = maximum(0, query + keys->to + 1); j < count; j++) scores[j] = -INFINITY;
  }
}
APART void attend_few(
  const struct attention *tile, const struct row_functions *of, const struct key_rows *keys, i64 start, i64 count, int biased
) {
  const f32 *const key = keys->key + start * keys->key_stride, *const value = keys->value + start * keys->value_stride;
  of->score(tile->rows, tile->row_query, tile->query_stride, key, keys->key_stride, count, tile->scores, FEW_KEYS, value,
    keys->value_stride);
  if (biased) bias_rows(tile->rows, tile->scores, FEW_KEYS, count, tile->bias);
  if (keys->from > -ANYWHERE || keys->to < ANYWHERE) limit_rows(tile, keys, start, count);
  softmax_rows(tile->rows, tile->scores, FEW_KEYS, count, tile->row_maximum, tile->row_sum, tile->row_correction);
  of->add_values(tile->rows, tile->scores, FEW_KEYS, count, value, keys->value_stride, tile->row_result, tile->result_stride,
    tile->row_correction, start + 2 * FEW_KEYS <= keys->end ? key + FEW_KEYS * keys->key_stride : NULL, keys->key_stride);
}

/* Rows from 'first' on: queries times the scale, which zeros follow up to a multiple of 16, and a softmax of nothing. */
APART void begin_rows(const struct attention *tile, i64 first, const f32 *query, i64 stride, i64 head_size, f32 scale) {
  for (i64 row = first; row < first + tile->count; row++, query += stride) {
    f32 *const to = tile->row_query + row * tile->query_stride;
    for (i64 e = 0; e < tile->query_stride; e += LANES) store(to + e, e < head_size ? load_part(query + e, head_size - e) * scale : splat(0.0f));
    tile->row_maximum[row] = LOWEST;
    tile->row_sum[row] = 0.0f;
    memset(tile->row_result + row * tile->result_stride, 0, (size_t)tile->result_stride * sizeof(f32));
  }
}
APART void end_rows(
  const struct attention *tile, i64 value_size, f32 *out, i64 head_stride, i64 row_stride, f32 *log_sum_exp, i64 sum_head_stride
) {
  for (i64 row = 0; row < tile->rows; row++) {
    const i64 head = row / tile->count, query = row % tile->count;
    const f32 sum = tile->row_sum[row], factor = sum > 0.0f ? 1.0f / sum : 0.0f, *const from = tile->row_result + row * tile->result_stride;
    f32 *const to = out + head * head_stride + query * row_stride;
    for (i64 c = 0; c < value_size; c += LANES) store_part(to + c, load(from + c) * factor, value_size - c);
    if (log_sum_exp) log_sum_exp[head * sum_head_stride + query] = tile->row_maximum[row] + logarithm_1(sum);
  }
}

APART void begin_groups(const struct attention *tile, const f32 *query, i64 stride, i64 head_size, i64 value_size, f32 scale) {
  for (i64 first = 0; first < tile->count; first += GROUP) {
    pack_group(query + first * stride, stride, minimum(GROUP, tile->count - first), head_size, scale, tile->panels + first * head_size);
    for (i64 lane = first; lane < first + GROUP; lane++) {
      tile->maximum[lane] = LOWEST;
      tile->sum[lane] = 0.0f;
    }
    memset(tile->result + first * value_size, 0, (size_t)(GROUP * value_size) * sizeof(f32));
  }
}
/* 'chooses': the rows of the tile have another part of the softmax, which is merged. */
APART void end_groups(const struct attention *tile, i64 value_size, int chooses, f32 *out, i64 stride, f32 *log_sum_exp) {
  for (i64 first = 0; first < tile->count; first += GROUP) {
    f32 factors[GROUP], row_factors[GROUP];
    for (i64 at = 0; at < GROUP; at += LANES) {
      const vf maximum = load(tile->maximum + first + at);
      vf top = maximum, sum = load(tile->sum + first + at), own = splat(1.0f), of_row = splat(0.0f);
      if (chooses) {
        const vf row_maximum = load(tile->row_maximum + first + at);
        top = larger(maximum, row_maximum);
        own = exponential_below(maximum - top);
        of_row = exponential_below(row_maximum - top);
        sum = sum * own + load(tile->row_sum + first + at) * of_row;
      }
      const vi seen = sum > 0.0f;
      store(factors + at, select_f(seen, own / sum, splat(0.0f)));
      store(row_factors + at, select_f(seen, of_row / sum, splat(0.0f)));
      if (log_sum_exp && first + at < tile->count) store_part(log_sum_exp + first + at, top + logarithm(sum), tile->count - first - at);
    }
    const i64 rows = minimum(GROUP, tile->count - first);
    for (i64 row = 0; row < rows; row += 4) {
      const f32 *const from = tile->result + first * value_size + row;
      const four factor = load_four(factors + row);
      for (i64 c = 0; c < value_size; c += 4) {
        four x[4];
        for (int i = 0; i < 4; i++) x[i] = load_four(from + minimum(c + i, value_size - 1) * GROUP) * factor;
        transpose_four(x);
        for (i64 i = 0; i < minimum(4, rows - row); i++) {
          f32 *const to = out + (first + row + i) * stride + c;
          if (chooses) x[i] += load_four(tile->row_result + (first + row + i) * tile->result_stride + c) * row_factors[row + i];
          if (c + 4 <= value_size) store_four(to, x[i]);
          else for (i64 tail = 0; tail < value_size - c; tail++) to[tail] = x[i][tail];
        }
      }
    }
  }
}

/* Online softmax of the tile over keys in order. */
INLINE void attend_keys(
  const struct attention *tile, const int head_size, const int value_size, const int key_tile, const struct row_functions *of,
  const struct key_rows *keys
) {
  const i64 step = tile->by_rows ? FEW_KEYS : key_tile;
  const i64 last = minimum(keys->end, tile->first_query + tile->count + keys->to);
  for (i64 start = maximum(keys->first, tile->first_query + keys->from); start < last; start += step) {
    int biased = 0;
    i64 count = minimum(step, last - start);
    if (keys->bias || keys->mask) count = fill_bias(keys, start, count, tile->bias, &biased);
    if (count <= 0) continue;
    if (tile->by_rows) attend_few(tile, of, keys, start, count, biased);
    else attend_tile(tile, head_size, value_size, keys, start, count, biased);
  }
}`,
};
