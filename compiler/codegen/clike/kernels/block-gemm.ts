import type { Size } from '../../../../ir/size.ts';
import type { BlockGemmKernel } from '../../../kernel/kernel.ts';
import { formatBlockFormat } from '../../../weights/block-format.ts';
import type { KernelContext } from '../kernel-builder.ts';
import { blockOperands, blockSide } from './block-side.ts';
import { renderProduct } from './gemm.ts';

/** The left side as in a product of plain numbers; quants, a multiple of four words a row, always. */
export function blockGemmVectorStrides(_kernel: BlockGemmKernel, integers: readonly Size[]): readonly (readonly Size[] | null)[] {
  const [, , depth = 1, leftStride = 1] = integers;
  return [[depth, leftStride], []];
}

/** Nothing of the size of the right side is expanded: its blocks become numbers in the shared tile, or in registers. */
export function renderBlockGemm(kernel: BlockGemmKernel, context: KernelContext): string {
  const { format } = kernel;
  return renderProduct(context, kernel, blockOperands(format), formatBlockFormat(format), (k) => blockSide(k, format));
}
