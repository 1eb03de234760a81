import type { EpilogueStep } from '../../../kernel/kernel.ts';
import { elementwise } from '../../clike/elementwise.ts';
import type { KernelBuilder } from '../../clike/kernel-builder.ts';
import { epilogueNames, storeColumn } from '../../clike/kernels/gemm-operands.ts';

/** Sums of a warp in fragments of 16 x 8 (tensor-core-intrinsics.ts), those of a row of tiles one after the other. */
export interface Fragments {
  readonly sums: string;
  readonly lane: string;
  readonly rowTiles: number;
  readonly columnTiles: number;
  /** Of the result. */
  readonly firstRow: string;
  readonly firstColumn: string;
}

/**
 * Stores them. A lane has two columns of two rows of a fragment: it gives one pair to the lane beside it, and has four columns of one
 * row, which are stored at once where rows are aligned; so that a warp writes whole sectors of 32 bytes.
 */
export function storeFragments(k: KernelBuilder, epilogue: readonly EpilogueStep[], fragments: Fragments): void {
  const { sums, lane, rowTiles, columnTiles, firstRow, firstColumn } = fragments;
  const { subgroup } = k.dialect;
  const isOdd = k.let('is_odd', 'bool', `${lane} % 2 == 1`);
  const ownRow = k.let('own_row', 'i32', `${firstRow} + ${lane} / 4 + ${lane} % 2 * 8`);
  const ownColumn = k.let('own_column', 'i32', `${firstColumn} + ${lane} % 4 / 2 * 4`);
  k.line('#pragma unroll');
  k.for('i', '0', k.i32(rowTiles), '1', (i) => {
    k.line('#pragma unroll');
    k.for('j', '0', k.i32(columnTiles), '1', (j) => {
      const own = [0, 1, 2, 3].map((index) => `${sums}[(${i} * ${columnTiles} + ${j}) * 4 + ${index}]`) as [string, ...string[]];
      const [a, b, c, d] = own as [string, string, string, string];
      const first = k.let('first', 'f32', subgroup.exchange(k.select(isOdd, a, c), '1u'));
      const second = k.let('second', 'f32', subgroup.exchange(k.select(isOdd, b, d), '1u'));
      const four = k.let(
        'four',
        'vec4<f32>',
        k.select(isOdd, k.vector('vec4<f32>', first, second, c, d), k.vector('vec4<f32>', a, b, first, second)),
      );
      const row = k.let('row', 'i32', `${ownRow} + ${i} * 16`);
      const column = k.let('column', 'i32', `${ownColumn} + ${j} * 8`);
      storeFour(k, epilogue, row, column, four);
    });
  });
}

/** Stores four sums of a row from a column on; what lies beyond the result is left out. */
function storeFour(k: KernelBuilder, epilogue: readonly EpilogueStep[], row: string, column: string, four: string): void {
  const names = epilogueNames(epilogue);
  const operands = [...names.filter((name) => name !== null), 'result'].map((name) => k.operand(name));
  if (!operands.every(({ vectors }) => vectors)) {
    k.line('#pragma unroll');
    k.for('next', '0', '4', '1', (next) => {
      k.if(`${column} + ${next} < ${k.size('columns')}`, () => {
        const own = k.let('own', 'i32', `${column} + ${next}`);
        storeColumn(k, epilogue, own, [{ row, sum: k.lane(four, next) }]);
      });
    });
    return;
  }
  // Columns are a multiple of four then.
  k.if(`${row} < ${k.size('rows')} && ${column} < ${k.size('columns')}`, () => {
    let value = four;
    epilogue.forEach((step, index) => {
      const name = names[index] ?? '';
      if (step.step === 'bias') value = k.let('values', 'vec4<f32>', `${value} + ${k.operand(name).vectorAt(column)}`);
      else if (step.step === 'residual') {
        const residual = k.operand(name).vectorAt(`${row} * ${k.size(`${name}_stride`)} + ${column}`);
        value = k.let('values', 'vec4<f32>', `${value} + ${residual}`);
      } else {
        const types = { operand: 'f32', result: 'f32' } as const;
        const lanes = [0, 1, 2, 3].map((next) => elementwise[step.op](k, [k.lane(value, next)], types));
        value = k.let('values', 'vec4<f32>', k.vector('vec4<f32>', ...lanes));
      }
    });
    k.operand('result').storeVector(`${row} * ${k.size('result_stride')} + ${column}`, value);
  });
}
