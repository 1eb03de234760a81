/**
 * The cheapest plan of a frontier whose loss stays under a bound: bisected on one part of the documents, then held against the bound on
 * the other by the upper end of its 95 % interval. Where that fails, the search goes on among more exact plans: a plan is only ever
 * replaced by a more exact one, so that the check part is not searched for a plan that happens to look well on it.
 */
import type { FrontierPlan } from './frontier.ts';
import { measuredLoss, type LossDefinition, type MeasuredLoss } from './loss.ts';
import { documentLosses, type Reference } from './measure.ts';
import type { PlannedModel } from './planned-model.ts';

export interface SearchOptions {
  /** From the cheapest to the most exact. */
  readonly plans: readonly FrontierPlan[];
  readonly bound: number;
  readonly loss: LossDefinition;
  readonly search: readonly Reference[];
  readonly check: readonly Reference[];
  instantiate(plan: FrontierPlan): Promise<PlannedModel>;
  /** Said before each document that is read; throws the reason of an abort. */
  onDocument(trial: number, part: 'search' | 'check', index: number, total: number): void;
}
export interface CheckedPlan {
  readonly plan: FrontierPlan;
  /** On the search part. */
  readonly searchMean: number;
  /** On the check part. */
  readonly measured: MeasuredLoss;
}
export interface SearchResult {
  readonly met: boolean;
  /** The plan that meets the bound; else the one whose interval ends lowest. */
  readonly best: CheckedPlan;
  /** Plans that were measured. */
  readonly trials: number;
}

/** Share of the bound that a plan's mean on the search part may have at first: the interval of the check part has to fit below the bound. */
const firstGoal = 0.75;
const nextGoal = 0.9;

/** `plans` and both parts have one member at least. */
export async function searchPlan(options: SearchOptions): Promise<SearchResult> {
  const { plans, bound, loss, search, check } = options;
  const means = new Map<number, number>();
  let trials = 0;
  let instance: { readonly index: number; readonly model: PlannedModel } | null = null;
  const modelOf = async (index: number): Promise<PlannedModel> => {
    if (instance?.index !== index) instance = { index, model: await options.instantiate(plans[index] as FrontierPlan) };
    return instance.model;
  };
  /** The mean of the search part, or more than `most` where it is known to be. */
  const searchMean = async (index: number, most: number): Promise<number> => {
    const known = means.get(index);
    if (known !== undefined) return known;
    trials += 1;
    const model = await modelOf(index);
    const onDocument = (at: number): void => options.onDocument(trials, 'search', at, search.length);
    const losses = await documentLosses(model, search, onDocument, most * search.length);
    const mean = losses.reduce((sum, value) => sum + value, 0) / search.length;
    means.set(index, mean);
    return mean;
  };

  let goal = bound * firstGoal;
  let first = 0;
  let best: CheckedPlan | null = null;
  for (;;) {
    // The cheapest plan from `first` on whose mean is under the goal; the most exact one where none is.
    let [low, high] = [first, plans.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((await searchMean(middle, goal)) <= goal) high = middle;
      else low = middle + 1;
    }
    const mean = await searchMean(low, Infinity);
    const model = await modelOf(low);
    const losses = await documentLosses(model, check, (at) => options.onDocument(trials, 'check', at, check.length));
    const measured = measuredLoss(loss, losses);
    const checked: CheckedPlan = { plan: plans[low] as FrontierPlan, searchMean: mean, measured };
    const { high: upper } = measured.interval;
    if (upper <= bound) return { met: true, best: checked, trials };
    if (best === null || upper < best.measured.interval.high) best = checked;
    if (low === plans.length - 1) return { met: false, best, trials };
    goal = Math.min(goal * nextGoal, (mean * bound * nextGoal) / upper);
    first = low + 1;
  }
}
