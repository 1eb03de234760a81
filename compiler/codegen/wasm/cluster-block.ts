/**
 * Clusters one block of a cache of mode expand in place (ir/cache.ts): the tokens that leave the exact window become clusters,
 * and their rows of keys and values are sorted by cluster, so that a cluster is a run of rows.
 */
import type { Size } from '../../../ir/size.ts';
import type { ClusterBlockKernel } from '../../kernel/kernel.ts';
import { emitClusterResults, emitEmptyClusters, emitKMeans, kMeansLayout } from './k-means.ts';
import type { ClusteredHead } from './k-means.ts';
import { defineFunction } from './wat-builder.ts';
import type { KernelContext } from './wat-builder.ts';
import { i32 } from './wat-code.ts';
import type { I32, Local } from './wat-code.ts';

/** Where the rows of a block wait while they are sorted, after the positions of its tokens, i32 [blockTokens]. */
function layoutOf({ headSize, blockTokens, keysPerBlock }: ClusterBlockKernel) {
  const kMeans = kMeansLayout(headSize, blockTokens, keysPerBlock);
  return { kMeans, positions: kMeans.end, rows: kMeans.end + Math.ceil(blockTokens / 16) * 64 };
}
export function clusterBlockScratch(kernel: ClusterBlockKernel): Size {
  return layoutOf(kernel).rows + kernel.blockTokens * Math.max(kernel.headSize, kernel.valueSize) * 4;
}

/** rows[first + i] = rows[list[i]] for i < count, by way of `waiting`; rows of `bytes`, and the list names those of [first, first + count). */
const sortRows = defineFunction(
  'cluster_sort_rows',
  [
    ['rows', 'i32'],
    ['bytes', 'i32'],
    ['first', 'i32'],
    ['list', 'i32'],
    ['count', 'i32'],
    ['waiting', 'i32'],
  ],
  null,
  (f, rows, bytes, first, list, count, waiting) => {
    const [index, to] = [f.local('index', 'i32'), f.let('to', waiting)];
    f.for(index, 0, count, 1, () => {
      f.copyMemory(to, i32.add(rows, i32.mul(i32.load(f.element(list, index)), bytes)), bytes);
      f.increment(to, bytes);
    });
    f.copyMemory(i32.add(rows, i32.mul(first, bytes)), waiting, i32.mul(count, bytes));
  },
);

export function renderClusterBlock(kernel: ClusterBlockKernel, { module, name }: KernelContext): void {
  const { headSize, valueSize, iterations, keysPerBlock } = kernel;
  const parameters = {
    operands: ['key', 'value', 'mean_key', 'mean_value', 'log_mass', 'radius', 'offsets'],
    integers: ['key_heads', 'keys', 'clusters', 'first', 'count', 'first_cluster'],
  };
  const layout = layoutOf(kernel);
  module.kernel(name, parameters, (f, k) => {
    const [keys, clusters] = [k.integer('keys'), k.integer('clusters')];
    const [first, count] = [k.integer('first'), k.integer('count')];
    const at = (offset: number) => i32.add(k.scratch, offset);
    const [item, index] = [f.local('item', 'i32'), f.local('index', 'i32')];
    const used = f.let('used', f.minimum(keysPerBlock, count));
    f.comment('where no token leaves, nothing changes');
    f.if(i32.gt_s(count, 0), () =>
      f.for(item, k.begin, k.end, 1, () => {
        const ofHead = (operand: string, row: I32, bytes = 4): Local<'i32'> =>
          f.let(`${operand}_of_head`, i32.add(k.operand(operand), i32.mul(row, bytes)));
        const [firstKey, firstMean] = [i32.mul(item, keys), i32.mul(item, clusters)];
        const head: ClusteredHead = {
          f,
          headSize,
          valueSize,
          iterations,
          layout: layout.kMeans,
          at,
          key: ofHead('key', firstKey, headSize * 4),
          keyStride: headSize * 4,
          value: ofHead('value', firstKey, valueSize * 4),
          valueStride: valueSize * 4,
          offsets: ofHead('offsets', i32.add(firstMean, item)),
          meanKey: ofHead('mean_key', firstMean, headSize * 4),
          meanValue: ofHead('mean_value', firstMean, valueSize * 4),
          logMass: ofHead('log_mass', firstMean),
          radius: ofHead('radius', firstMean),
        };
        f.comment('the tokens of the block');
        const positions = f.let('positions', at(layout.positions));
        f.for(index, 0, count, 1, () => f.store(f.element(positions, index), i32.add(first, index)));
        emitKMeans(head, positions, count, used);
        const cluster = f.let('cluster', k.integer('first_cluster'));
        const next = f.let('next_cluster', i32.add(cluster, keysPerBlock));
        const end = f.let('end', i32.add(first, count));
        emitClusterResults(head, first, cluster, used);
        emitEmptyClusters(head, i32.add(cluster, used), next, end);
        f.store(f.element(head.offsets, next), end);
        const members = at(layout.kMeans.members);
        f.run(sortRows, head.key, headSize * 4, first, members, count, at(layout.rows));
        f.run(sortRows, head.value, valueSize * 4, first, members, count, at(layout.rows));
      }),
    );
  });
}
