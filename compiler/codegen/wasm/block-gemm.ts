/**
 * block_gemm: result[M, N] = epilogue(left[M, K] x right[N, K]^T) with the right side in blocks.
 *
 * Few rows (decode) are multiplied straight from the blocks (block-dot.ts). With more rows, the quants of one panel of columns
 * at a time are unpacked into scratch, where gemm multiplies them by all rows of the items at hand. Which way is taken depends
 * on M alone, and in both a sum does not depend on what else is computed: any split of the items gives the same bits.
 */
import { addSizes, ceilDivideSizes, maxSize, multiplySizes } from '../../../ir/size.ts';
import type { Size } from '../../../ir/size.ts';
import type { BlockGemmKernel, GemmKernel } from '../../kernel/kernel.ts';
import type { BlockFormat } from '../../weights/block-format.ts';
import { dotColumns, dotFunction, preparedBlockBytes, prepareFunction } from './block-dot.ts';
import { elementsPerLoad, quantConstants, quantIntegers, quantVectors, transposed } from './block-quants.ts';
import { epilogueNames, gemmSchedule, gemmScratch, renderGemm } from './gemm.ts';
import { defineFunction } from './wat-builder.ts';
import type { InternalFunction, KernelContext } from './wat-builder.ts';
import { f32x4, i32, select, v128 } from './wat-code.ts';
import type { Code, Local } from './wat-code.ts';

export const blockGemmSchedule: BlockGemmKernel['schedule'] = { rowTile: 64, columnTile: 32 };

/** Rows up to which unpacking takes longer than reading the blocks again for each. */
const mostDirectRows = 3;
const { panelWidth } = gemmSchedule;

/** The product over an unpacked panel. */
function panelKernel({ epilogue }: BlockGemmKernel): GemmKernel {
  return { kind: 'gemm', right: 'f32', epilogue, schedule: gemmSchedule };
}

/** Bytes of a row of K quants. */
function quantRowBytes({ bits }: BlockFormat, K: Code<'i32'>): Code<'i32'> {
  return bits === 8 ? K : i32.shr_u(K, 1);
}

/**
 * (quants, quant_bytes, scales, scale_bytes, minima_offset, columns, panel, blocks): writes the values of a panel's rows of
 * quants as [K][panelWidth]; columns that are not there get the values of the first.
 */
function unpackFunction(format: BlockFormat, kernelName: string): InternalFunction<readonly (readonly [string, 'i32'])[], null> {
  return defineFunction(
    `${kernelName}_unpack`,
    [
      ['quants', 'i32'],
      ['quant_bytes', 'i32'],
      ['scales', 'i32'],
      ['scale_bytes', 'i32'],
      ['minima_offset', 'i32'],
      ['columns', 'i32'],
      ['panel', 'i32'],
      ['blocks', 'i32'],
    ],
    null,
    (f, quants, quantBytes, scales, scaleBytes, minimaOffset, columns, panel, blocks) => {
      const lanes = [0, 1, 2, 3];
      const constants = quantConstants(f, format);
      const quantBlockBytes = (format.block * format.bits) / 8;
      const [block, to] = [f.local('block', 'i32'), f.local('to', 'i32')];
      for (let first = 0; first < panelWidth; first += 4) {
        const rowsFrom = (name: string, base: Local<'i32'>, bytes: Local<'i32'>): readonly Local<'i32'>[] =>
          lanes.map((lane) => {
            const column = first + lane;
            return f.let(
              `${name}_${column}`,
              column === 0 ? base : i32.add(base, select(i32.gt_s(columns, column), i32.mul(bytes, column), i32.const(0))),
            );
          });
        const quantRows = rowsFrom('quants', quants, quantBytes);
        const scaleRows = rowsFrom('scales', scales, scaleBytes);
        const vectors = (name: string): readonly Local<'v128'>[] => lanes.map((lane) => f.local(`${name}_${lane}`, 'v128'));
        const [scale, minimum, words] = [vectors('scale'), vectors('minimum'), vectors('word')];
        f.set(to, i32.add(panel, first * 4));
        f.for(block, 0, blocks, 1, () => {
          lanes.forEach((lane) => {
            const address = scaleRows[lane] as Local<'i32'>;
            f.set(scale[lane] as Local<'v128'>, v128.load32_splat(address));
            if (format.minima) f.set(minimum[lane] as Local<'v128'>, v128.load32_splat(i32.add(address, minimaOffset)));
          });
          for (let element = 0; element < format.block; element += elementsPerLoad(format)) {
            quantRows.forEach((row, lane) => f.set(words[lane] as Local<'v128'>, v128.load(row, (element * format.bits) / 8)));
            for (const vector of quantVectors(format)) {
              const values = lanes.map((lane) => {
                const quant = f32x4.convert_i32x4_s(quantIntegers(format, words[lane] as Local<'v128'>, vector, constants));
                const scaled = f32x4.mul(quant, scale[lane] as Local<'v128'>);
                return format.minima ? f32x4.add(scaled, minimum[lane] as Local<'v128'>) : scaled;
              });
              // One vector for each of four k, which are 4 apart.
              transposed(f, values).forEach((columnsOfRow, i) =>
                f.store(to, columnsOfRow, (element + vector.element + 4 * i) * panelWidth * 4),
              );
            }
          }
          for (const row of quantRows) f.increment(row, quantBlockBytes);
          for (const row of scaleRows) f.increment(row, 4);
          f.increment(to, format.block * panelWidth * 4);
        });
      }
    },
  );
}

export function renderBlockGemm(kernel: BlockGemmKernel, { module, name, exported }: KernelContext): void {
  const { format } = kernel;
  const { rowTile, columnTile } = kernel.schedule;
  const epilogue = epilogueNames(kernel);
  const residuals = epilogue.filter(({ step }) => step === 'residual');
  const panels = `${name}_panel`;
  renderGemm(panelKernel(kernel), { module, name: panels, exported: false });
  const [prepare, dot, unpack] = [prepareFunction(format, name), dotFunction(kernel, name), unpackFunction(format, name)];

  const parameters = {
    exported,
    operands: [
      ...['left', 'quants', 'scales', ...(format.minima ? ['minima'] : [])],
      ...epilogue.map((operand) => operand.name),
      'result',
    ],
    integers: ['M', 'N', 'K', 'left_stride', 'result_stride', ...residuals.map((operand) => `${operand.name}_stride`)],
  };
  module.kernel(name, parameters, (f, { begin, end, scratch, operand, integer }) => {
    const [M, N, K] = [integer('M'), integer('N'), integer('K')];
    const blocks = f.let('blocks', i32.div_u(K, format.block));
    const quantBytes = f.let('quant_bytes', quantRowBytes(format, K));
    const scaleBytes = f.let('scale_bytes', i32.shl(blocks, 2));
    const minimaOffset = format.minima ? f.let('minima_offset', i32.sub(operand('minima'), operand('scales'))) : i32.const(0);
    const column = f.local('column', 'i32');
    const lastColumn = f.local('last_column', 'i32');
    const columns = f.local('columns', 'i32');
    const quantsAt = (): Code<'i32'> => i32.add(operand('quants'), i32.mul(column, quantBytes));
    const scalesAt = (): Code<'i32'> => i32.add(operand('scales'), i32.mul(column, scaleBytes));
    const weights = (): readonly Code<'i32'>[] => [quantsAt(), quantBytes, scalesAt(), scaleBytes, minimaOffset, columns];

    const rowBytes = epilogue.map(({ step, name: operandName }) =>
      step === 'bias' ? i32.const(0) : f.let(`${operandName}_bytes`, i32.shl(integer(`${operandName}_stride`), 2)),
    );
    const resultBytes = f.let('result_bytes', i32.shl(integer('result_stride'), 2));
    const leftBytes = f.let('left_bytes', i32.shl(integer('left_stride'), 2));
    /** The element (row, column) of the result or of an operand of the epilogue. */
    const at = (operandName: string, row: Code<'i32'>, bytes: Code<'i32'>): Code<'i32'> =>
      f.element(bytes.constant === 0 ? operand(operandName) : i32.add(operand(operandName), i32.mul(row, bytes)), column);
    const operandsAt = (row: Code<'i32'>): readonly Code<'i32'>[] =>
      epilogue.map(({ name: operandName }, position) => at(operandName, row, rowBytes[position] as Code<'i32'>));

    const direct = (): void => {
      const preparedBytes = f.let('prepared_bytes', i32.mul(blocks, preparedBlockBytes(format)));
      const copies = f.let('copies', i32.add(scratch, i32.mul(preparedBytes, mostDirectRows)));
      const row = f.local('row', 'i32');
      const prepared = (): Code<'i32'> => i32.add(scratch, i32.mul(row, preparedBytes));
      f.for(row, 0, M, 1, () => f.run(prepare, i32.add(operand('left'), i32.mul(row, leftBytes)), prepared(), blocks));
      f.set(lastColumn, f.minimum(N, i32.mul(end, columnTile)));
      f.for(column, i32.mul(begin, columnTile), lastColumn, dotColumns, () => {
        f.set(columns, i32.sub(N, column));
        f.for(row, 0, M, 1, () => {
          f.if(
            i32.ge_s(columns, dotColumns),
            () => f.run(dot, prepared(), blocks, ...weights(), at('result', row, resultBytes), ...operandsAt(row)),
            () => {
              f.comment('the last, partial vector reads and writes copies in scratch, so that nothing beyond N is touched');
              const bytes = f.let('bytes', i32.shl(columns, 2));
              const copy = (position: number): Code<'i32'> => i32.add(copies, (position + 1) * 16);
              operandsAt(row).forEach((from, position) => f.copyMemory(copy(position), from, bytes));
              f.run(dot, prepared(), blocks, ...weights(), copies, ...epilogue.map((_, position) => copy(position)));
              f.copyMemory(at('result', row, resultBytes), copies, bytes);
            },
          );
        });
      });
    };
    const byPanels = (): void => {
      const rowBlocks = f.let('row_blocks', i32.div_s(i32.add(M, rowTile - 1), rowTile));
      const gemmScratchAt = f.let('gemm_scratch', i32.add(scratch, i32.mul(K, panelWidth * 4)));
      const [item, count] = [f.local('item', 'i32'), f.local('count', 'i32')];
      const [first, rows] = [f.local('first', 'i32'), f.local('rows', 'i32')];
      const columnBlock = f.local('column_block', 'i32');
      f.for(item, begin, end, count, () => {
        f.comment('all items of one block of columns, which lie behind each other');
        f.set(columnBlock, i32.div_s(item, rowBlocks));
        f.set(first, i32.sub(item, i32.mul(columnBlock, rowBlocks)));
        f.set(count, f.minimum(i32.sub(end, item), i32.sub(rowBlocks, first)));
        f.set(first, i32.mul(first, rowTile));
        f.set(rows, f.minimum(i32.sub(M, first), i32.mul(count, rowTile)));
        f.set(column, i32.mul(columnBlock, columnTile));
        f.set(lastColumn, f.minimum(N, i32.add(column, columnTile)));
        f.for(column, column, lastColumn, panelWidth, () => {
          f.set(columns, f.minimum(panelWidth, i32.sub(N, column)));
          f.run(unpack, ...weights(), scratch, blocks);
          f.runKernel(
            panels,
            ...[0, i32.div_s(i32.add(rows, gemmSchedule.rowTile - 1), gemmSchedule.rowTile), gemmScratchAt],
            ...[
              i32.add(operand('left'), i32.mul(first, leftBytes)),
              scratch,
              ...operandsAt(first),
              at('result', first, resultBytes),
            ],
            ...[rows, columns, K, integer('left_stride'), integer('result_stride')],
            ...residuals.map(({ name: operandName }) => integer(`${operandName}_stride`)),
          );
        });
      });
    };
    f.if(i32.le_s(M, mostDirectRows), direct, byPanels);
  });
}

/** Either the prepared rows and copies of partial vectors, or an unpacked panel and what gemm needs. */
export function blockGemmScratch(kernel: BlockGemmKernel, integers: readonly Size[]): Size {
  const K = integers[2] as Size;
  const { format } = kernel;
  const prepared = multiplySizes(ceilDivideSizes(K, format.block), preparedBlockBytes(format) * mostDirectRows);
  const direct = addSizes(prepared, (epilogueNames(kernel).length + 1) * 16);
  const panel = addSizes(multiplySizes(K, panelWidth * 4), gemmScratch(panelKernel(kernel)));
  return maxSize(direct, panel);
}
