/** Principal keys by position (atp-modes.md, segment): the unpadded tokens in `count` runs of equal length, each one mean. */
import type { SegmentMeansKernel } from '../../kernel/kernel.ts';
import { sizeText, type NativeKernel } from './kernel-text.ts';
import { meanRows } from './mean-rows.ts';

export function renderSegmentMeans({ headSize, valueSize, count }: SegmentMeansKernel): NativeKernel {
  return {
    operands: ['const f32 *key', 'const f32 *value', 'const i32 *mask', 'f32 *mean_key', 'f32 *mean_value', 'f32 *log_mass'],
    integers: [
      ...['batches', 'key_heads', 'keys', 'segments'],
      ...['key_batch', 'key_head', 'key_row', 'value_batch', 'value_head', 'value_row'],
    ],
    uses: [meanRows],
    body: `const i64 head_size = ${headSize}, value_size = ${valueSize};
i32 *const list = (i32 *)scratch;
for (i64 item = begin; item < end; item++) {
  const i64 batch = item / key_heads, head = item % key_heads;
  const f32 *const key_rows = key + batch * key_batch + head * key_head;
  const f32 *const value_rows = value + batch * value_batch + head * value_head;
  const i64 tokens = list_tokens(mask + batch * keys, keys, list);
  const i64 used = minimum(segments, ${sizeText(count, { tokens: 'tokens' })});
  for (i64 segment = 0; segment < segments; segment++) {
    // token i is in segment floor(used i / tokens)
    const i64 first = segment < used ? (segment * tokens + used - 1) / used : 0;
    const i64 members = segment < used ? ((segment + 1) * tokens + used - 1) / used - first : 0;
    const i64 row = item * segments + segment;
    mean_of_rows(list + first, members, key_rows, key_row, head_size, mean_key + row * head_size);
    mean_of_rows(list + first, members, value_rows, value_row, value_size, mean_value + row * value_size);
    log_mass[row] = log_of_count(members);
  }
}`,
  };
}
