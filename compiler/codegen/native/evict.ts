/**
 * Eviction from a cache of mode stream (ir/cache.ts): of the atoms and the tokens that leave the window, those of the largest scores
 * stay, in order of position; what stays in the window moves up behind them.
 */
import type { Size } from '../../../ir/size.ts';
import type { EvictKernel } from '../../kernel/kernel.ts';
import { mostLanes } from './k-means.ts';
import type { NativeKernel, SharedText } from './kernel-text.ts';

/** The scores of the candidates as ordered integers, i32 [atoms + blockTokens], with room for what is read beyond them. */
export function evictScratch({ atoms, blockTokens }: EvictKernel): Size {
  return (atoms + blockTokens + mostLanes) * 4;
}

const evictThreshold: SharedText = {
  name: 'evict_threshold',
  text: String.raw`/* ordered[i] = the bits of scores[i] as an integer in the order of the floats (0 and -0 alike). */
static void order_scores(const f32 *scores, i64 count, i32 *ordered) {
  for (i64 i = 0; i < count; i += LANES) {
    const vi bits = (vi)(load_part(scores + i, count - i) + 0.0f);
    store_part_i(ordered + i, bits ^ ((bits >> 31) & INT32_MAX), count - i);
  }
}
/* The largest integer that wanted or more of ordered[count] reach; 0 < wanted < count. Up to a vector beyond the last is the least integer. */
static i32 evict_threshold(const i32 *ordered, i64 count, i64 wanted) {
  /* low is reached by enough of them; the answer is in [low, high]. */
  i64 low = INT32_MIN, high = INT32_MAX;
  while (low < high) {
    const i64 middle = high - ((high - low) >> 1);
    vi reached = {0};
    for (i64 i = 0; i < count; i += LANES) reached -= load_i(ordered + i) >= (i32)middle;
    i64 total = 0;
    for (int lane = 0; lane < LANES; lane++) total += reached[lane];
    if (total >= wanted) low = middle;
    else high = middle - 1;
  }
  return (i32)low;
}`,
};

export function renderEvict({ headSize, valueSize, atoms, sinks }: EvictKernel): NativeKernel {
  return {
    operands: ['f32 *key', 'f32 *value', 'f32 *score', 'i32 *position'],
    integers: ['key_heads', 'rows', 'atoms_before', 'leaving', 'staying'],
    uses: [evictThreshold],
    body: `const i64 head_size = ${headSize}, value_size = ${valueSize}, atoms = ${atoms}, first_leaving = ${atoms + sinks};
const i64 candidates = atoms_before + leaving;
i32 *const ordered = (i32 *)scratch;
// where no token leaves, nothing changes
if (leaving <= 0) return;
for (i64 item = begin; item < end; item++) {
  f32 *const keys = key + item * rows * head_size, *const values = value + item * rows * value_size;
  f32 *const scores = score + item * rows;
  i32 *const positions = position + item * rows;
  order_scores(scores, atoms_before, ordered);
  order_scores(scores + first_leaving, leaving, ordered + atoms_before);
  for (i64 i = 0; i < LANES; i++) ordered[candidates + i] = INT32_MIN;
  // all above the threshold stay, and the first that equal it
  i32 threshold = INT32_MIN;
  i64 equals = candidates;
  if (candidates > atoms) {
    threshold = evict_threshold(ordered, candidates, atoms);
    equals = atoms;
    for (i64 i = 0; i < candidates; i++) equals -= ordered[i] > threshold;
  }
  // a row moves to a row at or before its own, so none is lost
  i64 kept = 0;
  for (i64 i = 0; i < candidates; i++) {
    if (ordered[i] < threshold || (ordered[i] == threshold && equals-- <= 0)) continue;
    const i64 row = i < atoms_before ? i : i - atoms_before + first_leaving;
    if (row != kept) {
      memcpy(keys + kept * head_size, keys + row * head_size, (size_t)head_size * sizeof(f32));
      memcpy(values + kept * value_size, values + row * value_size, (size_t)value_size * sizeof(f32));
      scores[kept] = scores[row];
      positions[kept] = positions[row];
    }
    kept++;
  }
  const i64 from = first_leaving + leaving;
  memmove(keys + first_leaving * head_size, keys + from * head_size, (size_t)(staying * head_size) * sizeof(f32));
  memmove(values + first_leaving * value_size, values + from * value_size, (size_t)(staying * value_size) * sizeof(f32));
  memmove(scores + first_leaving, scores + from, (size_t)staying * sizeof(f32));
  memmove(positions + first_leaving, positions + from, (size_t)staying * sizeof(i32));
}`,
  };
}
