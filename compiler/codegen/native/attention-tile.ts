/**
 * The steps of dense attention for a group of queries: as many as fill two vectors, whose lanes they are. Keys and values are read
 * where they lie, one element at a time for all lanes, so that heads of any size have no tails, softmax crosses no lanes, and only
 * queries and results are transposed. Sums of products stay in registers: KEYS_AT_ONCE keys (or columns) by two vectors.
 */
import { f32Constant, type SharedText } from './kernel-text.ts';

/** The most queries of a group at any level of instruction sets. */
export const mostGroup = 32;

/** 2^f on [-1/2, 1/2], lowest power first: minimax of degree 5 (own Remez fit), the constant set to 1; relative error 1.5e-7. */
const powerOfTwo = [1, 0.693146967, 0.240221197, 0.0555071327, 0.00967554133, 0.0013276472] as const;
const [first, ...rest] = [...powerOfTwo].reverse();
const polynomial = rest.reduce((sum, c) => `(${sum} * fraction + ${f32Constant(c)})`, `splat(${f32Constant(first ?? 0)})`);

export const attentionGroups: SharedText = {
  name: 'attention_groups',
  text: String.raw`/* Queries of a group; they are the lanes of two vectors. */
#define GROUP (2 * LANES)
/* Sums of two vectors each that the registers hold beside what they are made of. */
#if LANES == 16 || defined(__aarch64__)
#define KEYS_AT_ONCE 8
#elif LANES == 8
#define KEYS_AT_ONCE 6
#else
#define KEYS_AT_ONCE 4
#endif
/* The running maximum before the first key: finite, so that a difference of two of them is a number. */
#define LOWEST -3.4028234663852886e38f

typedef f32 four __attribute__((vector_size(16)));
typedef f32 four_anywhere __attribute__((vector_size(16), aligned(4), may_alias));
INLINE four load_four(const f32 *from) { return *(const four_anywhere *)from; }
INLINE void store_four(f32 *to, four x) { *(four_anywhere *)to = x; }
#if defined(__clang__)
#define SHUFFLE_FOUR(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef i32 four_i __attribute__((vector_size(16)));
#define SHUFFLE_FOUR(a, b, ...) __builtin_shuffle(a, b, (four_i){__VA_ARGS__})
#endif
INLINE void transpose_four(four x[4]) {
  const four low01 = SHUFFLE_FOUR(x[0], x[1], 0, 4, 1, 5), low23 = SHUFFLE_FOUR(x[2], x[3], 0, 4, 1, 5);
  const four high01 = SHUFFLE_FOUR(x[0], x[1], 2, 6, 3, 7), high23 = SHUFFLE_FOUR(x[2], x[3], 2, 6, 3, 7);
  x[0] = SHUFFLE_FOUR(low01, low23, 0, 1, 4, 5);
  x[1] = SHUFFLE_FOUR(low01, low23, 2, 3, 6, 7);
  x[2] = SHUFFLE_FOUR(high01, high23, 0, 1, 4, 5);
  x[3] = SHUFFLE_FOUR(high01, high23, 2, 3, 6, 7);
}

/* exp for x <= 0, 0 below e^-87: x / ln 2 = n + fraction. */
INLINE vf exponential_below(vf x) {
  const vf shifted = x * ${f32Constant(Math.LOG2E)} + ROUNDING_SHIFT;
  const vf fraction = x * ${f32Constant(Math.LOG2E)} - (shifted - ROUNDING_SHIFT);
  const vf power = ${polynomial};
  return (vf)((vi)((vu)power + ((vu)shifted << 23)) & (x > -87.0f));
}

/* panel[e][lane] = factor * rows[lane][e] for a group of queries; lanes without a row repeat the last one. */
APART void pack_group(const f32 *rows, i64 stride, i64 count, i64 size, f32 factor, f32 *panel) {
  for (i64 lane = 0; lane < GROUP; lane += 4) {
    const f32 *from[4];
    for (int i = 0; i < 4; i++) from[i] = rows + minimum(lane + i, count - 1) * stride;
    i64 e = 0;
    for (; e + 4 <= size; e += 4) {
      four x[4];
      for (int i = 0; i < 4; i++) x[i] = load_four(from[i] + e) * factor;
      transpose_four(x);
      for (int i = 0; i < 4; i++) store_four(panel + (e + i) * GROUP + lane, x[i]);
    }
    for (; e < size; e++)
      for (int i = 0; i < 4; i++) panel[e * GROUP + lane + i] = from[i][e] * factor;
  }
}

/* rows[lane][j] = columns[j][lane] of a group; count is rounded up to 4, and stride leaves room for that. */
APART void columns_to_rows(const f32 *columns, i64 count, f32 *rows, i64 stride) {
  for (i64 lane = 0; lane < GROUP; lane += 4)
    for (i64 j = 0; j < count; j += 4) {
      four x[4];
      for (int i = 0; i < 4; i++) x[i] = load_four(columns + minimum(j + i, count - 1) * GROUP + lane);
      transpose_four(x);
      for (int i = 0; i < 4; i++) store_four(rows + (lane + i) * stride + j, x[i]);
    }
}

INLINE void score_keys_at_once(const int keys, const f32 *panel, i64 size, const f32 *key, i64 stride, f32 *scores) {
  vf sums[KEYS_AT_ONCE][2];
  UNROLL for (int k = 0; k < keys; k++) sums[k][0] = sums[k][1] = (vf){0};
  for (i64 e = 0; e < size; e++) {
    const vf low = load(panel + e * GROUP), high = load(panel + e * GROUP + LANES);
    UNROLL for (int k = 0; k < keys; k++) {
      const f32 element = key[k * stride + e];
      sums[k][0] += low * element;
      sums[k][1] += high * element;
    }
  }
  UNROLL for (int k = 0; k < keys; k++) {
    store(scores + k * GROUP, sums[k][0]);
    store(scores + k * GROUP + LANES, sums[k][1]);
  }
}
/* scores[j][lane] = sum over e of panel[e][lane] * key[j][e]. */
APART void score_group(const f32 *panel, i64 size, const f32 *key, i64 stride, i64 count, f32 *scores) {
  i64 j = 0;
#define SCORE(keys) for (; j + (keys) <= count; j += (keys)) \
  score_keys_at_once(keys, panel, size, key + j * stride, stride, scores + j * GROUP)
  SCORE(KEYS_AT_ONCE);
  SCORE(4);
  SCORE(2);
  SCORE(1);
#undef SCORE
}

/* scores[j][*] += bias[j]. */
APART void bias_group(f32 *scores, i64 count, const f32 *bias) {
  for (i64 j = 0; j < count; j++) {
    store(scores + j * GROUP, load(scores + j * GROUP) + bias[j]);
    store(scores + j * GROUP + LANES, load(scores + j * GROUP + LANES) + bias[j]);
  }
}

/* Scores of keys that a lane may not see become -inf: it sees first + lane <= j <= last + lane. */
APART void limit_group(f32 *scores, i64 count, i64 first, i64 last) {
  for (i64 j = 0; j < count; j++)
    for (int half = 0; half < 2; half++) {
      const i32 lane = half * LANES;
      const vi hidden = (lane_numbers() < (i32)(j - last) - lane) | (lane_numbers() > (i32)(j - first) - lane);
      f32 *const at = scores + j * GROUP + lane;
      store(at, select_f(hidden, splat(-INFINITY), load(at)));
    }
}

/*
 * One step of online softmax (Milakov and Gimelshein 2018, arXiv 1805.02867): scores become exp(score - new maximum), and maximum,
 * sum and correction (what earlier sums are to be multiplied by) are brought up to date. A lane that has seen no key keeps the
 * maximum LOWEST and the sum 0.
 */
APART void softmax_group(f32 *scores, i64 count, f32 *maximum, f32 *sum, f32 *correction) {
  vf even[2], odd[2], total[2];
  UNROLL for (int half = 0; half < 2; half++) {
    even[half] = odd[half] = load(maximum + half * LANES);
    total[half] = (vf){0};
  }
  i64 j = 0;
  for (; j + 2 <= count; j += 2)
    UNROLL for (int half = 0; half < 2; half++) {
      even[half] = larger(even[half], load(scores + j * GROUP + half * LANES));
      odd[half] = larger(odd[half], load(scores + (j + 1) * GROUP + half * LANES));
    }
  if (j < count) {
    UNROLL for (int half = 0; half < 2; half++) even[half] = larger(even[half], load(scores + j * GROUP + half * LANES));
  }
  UNROLL for (int half = 0; half < 2; half++) even[half] = larger(even[half], odd[half]);
  for (j = 0; j < count; j++)
    UNROLL for (int half = 0; half < 2; half++) {
      f32 *const at = scores + j * GROUP + half * LANES;
      const vf weight = exponential_below(load(at) - even[half]);
      store(at, weight);
      total[half] += weight;
    }
  UNROLL for (int half = 0; half < 2; half++) {
    const vf factor = exponential_below(load(maximum + half * LANES) - even[half]);
    store(correction + half * LANES, factor);
    store(maximum + half * LANES, even[half]);
    store(sum + half * LANES, load(sum + half * LANES) * factor + total[half]);
  }
}

INLINE void add_columns_at_once(
  const int columns, const f32 *weights, i64 count, const f32 *value, i64 stride, const f32 *correction, f32 *result
) {
  vf sums[KEYS_AT_ONCE][2];
  UNROLL for (int c = 0; c < columns; c++) {
    sums[c][0] = load(result + c * GROUP) * load(correction);
    sums[c][1] = load(result + c * GROUP + LANES) * load(correction + LANES);
  }
  for (i64 j = 0; j < count; j++) {
    const vf low = load(weights + j * GROUP), high = load(weights + j * GROUP + LANES);
    UNROLL for (int c = 0; c < columns; c++) {
      const f32 element = value[j * stride + c];
      sums[c][0] += low * element;
      sums[c][1] += high * element;
    }
  }
  UNROLL for (int c = 0; c < columns; c++) {
    store(result + c * GROUP, sums[c][0]);
    store(result + c * GROUP + LANES, sums[c][1]);
  }
}
/* result[c][lane] = result[c][lane] * correction[lane] + sum over j of weights[j][lane] * value[j][c]. */
APART void add_values_group(
  const f32 *weights, i64 count, const f32 *value, i64 stride, i64 size, const f32 *correction, f32 *result
) {
  i64 c = 0;
#define ADD(columns) for (; c + (columns) <= size; c += (columns)) \
  add_columns_at_once(columns, weights, count, value + c, stride, correction, result + c * GROUP)
  ADD(KEYS_AT_ONCE);
  ADD(4);
  ADD(2);
  ADD(1);
#undef ADD
}`,
};
