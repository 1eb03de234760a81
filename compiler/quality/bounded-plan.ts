/**
 * A plan whose loss on a person's own text stays under a bound: searched, or measured where it is given. What the two kinds of models have
 * in common.
 */
import type { AttentionShape } from '../../passes/atp/site.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { ManifestLoss } from '../../runtime/format/manifest.ts';
import type { Encode } from '../calibrate/calibrate.ts';
import type { ActivationType } from '../codegen/native/activations.ts';
import type { Targets } from '../codegen/targets.ts';
import type { CompileOptions } from '../compile-options.ts';
import type { SourceModel } from '../source-model.ts';
import type { CalibrationDocuments, TokenIds } from './documents.ts';
import { frontierOf, type Choice, type PlanSpace } from './frontier.ts';
import { confidence, leastDocumentsForShare } from './interval.ts';
import { measuredLoss, type LossDefinition, type MeasuredLoss } from './loss.ts';
import { denseReferences, documentLosses, tokensOf, type Reference, type ScoredDocument } from './measure.ts';
import type { PlannedModel, Positions } from './planned-model.ts';
import { searchPlan, type CheckedPlan } from './search.ts';

/** What a plan is chosen for, of one kind of model. `P`: its plans; `F`: the files that say the same. */
export interface BoundedKind<P, F> {
  readonly loss: LossDefinition;
  readonly documents: CalibrationDocuments;
  positionsOf(document: TokenIds): Positions;
  /** Text with far repeats, whose loss is told apart; empty for models that read a text at once. */
  readonly repeats: readonly ScoredDocument[];
  /** The choices of a head: predicted seconds of each, by layer, the dense one first. */
  readonly seconds: readonly [dense: readonly number[], ...others: (readonly number[])[]];
  /** Errors of the choices that are not dense, by layer and head, measured on documents. */
  errors(documents: readonly TokenIds[]): Promise<readonly (readonly (readonly number[])[])[]>;
  /** Choices that all heads of a layer have, or none: their indices, dense being 0. */
  readonly wholeLayers: ReadonlySet<number>;
  /** KV heads, by layer. */
  readonly heads: readonly number[];
  readonly choicesPerLayer: number;
  readonly leastGain: number;
  /** From the choice of each head to a plan. */
  fileOf(assignment: readonly (readonly number[])[]): F;
  planOf(file: F): P;
  /** Dense attention reads in f32: it is what others are held against. Without `activations`, a plan reads as the options say. */
  instantiate(plan: P | 'dense', activations?: ActivationType): Promise<PlannedModel>;
  /** Said while it is measured; throws the reason of an abort. */
  report(detail: string): void;
}
export interface FoundPlan<F> {
  readonly file: F;
  /** Predicted seconds of attention. */
  readonly seconds: { readonly dense: number; readonly plan: number };
  /** Plans that were measured. */
  readonly trials: number;
  readonly measured: PlanLoss;
}
/** A plan held against the bound. */
export interface PlanLoss {
  readonly met: boolean;
  readonly loss: ManifestLoss;
  readonly notes: readonly string[];
}

/** What a kind of model is made ready for a bound from. */
export interface BoundedKindInput {
  readonly source: SourceModel;
  readonly shapes: readonly AttentionShape[];
  readonly targets: Targets;
  readonly encode: Encode;
  readonly files: readonly string[];
  readonly options: Pick<CompileOptions, 'typicalLength' | 'storage' | 'activations'>;
  report(detail: string): void;
}
export interface PreparedKind<P, F> {
  readonly kind: BoundedKind<P, F>;
  /** What a person should know of the texts. */
  readonly notes: readonly string[];
}

type AnyKind = BoundedKind<unknown, unknown>;

/** Fewer documents have an interval that is mostly their small number: 2.4 standard errors at 8, 4.3 at 3. */
const goodDocuments = 8;

/**
 * The cheapest plan under the bound, or the best that was found. Null where no plan is predicted to pay. Throws ATPC-315 where even a plan
 * that loses nothing could not be shown to meet the bound, and the reason of an abort.
 */
export async function findBoundedPlan<P, F>(kind: BoundedKind<P, F>, bound: number): Promise<FoundPlan<F> | null> {
  const { documents, loss, heads, report } = kind;
  if (!pays(kind)) return null;
  const notes = [...documentNotes(kind, bound)];
  report('reading documents with each mode beside dense attention');
  const errors = await kind.errors(documents.search);
  const space = spaceOf(kind, errors);
  const plans = frontierOf(space);
  if (plans.length === 0) return null;
  const references = await referencesOf(kind);
  const result = await searchPlan({
    plans,
    bound,
    loss,
    ...references,
    instantiate: ({ assignment }) => kind.instantiate(kind.planOf(kind.fileOf(assignment))),
    onDocument: (trial, part, index, total) => report(`plan ${trial}, ${part}, document ${index + 1} of ${total}`),
  });
  const file = kind.fileOf(result.best.plan.assignment);
  const repeats = await repeatedLoss(kind, await kind.instantiate(kind.planOf(file)), references.repeats);
  const dense = heads.reduce((sum, count, layer) => sum + count * (kind.seconds[0][layer] as number), 0);
  return {
    file,
    seconds: { dense, plan: result.best.plan.seconds },
    trials: result.trials,
    measured: {
      met: result.met,
      loss: manifestLoss(result.best.measured, { bound, checked: references.check, textHash: documents.textHash, repeats }),
      notes: [...notes, ...searchNotes(result.best)],
    },
  };
}

const noDocuments: readonly TokenIds[] = [];
/** Documents that no plan was chosen by: all, where none was searched. */
export function allToCheck(documents: CalibrationDocuments): CalibrationDocuments {
  return { ...documents, search: noDocuments, check: [...documents.search, ...documents.check] };
}

/** The loss of a plan that is given, on the documents to check. Throws as `findBoundedPlan` does. */
export async function measureGivenPlan<P, F>(kind: BoundedKind<P, F>, plan: P, bound: number): Promise<PlanLoss> {
  const { documents, loss, report } = kind;
  const whole = { ...kind, documents: { ...documents, search: noDocuments } };
  const notes = documentNotes(whole, bound);
  const { check, repeats: repeatReferences } = await referencesOf(whole);
  const model = await kind.instantiate(plan);
  const losses = await documentLosses(model, check, (index) => report(`document ${index + 1} of ${check.length}`));
  const repeats = await repeatedLoss(kind, model, repeatReferences);
  const measured = measuredLoss(loss, losses);
  const { textHash } = documents;
  return {
    met: measured.interval.high <= bound,
    loss: manifestLoss(measured, { bound, checked: check, textHash, repeats }),
    notes,
  };
}

function pays({ seconds: [dense, ...others], leastGain }: Pick<AnyKind, 'seconds' | 'leastGain'>): boolean {
  return others.some((choice) => choice.some((seconds, layer) => seconds < (dense[layer] as number) * leastGain));
}

function spaceOf(
  kind: Pick<AnyKind, 'seconds' | 'heads' | 'choicesPerLayer' | 'leastGain' | 'wholeLayers'>,
  errors: readonly (readonly (readonly number[])[])[],
): PlanSpace {
  const { heads, choicesPerLayer, leastGain } = kind;
  const [denseSeconds, ...otherSeconds] = kind.seconds;
  const dense: Choice = { seconds: denseSeconds, errors: heads.map((count) => Array.from({ length: count }, () => 0)) };
  const others = otherSeconds.map((seconds, index): Choice => ({
    seconds,
    errors: errors[index] as Choice['errors'],
    wholeLayers: kind.wholeLayers.has(index + 1),
  }));
  return { choices: [dense, ...others], choicesPerLayer, leastGain };
}

interface References {
  readonly search: readonly Reference[];
  readonly check: readonly Reference[];
  readonly repeats: readonly Reference[];
}
/** What dense attention gave for lists of documents, for as long as somebody has the list: a plan may be measured in several ways. */
const known = new WeakMap<readonly unknown[], readonly Reference[]>();

async function referencesOf<P, F>({ documents, positionsOf, loss, repeats, ...kind }: BoundedKind<P, F>): Promise<References> {
  const scored = (document: TokenIds): ScoredDocument => ({ document, positions: positionsOf(document) });
  const lists = [documents.search, documents.check, repeats];
  const total = lists.reduce((sum, list) => (known.has(list) ? sum : sum + list.length), 0);
  const dense = total > 0 ? await kind.instantiate('dense') : null;
  let read = 0;
  const read1 = (): void => kind.report(`dense attention, document ${++read} of ${total}`);
  const of = async (list: readonly unknown[], own: readonly ScoredDocument[]): Promise<readonly Reference[]> => {
    const references = known.get(list) ?? (dense ? await denseReferences(dense, own, loss, read1) : []);
    known.set(list, references);
    return references;
  };
  return {
    search: await of(documents.search, documents.search.map(scored)),
    check: await of(documents.check, documents.check.map(scored)),
    repeats: await of(repeats, repeats),
  };
}

async function repeatedLoss(
  kind: Pick<AnyKind, 'report'>,
  model: PlannedModel,
  references: readonly Reference[],
): Promise<number | null> {
  if (references.length === 0) return null;
  const losses = await documentLosses(model, references, () => kind.report('text with far repeats'));
  return losses.reduce((sum, value) => sum + value, 0) / losses.length;
}

function manifestLoss(
  { name, unit, mean, interval }: MeasuredLoss,
  about: {
    readonly bound: number;
    readonly checked: readonly Reference[];
    readonly textHash: string;
    readonly repeats: number | null;
  },
): ManifestLoss {
  const { bound, checked, textHash, repeats } = about;
  // Digits beyond those say nothing.
  const rounded = (value: number): number => Number(value.toPrecision(4));
  return {
    name,
    unit,
    bound,
    mean: rounded(mean),
    low: rounded(interval.low),
    high: rounded(interval.high),
    documents: checked.length,
    tokens: tokensOf(checked),
    textHash,
    ...(repeats === null ? {} : { repeats: rounded(repeats) }),
  };
}

/** What is missing for a sure measurement. Throws ATPC-315 where none is possible. */
function documentNotes(
  { loss, documents: { check, search, found } }: Pick<AnyKind, 'loss' | 'documents'>,
  bound: number,
): readonly string[] {
  const read = `${found} documents were found, ${search.length} of them searched on and ${check.length} held against the bound`;
  if (loss.name === 'disagreement') {
    const least = leastDocumentsForShare(bound);
    if (check.length >= least) return [];
    throw new AtpcError(
      'ATPC-315',
      `${read}: even if all ${check.length} labels agreed, ${Math.round(100 * confidence)} % confidence would reach ` +
        `${loss.interval(check.map(() => 0)).high.toPrecision(2)}, and the bound is ${bound}.`,
      { hint: `Give ${Math.ceil(least / 0.75)} texts or more, or a larger --max-loss.` },
    );
  }
  return check.length >= goodDocuments
    ? []
    : [`${read}: from ${goodDocuments} on the interval is narrower, and the plan may be cheaper.`];
}

/** A check part that differs from the search part is another kind of text, or both are small. */
function searchNotes({ searchMean, measured: { mean } }: CheckedPlan): readonly string[] {
  if (mean <= 2 * searchMean || mean < 1e-4) return [];
  return [
    `The loss is ${mean.toPrecision(2)} on the documents that were held against the bound, and ${searchMean.toPrecision(2)} on those that were searched on: more documents would make the choice surer.`,
  ];
}
