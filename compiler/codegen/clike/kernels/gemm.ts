import { ceilDivideSizes, multiplySizes, type Size } from '../../../../ir/size.ts';
import type { GemmKernel } from '../../../kernel/kernel.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';
import { gemmIntegers, gemmOperands } from './gemm-operands.ts';
import { plainSide } from './gemm-sides.ts';
import { multiplyTiles, tileThreads } from './gemm-tile.ts';

/** One workgroup a tile of the result. */
export function gemmItems({ schedule }: Pick<GemmKernel, 'schedule'>, [rows = 0, columns = 0]: readonly Size[]): Size {
  return multiplySizes(ceilDivideSizes(rows, schedule.rowTile), ceilDivideSizes(columns, schedule.columnTile));
}
/** Both sides are read four elements of a row at a time, where rows start at a multiple of four and end at one. */
export function gemmVectorStrides(_kernel: GemmKernel, integers: readonly Size[]): readonly (readonly Size[] | null)[] {
  const [, , depth = 1, leftStride = 1] = integers;
  return [[depth, leftStride], [depth]];
}

export function renderGemm({ epilogue, schedule }: GemmKernel, context: KernelContext): string {
  if (!('threadRows' in schedule)) throw new RangeError(`The kernel ${context.name} has no schedule for workgroups.`);
  const k = new KernelBuilder(context, {
    operands: gemmOperands(['right'], epilogue),
    integers: gemmIntegers(epilogue),
    workgroupSize: tileThreads(schedule),
    comment: `left [rows, depth] x right [columns, depth]^T, a tile of ${schedule.rowTile} x ${schedule.columnTile} a workgroup.`,
  });
  const left = plainSide(k, k.operand('left'), k.size('left_stride'));
  const right = plainSide(k, k.operand('right'), k.size('depth'));
  multiplyTiles(k, schedule, { left, right }, epilogue);
  return k.print();
}
