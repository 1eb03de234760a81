/** What is done with the sums of a product before they are stored: the same for gemm and block_gemm. */
import type { EpilogueStep } from '../../kernel/kernel.ts';
import { elementwise } from './elementwise.ts';

export interface EpilogueOperand {
  readonly step: 'bias' | 'residual';
  readonly name: string;
}
/** Those that read memory, in order: bias_0, residual_1, ... */
export function epilogueOperands(epilogue: readonly EpilogueStep[]): readonly EpilogueOperand[] {
  const reading = epilogue.flatMap(({ step }) => (step === 'activation' ? [] : [step]));
  return reading.map((step, position) => ({ step, name: `${step}_${position}` }));
}
export function epilogueDeclarations(epilogue: readonly EpilogueStep[]): readonly string[] {
  return epilogueOperands(epilogue).map(({ name }) => `const f32 *${name}`);
}
/** Row strides of the residuals. */
export function epilogueIntegers(epilogue: readonly EpilogueStep[]): readonly string[] {
  return epilogueOperands(epilogue).flatMap(({ step, name }) => (step === 'residual' ? [`${name}_stride`] : []));
}

/**
 * Statements that take the vector `value` through the epilogue at `row` and from `column` on, of `count` columns (i64, may be more
 * than LANES).
 */
export function epilogueLines(epilogue: readonly EpilogueStep[]): readonly string[] {
  const operands = [...epilogueOperands(epilogue)];
  return epilogue.map((step) => {
    if (step.step === 'activation') return `value = ${elementwise[step.op](['value'], { operand: 'f32', result: 'f32' })};`;
    const name = operands.shift()?.name ?? '';
    const at = step.step === 'bias' ? 'column' : `row * ${name}_stride + column`;
    return `value += load_part(${name} + ${at}, count);`;
  });
}
