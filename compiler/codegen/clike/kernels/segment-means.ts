/** Principal keys by position (atp-modes.md, segment): the unpadded tokens in `count` runs of equal length, each one mean. */
import { ceilDivideSizes, multiplySizes, type Size } from '../../../../ir/size.ts';
import type { SegmentMeansKernel } from '../../../kernel/kernel.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';
import { sizeExpression } from '../size-expression.ts';
import { countTokens, visitTokens } from './token-list.ts';

const workgroupSize = 64;
/** Segments of a workgroup, which looks for its first token once. */
const segmentsAtATime = 8;
export function segmentMeansItems(_kernel: SegmentMeansKernel, [batch = 1, heads = 1, , segments = 1]: readonly Size[]): Size {
  return multiplySizes(batch, heads, ceilDivideSizes(segments, segmentsAtATime));
}

export function renderSegmentMeans(kernel: SegmentMeansKernel, context: KernelContext): string {
  const k = new KernelBuilder(context, {
    operands: ['key', 'value', 'mask', 'mean_key', 'mean_value', 'log_mass'],
    integers: [
      ...['batches', 'key_heads', 'keys', 'segments'],
      ...['key_batch', 'key_head', 'key_row', 'value_batch', 'value_head', 'value_row'],
    ],
    workgroupSize,
    comment: `Means of ${segmentsAtATime} segments of one key/value head a workgroup; a thread goes over the tokens for its columns.`,
  });
  const [keys, segments] = [k.size('keys'), k.size('segments')];
  const groups = k.let('groups', 'i32', k.ceilDivide(segments, segmentsAtATime));
  const head = k.let('head', 'i32', `${k.item} / ${groups}`);
  const firstSegment = k.let('first_segment', 'i32', `${k.item} % ${groups} * ${segmentsAtATime}`);
  const batch = k.let('batch', 'i32', `${head} / ${k.size('key_heads')}`);
  const mask = { mask: k.operand('mask'), row: k.let('mask_row', 'i32', `${batch} * ${keys}`), keys };
  const piece = countTokens(k, mask);
  const used = k.let('used', 'i32', k.call('min', segments, sizeExpression(k, kernel.count, { tokens: piece.tokens })));
  k.comment('token i is in segment floor(used i / tokens)');
  const edge = (segment: string): string => {
    const at = k.call('min', segment, used);
    return `(${at} * ${piece.tokens} + ${used} - 1) / ${k.call('max', used, k.i32(1))}`;
  };
  const firstRank = k.let('first_rank', 'i32', edge(firstSegment));
  const found = k.shared('first_position', 'i32', 1);
  k.if(`${k.thread} == 0`, () => k.assign(`${found}[0]`, keys));
  k.barrier();
  visitTokens(k, mask, piece, (position, rank) => k.if(`${rank} == ${firstRank}`, () => k.assign(`${found}[0]`, position)));
  k.barrier();

  const lastSegment = k.let('last_segment', 'i32', k.call('min', `${firstSegment} + ${segmentsAtATime}`, segments));
  for (const [name, size] of [
    ['key', kernel.headSize],
    ['value', kernel.valueSize],
  ] as const) {
    const inner = `${head} % ${k.size('key_heads')}`;
    const rows = k.let(`${name}_rows`, 'i32', `${batch} * ${k.size(`${name}_batch`)} + ${inner} * ${k.size(`${name}_head`)}`);
    k.for('column', k.thread, k.i32(size), k.i32(workgroupSize), (column) => {
      const position = k.var('position', 'i32', `${found}[0]`);
      const rank = k.var('rank_here', 'i32', firstRank);
      k.for('segment', firstSegment, lastSegment, '1', (segment) => {
        const end = k.let('end_rank', 'i32', edge(`${segment} + 1`));
        const count = k.let('count', 'i32', `${end} - ${rank}`);
        const sum = k.var('sum', 'f32');
        k.while(`${rank} < ${end}`, () => {
          k.if(`${mask.mask.at(`${mask.row} + ${position}`)} != 0`, () => {
            k.add(sum, k.operand(name).at(`${rows} + ${position} * ${k.size(`${name}_row`)} + ${column}`));
            k.add(rank, '1');
          });
          k.add(position, '1');
        });
        const row = k.let('row', 'i32', `${head} * ${segments} + ${segment}`);
        const divisor = k.let('divisor', 'f32', k.cast('f32', k.call('max', count, k.i32(1))));
        k.operand(`mean_${name}`).store(`${row} * ${size} + ${column}`, `${sum} / ${divisor}`);
        if (name === 'value') return;
        k.if(`${column} == 0`, () =>
          k.operand('log_mass').store(row, k.select(`${count} > 0`, k.call('log', divisor), k.f32(-Infinity))),
        );
      });
    });
  }
  return k.print();
}
