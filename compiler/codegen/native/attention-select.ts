/**
 * The exact top of a row of estimates. The largest of each of 8 LANES columns give a bound that few estimates reach; among those, a
 * threshold is searched that separates the wanted number of them. Any value between the last wanted and the first unwanted estimate
 * ends the search.
 */
import { attentionGroups } from './attention-tile.ts';
import type { SharedText } from './kernel-text.ts';

/** Bytes that select_largest needs beside its results, for `count` estimates: their numbers and values; and how many more. */
export const candidateBytes = 8;
export const candidateRoom = 1024;

export const attentionSelect: SharedText = {
  name: 'attention_select',
  uses: [attentionGroups],
  text: String.raw`/* Columns whose largest are taken first, in vectors. */
#define COLUMN_VECTORS 8
/* More than any number of keys: all that equal the threshold are taken. */
#define UNLIMITED INT64_MAX
/* Rounds that halve the interval of values; after them its floats are halved, which ends after 32 more. */
#define VALUE_ROUNDS 24

/* Bits of floats as integers in the order of the floats, and back. */
INLINE i64 ordered(f32 x) {
  i32 bits;
  memcpy(&bits, &x, sizeof bits);
  return bits < 0 ? bits ^ 0x7fffffff : bits;
}
INLINE f32 of_ordered(i64 order) {
  const i32 bits = (i32)(order < 0 ? order ^ 0x7fffffff : order);
  f32 x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
INLINE i64 sum_of_integers(vi x) {
  i64 sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += x[lane];
  return sum;
}

/* Where x is not below the bound, as bits. */
INLINE u32 reach(vf x, vf bound) {
#if LANES == 16
  return _mm512_cmp_ps_mask((__m512)x, (__m512)bound, _CMP_GE_OQ);
#elif LANES == 8
  return (u32)_mm256_movemask_ps(_mm256_cmp_ps((__m256)x, (__m256)bound, _CMP_GE_OQ));
#else
  const vi mask = (x >= bound) & (vi){1, 2, 4, 8};
  return (u32)((mask[0] | mask[1]) | (mask[2] | mask[3]));
#endif
}

/* Estimates above 'threshold', and the first 'budget' of those that equal it. */
struct bound {
  f32 threshold;
  i64 budget;
};

/* What the 'wanted' largest of x[count] are, ties to the earlier one, -inf never; -inf stands up to a multiple of LANES. */
APART struct bound find_bound(const f32 *x, i64 count, i64 wanted) {
  vf least = splat(INFINITY), most = splat(-INFINITY);
  vi finite = splat_i(0);
  for (i64 j = 0; j < count; j += LANES) {
    const vf values = load(x + j);
    const vi is_finite = values > -INFINITY;
    finite -= is_finite;
    most = larger(most, values);
    least = smaller(least, select_f(is_finite, values, splat(INFINITY)));
  }
  if (sum_of_integers(finite) <= wanted) return (struct bound){LOWEST, UNLIMITED};
  /* At least 'wanted' reach low, fewer reach high: 'above' of them. */
  i64 low = ordered(-largest_of(-least)), high = ordered(largest_of(most)) + 1, above = 0;
  for (int round = 0; low + 1 < high; round++) {
    i64 middle = round < VALUE_ROUNDS ? ordered(of_ordered(low) * 0.5f + of_ordered(high) * 0.5f) : low + (high - low) / 2;
    middle = maximum(minimum(middle, high - 1), low + 1);
    const vf value = splat(of_ordered(middle));
    vi reached = splat_i(0);
    for (i64 j = 0; j < count; j += LANES) reached -= load(x + j) >= value;
    const i64 number = sum_of_integers(reached);
    if (number == wanted) return (struct bound){of_ordered(middle), UNLIMITED};
    if (number > wanted) {
      low = middle;
    } else {
      high = middle;
      above = number;
    }
  }
  return (struct bound){of_ordered(low), wanted - above};
}

/* Lists the numbers of the estimates within a bound, ascending; how many they are. */
APART i64 list_within(const f32 *x, i64 count, struct bound bound, i32 *list) {
  i64 length = 0;
  const vf threshold = splat(bound.threshold);
  for (i64 j = 0; j < count; j += LANES)
    for (u32 lanes = reach(load(x + j), threshold); lanes != 0; lanes &= lanes - 1) {
      const i64 at = j + __builtin_ctz(lanes);
      if (x[at] == bound.threshold && bound.budget-- <= 0) continue;
      list[length++] = (i32)at;
    }
  return length;
}

/* A value that at least the 'wanted' largest of x[count] reach, and few others; all but -inf where fewer are wanted than there are. */
APART f32 bound_below(const f32 *x, i64 count, i64 wanted) {
  const i64 columns = COLUMN_VECTORS * LANES;
  if (wanted > columns || count < 2 * columns) return find_bound(x, count, wanted).threshold;
  vf most[COLUMN_VECTORS];
  f32 largest[COLUMN_VECTORS * LANES];
  UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) most[v] = load(x + v * LANES);
  i64 j = columns;
  for (; j + columns <= count; j += columns)
    UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) most[v] = larger(most[v], load(x + j + v * LANES));
  for (; j < count; j += LANES) most[0] = larger(most[0], load(x + j));
  UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) store(largest + v * LANES, most[v]);
  return find_bound(largest, columns, wanted).threshold;
}

/*
 * Lists the 'wanted' largest of x[count]. x and the places of list and candidates have room for a multiple of LANES; what follows in x
 * up to there becomes -inf.
 */
APART i64 list_largest(f32 *x, i64 count, i64 wanted, i32 *list, char *candidates) {
  if (wanted <= 0) return 0;
  i64 end = count;
  for (; end % LANES != 0; end++) x[end] = -INFINITY;
  const i64 found = list_within(x, end, (struct bound){bound_below(x, end, wanted), UNLIMITED}, list);
  if (found <= wanted) return found;
  f32 *const values = (f32 *)candidates;
  i32 *const within = (i32 *)(values + found + LANES);
  for (i64 i = 0; i < found; i++) values[i] = x[list[i]];
  i64 padded = found;
  for (; padded % LANES != 0; padded++) values[padded] = -INFINITY;
  const i64 length = list_within(values, padded, find_bound(values, padded, wanted), within);
  /* Both lists ascend, so that a place is read before it is written. */
  for (i64 i = 0; i < length; i++) list[i] = list[within[i]];
  return length;
}

/*
 * The same for the at most 'most' largest of those with estimate - log Z > log_share, Z being the sum of the exponentials of all
 * estimates and of what a softmax (maximum, sum) holds.
 */
APART i64 list_shares(
  f32 *x, i64 count, i64 most, f32 log_share, f32 maximum, f32 sum, i32 *list, char *candidates
) {
  i64 end = count;
  for (; end % LANES != 0; end++) x[end] = -INFINITY;
  vf tops = splat(maximum), total = splat(0.0f);
  for (i64 j = 0; j < end; j += LANES) tops = larger(tops, load(x + j));
  const f32 top = largest_of(tops);
  for (i64 j = 0; j < end; j += LANES) total += exponential_below(load(x + j) - top);
  const f32 all = sum * exponential_below(splat(maximum - top))[0] + sum_of(total);
  const f32 least = (top + logarithm_1(all)) + log_share;
  vi above = splat_i(0);
  for (i64 j = 0; j < end; j += LANES) above -= load(x + j) > least;
  if (sum_of_integers(above) > most) return list_largest(x, count, most, list, candidates);
  return list_within(x, end, (struct bound){least, 0}, list);
}`,
};
