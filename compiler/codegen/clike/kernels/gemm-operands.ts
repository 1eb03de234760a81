/** Names of what products have in common, and what is done to a sum before it is stored. */
import type { EpilogueStep } from '../../../kernel/kernel.ts';
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

/** The operands of a product whose right side has these. */
export function gemmOperands(right: readonly string[], epilogue: readonly EpilogueStep[]): readonly string[] {
  return ['left', ...right, ...epilogueNames(epilogue).filter((name) => name !== null), 'result'];
}
export function gemmIntegers(epilogue: readonly EpilogueStep[]): readonly string[] {
  const residuals = epilogueNames(epilogue).filter((name) => name?.startsWith('residual'));
  return ['rows', 'columns', 'depth', 'left_stride', 'result_stride', ...residuals.map((name) => `${name ?? ''}_stride`)];
}

/** A sum of the result, with its row and column. */
export interface ResultSum {
  readonly row: string;
  readonly sum: string;
}
/** Stores sums of one column, which has to be one of the result; rows beyond its last are left out. */
export function storeColumn(
  k: KernelBuilder,
  epilogue: readonly EpilogueStep[],
  column: string,
  sums: readonly ResultSum[],
): void {
  const names = epilogueNames(epilogue);
  const biases = epilogue.map(({ step }, index) =>
    step === 'bias' ? k.let(names[index] ?? step, 'f32', k.operand(names[index] ?? step).at(column)) : '',
  );
  for (const { row, sum } of sums) {
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
      k.operand('result').store(`${row} * ${k.size('result_stride')} + ${column}`, value);
    });
  }
}
