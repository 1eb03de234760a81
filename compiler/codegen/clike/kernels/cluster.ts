/** Principal keys by block-wise k-means of unpadded tokens (atp-modes.md, expand); the arithmetic of a block is in k-means.ts. */
import { ceilDivideSizes, evaluateSize, multiplySizes, type Size } from '../../../../ir/size.ts';
import type { ClusterKernel } from '../../../kernel/kernel.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';
import { RowFormat } from '../row-format.ts';
import { sizeExpression } from '../size-expression.ts';
import { emitClusters, kMeansWorkgroup, type BlockRows } from './k-means.ts';
import { countTokens, visitTokens } from './token-list.ts';

/** One workgroup for each block of each key/value head. */
export function clusterItems({ blockTokens }: ClusterKernel, [batch = 1, heads = 1, keys = 1]: readonly Size[]): Size {
  return multiplySizes(batch, heads, ceilDivideSizes(keys, blockTokens));
}
/** Keys and values. */
export function clusterVectorStrides(
  { headSize, valueSize }: Pick<ClusterKernel, 'headSize' | 'valueSize'>,
  integers: readonly Size[],
): readonly (readonly Size[] | null)[] {
  return [headSize % 4 === 0 ? integers.slice(4, 7) : null, valueSize % 4 === 0 ? integers.slice(7, 10) : null];
}

export function renderCluster(kernel: ClusterKernel, context: KernelContext): string {
  const { headSize, valueSize, blockTokens, iterations } = kernel;
  const capacity = evaluateSize(kernel.keysPerBlock, { tokens: blockTokens });
  const k = new KernelBuilder(context, {
    operands: ['key', 'value', 'mask', 'order', 'offsets', 'mean_key', 'mean_value', 'log_mass', 'radius'],
    integers: [
      ...['batches', 'key_heads', 'keys', 'clusters'],
      ...['key_batch', 'key_head', 'key_row', 'value_batch', 'value_head', 'value_row'],
    ],
    workgroupSize: kMeansWorkgroup(blockTokens),
    comment: `k-means of ${blockTokens} unpadded tokens at most of one key/value head a workgroup.`,
  });
  const keys = k.size('keys');
  const blocks = k.let('blocks', 'i32', k.ceilDivide(keys, blockTokens));
  const block = k.let('block', 'i32', `${k.item} % ${blocks}`);
  const head = k.let('head', 'i32', `${k.item} / ${blocks}`);
  const batch = k.let('batch', 'i32', `${head} / ${k.size('key_heads')}`);
  const first = k.let('first', 'i32', `${block} * ${blockTokens}`);
  const mask = { mask: k.operand('mask'), row: k.let('mask_row', 'i32', `${batch} * ${keys}`), keys };

  k.comment('the tokens of the block; padded ones stand at the end of the order');
  const positions = k.shared('positions', 'i32', blockTokens);
  const piece = countTokens(k, mask);
  const inBlock = (rank: string): string => `${rank} >= ${first} && ${rank} < ${first} + ${blockTokens}`;
  const order = k.operand('order');
  const ofHead = k.let('order_of_head', 'i32', `${head} * ${keys}`);
  visitTokens(
    k,
    mask,
    piece,
    (position, rank) => k.if(inBlock(rank), () => k.assign(`${positions}[${rank} - ${first}]`, position)),
    (position, rank) => k.if(inBlock(rank), () => order.store(`${ofHead} + ${piece.tokens} + ${rank}`, position)),
  );
  k.barrier();
  const count = k.let('count', 'i32', k.call('clamp', `${piece.tokens} - ${first}`, k.i32(0), k.i32(blockTokens)));
  const wanted = k.call('clamp', sizeExpression(k, kernel.keysPerBlock, { tokens: count }), k.i32(1), k.i32(capacity));
  const used = k.let('used', 'i32', k.select(`${count} > 0`, wanted, k.i32(0)));
  const start = k.let('start', 'i32', k.call('min', first, piece.tokens));

  const rowsOf = (name: 'key' | 'value', size: number): BlockRows => {
    const inner = `${head} % ${k.size('key_heads')}`;
    const base = `${batch} * ${k.size(`${name}_batch`)} + ${inner} * ${k.size(`${name}_head`)}`;
    const rows = k.let(`${name}_rows`, 'i32', base);
    return {
      format: new RowFormat(size),
      operand: k.operand(name),
      at: (token) => `${rows} + ${positions}[${token}] * ${k.size(`${name}_row`)}`,
    };
  };
  const clusters = k.size('clusters');
  const firstOffset = k.let('first_offset', 'i32', `${head} * (${clusters} + 1) + ${block} * ${capacity}`);
  const { members } = emitClusters(k, {
    iterations,
    blockTokens,
    capacity,
    key: rowsOf('key', headSize),
    value: rowsOf('value', valueSize),
    count,
    used,
    meanKey: k.operand('mean_key'),
    meanValue: k.operand('mean_value'),
    logMass: k.operand('log_mass'),
    radius: k.operand('radius'),
    offsets: k.operand('offsets'),
    firstCluster: k.let('first_cluster', 'i32', `${head} * ${clusters} + ${block} * ${capacity}`),
    firstOffset,
    start,
  });
  k.for('place', k.thread, count, k.i32(k.workgroupSize), (place) =>
    order.store(`${ofHead} + ${start} + ${place}`, `${positions}[${members}[${place}]]`),
  );
  k.if(`${block} == ${blocks} - 1 && ${k.thread} == 0`, () =>
    k.operand('offsets').store(`${firstOffset} + ${capacity}`, piece.tokens),
  );
  return k.print();
}
