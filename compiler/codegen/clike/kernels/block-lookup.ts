import type { Size } from '../../../../ir/size.ts';
import type { BlockLookupKernel } from '../../../kernel/kernel.ts';
import { formatBlockFormat } from '../../../weights/block-format.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';
import { blockOperands, blockSide } from './block-side.ts';

const workgroupSize = 64;
export function blockLookupItems(_kernel: BlockLookupKernel, [count = 0]: readonly Size[]): Size {
  return count;
}
/** Quants, and the result, whose rows are whole blocks. */
export function blockLookupVectorStrides({ format }: BlockLookupKernel): readonly (readonly Size[] | null)[] {
  return [null, ...blockOperands(format).map((name) => (name === 'quants' ? [] : null)), []];
}

export function renderBlockLookup({ format, part }: BlockLookupKernel, context: KernelContext): string {
  const k = new KernelBuilder(context, {
    operands: ['ids', ...blockOperands(format), 'result'],
    integers: ['count', 'depth', ...(part ? ['first_row', 'held_rows'] : [])],
    workgroupSize,
    comment: `One row of a table of ${formatBlockFormat(format)} a workgroup.`,
  });
  const table = blockSide(k, format);
  const id = k.operand('ids').at(k.item);
  const row = k.let('row', 'i32', part ? `${id} - ${k.size('first_row')}` : id);
  const copyRow = (): void => {
    const step = k.i32(workgroupSize * table.run);
    k.for('place', `${k.thread} * ${table.run}`, k.size('depth'), step, (place) => {
      for (const { from, value } of table.read(row, place))
        k.operand('result').storeVector(`${k.item} * ${k.size('depth')} + ${place} + ${from}`, value);
    });
  };
  if (part) k.if(`${row} >= 0 && ${row} < ${k.size('held_rows')}`, copyRow);
  else copyRow();
  return k.print();
}
