import type { SharedText } from './kernel-text.ts';

/** What the kernels that build principal keys share: lists of unpadded tokens, and means over listed rows. */
export const meanRows: SharedText = {
  name: 'mean_rows',
  text: String.raw`/* list[0..n) = the positions j < count with mask[j] != 0, ascending; returns n. */
static i64 list_tokens(const i32 *mask, i64 count, i32 *list) {
  i64 found = 0;
  for (i64 position = 0; position < count; position++) {
    list[found] = (i32)position;
    found += mask[position] != 0;
  }
  return found;
}
/* mean[c] = the mean of rows[list[i]][c] over i < count, zeros for none. */
static void mean_of_rows(const i32 *list, i64 count, const f32 *rows, i64 stride, i64 size, f32 *mean) {
  const f32 divisor = (f32)maximum(count, 1);
  for (i64 column = 0; column < size; column += LANES) {
    vf sum = splat(0.0f);
    for (i64 i = 0; i < count; i++) sum += load_part(rows + list[i] * stride + column, size - column);
    store_part(mean + column, sum / divisor, size - column);
  }
}
/* -inf for 0. */
INLINE f32 log_of_count(i64 count) { return logarithm_1((f32)count); }`,
};
