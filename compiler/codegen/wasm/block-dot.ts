/**
 * One row of the left side times rows of quants, four at a time, straight from their blocks. For a block
 *
 *     sum of (scale * q + minimum) * x = scale * (sum of q * x) + minimum * (sum of x),
 *
 * which is the product with the values themselves but for rounding. The quants of four elements are masked out of a load where
 * they stand, at bit p of each lane, and converted there: that is q * 2^p, so the left side is prepared once, in the order of
 * the vectors (block-quants.ts) and divided by 2^p, both without rounding. So a vector of four weights costs a mask, a
 * conversion and a multiply-add. Signed quants are read with 128 added, which the prepared left side takes off again.
 *
 * Prepared, a row has for each block: with minima the sum of its vectors; with signed quants -128 times that sum; its vectors.
 */
import type { BlockFormat } from '../../weights/block-format.ts';
import type { EpilogueStep } from '../../kernel/kernel.ts';
import { elementsPerLoad, quantVectors, transposed } from './block-quants.ts';
import { emitEpilogue, epilogueNames } from './gemm.ts';
import { defineFunction } from './wat-builder.ts';
import type { FunctionBuilder, InternalFunction } from './wat-builder.ts';
import { f32x4, i32, i32x4, select, v128 } from './wat-code.ts';
import type { Code, Local } from './wat-code.ts';

/** Rows of quants at a time: their sums, loads and products take twelve of the sixteen vector registers of x86. */
export const dotColumns = 4;

const splat32 = (bits: number): Code<'v128'> => i32x4.const(bits, bits, bits, bits);
const loadsOf = (format: BlockFormat): number[] =>
  Array.from({ length: format.block / elementsPerLoad(format) }, (_, load) => load);

/** Bytes of a block of the prepared left side. */
export function preparedBlockBytes({ block, signed, minima }: BlockFormat): number {
  return block * 4 + (minima ? 16 : 0) + (signed ? 16 : 0);
}

/** (left, result, blocks): prepares a row of the left side. */
export function prepareFunction(format: BlockFormat, kernelName: string) {
  return defineFunction(
    `${kernelName}_prepare`,
    [
      ['left', 'i32'],
      ['result', 'i32'],
      ['blocks', 'i32'],
    ],
    null,
    (f, left, result, blocks) => {
      const bytes = preparedBlockBytes(format);
      const last = f.let('last', i32.add(result, i32.mul(blocks, bytes)));
      const sum = f.local('sum', 'v128');
      f.while(
        () => i32.ne(result, last),
        () => {
          f.set(sum, f32x4.splat(0));
          for (const load of loadsOf(format)) {
            const first = load * elementsPerLoad(format);
            const groups = Array.from({ length: elementsPerLoad(format) / 16 }, (_, group) =>
              transposed(
                f,
                [0, 1, 2, 3].map((row) => v128.load(left, (first + group * 16 + row * 4) * 4)),
              ),
            );
            for (const [index, { bit, element }] of quantVectors(format).entries()) {
              const vector = groups[Math.floor(element / 16)]?.[element % 16] as Local<'v128'>;
              f.set(sum, f32x4.add(sum, vector));
              const at = bytes - format.block * 4 + first * 4 + index * 16;
              f.store(result, f32x4.mul(vector, f32x4.splat(2 ** -shownBit(format, bit))), at);
            }
          }
          if (format.minima) f.store(result, sum);
          if (format.signed) f.store(result, f32x4.mul(sum, f32x4.splat(-128)), format.minima ? 16 : 0);
          f.increment(left, format.block * 4);
          f.increment(result, bytes);
        },
      );
    },
  );
}
/** Quants at the top of a lane would be converted as negative numbers: they are shifted down instead of masked. */
function shownBit({ bits }: BlockFormat, bit: number): number {
  return bit === 32 - bits ? 0 : bit;
}

interface DotKernel {
  readonly format: BlockFormat;
  readonly epilogue: readonly EpilogueStep[];
}
/**
 * Parameters: left (prepared), blocks, quants, quant_bytes (from row to row), scales, scale_bytes, [minima_offset, from the
 * scales], columns (how many of the four there are), result, then the address of each epilogue operand. Reads operands and
 * writes the result as whole vectors.
 */
export function dotFunction(
  kernel: DotKernel,
  kernelName: string,
): InternalFunction<readonly (readonly [string, 'i32'])[], null> {
  const { format } = kernel;
  const names = epilogueNames(kernel);
  const own = ['left', 'blocks', 'quants', 'quant_bytes', 'scales', 'scale_bytes', 'minima_offset', 'columns', 'result'];
  const parameters = [...own, ...names.map(({ name }) => name)].map((name) => [name, 'i32'] as const);
  const emit = (f: FunctionBuilder): void => {
    const locals = parameters.map(([name, type]) => f.parameter(name, type));
    const [left, blocks, quants, quantBytes, scales, scaleBytes, minimaOffset, columns, result] = locals as [
      Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>,
    ]; // prettier-ignore
    const each = Array.from({ length: dotColumns }, (_, column) => column);
    /** The address for each column; a column that is not there reads the first. */
    const rowsFrom = (name: string, base: Local<'i32'>, bytes: Local<'i32'>): readonly Local<'i32'>[] =>
      each.map((column) =>
        f.let(
          `${name}_${column}`,
          column === 0 ? base : i32.add(base, select(i32.gt_s(columns, column), i32.mul(bytes, column), i32.const(0))),
        ),
      );
    const quantRows = rowsFrom('quants', quants, quantBytes);
    const scaleRows = rowsFrom('scales', scales, scaleBytes);
    const vectors = (name: string): readonly Local<'v128'>[] => each.map((column) => f.local(`${name}_${column}`, 'v128'));
    const [totals, sums, words] = [vectors('total'), vectors('sum'), vectors('word')];
    const x = f.local('x', 'v128');
    const of = (locals: readonly Local<'v128'>[], column: number): Local<'v128'> => locals[column] as Local<'v128'>;

    const bytes = preparedBlockBytes(format);
    const vectorsAt = bytes - format.block * 4;
    const last = f.let('last', i32.add(left, i32.mul(blocks, bytes)));
    f.while(
      () => i32.ne(left, last),
      () => {
        if (format.signed) {
          f.set(x, v128.load(left, format.minima ? 16 : 0));
          for (const sum of sums) f.set(sum, x);
        }
        for (const load of loadsOf(format)) {
          quantRows.forEach((row, column) => {
            const word = v128.load(row, load * 16);
            f.set(of(words, column), format.signed ? v128.xor(word, splat32(0x80808080)) : word);
          });
          quantVectors(format).forEach(({ bit }, index) => {
            f.set(x, v128.load(left, vectorsAt + load * elementsPerLoad(format) * 4 + index * 16));
            for (const column of each) {
              const word = of(words, column);
              const shown =
                bit === 32 - format.bits ? i32x4.shr_u(word, bit) : v128.and(word, splat32((2 ** format.bits - 1) * 2 ** bit));
              const quant = f32x4.convert_i32x4_s(shown);
              const starts = load === 0 && index === 0 && !format.signed;
              f.set(of(sums, column), starts ? f32x4.mul(x, quant) : f32x4.multiplyAdd(x, quant, of(sums, column)));
            }
          });
        }
        if (format.minima) f.set(x, v128.load(left));
        for (const column of each) {
          const total = of(totals, column);
          const scale = scaleRows[column] as Local<'i32'>;
          f.set(total, f32x4.multiplyAdd(of(sums, column), v128.load32_splat(scale), total));
          if (format.minima) f.set(total, f32x4.multiplyAdd(x, v128.load32_splat(i32.add(scale, minimaOffset)), total));
        }
        const quantBlockBytes = (format.block * format.bits) / 8;
        for (const row of quantRows) f.increment(row, quantBlockBytes);
        for (const row of scaleRows) f.increment(row, 4);
        f.increment(left, bytes);
      },
    );
    f.comment('the sum of the lanes of each total');
    const [a, b, c, d] = transposed(f, totals) as [Local<'v128'>, Local<'v128'>, Local<'v128'>, Local<'v128'>];
    const sum = f.let('sums', f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
    const operands = names.map(({ step }, position) => ({
      step,
      address: locals[own.length + position] as Local<'i32'>,
      rowBytes: i32.const(0),
    }));
    emitEpilogue(f, kernel, operands, [[sum]]);
    f.store(result, sum);
  };
  return { name: `${kernelName}_dot`, parameters, result: null, emit };
}
