/**
 * Which head gets which mode: every plan on the lower convex hull of cost over predicted error. A weight on the errors, from none to all,
 * turns the choice into one of each layer: the least cost + weight * error, over sets of at most so many modes as a layer may have.
 * Heads whose errors are worst go to more exact modes first (atp-modes.md, section 3).
 */

/** One way of computing a head; a space has the dense one first. */
export interface Choice {
  /** Predicted seconds of one KV head, by layer. */
  readonly seconds: readonly number[];
  /** Relative squared error of a head's contribution, by layer and KV head. */
  readonly errors: readonly (readonly number[])[];
  /** All heads of a layer have it, or none. */
  readonly wholeLayers?: boolean;
}
export interface PlanSpace {
  readonly choices: readonly [dense: Choice, ...others: Choice[]];
  /** Different choices that the heads of one layer may have. */
  readonly choicesPerLayer: number;
  /** What costs more than this share of dense attention, of a layer or of the model, is not taken: it is not worth an error. */
  readonly leastGain: number;
}
export interface FrontierPlan {
  /** Index of the choice, by layer and KV head. */
  readonly assignment: readonly (readonly number[])[];
  readonly seconds: number;
  /** Square root of the summed errors: ranks plans, promises no level. */
  readonly predicted: number;
}

/** Plans that are looked at; those between two of them differ in few heads. */
const mostPlans = 96;

/** From the cheapest to the most exact; all of them save at least `1 - leastGain` of dense attention. Empty where nothing pays. */
export function frontierOf(space: PlanSpace): readonly FrontierPlan[] {
  const [dense] = space.choices;
  const denseSeconds = dense.errors.reduce((sum, heads, layer) => sum + heads.length * (dense.seconds[layer] as number), 0);
  const plans = new Map<string, FrontierPlan>();
  for (const weight of weightsOf(space)) {
    const plan = planFor(space, weight);
    if (plan.seconds <= denseSeconds * space.leastGain) plans.set(JSON.stringify(plan.assignment), plan);
  }
  return [...plans.values()].sort((a, b) => a.seconds - b.seconds || b.predicted - a.predicted);
}

/** Choices that pay in a layer, dense among them. */
function usable({ choices, leastGain }: PlanSpace, layer: number): readonly number[] {
  const dense = choices[0].seconds[layer] as number;
  return choices.flatMap(({ seconds }, index) => (index === 0 || (seconds[layer] as number) < dense * leastGain ? [index] : []));
}

/** Weights at which some head changes between two choices: all of them, or so many evenly among them. */
function weightsOf(space: PlanSpace): readonly number[] {
  const weights: number[] = [];
  const [dense] = space.choices;
  dense.errors.forEach((heads, layer) => {
    const indices = usable(space, layer);
    heads.forEach((_, head) => {
      for (const cheap of indices) {
        for (const exact of indices) {
          const [a, b] = [space.choices[cheap], space.choices[exact]] as [Choice, Choice];
          const cost = (b.seconds[layer] as number) - (a.seconds[layer] as number);
          const gain = (a.errors[layer]?.[head] as number) - (b.errors[layer]?.[head] as number);
          if (cost > 0 && gain > 0) weights.push(cost / gain);
        }
      }
    });
  });
  const sorted = weights.sort((a, b) => a - b);
  const step = Math.max(1, sorted.length / mostPlans);
  const kept = Array.from({ length: Math.ceil(sorted.length / step) }, (_, index) => sorted[Math.floor(index * step)] as number);
  // Just above a weight the more exact choice is taken.
  return [0, ...kept.map((weight) => weight * (1 + 1e-9))];
}

function planFor(space: PlanSpace, weight: number): FrontierPlan {
  const { choices, choicesPerLayer, leastGain } = space;
  let seconds = 0;
  let error = 0;
  const assignment = choices[0].errors.map((heads, layer) => {
    const costOf = (index: number, head: number): number =>
      (choices[index]?.seconds[layer] as number) + weight * (choices[index]?.errors[layer]?.[head] as number);
    const dense = heads.length * (choices[0].seconds[layer] as number);
    const best = subsets(usable(space, layer), Math.min(choicesPerLayer, heads.length))
      .filter((set) => set.length === 1 || !set.some((index) => choices[index]?.wholeLayers))
      .map((set) => {
        const own = heads.map((_, head) =>
          set.reduce((least, index) => (costOf(index, head) < costOf(least, head) ? index : least), set[0] as number),
        );
        const total = own.reduce((sum, index) => sum + (choices[index]?.seconds[layer] as number), 0);
        return { own, total, cost: own.reduce((sum, index, head) => sum + costOf(index, head), 0) };
      })
      // Every head apart is a call of its own: a layer in which few heads gain stays dense.
      .filter(({ own, total }) => total <= dense * leastGain || own.every((index) => index === 0))
      // Ties go to the set with fewer choices, which comes first.
      .reduce((least, candidate) => (candidate.cost < least.cost * (1 - 1e-12) ? candidate : least)).own;
    best.forEach((index, head) => {
      seconds += choices[index]?.seconds[layer] as number;
      error += choices[index]?.errors[layer]?.[head] as number;
    });
    return best;
  });
  return { assignment, seconds, predicted: Math.sqrt(error) };
}

/** All sets of one to `most` values, small ones first. */
function subsets(values: readonly number[], most: number): readonly (readonly number[])[] {
  let last: readonly (readonly number[])[] = values.map((value) => [value]);
  const all = [...last];
  for (let size = 2; size <= Math.min(most, values.length); size += 1) {
    last = last.flatMap((set) => values.filter((value) => value > (set.at(-1) as number)).map((value) => [...set, value]));
    all.push(...last);
  }
  return all;
}
