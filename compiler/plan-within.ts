/** The plan that a model is compiled with: as the options say, or found or measured under a bound of its loss. */
import { AtpcError } from '../runtime/errors.ts';
import type { CachePlanFile } from './attention/cache-plan-file.ts';
import { checkTargets } from './attention/check-targets.ts';
import type { PlanFile } from './attention/plan-file.ts';
import { withActivations, type Targets } from './codegen/targets.ts';
import type { Preparation } from './prepared-model.ts';
import { allToCheck, type BoundedKindInput, type PreparedKind } from './quality/bounded-plan.ts';
import { choosesActivations, withChosenActivations } from './quality/choose-activations.ts';
import { boundedPlan, checkedPlan, encoderFor, lossBoundOf, type QualityPlan } from './quality/quality-plan.ts';

/** How the plans of a kind of models are made. `P`: its plans; `F`: the files that say the same. */
export interface PlanSource<P, F> {
  /** The plan of the options, where they do not leave it to a bound. */
  choose(): Promise<P>;
  bounded(input: BoundedKindInput): Promise<PreparedKind<P, F>>;
  layersOf(plan: P): Parameters<typeof checkTargets>[0];
}
export interface ChosenPlan<P> extends QualityPlan<P> {
  /** As given, but for what was chosen under the bound. */
  readonly targets: Targets;
}

/** Throws ATPC-301 to 305, 307, 311 for options and plans that do not fit, ATPC-315 for a bound that is not met. */
export async function planWithin<P, F extends PlanFile | CachePlanFile>(
  { source, shapes, targets, options, encode, report }: Preparation,
  { choose, bounded, layersOf }: PlanSource<P, F>,
): Promise<ChosenPlan<P>> {
  const [target] = targets;
  const limit = lossBoundOf(options);
  const given = options.attention === 'auto' ? null : await choose();
  if (limit === null) {
    if (given) return { plan: given, loss: null, notes: [], targets };
    throw new AtpcError('ATPC-399', 'A plan was to be found without a bound.');
  }
  const found = await bounded({
    source,
    shapes,
    targets,
    encode: encoderFor(encode, source.name),
    files: limit.files,
    options,
    report: (detail) => report('read model', undefined, detail),
  });
  const { kind } = found;
  // Where nothing is searched, nothing is kept apart from the search.
  const documents = given ? allToCheck(kind.documents) : kind.documents;
  const question = { ...found, kind: { ...kind, documents }, options, bound: limit.bound };
  const quality = await (given ? checkedPlan(question, given) : boundedPlan(question, target.name));
  checkTargets(layersOf(quality.plan), targets);
  if (!choosesActivations(targets, source, options.activations)) return { ...quality, targets };
  const { activations, ...chosen } = await withChosenActivations(question, quality);
  return { ...chosen, targets: withActivations(targets, activations) };
}
