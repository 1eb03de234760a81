/** Products on CUDA: by tensor cores where the schedule says so, else as on every GPU. */
import type { Size } from '../../../../ir/size.ts';
import type { BlockGemmKernel, GemmKernel, TensorCoreSchedule } from '../../../kernel/kernel.ts';
import { formatBlockFormat } from '../../../weights/block-format.ts';
import { KernelBuilder, type KernelContext } from '../../clike/kernel-builder.ts';
import { blockGemmVectorStrides, renderBlockGemm } from '../../clike/kernels/block-gemm.ts';
import { blockOperands } from '../../clike/kernels/block-side.ts';
import { gemmIntegers, gemmOperands, normOperands, type ProductText } from '../../clike/kernels/gemm-operands.ts';
import { gemmVectorStrides, renderGemm } from '../../clike/kernels/gemm.ts';
import { multiplyOnTensorCores, tensorCoreThreads, type TensorCoreRight } from './tensor-core-product.ts';
import { blockRegisters, halfRegisters, plainRegisters } from './tensor-core-sides.ts';

type Schedule = GemmKernel['schedule'] | BlockGemmKernel['schedule'];
const isForTensorCores = (schedule: Schedule): schedule is TensorCoreSchedule => 'multiply' in schedule;

export function renderCudaGemm(kernel: GemmKernel, context: KernelContext): string {
  const { right, schedule } = kernel;
  if (!isForTensorCores(schedule)) return renderGemm(kernel, context);
  return renderTensorCores(context, kernel, schedule, ['right'], right, (k) => {
    const operand = k.operand('right');
    if (right === 'f32' || !operand.vectors) return plainRegisters(k, operand, k.size('depth'));
    return schedule.multiply === 'f16' ? { copied: operand } : halfRegisters(k, operand, k.size('depth'));
  });
}
export function renderCudaBlockGemm(kernel: BlockGemmKernel, context: KernelContext): string {
  const { format, schedule } = kernel;
  if (!isForTensorCores(schedule)) return renderBlockGemm(kernel, context);
  return renderTensorCores(context, kernel, schedule, blockOperands(format), formatBlockFormat(format), (k) =>
    blockRegisters(k, format),
  );
}
function renderTensorCores(
  context: KernelContext,
  product: ProductText,
  schedule: TensorCoreSchedule,
  rightOperands: readonly string[],
  stored: string,
  rightOf: (k: KernelBuilder) => TensorCoreRight,
): string {
  const { rowTile, columnTile, warpRows, warpColumns, warpDepth, multiply } = schedule;
  const shared = warpDepth > 1 ? `, ${warpDepth} of which share the depth` : '';
  const warps = `${warpRows * warpColumns * warpDepth} warps${shared}`;
  const k = new KernelBuilder(context, {
    operands: gemmOperands(rightOperands, product),
    integers: gemmIntegers(product),
    workgroupSize: tensorCoreThreads(schedule),
    comment:
      `left [rows, depth] x right [columns, depth]^T, the right side of ${stored}, both multiplied as ${multiply} and summed in f32.\n` +
      `A tile of ${rowTile} x ${columnTile} a thread block of ${warps}, by tensor cores.`,
  });
  const left = plainRegisters(k, k.operand('left'), k.size('left_stride'));
  multiplyOnTensorCores(k, schedule, { left, right: rightOf(k) }, product);
  return k.print();
}

/**
 * Of what comes after both sides. Tensor cores store four columns of a row at a time, where rows of the result and of residuals start and
 * end at multiples of four; vectors of a norm are read along K, as the sides are.
 */
function otherStrides(kernel: GemmKernel | BlockGemmKernel, integers: readonly Size[]): VectorStrides {
  const [, columns = 1, depth = 1, , resultStride = 1, ...residualStrides] = integers;
  const storesFour = isForTensorCores(kernel.schedule);
  let residuals = 0;
  const epilogue = kernel.epilogue.flatMap(({ step }) => {
    if (step === 'activation') return [];
    return [step === 'bias' ? [columns] : [columns, residualStrides[residuals++] ?? 1]];
  });
  // Statistics are moved one by one, and keep nothing that shares their buffer from being moved by four.
  const norm = normOperands(kernel).map((name) =>
    name.endsWith('statistics') ? [] : name.startsWith('residual') ? (storesFour ? [columns] : null) : [depth],
  );
  const results = [storesFour ? [columns, resultStride] : null, ...(kernel.gathers ? [[]] : [])];
  return [...epilogue.map((strides) => (storesFour ? strides : null)), ...norm, ...results];
}
type VectorStrides = readonly (readonly Size[] | null)[];
export function cudaGemmVectorStrides(kernel: GemmKernel, integers: readonly Size[]): VectorStrides {
  return [...gemmVectorStrides(kernel, integers), ...otherStrides(kernel, integers)];
}
export function cudaBlockGemmVectorStrides(kernel: BlockGemmKernel, integers: readonly Size[]): VectorStrides {
  const others = blockOperands(kernel.format).slice(1);
  return [...blockGemmVectorStrides(kernel, integers), ...others.map(() => null), ...otherStrides(kernel, integers)];
}
