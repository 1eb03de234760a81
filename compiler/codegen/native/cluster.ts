/** Principal keys by block-wise k-means of unpadded tokens (atp-modes.md, expand); the arithmetic of a block is in k-means.ts. */
import { addSizes, evaluateSize, multiplySizes, type Size } from '../../../ir/size.ts';
import type { ClusterKernel } from '../../kernel/kernel.ts';
import { kMeans, kMeansLayout, kMeansPlaces, type KMeansLayout } from './k-means.ts';
import { sizeText, type NativeKernel } from './kernel-text.ts';

/** The positions of the unpadded tokens, i32 [s], follow at layout.end. */
function layoutOf({ headSize, blockTokens, keysPerBlock }: ClusterKernel): KMeansLayout {
  return kMeansLayout(headSize, blockTokens, evaluateSize(keysPerBlock, { tokens: blockTokens }));
}
export function clusterScratch(kernel: ClusterKernel, integers: readonly Size[]): Size {
  return addSizes(layoutOf(kernel).end, multiplySizes(integers[2] ?? 0, 4));
}

export function renderCluster(kernel: ClusterKernel): NativeKernel {
  const { headSize, valueSize, blockTokens, keysPerBlock, iterations } = kernel;
  const layout = layoutOf(kernel);
  return {
    operands: [
      'const f32 *key',
      'const f32 *value',
      'const i32 *mask',
      'i32 *order',
      'i32 *offsets',
      'f32 *mean_key',
      'f32 *mean_value',
      'f32 *log_mass',
      'f32 *radius',
    ],
    integers: [
      ...['batches', 'key_heads', 'keys', 'clusters'],
      ...['key_batch', 'key_head', 'key_row', 'value_batch', 'value_head', 'value_row'],
    ],
    uses: [kMeans],
    body: `const i64 head_size = ${headSize}, value_size = ${valueSize}, capacity = ${layout.capacity};
${kMeansPlaces(layout)}
i32 *const positions = (i32 *)(scratch + ${layout.end});
for (i64 item = begin; item < end; item++) {
  const i64 batch = item / key_heads, head_index = item % key_heads;
  const i32 *const mask_row = mask + batch * keys;
  i32 *const order_row = order + item * keys;
  const struct clustered_head head = {
    .head_size = head_size,
    .value_size = value_size,
    .key = key + batch * key_batch + head_index * key_head,
    .value = value + batch * value_batch + head_index * value_head,
    .key_stride = key_row,
    .value_stride = value_row,
    .offsets = offsets + item * (clusters + 1),
    .mean_key = mean_key + item * clusters * head_size,
    .mean_value = mean_value + item * clusters * value_size,
    .log_mass = log_mass + item * clusters,
    .radius = radius + item * clusters,
  };
  i64 tokens = list_tokens(mask_row, keys, positions);
  i64 cluster = 0;
  for (i64 start = 0; start < tokens; start += ${blockTokens}) {
    const i64 count = minimum(${blockTokens}, tokens - start);
    const i64 used = maximum(1, minimum(capacity, ${sizeText(keysPerBlock, { tokens: 'count' })}));
    cluster_tokens(work, &head, positions + start, count, used, ${iterations});
    cluster_results(work, &head, start, cluster, used);
    memcpy(order_row + start, work.members, (size_t)count * sizeof(i32));
    empty_clusters(&head, cluster + used, cluster + capacity, start + count);
    cluster += capacity;
  }
  empty_clusters(&head, cluster, clusters, tokens);
  head.offsets[clusters] = (i32)tokens;
  // padded tokens last
  for (i64 position = 0; position < keys; position++)
    if (mask_row[position] == 0) order_row[tokens++] = (i32)position;
}`,
  };
}
