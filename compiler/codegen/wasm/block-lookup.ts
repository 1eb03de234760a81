/** block_lookup: rows of a table in blocks, each value exactly fl(scale * q) + minimum. */
import type { BlockLookupKernel } from '../../kernel/kernel.ts';
import { elementsPerLoad, quantConstants, quantIntegers, quantVectors, transposed } from './block-quants.ts';
import type { KernelContext } from './wat-builder.ts';
import { f32x4, i32, v128 } from './wat-code.ts';

export function renderBlockLookup({ format }: BlockLookupKernel, { module, name, exported }: KernelContext): void {
  const { bits, block, minima } = format;
  const parameters = {
    exported,
    operands: ['ids', 'quants', 'scales', ...(minima ? ['minima'] : []), 'result'],
    integers: ['n', 'K'],
  };
  module.kernel(name, parameters, (f, { begin, end, operand, integer }) => {
    const K = integer('K');
    const blocks = f.let('blocks', i32.div_u(K, block));
    const to = f.let('to', i32.add(operand('result'), i32.mul(begin, i32.shl(K, 2))));
    const [item, id, last] = [f.local('item', 'i32'), f.local('id', 'i32'), f.local('last', 'i32')];
    const [quants, scale, minimum] = [f.local('quants', 'i32'), f.local('scale', 'v128'), f.local('minimum', 'v128')];
    const constants = quantConstants(f, format);
    const scaleAt = f.local('scale_at', 'i32');
    f.for(item, begin, end, 1, () => {
      f.set(id, i32.load(f.element(operand('ids'), item)));
      f.set(quants, i32.add(operand('quants'), i32.mul(id, bits === 8 ? K : i32.shr_u(K, 1))));
      f.set(scaleAt, f.element(operand('scales'), i32.mul(id, blocks)));
      f.set(last, f.element(scaleAt, blocks));
      f.while(
        () => i32.ne(scaleAt, last),
        () => {
          f.set(scale, v128.load32_splat(scaleAt));
          if (minima) f.set(minimum, v128.load32_splat(i32.add(scaleAt, i32.sub(operand('minima'), operand('scales')))));
          for (let element = 0; element < block; element += elementsPerLoad(format)) {
            const word = f.let('word', v128.load(quants, (element * bits) / 8));
            const vectors = quantVectors(format);
            for (let group = 0; group < elementsPerLoad(format); group += 16) {
              const values = vectors
                .filter((vector) => vector.element >= group && vector.element < group + 16)
                .map((vector) => {
                  const scaled = f32x4.mul(f32x4.convert_i32x4_s(quantIntegers(format, word, vector, constants)), scale);
                  // Without minima the sum is with 0, which makes 0 of -0 as the reference has it.
                  return f32x4.add(scaled, minimum);
                });
              transposed(f, values).forEach((vector, i) => f.store(to, vector, (element + group + 4 * i) * 4));
            }
          }
          f.increment(quants, (block * bits) / 8);
          f.increment(scaleAt, 4);
          f.increment(to, block * 4);
        },
      );
    });
  });
}
