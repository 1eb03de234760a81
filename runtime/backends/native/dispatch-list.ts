import type { RunPlan } from '../one-memory/plan.ts';

/** Numbers of a record before its arguments: kernel, step, items, whether one lane does it alone, how many arguments follow. */
const headNumbers = 5;

/** The dispatches of calls of one plan, as the lanes take them: every condition decided, every repetition written out. */
export class DispatchList {
  readonly #plan: RunPlan<number>;
  /** Milliseconds an item, for each step and lane, as of the last call. */
  readonly rates: Float64Array;
  numbers = new Float64Array(1024);
  /** The steps of the program that the last call runs, in order. */
  readonly steps: number[] = [];

  /** `steps`: dispatches of the entry point. */
  constructor(plan: RunPlan<number>, steps: number, lanes: number) {
    this.#plan = plan;
    this.rates = new Float64Array(steps * lanes);
  }

  /** Writes the list of the call that the plan has begun. */
  write(): void {
    this.steps.length = 0;
    let at = 0;
    for (const { step, kernel, oneLane, parameters, last } of this.#plan.dispatches()) {
      const end = at + headNumbers + parameters.length - 2;
      if (end > this.numbers.length) {
        const larger = new Float64Array(2 * end);
        larger.set(this.numbers);
        this.numbers = larger;
      }
      const { numbers } = this;
      numbers[at] = kernel;
      numbers[at + 1] = step;
      // One lane's share is everything: the lanes share out by themselves.
      numbers[at + 2] = last;
      numbers[at + 3] = oneLane ? 1 : 0;
      numbers[at + 4] = parameters.length - 2;
      at += headNumbers;
      // Without begin and end.
      for (let index = 2; index < parameters.length; index++) numbers[at++] = parameters[index] as number;
      this.steps.push(step);
    }
  }
}
