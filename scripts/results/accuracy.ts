/** sentiment-mini on IMDB reviews, under every mode. */
import {
  describeSetting,
  measuredModel,
  untunedSettings,
  type CompiledSetting,
  type MeasuredModel,
  type Setting,
} from './measured-model.ts';
import type { Review } from './reviews.ts';

export interface AccuracyRow {
  readonly setting: Setting;
  /** Run on sentiment-mini-atp, which was tuned with literal ATP. */
  readonly tuned: boolean;
  readonly accuracy: number;
  readonly standardError: number;
  /** Share of decisions equal to those of dense sentiment-mini. */
  readonly agreement: number;
  /** Share of keys a query reads, on the sample; null for dense. */
  readonly keys: { readonly mean: number; readonly max: number } | null;
  readonly milliseconds: number;
}
export interface Accuracy {
  readonly reviews: number;
  readonly tokens: number;
  /** Reviews on whose activations the keys were counted. */
  readonly sample: number;
  readonly rows: readonly AccuracyRow[];
}

const maxTokens = 256;
const sampleSize = 8;
/** The share of keys that sentiment-mini-atp was tuned at. */
export const tunedKeys = '1/4';
export const accuracySettings: readonly { readonly setting: Setting; readonly tuned: boolean }[] = [
  ...untunedSettings.map((setting) => ({ setting, tuned: false })),
  { setting: { mode: 'svd', keys: '1/2' }, tuned: true },
  { setting: { mode: 'svd', keys: tunedKeys }, tuned: true },
];

interface Decisions {
  readonly labels: readonly number[];
  /** Mean of a review. */
  readonly milliseconds: number;
}
function decide(compiled: CompiledSetting, texts: readonly (readonly number[])[], onReview: (done: number) => void): Decisions {
  const labels: number[] = [];
  let milliseconds = 0;
  for (const ids of texts) {
    const before = performance.now();
    const [negative = 0, positive = 0] = compiled.run(ids);
    milliseconds += performance.now() - before;
    labels.push(positive > negative ? 1 : 0);
    onReview(labels.length);
  }
  return { labels, milliseconds: milliseconds / texts.length };
}
function shareEqual(a: readonly number[], b: readonly number[]): number {
  return a.filter((value, index) => value === b[index]).length / a.length;
}

export async function measureAccuracy(
  folders: { readonly plain: string; readonly tuned: string },
  reviews: readonly Review[],
  progress: (text: string) => void,
): Promise<Accuracy> {
  const models: Readonly<Record<'plain' | 'tuned', MeasuredModel>> = {
    plain: await measuredModel(folders.plain, maxTokens),
    tuned: await measuredModel(folders.tuned, maxTokens),
  };
  const truth = reviews.map(({ label }) => label);
  const encoded = {
    plain: reviews.map(({ text }) => models.plain.encode(text)),
    tuned: reviews.map(({ text }) => models.tuned.encode(text)),
  };
  const sample = encoded.plain.slice(0, sampleSize);
  const rows: AccuracyRow[] = [];
  let denseLabels: readonly number[] | undefined;
  for (const { setting, tuned } of accuracySettings) {
    const which = tuned ? 'tuned' : 'plain';
    const name = `${describeSetting(setting)}${tuned ? ' (tuned)' : ''}`;
    progress(`accuracy: ${name}: compiling`);
    const compiled = await models[which].compile(setting);
    const { labels, milliseconds } = decide(compiled, encoded[which], (done) => {
      if (done % 100 === 0) progress(`accuracy: ${name}: ${done} of ${reviews.length} reviews`);
    });
    denseLabels ??= labels;
    const accuracy = shareEqual(labels, truth);
    rows.push({
      setting,
      tuned,
      accuracy,
      standardError: Math.sqrt((accuracy * (1 - accuracy)) / labels.length),
      agreement: shareEqual(labels, denseLabels),
      keys: await compiled.keysRead(sample),
      milliseconds,
    });
  }
  return { reviews: reviews.length, tokens: maxTokens, sample: sample.length, rows };
}
