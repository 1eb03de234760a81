/**
 * Clusters one block of a cache of mode expand in place (ir/cache.ts): the tokens that leave the exact window become clusters,
 * and their rows of keys and values are sorted by cluster, so that a cluster is a run of rows.
 */
import type { Size } from '../../../../ir/size.ts';
import { AtpcError } from '../../../../runtime/errors.ts';
import type { ClusterBlockKernel } from '../../../kernel/kernel.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';
import { RowFormat } from '../row-format.ts';
import { emitClusters, kMeansWorkgroup, type BlockRows } from './k-means.ts';

/** What every WebGPU device has (WebGPU, section 3.6.2). */
const workgroupBytes = 16384;
/** One workgroup for each key/value head. */
export function clusterBlockItems(_kernel: ClusterBlockKernel, [heads = 1]: readonly Size[]): Size {
  return heads;
}

export function renderClusterBlock(kernel: ClusterBlockKernel, context: KernelContext): string {
  const { headSize, valueSize, blockTokens, keysPerBlock, iterations } = kernel;
  const k = new KernelBuilder(context, {
    operands: ['key', 'value', 'mean_key', 'mean_value', 'log_mass', 'radius', 'offsets'],
    integers: ['key_heads', 'keys', 'clusters', 'first', 'count', 'first_cluster'],
    workgroupSize: kMeansWorkgroup(blockTokens),
    comment: `k-means of a block of ${blockTokens} tokens at most of one key/value head a workgroup; its rows end up sorted by cluster.`,
  });
  const [first, count, clusters] = [k.size('first'), k.size('count'), k.size('clusters')];
  const rowsOf = (name: 'key' | 'value', size: number): BlockRows => {
    const rows = k.let(`${name}_rows`, 'i32', `(${k.item} * ${k.size('keys')} + ${first}) * ${size}`);
    return { format: new RowFormat(size), operand: k.operand(name), at: (token) => `${rows} + ${token} * ${size}` };
  };
  k.comment('where no token leaves, nothing changes');
  k.if(`${count} > 0`, () => {
    const [key, value] = [rowsOf('key', headSize), rowsOf('value', valueSize)];
    const firstOffset = `${k.item} * (${clusters} + 1) + ${k.size('first_cluster')}`;
    const { members } = emitClusters(k, {
      iterations,
      blockTokens,
      capacity: keysPerBlock,
      key,
      value,
      count,
      used: k.let('used', 'i32', k.call('min', count, k.i32(keysPerBlock))),
      meanKey: k.operand('mean_key'),
      meanValue: k.operand('mean_value'),
      logMass: k.operand('log_mass'),
      radius: k.operand('radius'),
      offsets: k.operand('offsets'),
      firstCluster: k.let('first_cluster_row', 'i32', `${k.item} * ${clusters} + ${k.size('first_cluster')}`),
      firstOffset,
      start: first,
    });
    k.if(`${k.thread} == 0`, () => k.operand('offsets').store(`${firstOffset} + ${keysPerBlock}`, `${first} + ${count}`));
    const columns = Math.min(16, Math.floor((workgroupBytes - k.sharedBytes) / (blockTokens * 4)));
    if (columns < 1) {
      throw new AtpcError('ATPC-307', `A block of ${blockTokens} tokens with heads of ${headSize} does not fit a workgroup.`, {
        hint: 'Use blocks of at most 256 tokens.',
      });
    }
    const waiting = k.shared('waiting', 'f32', blockTokens * columns);
    for (const rows of [key, value]) sortRows(k, rows, { count, members, waiting, columns });
  });
  return k.print();
}

/** Row i becomes the former row members[i], a few columns of all rows at a time. */
function sortRows(
  k: KernelBuilder,
  { operand, format: { size }, at }: BlockRows,
  order: { readonly count: string; readonly members: string; readonly waiting: string; readonly columns: number },
): void {
  const { count, members, waiting, columns } = order;
  k.for('column', '0', k.i32(size), k.i32(columns), (column) => {
    const over = (body: (slot: string, row: string, own: string) => void): void =>
      k.for('slot', k.thread, `${count} * ${columns}`, k.i32(k.workgroupSize), (slot) => {
        const row = k.let('row', 'i32', `${slot} / ${columns}`);
        const own = k.let('own_column', 'i32', `${column} + ${slot} % ${columns}`);
        k.if(`${own} < ${size}`, () => body(slot, row, own));
      });
    k.barrier('buffers');
    over((slot, row, own) => k.assign(`${waiting}[${slot}]`, operand.at(`${at(row)} + ${own}`)));
    k.barrier();
    over((slot, row, own) =>
      operand.store(`${at(row)} + ${own}`, `${waiting}[${members}[${row}] * ${columns} + ${slot} % ${columns}]`),
    );
    k.barrier();
  });
}
