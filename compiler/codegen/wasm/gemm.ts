/**
 * gemm over packed panels: result[M, N] = epilogue(left[M, K] x right[N, K]^T).
 *
 * A tile of rows x panelWidth sums stays in vector registers (4 x 8: eight accumulators of the sixteen registers of x86; 6 x 8
 * where a multiply-add needs no register for the product) while k runs over K; each step loads one row of the panel and splats
 * one element of every left row. Panels are the outer loop, so that a panel (K * panelWidth * 4 bytes, 12 KiB for K = 384)
 * stays in the first-level cache over all row tiles. The loop over k is not unrolled: at 512 x 1536 x 384 under Node 20 one,
 * two, four and eight steps a round gave 39, 33, 30 and 27 GFLOP/s on a core whose peak of separate multiplies and adds is 42.
 *
 * Each sum is one chain over k in order, whatever the number of rows of its tile: a row does not depend on its neighbours,
 * nor on how the items are split. So an item may be any number of rows (schedule.rowTile), and tiles are laid over the rows of
 * all items at hand.
 */
import { addSizes, multiplySizes } from '../../../ir/size.ts';
import type { Size } from '../../../ir/size.ts';
import type { EpilogueStep, GemmKernel } from '../../kernel/kernel.ts';
import { vectorFunctions } from './elementwise.ts';
import type { FunctionBuilder, InternalFunction, KernelContext } from './wat-builder.ts';
import { f32x4, i32, select, v128 } from './wat-code.ts';
import type { Code, Local } from './wat-code.ts';

type WithEpilogue = Pick<GemmKernel, 'epilogue'>;
/** A pointer per epilogue step that reads memory, and for residuals the bytes from row to row. */
export interface EpilogueOperand {
  readonly step: 'bias' | 'residual';
  readonly address: Code<'i32'>;
  readonly rowBytes: Code<'i32'>;
}

function readsMemory(step: EpilogueStep): step is Extract<EpilogueStep, { step: 'bias' | 'residual' }> {
  return step.step !== 'activation';
}
/** Names of the operands and integers of the epilogue: bias, residual, residual_1, ... in order of the steps. */
export function epilogueNames({
  epilogue,
}: WithEpilogue): readonly { readonly step: 'bias' | 'residual'; readonly name: string }[] {
  return epilogue.filter(readsMemory).map(({ step }, position) => ({ step, name: `${step}_${position}` }));
}

export const gemmSchedule: GemmKernel['schedule'] = { rowTile: 4, panelWidth: 8 };

/** Rows of a tile, largest first; a rest of rows is made up of the smaller ones. The tables end with 1. */
const tileRows = { plain: [4, 2, 1], relaxed: [6, 4, 2, 1] } as const;
const mostTileRows = Math.max(...tileRows.plain, ...tileRows.relaxed);

type TileFunction = InternalFunction<readonly (readonly [string, 'i32'])[], null>;

/**
 * The function of one tile of `rows` rows: sums over k, epilogue, store. Its parameters are left, leftBytes (from row to row),
 * panel, count (K), result, resultBytes, then address and row bytes of each epilogue operand.
 */
function tileFunction(kernel: GemmKernel, kernelName: string, rows: number): TileFunction {
  const vectors = kernel.schedule.panelWidth / 4;
  const panelBytes = kernel.schedule.panelWidth * 4;
  const names = epilogueNames(kernel);
  const parameters: (readonly [string, 'i32'])[] = [
    ...['left', 'left_bytes', 'panel', 'count', 'result', 'result_bytes'].map((name) => [name, 'i32'] as const),
    ...names.flatMap(({ name }) => [[name, 'i32'] as const, [`${name}_bytes`, 'i32'] as const]),
  ];
  const emit = (f: FunctionBuilder): void => {
    const locals = parameters.map(([name, type]) => f.parameter(name, type));
    const [left, leftBytes, panel, count, result, resultBytes] = locals as [
      Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>,
    ]; // prettier-ignore
    const operands = names.map(({ step }, position): EpilogueOperand => {
      const [address, rowBytes] = [locals[6 + 2 * position], locals[7 + 2 * position]] as [Local<'i32'>, Local<'i32'>];
      return { step, address, rowBytes };
    });
    const row = Array.from({ length: rows }, (_, r) => f.let(`row_${r}`, i32.add(left, i32.mul(leftBytes, r))));
    const sums = row.map((_, r) => Array.from({ length: vectors }, (_unused, v) => f.local(`sum_${r}_${v}`, 'v128')));
    const right = Array.from({ length: vectors }, (_, v) => f.local(`right_${v}`, 'v128'));
    const multiplier = f.local('multiplier', 'v128');

    const last = f.let('last', i32.add(panel, i32.mul(count, panelBytes)));
    f.while(
      () => i32.ne(panel, last),
      () => {
        right.forEach((local, v) => f.set(local, v128.load(panel, v * 16)));
        row.forEach((address, r) => {
          f.set(multiplier, v128.load32_splat(address));
          sums[r]?.forEach((sum, v) => f.set(sum, f32x4.multiplyAdd(multiplier, right[v] as Local<'v128'>, sum)));
          f.increment(address, 4);
        });
        f.increment(panel, panelBytes);
      },
    );
    emitEpilogue(f, kernel, operands, sums);
    sums.forEach((vectorsOfRow, r) => {
      vectorsOfRow.forEach((sum, v) => f.store(i32.add(result, i32.mul(resultBytes, r)), sum, v * 16));
    });
  };
  return { name: `${kernelName}_rows_${rows}`, parameters, result: null, emit };
}

export function emitEpilogue(
  f: FunctionBuilder,
  kernel: WithEpilogue,
  operands: readonly EpilogueOperand[],
  sums: readonly (readonly Local<'v128'>[])[],
): void {
  let next = 0;
  for (const step of kernel.epilogue) {
    if (step.step === 'activation') {
      f.comment(step.op);
      const apply = vectorFunctions[step.op];
      for (const sum of sums.flat()) f.set(sum, apply(f, [sum]));
      continue;
    }
    const operand = operands[next++];
    if (operand === undefined) throw new RangeError('The epilogue has more operands than were declared.');
    f.comment(`+ ${step.step}`);
    sums.forEach((vectorsOfRow, r) => {
      const address = i32.add(operand.address, i32.mul(operand.rowBytes, r));
      vectorsOfRow.forEach((sum, v) => f.set(sum, f32x4.add(sum, v128.load(address, v * 16))));
    });
  }
}

export function renderGemm(kernel: GemmKernel, { module, name, exported }: KernelContext): void {
  const { rowTile, panelWidth } = kernel.schedule;
  const panelBytes = panelWidth * 4;
  const epilogue = epilogueNames(kernel);
  const residuals = epilogue.filter(({ step }) => step === 'residual');
  const tiles = tileRows[module.relaxedSimd ? 'relaxed' : 'plain'].map((count) => ({
    count,
    tile: tileFunction(kernel, name, count),
  }));
  const parameters = {
    exported,
    operands: ['left', 'right', ...epilogue.map((operand) => operand.name), 'result'],
    integers: ['M', 'N', 'K', 'left_stride', 'result_stride', ...residuals.map((operand) => `${operand.name}_stride`)],
  };
  module.kernel(name, parameters, (f, { begin, end, scratch, operand, integer }) => {
    const [M, N, K] = [integer('M'), integer('N'), integer('K')];
    const leftBytes = f.let('left_bytes', i32.shl(integer('left_stride'), 2));
    const resultBytes = f.let('result_bytes', i32.shl(integer('result_stride'), 2));
    const rowBytes = epilogue.map(({ step, name: operandName }) =>
      step === 'bias' ? i32.const(0) : f.let(`${operandName}_bytes`, i32.shl(integer(`${operandName}_stride`), 2)),
    );
    const firstRow = f.let('first_row', i32.mul(begin, rowTile));
    const lastRow = f.let('last_row', f.minimum(M, i32.mul(end, rowTile)));
    const [row, rows] = [f.local('row', 'i32'), f.local('rows', 'i32')];
    const panel = f.let('panel', operand('right'));
    const column = f.local('column', 'i32');
    const columns = f.local('columns', 'i32');

    /** Calls the function of the tile of `rows` rows. */
    const callTile = (result: Code<'i32'>, bytes: Code<'i32'>, operands: readonly Code<'i32'>[]): void => {
      const left = f.let('left_rows', i32.add(operand('left'), i32.mul(row, leftBytes)));
      const passed = [left, leftBytes, panel, K, result, bytes, ...operands];
      const choose = ([first, ...smaller]: typeof tiles): void => {
        if (first === undefined) return;
        const call = (): void => f.run(first.tile, ...passed);
        if (smaller.length === 0) call();
        else f.if(i32.eq(rows, first.count), call, () => choose(smaller));
      };
      choose(tiles);
    };
    /** The place of (row, column) in a matrix with rows of `bytes` bytes. */
    const at = (base: Code<'i32'>, bytes: Code<'i32'>): Code<'i32'> => f.element(i32.add(base, i32.mul(row, bytes)), column);
    const overRows = (body: () => void): void =>
      f.for(row, firstRow, lastRow, rows, () => {
        const left = f.let('rows_left', i32.sub(lastRow, row));
        const largest = ([first, ...smaller]: typeof tiles): Code<'i32'> =>
          first === undefined ? i32.const(1) : select(i32.ge_s(left, first.count), i32.const(first.count), largest(smaller));
        f.set(rows, largest(tiles.slice(0, -1)));
        body();
      });

    f.for(column, 0, N, panelWidth, () => {
      f.set(columns, i32.sub(N, column));
      f.if(
        i32.ge_s(columns, panelWidth),
        () =>
          overRows(() => {
            const operands = epilogue.flatMap(({ name: operandName }, position) => {
              const bytes = rowBytes[position] as Code<'i32'>;
              return [bytes.constant === 0 ? f.element(operand(operandName), column) : at(operand(operandName), bytes), bytes];
            });
            callTile(at(operand('result'), resultBytes), resultBytes, operands);
          }),
        () => {
          f.comment('the last, partial panel reads and writes copies in scratch, so that nothing beyond N is touched');
          const tileBytes = mostTileRows * panelBytes;
          const copyOf = epilogue.map((_, position) => i32.add(scratch, (position + 1) * tileBytes));
          const bytes = f.let('bytes', i32.shl(columns, 2));
          epilogue.forEach(({ step, name: operandName }, position) => {
            if (step === 'bias') f.copyMemory(copyOf[position] as Code<'i32'>, f.element(operand(operandName), column), bytes);
          });
          const r = f.local('r', 'i32');
          overRows(() => {
            epilogue.forEach(({ step, name: operandName }, position) => {
              if (step === 'bias') return;
              const from = f.let('from', at(operand(operandName), rowBytes[position] as Code<'i32'>));
              f.for(r, 0, rows, 1, () =>
                f.copyMemory(
                  i32.add(copyOf[position] as Code<'i32'>, i32.mul(r, panelBytes)),
                  i32.add(from, i32.mul(r, rowBytes[position] as Code<'i32'>)),
                  bytes,
                ),
              );
            });
            const operands = epilogue.flatMap(({ step }, position) => [
              copyOf[position] as Code<'i32'>,
              i32.const(step === 'bias' ? 0 : panelBytes),
            ]);
            callTile(scratch, i32.const(panelBytes), operands);
            const to = f.let('to', at(operand('result'), resultBytes));
            f.for(r, 0, rows, 1, () =>
              f.copyMemory(i32.add(to, i32.mul(r, resultBytes)), i32.add(scratch, i32.mul(r, panelBytes)), bytes),
            );
          });
        },
      );
      f.increment(panel, i32.mul(K, panelBytes));
    });
  });
}

/** Copies of one tile of the result and of each epilogue operand, for the partial panel; the same in every build. */
export function gemmScratch(kernel: GemmKernel): Size {
  const { panelWidth } = kernel.schedule;
  return multiplySizes(addSizes(1, epilogueNames(kernel).length), mostTileRows * panelWidth * 4);
}
