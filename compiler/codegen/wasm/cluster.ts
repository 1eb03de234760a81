/** Principal keys by block-wise k-means of unpadded tokens (atp-modes.md, expand); the arithmetic of a block is in k-means.ts. */
import { addSizes, evaluateSize, multiplySizes } from '../../../ir/size.ts';
import type { Size } from '../../../ir/size.ts';
import type { ClusterKernel } from '../../kernel/kernel.ts';
import { emitClusterResults, emitEmptyClusters, emitKMeans, kMeansLayout } from './k-means.ts';
import type { ClusteredHead, KMeansLayout } from './k-means.ts';
import { listTokens } from './mean-rows.ts';
import type { FunctionBuilder, KernelContext, KernelParameters } from './wat-builder.ts';
import { i32 } from './wat-code.ts';
import type { I32, Local } from './wat-code.ts';

/** The positions of the unpadded tokens, i32 [s], follow at layout.end. */
function layoutOf({ headSize, blockTokens, keysPerBlock }: ClusterKernel): KMeansLayout {
  return kMeansLayout(headSize, blockTokens, evaluateSize(keysPerBlock, { tokens: blockTokens }));
}
export function clusterScratch(kernel: ClusterKernel, integers: readonly Size[]): Size {
  return addSizes(layoutOf(kernel).end, multiplySizes(integers[2] ?? 0, 4));
}

export function renderCluster(kernel: ClusterKernel, { module, name }: KernelContext): void {
  const parameters = {
    operands: ['key', 'value', 'mask', 'order', 'offsets', 'mean_key', 'mean_value', 'log_mass', 'radius'],
    integers: [
      'batches',
      'key_heads',
      'keys',
      'clusters',
      'key_batch',
      'key_head',
      'key_row',
      'value_batch',
      'value_head',
      'value_row',
    ],
  };
  const layout = layoutOf(kernel);
  module.kernel(name, parameters, (f, k) => {
    const keyStride = f.let('key_stride', i32.shl(k.integer('key_row'), 2));
    const valueStride = f.let('value_stride', i32.shl(k.integer('value_row'), 2));
    const item = f.local('item', 'i32');
    f.for(item, k.begin, k.end, 1, () => emitHead(f, k, kernel, layout, item, keyStride, valueStride));
  });
}

function emitHead(
  f: FunctionBuilder,
  k: KernelParameters,
  kernel: ClusterKernel,
  layout: KMeansLayout,
  item: Local<'i32'>,
  keyStride: Local<'i32'>,
  valueStride: Local<'i32'>,
): void {
  const [keys, clusters] = [k.integer('keys'), k.integer('clusters')];
  const batch = f.let('batch', i32.div_u(item, k.integer('key_heads')));
  const head = f.let('head', i32.rem_u(item, k.integer('key_heads')));
  const rows = (of: 'key' | 'value'): Local<'i32'> => {
    const offset = i32.add(i32.mul(batch, k.integer(`${of}_batch`)), i32.mul(head, k.integer(`${of}_head`)));
    return f.let(`${of}_rows`, f.element(k.operand(of), offset));
  };
  const first = f.let('first_cluster', i32.mul(item, clusters));
  const resultOf = (name: string, index: I32, bytes = 4): Local<'i32'> =>
    f.let(`${name}_of_head`, i32.add(k.operand(name), i32.mul(index, bytes)));
  const order = resultOf('order', i32.mul(item, keys));
  const own: ClusteredHead = {
    f,
    headSize: kernel.headSize,
    valueSize: kernel.valueSize,
    iterations: kernel.iterations,
    layout,
    at: (offset) => i32.add(k.scratch, offset),
    key: rows('key'),
    keyStride,
    value: rows('value'),
    valueStride,
    offsets: resultOf('offsets', i32.add(first, item)),
    meanKey: resultOf('mean_key', first, kernel.headSize * 4),
    meanValue: resultOf('mean_value', first, kernel.valueSize * 4),
    logMass: resultOf('log_mass', first),
    radius: resultOf('radius', first),
  };
  const mask = f.let('mask_row', f.element(k.operand('mask'), i32.mul(batch, keys)));
  const tokens = f.let('tokens', f.call(listTokens, mask, keys, own.at(layout.end)));
  const cluster = f.let('cluster', i32.const(0));
  const start = f.local('start', 'i32');
  f.for(start, 0, tokens, kernel.blockTokens, () => {
    const count = f.let('count', f.minimum(kernel.blockTokens, i32.sub(tokens, start)));
    const wanted = f.size(kernel.keysPerBlock, { tokens: count });
    const used = f.let('used', f.maximum(1, f.minimum(layout.capacity, wanted)));
    const positions = f.let('block_positions', f.element(own.at(layout.end), start));
    emitKMeans(own, positions, count, used);
    emitClusterResults(own, start, cluster, used, (members, size, offset) =>
      f.copyMemory(f.element(order, offset), members, i32.shl(size, 2)),
    );
    emitEmptyClusters(own, i32.add(cluster, used), i32.add(cluster, layout.capacity), i32.add(start, count));
    f.increment(cluster, layout.capacity);
  });
  emitEmptyClusters(own, cluster, clusters, tokens);
  f.store(f.element(own.offsets, clusters), tokens);
  f.comment('padded tokens last');
  const position = f.local('position', 'i32');
  f.for(position, 0, keys, 1, () =>
    f.if(i32.eqz(i32.load(f.element(mask, position))), () => {
      f.store(f.element(order, tokens), position);
      f.increment(tokens, 1);
    }),
  );
}
