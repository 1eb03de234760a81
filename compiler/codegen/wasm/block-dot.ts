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
import { elementsPerLoad, quantConstants, quantVectors, transposed, type QuantConstants } from './block-quants.ts';
import { emitEpilogue, epilogueNames } from './gemm.ts';
import { defineFunction } from './wat-builder.ts';
import type { FunctionBuilder, InternalFunction } from './wat-builder.ts';
import { f32x4, i32, i32x4, select, v128 } from './wat-code.ts';
import type { Local } from './wat-code.ts';

/** Rows of quants for one vector of results. */
export const dotColumns = 4;
/**
 * Rows of quants that share a load of the left side. From a level-2 cache four are faster than two (14.2 against 13.2 weights
 * a nanosecond, Node 24), but they are four short streams to the prefetcher: through 110 MB of weights two take 12.1 ms where
 * four take 12.7 (Node 20: 13 to 15 against 16 to 17).
 */
const columnsAtOnce = 2;

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
/** A row of quants at its current block. */
interface QuantRow {
  readonly quants: Local<'i32'>;
  readonly scales: Local<'i32'>;
  readonly word: Local<'v128'>;
  /** Of the block. */
  readonly sum: Local<'v128'>;
  /** Of all blocks so far. */
  readonly total: Local<'v128'>;
}
interface BlockStep extends QuantConstants {
  /** The prepared left side at the block. */
  readonly left: Local<'i32'>;
  readonly minimaOffset: Local<'i32'>;
  readonly rows: readonly QuantRow[];
}
/** Adds one block to the totals and goes on to the next. */
function emitBlock(f: FunctionBuilder, format: BlockFormat, { left, minimaOffset, rows, lowest, offset }: BlockStep): void {
  const bytes = preparedBlockBytes(format);
  const [x, mask] = [f.local('x', 'v128'), f.local('mask', 'v128')];
  let at = format.minima ? 16 : 0;
  if (format.signed) {
    f.set(x, v128.load(left, at));
    for (const { sum } of rows) f.set(sum, x);
    at += 16;
  }
  const top = 32 - format.bits;
  for (const load of loadsOf(format)) {
    for (const { word, quants } of rows) {
      const loaded = v128.load(quants, load * 16);
      f.set(word, offset ? v128.xor(loaded, offset) : loaded);
    }
    for (const { bit } of quantVectors(format)) {
      if (bit === 0) f.set(mask, lowest);
      else if (bit < top) f.set(mask, i32x4.shl(mask, format.bits));
      f.set(x, v128.load(left, at));
      for (const { word, sum } of rows) {
        const quant = f32x4.convert_i32x4_s(bit === top ? i32x4.shr_u(word, bit) : v128.and(word, mask));
        const starts = load === 0 && bit === 0 && !format.signed;
        f.set(sum, starts ? f32x4.mul(x, quant) : f32x4.multiplyAdd(x, quant, sum));
      }
      at += 16;
    }
  }
  if (format.minima) f.set(x, v128.load(left));
  for (const { scales, sum, total } of rows) {
    f.set(total, f32x4.multiplyAdd(sum, v128.load32_splat(scales), total));
    if (format.minima) f.set(total, f32x4.multiplyAdd(x, v128.load32_splat(i32.add(scales, minimaOffset)), total));
  }
  for (const { quants, scales } of rows) {
    f.increment(quants, (format.block * format.bits) / 8);
    f.increment(scales, 4);
  }
  f.increment(left, bytes);
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
    const totals = each.map((column) => f.local(`total_${column}`, 'v128'));
    const constants = quantConstants(f, format);
    const last = f.let('last', i32.add(left, i32.mul(blocks, preparedBlockBytes(format))));
    for (let first = 0; first < dotColumns; first += columnsAtOnce) {
      /** The address for a column; a column that is not there reads the first. */
      const address = (name: string, base: Local<'i32'>, rowBytes: Local<'i32'>, column: number): Local<'i32'> =>
        f.let(
          `${name}_${column}`,
          column === 0 ? base : i32.add(base, select(i32.gt_s(columns, column), i32.mul(rowBytes, column), i32.const(0))),
        );
      const rows = totals.slice(first, first + columnsAtOnce).map((total, index): QuantRow => {
        const column = first + index;
        return {
          quants: address('quants', quants, quantBytes, column),
          scales: address('scales', scales, scaleBytes, column),
          word: f.local('word', 'v128'),
          sum: f.local('sum', 'v128'),
          total,
        };
      });
      const from = f.let('from', left);
      f.while(
        () => i32.ne(from, last),
        () => emitBlock(f, format, { left: from, minimaOffset, rows, ...constants }),
      );
    }
    f.comment('the sum of the lanes of each total');
    const [a, b, c, d] = transposed(f, totals) as [Local<'v128'>, Local<'v128'>, Local<'v128'>, Local<'v128'>];
    const sum = f.let('sums', f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
    const operands = names.map(({ step }, position) => ({
      step,
      address: locals[own.length + position] as Local<'i32'>,
    }));
    emitEpilogue(f, kernel, operands, sum);
    f.store(result, sum);
  };
  return { name: `${kernelName}_dot`, parameters, result: null, emit };
}
