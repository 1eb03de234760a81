import type { Size } from '../../../../ir/size.ts';
import { ceilDivideSizes, elementCount } from '../../../../ir/size.ts';
import type { MapKernel } from '../../../kernel/kernel.ts';
import { evaluate, integerNames, operandNames, strided, type LoopNest } from '../loop-nest.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';

const workgroupSize = 64;
export function mapItems({ rank }: MapKernel, integers: readonly Size[]): Size {
  return ceilDivideSizes(elementCount(integers.slice(0, rank)), workgroupSize);
}

/** A loop nest: every thread computes one element, and goes over the reduction in order where there is one. */
export function renderMap(kernel: MapKernel, context: KernelContext): string {
  const { rank, operands, reduction, body, epilogue, result } = kernel;
  const nest: LoopNest = { rank, operands, reduces: reduction !== null };
  const k = new KernelBuilder(context, {
    operands: [...operandNames(nest), 'result'],
    integers: [...integerNames(nest), ...Array.from({ length: rank }, (_, axis) => `result_stride_${axis}`)],
    workgroupSize,
    comment: reduction === null ? 'One element a thread.' : `One ${reduction} over the last axis of the nest a thread.`,
  });
  const element = k.let('element', 'i32', `${k.item} * ${workgroupSize} + ${k.thread}`);
  const indices: string[] = [];
  let rest = element;
  for (let axis = rank - 1; axis > 0; axis -= 1) {
    const extent = k.size(`extent_${axis}`);
    indices.unshift(k.let(`index_${axis}`, 'i32', `${rest} % ${extent}`));
    rest = k.let('rest', 'i32', `${rest} / ${extent}`);
  }
  indices.unshift(k.let('index_0', 'i32', rest));
  k.if(`${indices[0] ?? ''} < ${k.size('extent_0')}`, () => {
    let value: string;
    if (reduction === null) value = evaluate(k, body, { nest, indices, reduced: null });
    else {
      const type = body.type === 'f32' ? 'f32' : 'i32';
      const sum = k.var('reduced', type, k.literal(type, reduction === 'sum' ? 0 : type === 'f32' ? -Infinity : -(2 ** 31)));
      k.for('r', '0', k.size('extent_r'), '1', (r) => {
        const term = evaluate(k, body, { nest, indices: [...indices, r], reduced: null });
        k.assign(sum, reduction === 'sum' ? `${sum} + ${term}` : k.call('max', sum, term));
      });
      value = epilogue === null ? sum : evaluate(k, epilogue, { nest, indices, reduced: sum });
    }
    k.operand('result').store(strided(k, 'result', indices, result.lastStride), value);
  });
  return k.print();
}
