/**
 * Attention by rows: the lanes run over the head dimensions (scores) and over the columns (values). For at most four queries a head,
 * as decoding has them, where all query heads of one key/value head read its keys and values together; and for lists of keys that
 * one query reads by itself. What a row gets does not depend on the rows beside it.
 */
import type { SharedText } from './kernel-text.ts';
import { attentionGroups } from './attention-tile.ts';

/** The most queries of a tile that this serves, and the most rows (of several heads) at once. */
export const fewQueries = 4;
export const mostRows = 16;
/** Keys of a tile: they and their values stay in a first-level cache for all rows. */
export const fewKeys = 64;

/** Keys of a list that one call reads at most; longer lists are read in parts. */
export const listKeys = 256;

export const attentionRows: SharedText = {
  name: 'attention_rows',
  uses: [attentionGroups],
  text: String.raw`/* Sums that the registers hold, as rows by four keys or by vectors of columns. */
#if LANES == 16 || defined(__aarch64__)
#define ROWS_AT_ONCE 4
#define MOST_SUMS 16
#else
#define ROWS_AT_ONCE 2
#define MOST_SUMS 8
#endif

/* The sums over the lanes of four vectors. */
INLINE four sums_of_four(vf a, vf b, vf c, vf d) {
#if LANES == 16
  /* Quarters 0 and 2 (or 1 and 3) of two vectors, twice; then all quarters of one vector lie in one quarter. */
  const __m512 x = (__m512)a, y = (__m512)b, z = (__m512)c, w = (__m512)d;
  const __m512 xy = _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xdd));
  const __m512 zw = _mm512_add_ps(_mm512_shuffle_f32x4(z, w, 0x88), _mm512_shuffle_f32x4(z, w, 0xdd));
  __m512 all = _mm512_add_ps(_mm512_shuffle_f32x4(xy, zw, 0x88), _mm512_shuffle_f32x4(xy, zw, 0xdd));
  all = _mm512_add_ps(all, _mm512_permute_ps(all, 0xb1));
  all = _mm512_add_ps(all, _mm512_permute_ps(all, 0x4e));
  const __m512i first = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
  return (four)_mm512_castps512_ps128(_mm512_permutexvar_ps(first, all));
#elif LANES == 8
  const __m256 ab = _mm256_hadd_ps((__m256)a, (__m256)b), cd = _mm256_hadd_ps((__m256)c, (__m256)d);
  const __m256 all = _mm256_hadd_ps(ab, cd);
  return (four)_mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
#else
  four x[4] = {a, b, c, d};
  transpose_four(x);
  return (x[0] + x[2]) + (x[1] + x[3]);
#endif
}
/* size elements, LANES at a time; the lanes after the last one are 0. */
INLINE vf load_lanes(const f32 *from, const int count) { return count >= LANES ? load(from) : load_part(from, count); }
INLINE void store_lanes(f32 *to, vf x, const int count) {
  if (count >= LANES) store(to, x);
  else store_part(to, x, count);
}

/* Asks for a row of 'size' floats that is read soon, a line of a cache at a time. */
INLINE void ask_for_row(const f32 *row, const int size) {
  for (int at = 0; at < size; at += 16) __builtin_prefetch(row + at);
}

/* scores[r][j] = query[r] . key[listed ? list[j] : j]; up to three more are written. Asks for the row j of
 * 'ahead', unless it is NULL. */
INLINE void score_rows_at_once(
  const int rows, const int size, const int listed, const f32 *query, i64 query_stride, const f32 *key, i64 key_stride,
  const i32 *list, i64 count, f32 *scores, i64 scores_stride, const f32 *ahead, i64 ahead_stride, const int ahead_size
) {
  for (i64 j = 0; j < count; j += 4) {
    if (ahead)
      for (int k = 0; k < 4; k++) ask_for_row(ahead + (j + k) * ahead_stride, ahead_size);
    const f32 *keys[4];
    vf sums[ROWS_AT_ONCE][4];
    UNROLL for (int k = 0; k < 4; k++) {
      const i64 at = minimum(j + k, count - 1);
      keys[k] = key + (listed ? list[at] : at) * key_stride;
    }
    UNROLL for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = sums[r][2] = sums[r][3] = (vf){0};
    UNROLL for (int e = 0; e < size; e += LANES) {
      vf elements[ROWS_AT_ONCE];
      UNROLL for (int r = 0; r < rows; r++) elements[r] = load_lanes(query + r * query_stride + e, size - e);
      UNROLL for (int k = 0; k < 4; k++) {
        const vf x = load_lanes(keys[k] + e, size - e);
        UNROLL for (int r = 0; r < rows; r++) sums[r][k] += elements[r] * x;
      }
    }
    UNROLL for (int r = 0; r < rows; r++)
      store_four(scores + r * scores_stride + j, sums_of_four(sums[r][0], sums[r][1], sums[r][2], sums[r][3]));
  }
}
/* The same for any number of rows. */
INLINE void score_rows_of(
  const int size, i64 rows, const f32 *query, i64 query_stride, const f32 *key, i64 key_stride, i64 count, f32 *scores,
  i64 scores_stride, const f32 *ahead, i64 ahead_stride, const int ahead_size
) {
  i64 r = 0;
#define SCORE(at_once) for (; r + (at_once) <= rows; r += (at_once)) \
  score_rows_at_once(at_once, size, 0, query + r * query_stride, query_stride, key, key_stride, NULL, count, \
    scores + r * scores_stride, scores_stride, r == 0 ? ahead : NULL, ahead_stride, ahead_size)
#if ROWS_AT_ONCE == 4
  SCORE(4);
  SCORE(3);
#endif
  SCORE(2);
  SCORE(1);
#undef SCORE
}

/* scores[r][j] += bias[j]. */
APART void bias_rows(i64 rows, f32 *scores, i64 stride, i64 count, const f32 *bias) {
  for (i64 r = 0; r < rows; r++)
    for (i64 j = 0; j < count; j += LANES) store(scores + r * stride + j, load(scores + r * stride + j) + load(bias + j));
}

/*
 * One step of online softmax, as softmax_group does it. Scores after the last one become weights of 0 up to the next multiple of
 * LANES.
 */
APART void softmax_rows(i64 rows, f32 *scores, i64 stride, i64 count, f32 *maximum, f32 *sum, f32 *correction) {
  for (i64 r = 0; r < rows; r++) {
    f32 *const at = scores + r * stride;
    i64 end = count;
    for (; end % LANES != 0; end++) at[end] = -INFINITY;
    vf most = splat(maximum[r]), total = (vf){0};
    for (i64 j = 0; j < end; j += LANES) most = larger(most, load(at + j));
    const f32 top = largest_of(most);
    for (i64 j = 0; j < end; j += LANES) {
      const vf weight = exponential_below(load(at + j) - top);
      store(at + j, weight);
      total += weight;
    }
    correction[r] = exponential_below(splat(maximum[r] - top))[0];
    maximum[r] = top;
    sum[r] = sum[r] * correction[r] + sum_of(total);
  }
}

/*
 * result[r][c] = result[r][c] * correction[r] + sum over j of weights[r][j] * value[listed ? list[j] : j][c] for some vectors of
 * columns, the last of which has 'lanes' columns. With 'apart', for one row, keys of even and of odd place have sums of their own, so
 * that an addition need not wait for the last.
 */
INLINE void add_vectors_at_once(
  const int rows, const int vectors, const int lanes, const int listed, const int apart, const f32 *weights, i64 weights_stride, i64 count,
  const f32 *value, i64 value_stride, const i32 *list, f32 *result, i64 result_stride, const f32 *correction, const f32 *ahead,
  i64 ahead_stride, const int ahead_size
) {
  vf sums[ROWS_AT_ONCE][MOST_SUMS], odd[MOST_SUMS];
#define LANES_OF(v) ((v) == vectors - 1 ? lanes : LANES)
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int v = 0; v < vectors; v++)
      sums[r][v] = load_lanes(result + r * result_stride + v * LANES, LANES_OF(v)) * correction[r];
  i64 j = 0;
  if (apart) {
    UNROLL for (int v = 0; v < vectors; v++) odd[v] = (vf){0};
    for (; j + 2 <= count; j += 2) {
      const f32 *const even_row = value + (listed ? list[j] : j) * value_stride;
      const f32 *const odd_row = value + (listed ? list[j + 1] : j + 1) * value_stride;
      UNROLL for (int v = 0; v < vectors; v++) {
        sums[0][v] += weights[j] * load_lanes(even_row + v * LANES, LANES_OF(v));
        odd[v] += weights[j + 1] * load_lanes(odd_row + v * LANES, LANES_OF(v));
      }
    }
    UNROLL for (int v = 0; v < vectors; v++) sums[0][v] += odd[v];
  }
  for (; j < count; j++) {
    if (ahead) ask_for_row(ahead + j * ahead_stride, ahead_size);
    const f32 *const row = value + (listed ? list[j] : j) * value_stride;
    UNROLL for (int v = 0; v < vectors; v++) {
      const vf x = load_lanes(row + v * LANES, LANES_OF(v));
      UNROLL for (int r = 0; r < rows; r++) sums[r][v] += weights[r * weights_stride + j] * x;
    }
  }
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int v = 0; v < vectors; v++) store_lanes(result + r * result_stride + v * LANES, sums[r][v], LANES_OF(v));
#undef LANES_OF
}
/* All columns. */
INLINE void add_values_at_once(
  const int rows, const int size, const int listed, const int apart, const f32 *weights, i64 weights_stride, i64 count, const f32 *value,
  i64 value_stride, const i32 *list, f32 *result, i64 result_stride, const f32 *correction, const f32 *ahead, i64 ahead_stride,
  const int ahead_size
) {
  const int whole = size / LANES, fit = MOST_SUMS / (apart ? 2 : rows == 3 ? 4 : rows);
  const int most = whole == 0 ? 1 : fit < whole ? fit : whole;
#define ADD(vectors, lanes, column) add_vectors_at_once(rows, vectors, lanes, listed, apart, weights, weights_stride, count, \
    value + (column), value_stride, list, result + (column), result_stride, correction, (column) == 0 ? ahead : NULL, ahead_stride, \
    ahead_size)
  for (int v = 0; v + most <= whole; v += most) ADD(most, LANES, v * LANES);
  if (whole % most != 0) ADD(whole % most, LANES, whole / most * most * LANES);
  if (size % LANES != 0) ADD(1, size % LANES, whole * LANES);
#undef ADD
}
/* The same for any number of rows. */
INLINE void add_values_rows_of(
  const int size, i64 rows, const f32 *weights, i64 weights_stride, i64 count, const f32 *value, i64 value_stride, f32 *result,
  i64 result_stride, const f32 *correction, const f32 *ahead, i64 ahead_stride, const int ahead_size
) {
  i64 r = 0;
#define ADD(at_once) for (; r + (at_once) <= rows; r += (at_once)) \
  add_values_at_once(at_once, size, 0, 0, weights + r * weights_stride, weights_stride, count, value, value_stride, NULL, \
    result + r * result_stride, result_stride, correction + r, r == 0 ? ahead : NULL, ahead_stride, ahead_size)
#if ROWS_AT_ONCE == 4
  ADD(4);
  ADD(3);
#endif
  ADD(2);
  ADD(1);
#undef ADD
}`,
};
