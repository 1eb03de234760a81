import type { DispatchStep, Step } from '../format/program.ts';
import type { SizeIndex, SizeScope, SizeTable } from './size-table.ts';

/** left < right, in a table. */
export interface PlannedCondition {
  readonly left: SizeIndex;
  readonly right: SizeIndex;
}
/** What a backend keeps of a dispatch, and the condition that it runs under. */
export interface Conditional {
  readonly when: PlannedCondition | undefined;
}
export interface PlannedRepeat<D extends Conditional> {
  readonly count: SizeIndex;
  readonly variable: string;
  readonly scope: SizeScope;
  readonly steps: readonly PlannedStep<D>[];
}
export type PlannedStep<D extends Conditional> = D | PlannedRepeat<D>;

/** The sizes of steps put into a table; what else a dispatch is to a backend is made by `planDispatch`, in the order of the steps. */
export function planSteps<D extends Conditional>(
  steps: readonly Step[],
  table: SizeTable,
  scope: SizeScope,
  planDispatch: (step: DispatchStep, scope: SizeScope) => D,
): readonly PlannedStep<D>[] {
  return steps.map((step) => {
    if (step.kind === 'dispatch') return planDispatch(step, scope);
    const rounds = table.scope([step.variable], scope);
    const count = table.add(step.count, scope);
    return { count, variable: step.variable, scope: rounds, steps: planSteps(step.steps, table, rounds, planDispatch) };
  });
}
export function planCondition(step: DispatchStep, table: SizeTable, scope: SizeScope): PlannedCondition | undefined {
  const [left, right] = step.when?.less.map((size) => table.add(size, scope)) ?? [];
  return left === undefined || right === undefined ? undefined : { left, right };
}

/** The dispatches that run, in order, of a call whose sizes are computed; the table has those of a round until the next one is asked for. */
export function* walkSteps<D extends Conditional>(steps: readonly PlannedStep<D>[], table: SizeTable): Generator<D, void, void> {
  for (const step of steps) {
    if ('steps' in step) {
      const count = table.at(step.count);
      for (let round = 0; round < count; round++) {
        table.set(step.scope, step.variable, round);
        table.compute(step.scope);
        yield* walkSteps(step.steps, table);
      }
    } else if (!step.when || table.at(step.when.left) < table.at(step.when.right)) yield step;
  }
}
