import { hasState, pastDim, type EntryPointName } from '../../format/program.ts';
import type { Dims } from '../../inputs.ts';
import { RunPlan, type PlanOptions } from './plan.ts';

// Plans of recent dims; batches of texts come in many lengths, and one plan is a few dozen numbers for each dispatch.
const cachedPlans = 64;

/** The plans of a program for recent dims. */
export class PlanCache<K> {
  readonly #options: Omit<PlanOptions<K>, 'entry'>;
  readonly #plans = new Map<string, RunPlan<K>>();

  constructor(options: Omit<PlanOptions<K>, 'entry'>) {
    this.#options = options;
  }

  /** The plan of the entry point for these dims; with a state, for any number of tokens in it. */
  planOf(entry: EntryPointName, dims: Dims): RunPlan<K> {
    const { program } = this.#options;
    const keyed = program.dims.filter(({ name }) => !(name === pastDim && hasState(program)));
    const key = [entry, ...keyed.map(({ name }) => dims[name])].join(',');
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      plan = new RunPlan({ ...this.#options, entry }, dims);
      const oldest = this.#plans.size >= cachedPlans ? this.#plans.keys().next().value : undefined;
      if (oldest !== undefined) this.#plans.delete(oldest);
    } else {
      this.#plans.delete(key);
    }
    this.#plans.set(key, plan);
    return plan;
  }
}
