/**
 * Clusters one block of a cache of mode expand in place (ir/cache.ts): the tokens that leave the exact window become clusters,
 * and their rows of keys and values are sorted by cluster, so that a cluster is a run of rows.
 */
import type { Size } from '../../../ir/size.ts';
import type { ClusterBlockKernel } from '../../kernel/kernel.ts';
import { kMeans, kMeansLayout, kMeansPlaces } from './k-means.ts';
import type { NativeKernel, SharedText } from './kernel-text.ts';

/** Where the rows of a block wait while they are sorted, after the positions of its tokens, i32 [blockTokens]. */
function layoutOf({ headSize, blockTokens, keysPerBlock }: ClusterBlockKernel) {
  const work = kMeansLayout(headSize, blockTokens, keysPerBlock);
  return { work, positions: work.end, rows: work.end + Math.ceil(blockTokens / 16) * 64 };
}
export function clusterBlockScratch(kernel: ClusterBlockKernel): Size {
  return layoutOf(kernel).rows + kernel.blockTokens * Math.max(kernel.headSize, kernel.valueSize) * 4;
}

const sortRows: SharedText = {
  name: 'sort_rows',
  text: String.raw`/* rows[first + i] = rows[list[i]] for i < count, by way of waiting; the list names the rows [first, first + count). */
static void sort_rows(f32 *rows, i64 size, i64 first, const i32 *list, i64 count, f32 *waiting) {
  for (i64 i = 0; i < count; i++) memcpy(waiting + i * size, rows + list[i] * size, (size_t)size * sizeof(f32));
  memcpy(rows + first * size, waiting, (size_t)(count * size) * sizeof(f32));
}`,
};

export function renderClusterBlock(kernel: ClusterBlockKernel): NativeKernel {
  const { headSize, valueSize, iterations, keysPerBlock } = kernel;
  const layout = layoutOf(kernel);
  return {
    operands: ['f32 *key', 'f32 *value', 'f32 *mean_key', 'f32 *mean_value', 'f32 *log_mass', 'f32 *radius', 'i32 *offsets'],
    integers: ['key_heads', 'keys', 'clusters', 'first', 'count', 'first_cluster'],
    uses: [kMeans, sortRows],
    body: `const i64 head_size = ${headSize}, value_size = ${valueSize}, keys_per_block = ${keysPerBlock};
${kMeansPlaces(layout.work)}
i32 *const positions = (i32 *)(scratch + ${layout.positions});
f32 *const waiting = (f32 *)(scratch + ${layout.rows});
// where no token leaves, nothing changes
if (count <= 0) return;
const i64 used = minimum(keys_per_block, count), next_cluster = first_cluster + keys_per_block;
for (i64 i = 0; i < count; i++) positions[i] = (i32)(first + i);
for (i64 item = begin; item < end; item++) {
  f32 *const key_rows = key + item * keys * head_size, *const value_rows = value + item * keys * value_size;
  const struct clustered_head head = {
    .head_size = head_size,
    .value_size = value_size,
    .key = key_rows,
    .value = value_rows,
    .key_stride = head_size,
    .value_stride = value_size,
    .offsets = offsets + item * (clusters + 1),
    .mean_key = mean_key + item * clusters * head_size,
    .mean_value = mean_value + item * clusters * value_size,
    .log_mass = log_mass + item * clusters,
    .radius = radius + item * clusters,
  };
  cluster_tokens(work, &head, positions, count, used, ${iterations});
  cluster_results(work, &head, first, first_cluster, used);
  empty_clusters(&head, first_cluster + used, next_cluster, first + count);
  head.offsets[next_cluster] = (i32)(first + count);
  sort_rows(key_rows, head_size, first, work.members, count, waiting);
  sort_rows(value_rows, value_size, first, work.members, count, waiting);
}`,
  };
}
