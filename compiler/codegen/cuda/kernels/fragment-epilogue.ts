import type { EpilogueStep } from '../../../kernel/kernel.ts';
import { elementwise } from '../../clike/elementwise.ts';
import type { KernelBuilder, Operand } from '../../clike/kernel-builder.ts';
import { gatherStatistics } from '../../clike/kernels/gather-statistics.ts';
import {
  epilogueNames,
  normedResidual,
  storeColumn,
  type ProductText,
  type ResidualNorm,
} from '../../clike/kernels/gemm-operands.ts';

/** Sums of a warp in fragments of 16 x 8 (tensor-core-intrinsics.ts), those of a row of tiles one after the other. */
export interface Fragments {
  readonly sums: string;
  readonly residualNorm: ResidualNorm | undefined;
  readonly lane: string;
  readonly rowTiles: number;
  readonly columnTiles: number;
  /** Of the result. */
  readonly firstRow: string;
  readonly firstColumn: string;
}

/**
 * Stores them. A lane has two columns of two rows of a fragment. Where rows are aligned, it gives one pair to the lane beside it, and has
 * four columns of one row, which are stored at once; so that a warp writes whole sectors of 32 bytes, in half as many stores. For the
 * statistics of rows, what was stored takes the places of the sums.
 */
export function storeFragments(
  k: KernelBuilder,
  { epilogue, gathers }: Pick<ProductText, 'epilogue' | 'gathers'>,
  fragments: Fragments,
): void {
  const operands = [...epilogueNames(epilogue).filter((name) => name !== null), 'result'].map((name) => k.operand(name));
  const { sums, rowTiles, columnTiles, firstColumn } = fragments;
  const keeps = gathers !== undefined;
  const { store, rows } = operands.every(({ vectors }) => vectors)
    ? fourAtOnce(k, epilogue, fragments, keeps)
    : oneByOne(k, epilogue, fragments, keeps);
  const placeOf = (i: string, j: string, index: number): string => `${sums}[(${i} * ${columnTiles} + ${j}) * 4 + ${index}]`;
  k.line('#pragma unroll');
  k.for('i', '0', k.i32(rowTiles), '1', (i) => {
    k.line('#pragma unroll');
    k.for('j', '0', k.i32(columnTiles), '1', (j) => {
      store([placeOf(i, j, 0), placeOf(i, j, 1), placeOf(i, j, 2), placeOf(i, j, 3)], i, j);
    });
    if (!gathers) return;
    for (const { row, columns, exchanged } of rows) {
      gatherStatistics(k, gathers, {
        row: k.let('part_row', 'i32', `${row} + ${i} * 16`),
        firstColumn,
        width: columnTiles * 8,
        writes: exchanged.map((mask) => `(${fragments.lane} & ${mask}) == 0`).join(' && '),
        visit(body) {
          k.line('#pragma unroll');
          k.for('j', '0', k.i32(columnTiles), '1', (j) => {
            for (const [index, column] of columns)
              k.if(`${column} + ${j} * 8 < ${k.size('columns')}`, () => body(placeOf(i, j, index)));
          });
        },
        combine(variable) {
          for (const mask of exchanged) k.add(variable, k.dialect.subgroup.exchange(variable, `${mask}u`));
        },
      });
    }
  });
}
type Four = readonly [string, string, string, string];
interface FragmentStore {
  store(own: Four, i: string, j: string): void;
  /**
   * Rows of which the lane has values in the first tiles: those values, by their number among four, with their columns in the first
   * tile of columns; and in which bits the lanes that have the others differ from it.
   */
  readonly rows: readonly {
    readonly row: string;
    readonly columns: readonly (readonly [index: number, column: string])[];
    readonly exchanged: readonly number[];
  }[];
}

function oneByOne(k: KernelBuilder, epilogue: readonly EpilogueStep[], fragments: Fragments, keeps: boolean): FragmentStore {
  const { lane, firstRow, firstColumn } = fragments;
  const ownRow = k.let('own_row', 'i32', `${firstRow} + ${lane} / 4`);
  const ownColumn = k.let('own_column', 'i32', `${firstColumn} + ${lane} % 4 * 2`);
  return {
    store(own, i, j) {
      for (const next of [0, 1]) {
        const column = k.let('column', 'i32', `${ownColumn} + ${j} * 8 + ${next}`);
        const keep = (number: number, value: string): void => k.assign(own[next + 2 * number] ?? '', value);
        k.if(`${column} < ${k.size('columns')}`, () =>
          storeColumn(
            k,
            epilogue,
            column,
            [
              { row: `(${ownRow} + ${i} * 16)`, sum: own[next] ?? '' },
              { row: `(${ownRow} + ${i} * 16 + 8)`, sum: own[next + 2] ?? '' },
            ],
            { residualNorm: fragments.residualNorm, stored: keeps ? keep : undefined },
          ),
        );
      }
    },
    rows: [0, 1].map((half) => ({
      row: half === 0 ? ownRow : `${ownRow} + 8`,
      columns: [0, 1].map((next) => [2 * half + next, `${ownColumn} + ${next}`]),
      exchanged: [1, 2],
    })),
  };
}

function fourAtOnce(k: KernelBuilder, epilogue: readonly EpilogueStep[], fragments: Fragments, keeps: boolean): FragmentStore {
  const { lane, firstRow, firstColumn } = fragments;
  const { subgroup } = k.dialect;
  const isOdd = k.let('is_odd', 'bool', `${lane} % 2 == 1`);
  const ownRow = k.let('own_row', 'i32', `${firstRow} + ${lane} / 4 + ${lane} % 2 * 8`);
  const ownColumn = k.let('own_column', 'i32', `${firstColumn} + ${lane} % 4 / 2 * 4`);
  return {
    store(own, i, j) {
      const [a, b, c, d] = own;
      const first = k.let('first', 'f32', subgroup.exchange(k.select(isOdd, a, c), '1u'));
      const second = k.let('second', 'f32', subgroup.exchange(k.select(isOdd, b, d), '1u'));
      const four = k.select(isOdd, k.vector('vec4<f32>', first, second, c, d), k.vector('vec4<f32>', a, b, first, second));
      const values = k.let('values', 'vec4<f32>', four);
      const row = k.let('row', 'i32', `${ownRow} + ${i} * 16`);
      const column = k.let('column', 'i32', `${ownColumn} + ${j} * 8`);
      // Columns are a multiple of four.
      k.if(`${row} < ${k.size('rows')} && ${column} < ${k.size('columns')}`, () => {
        const result = afterEpilogue(k, epilogue, fragments.residualNorm, { row, column }, values);
        k.operand('result').storeVector(`${row} * ${k.size('result_stride')} + ${column}`, result);
        if (keeps) own.forEach((place, index) => k.assign(place, k.lane(result, index)));
      });
    },
    rows: [{ row: ownRow, columns: [0, 1, 2, 3].map((index) => [index, `${ownColumn} + ${index}`]), exchanged: [2] }],
  };
}
/** Four sums of a row, from a column on that is a multiple of four, with all that is done to them. */
function afterEpilogue(
  k: KernelBuilder,
  epilogue: readonly EpilogueStep[],
  residualNorm: ResidualNorm | undefined,
  { row, column }: { readonly row: string; readonly column: string },
  sums: string,
): string {
  const names = epilogueNames(epilogue);
  return epilogue.reduce((values, step, index) => {
    const name = names[index] ?? '';
    const next = (value: string): string => k.let('values', 'vec4<f32>', value);
    if (step.step === 'bias') return next(`${values} + ${k.operand(name).vectorAt(column)}`);
    if (step.step === 'residual') {
      const residual = k.operand(name).vectorAt(`${row} * ${k.size(`${name}_stride`)} + ${column}`);
      const from = (vector: Operand): string => vector.vectorAt(column);
      return next(`${values} + ${step.normed ? normedResidual(residualNorm, residual, row, from) : residual}`);
    }
    const types = { operand: 'f32', result: 'f32' } as const;
    const lanes = [0, 1, 2, 3].map((lane) => elementwise[step.op](k, [k.lane(values, lane)], types));
    return next(k.vector('vec4<f32>', ...lanes));
  }, sums);
}
