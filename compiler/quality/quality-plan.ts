/** `--max-loss`: the plan of a model under a bound, with what is written and said of it. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { AtpcError } from '../../runtime/errors.ts';
import type { ManifestLoss } from '../../runtime/format/manifest.ts';
import type { CachePlanFile } from '../attention/cache-plan-file.ts';
import type { PlanFile } from '../attention/plan-file.ts';
import { planYaml } from '../attention/plan-yaml.ts';
import { leastGainWords, typicalLengthOf } from '../attention/typical-length.ts';
import type { Encode } from '../calibrate/calibrate.ts';
import type { CompileOptions } from '../compile-options.ts';
import { lossWords } from './loss-words.ts';
import { findBoundedPlan, measureGivenPlan, type BoundedKind } from './bounded-plan.ts';

export type QualityOptions = Pick<
  CompileOptions,
  'attention' | 'plan' | 'keys' | 'maxLoss' | 'calibrate' | 'writePlan' | 'typicalLength' | 'storage'
>;
/** A bound and the text that it is held against on. */
export interface LossBound {
  readonly bound: number;
  readonly files: readonly string[];
}

/** Null without a bound. Throws ATPC-301 for options that do not fit together. */
export function lossBoundOf({ attention, maxLoss, calibrate = [], writePlan, plan, keys }: QualityOptions): LossBound | null {
  const fault = (sentence: string): AtpcError =>
    new AtpcError('ATPC-301', sentence, {
      hint: 'Example: atpc compile MODEL --attn auto --max-loss 0.02 --calibrate text.jsonl',
    });
  if (maxLoss === undefined) {
    if (attention === 'auto') throw fault('--attn auto finds a plan under a bound of its loss: --max-loss is missing.');
    if (writePlan !== undefined) throw fault('A plan is written (--write-plan) where it is found: with --attn auto.');
    return null;
  }
  if (!(maxLoss > 0 && maxLoss < Infinity)) throw fault(`The bound of the loss (--max-loss) must be above 0, and is ${maxLoss}.`);
  if (calibrate.length === 0) throw fault('A loss (--max-loss) is measured on text of yours: --calibrate is missing.');
  if (attention === 'auto' && (keys !== undefined || plan !== undefined)) {
    throw fault(`--attn auto finds the modes and keys of every head: it excludes ${plan === undefined ? '--keys' : '--plan'}.`);
  }
  if (attention === undefined && plan === undefined) {
    throw fault('--max-loss needs a plan to find or to measure: --attn auto, a mode, or --plan.');
  }
  if (attention !== 'auto' && writePlan !== undefined)
    throw fault('A plan is written (--write-plan) where it is found: with --attn auto.');
  return { bound: maxLoss, files: calibrate };
}

/** Text is read through the model's tokenizer. */
export function encoderFor(encode: Encode | null, name: string): Encode {
  if (encode) return encode;
  throw new AtpcError('ATPC-311', `A loss is measured on text, and ${name} has no tokenizer.`);
}

export interface QualityPlan<P> {
  readonly plan: P;
  /** Null where every head stays dense because nothing pays. */
  readonly loss: ManifestLoss | null;
  readonly notes: readonly string[];
}
export interface PlanQuestion<P, F> {
  readonly kind: BoundedKind<P, F>;
  /** What is known of the texts. */
  readonly notes: readonly string[];
  readonly options: QualityOptions;
  readonly bound: number;
}

/**
 * The cheapest plan under the bound by the cost formula of `target`; writes its file where one was asked for. Throws ATPC-315 with the
 * best that was found.
 */
export async function boundedPlan<P, F extends PlanFile | CachePlanFile>(
  { kind, notes, options, bound }: PlanQuestion<P, F>,
  target: string,
): Promise<QualityPlan<P>> {
  const typicalLength = typicalLengthOf(options);
  const found = await findBoundedPlan(kind, bound);
  if (!found) {
    const note = `Every layer stays dense: at a typical length of ${typicalLength} tokens the cost formula predicts that no mode saves enough of the attention on ${target}; ${leastGainWords}.`;
    const file = withNote(kind.fileOf(kind.heads.map((heads) => Array.from({ length: heads }, () => 0))), note);
    if (options.writePlan !== undefined) await writePlan(options.writePlan, file);
    const hint = `No loss was measured. Where inputs are longer than ${typicalLength} tokens, say so with --typical-length.`;
    return { plan: kind.planOf(file), loss: null, notes: [hint] };
  }
  const { seconds, trials, measured } = found;
  const saved = Math.round(100 * (1 - seconds.plan / seconds.dense));
  const time = `${timeText(seconds.dense)} of dense attention become ${timeText(seconds.plan)} on ${target} by the cost formula, ${saved} % less`;
  const words = lossWords(measured.loss);
  const reason = measured.met
    ? `The cheapest plan found with a loss under ${bound}, for inputs of ${typicalLength} tokens: ${time}.`
    : `The best of ${trials} plans that were measured, and not under ${bound}: ${time}.`;
  // The manifest has the loss beside the reason; the file has no other place for it.
  if (options.writePlan !== undefined) await writePlan(options.writePlan, withNote(found.file, `${reason} ${words}`));
  if (measured.met) {
    const plan = kind.planOf(withNote(found.file, reason));
    return { plan, loss: measured.loss, notes: [...notes, ...measured.notes] };
  }
  throw unmet(
    `No plan that saves a tenth of the attention has a loss under ${bound}. The best found: ${time}. ${words}`,
    options,
  );
}

/** The note comes before the layers, where it is read. */
function withNote<F extends PlanFile | CachePlanFile>({ version, ...rest }: F, note: string): F {
  return { version, note, ...rest } as unknown as F;
}

/** Holds a plan that was given against the bound, on the documents to check. Throws ATPC-315. */
export async function checkedPlan<P, F>({ kind, notes, options, bound }: PlanQuestion<P, F>, plan: P): Promise<QualityPlan<P>> {
  const measured = await measureGivenPlan(kind, plan, bound);
  const words = lossWords(measured.loss);
  if (!measured.met) throw unmet(`The loss of the plan is not under ${bound}. ${words}`, options);
  return { plan, loss: measured.loss, notes: [...notes, ...measured.notes] };
}

function unmet(sentence: string, { writePlan, attention }: QualityOptions): AtpcError {
  const written = writePlan === undefined ? '' : ` The best plan is in ${writePlan}.`;
  const more = attention === 'auto' && writePlan === undefined ? ' --write-plan FILE keeps the best plan.' : '';
  return new AtpcError('ATPC-315', sentence, {
    hint: `Allow more with --max-loss, give more text with --calibrate, or take --attn dense.${written}${more}`,
  });
}

const timeText = (seconds: number): string =>
  seconds < 1 ? `${Number((seconds * 1000).toPrecision(3))} ms` : `${Number(seconds.toPrecision(3))} s`;

/** The file is the whole plan, or what it was before. */
async function writePlan(file: string, plan: object): Promise<void> {
  const unfinished = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(unfinished, planYaml(plan));
    await rename(unfinished, file);
  } catch (cause) {
    await rm(unfinished, { force: true });
    throw new AtpcError('ATPC-312', `The plan cannot be written to ${file}: ${String(cause)}.`, { cause });
  }
}
