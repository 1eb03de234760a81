import { ceilDivideSizes, multiplySizes, type Size } from '../../../../ir/size.ts';
import type { BlockGemmKernel, GemmKernel } from '../../../kernel/kernel.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';
import { gemmIntegers, gemmOperands, type ProductText } from './gemm-operands.ts';
import { halfSide, halfVectorStrides, plainSide, type GemmSide } from './gemm-sides.ts';
import { multiplySplitDepth, splitDepthThreads } from './gemm-split-depth.ts';
import { multiplyTiles, tileThreads } from './gemm-tile.ts';

/** One workgroup a tile of the result. */
export function gemmItems({ schedule }: GemmKernel | BlockGemmKernel, [rows = 0, columns = 0]: readonly Size[]): Size {
  return multiplySizes(ceilDivideSizes(rows, schedule.rowTile), ceilDivideSizes(columns, schedule.columnTile));
}
/** Both sides are read four elements of a row at a time, where rows start at a multiple of four and end at one. */
export function gemmVectorStrides({ right }: GemmKernel, integers: readonly Size[]): readonly (readonly Size[] | null)[] {
  const [, , depth = 1, leftStride = 1] = integers;
  return [[depth, leftStride], right === 'f16' ? halfVectorStrides(depth) : [depth]];
}

export function renderGemm(kernel: GemmKernel, context: KernelContext): string {
  const sideOf = kernel.right === 'f16' ? halfSide : plainSide;
  return renderProduct(context, kernel, ['right'], kernel.right, (k) => sideOf(k, k.operand('right'), k.size('depth')));
}

/** A product by its schedule, whatever its right side is stored as. */
export function renderProduct(
  context: KernelContext,
  product: ProductText,
  rightOperands: readonly string[],
  stored: string,
  rightOf: (k: KernelBuilder) => GemmSide,
): string {
  const { schedule } = product;
  const ofTiles = 'threadRows' in schedule;
  if (!ofTiles && !('threads' in schedule)) throw new RangeError(`The kernel ${context.name} has no schedule for a GPU.`);
  const builder = (workgroupSize: number, how: string): KernelBuilder =>
    new KernelBuilder(context, {
      operands: gemmOperands(rightOperands, product),
      integers: gemmIntegers(product),
      workgroupSize,
      comment: `left [rows, depth] x right [columns, depth]^T, the right side of ${stored}.\n${how}`,
    });
  const leftOf = (k: KernelBuilder): GemmSide => plainSide(k, k.operand('left'), k.size('left_stride'));
  if (ofTiles) {
    const k = builder(tileThreads(schedule), `A tile of ${schedule.rowTile} x ${schedule.columnTile} a workgroup.`);
    multiplyTiles(k, schedule, { left: leftOf(k), right: rightOf(k) }, product);
    return k.print();
  }
  const how = `${schedule.columnTile} columns a workgroup, ${schedule.threads} threads side by side share the depth of each.`;
  const k = builder(splitDepthThreads(schedule), how);
  multiplySplitDepth(k, schedule, { left: leftOf(k), right: rightOf(k) }, product);
  return k.print();
}
