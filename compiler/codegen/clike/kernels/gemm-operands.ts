/** Names of what products have in common, and what is done to a sum before it is stored. */
import type { BlockGemmKernel, EpilogueStep, GemmKernel } from '../../../kernel/kernel.ts';
import { elementwise } from '../elementwise.ts';
import type { KernelBuilder } from '../kernel-builder.ts';

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

/** What is read for the norm of a left side. */
export function normNames(leftNorm: ProductText['leftNorm']): readonly string[] {
  if (!leftNorm) return [];
  const { norm, statistics } = leftNorm;
  return ['norm_weight', ...(norm === 'layer' ? ['norm_bias'] : []), ...(statistics === 'gathered' ? ['statistics'] : [])];
}
/** The operands of a product whose right side has these. */
export function gemmOperands(right: readonly string[], { epilogue, leftNorm, gathers }: ProductText): readonly string[] {
  const read = [...epilogueNames(epilogue).filter((name) => name !== null), ...normNames(leftNorm)];
  return ['left', ...right, ...read, 'result', ...(gathers ? ['result_statistics'] : [])];
}
export function gemmIntegers({ epilogue, leftNorm }: ProductText): readonly string[] {
  const residuals = epilogueNames(epilogue).filter((name) => name?.startsWith('residual'));
  const strides = ['left_stride', 'result_stride', ...residuals.map((name) => `${name ?? ''}_stride`)];
  return ['rows', 'columns', 'depth', ...strides, ...(leftNorm?.statistics === 'gathered' ? ['part_columns'] : [])];
}

/** A sum of the result, with its row and column. */
export interface ResultSum {
  readonly row: string;
  readonly sum: string;
}
/**
 * Stores sums of one column, which has to be one of the result; rows beyond its last are left out. `stored`: is given what was stored
 * for the sum of a number.
 */
export function storeColumn(
  k: KernelBuilder,
  epilogue: readonly EpilogueStep[],
  column: string,
  sums: readonly ResultSum[],
  stored?: (number: number, value: string) => void,
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
        else if (step.step === 'residual')
          value = `${value} + ${k.operand(name).at(`${row} * ${k.size(`${name}_stride`)} + ${column}`)}`;
        else {
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
