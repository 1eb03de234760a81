/** Names of what products have in common, and what is done to a sum before it is stored. */
import type { BlockGemmKernel, EpilogueStep, GemmKernel } from '../../../kernel/kernel.ts';
import { elementwise } from '../elementwise.ts';
import type { LeftNorm } from '../../../kernel/row-norm.ts';
import type { KernelBuilder, Operand } from '../kernel-builder.ts';

/** A name for each step that has an operand; null for the others. */
export function epilogueNames(epilogue: readonly EpilogueStep[]): readonly (string | null)[] {
  const counts = new Map<string, number>();
  return epilogue.map(({ step }) => {
    if (step === 'activation') return null;
    const count = (counts.get(step) ?? 0) + 1;
    counts.set(step, count);
    return count === 1 ? step : `${step}_${count}`;
  });
}

/** What of a product its text depends on, beside its sides. */
export type ProductText = Pick<GemmKernel | BlockGemmKernel, 'epilogue' | 'schedule' | 'leftNorm' | 'gathers'>;

/** Names of what is read for a norm. */
export interface NormNames {
  readonly weight: string;
  readonly bias: string;
  readonly statistics: string;
  readonly partColumns: string;
}
export const leftNormNames: NormNames = {
  weight: 'norm_weight',
  bias: 'norm_bias',
  statistics: 'statistics',
  partColumns: 'part_columns',
};
export const residualNormNames: NormNames = {
  weight: 'residual_weight',
  bias: 'residual_bias',
  statistics: 'residual_statistics',
  partColumns: 'residual_part_columns',
};
/** The norm of a residual, if one is normed. */
export function residualNormOf({ epilogue }: Pick<ProductText, 'epilogue'>): LeftNorm | undefined {
  const normed = epilogue.map((step) => (step.step === 'residual' ? step.normed : undefined)).find((norm) => norm !== undefined);
  return normed && { ...normed, statistics: 'gathered' };
}
function normsOf(product: Pick<ProductText, 'epilogue' | 'leftNorm'>): readonly (readonly [LeftNorm, NormNames])[] {
  const residual = residualNormOf(product);
  return [
    ...(product.leftNorm ? [[product.leftNorm, leftNormNames] as const] : []),
    ...(residual ? [[residual, residualNormNames] as const] : []),
  ];
}
/** What is read for norms: vectors along K or columns, and statistics. */
export function normOperands(product: Pick<ProductText, 'epilogue' | 'leftNorm'>): readonly string[] {
  return normsOf(product).flatMap(([{ norm, statistics }, names]) => [
    names.weight,
    ...(norm === 'layer' ? [names.bias] : []),
    ...(statistics === 'gathered' ? [names.statistics] : []),
  ]);
}
/** The operands of a product whose right side has these. */
export function gemmOperands(right: readonly string[], product: ProductText): readonly string[] {
  const read = [...epilogueNames(product.epilogue).filter((name) => name !== null), ...normOperands(product)];
  return ['left', ...right, ...read, 'result', ...(product.gathers ? ['result_statistics'] : [])];
}
export function gemmIntegers(product: ProductText): readonly string[] {
  const residuals = epilogueNames(product.epilogue).filter((name) => name?.startsWith('residual'));
  const strides = ['left_stride', 'result_stride', ...residuals.map((name) => `${name ?? ''}_stride`)];
  const parts = normsOf(product).flatMap(([{ statistics }, names]) => (statistics === 'gathered' ? [names.partColumns] : []));
  return ['rows', 'columns', 'depth', ...strides, ...parts];
}

/** A sum of the result, with its row and column. */
export interface ResultSum {
  readonly row: string;
  readonly sum: string;
}
/** What a value of a residual that is normed becomes; `from`: reads a vector of the norm at the columns of the value. */
export type ResidualNorm = (value: string, row: string, from: (vector: Operand) => string) => string;
interface StoreOptions {
  readonly residualNorm?: ResidualNorm | undefined;
  /** Is given what was stored for the sum of a number. */
  readonly stored?: ((number: number, value: string) => void) | undefined;
}
/** Stores sums of one column, which has to be one of the result; rows beyond its last are left out. */
export function storeColumn(
  k: KernelBuilder,
  epilogue: readonly EpilogueStep[],
  column: string,
  sums: readonly ResultSum[],
  { residualNorm, stored }: StoreOptions = {},
): void {
  const names = epilogueNames(epilogue);
  const biases = epilogue.map(({ step }, index) =>
    step === 'bias' ? k.let(names[index] ?? step, 'f32', k.operand(names[index] ?? step).at(column)) : '',
  );
  sums.forEach(({ row, sum }, number) => {
    k.if(`${row} < ${k.size('rows')}`, () => {
      let value = sum;
      epilogue.forEach((step, index) => {
        const name = names[index] ?? '';
        if (step.step === 'bias') value = `${value} + ${biases[index] ?? ''}`;
        else if (step.step === 'residual') {
          const residual = k.operand(name).at(`${row} * ${k.size(`${name}_stride`)} + ${column}`);
          value = `${value} + ${step.normed ? normedResidual(residualNorm, residual, row, (vector) => vector.at(column)) : residual}`;
        } else {
          // Forms name their operand more than once.
          const operand = k.let('value', 'f32', value);
          value = elementwise[step.op](k, [operand], { operand: 'f32', result: 'f32' });
        }
      });
      const kept = stored ? k.let('kept', 'f32', value) : value;
      k.operand('result').store(`${row} * ${k.size('result_stride')} + ${column}`, kept);
      stored?.(number, kept);
    });
  });
}

/** Throws a RangeError where a schedule has no statistics of rows. */
export function normedResidual(norm: ResidualNorm | undefined, ...place: Parameters<ResidualNorm>): string {
  if (!norm) throw new RangeError('A residual is normed in tiles alone.');
  return `(${norm(...place)})`;
}
