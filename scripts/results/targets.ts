/** What the figures must be: the gates of the project's plan, as data. */
import { tunedKeys } from './accuracy.ts';
import { heldOutFactor, type BoundedRow } from './bounded.ts';
import type { CachePlanName } from './cache-plans.ts';
import type { WindowName } from './language-model.ts';
import { describeSetting, type Setting } from './measured-model.ts';
import type { RetrievalRow } from './retrieval.ts';

/** A figure against its bounds, in the unit of the figure. */
export interface Check {
  readonly what: string;
  readonly found: number;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** How the figure is written: share as per cent, or a plain number. */
  readonly unit: 'percent' | 'points' | 'cosine' | 'nats' | 'texts' | 'loss';
}
export function passes({ found, atLeast = -Infinity, atMost = Infinity }: Check): boolean {
  // Shares are ratios of counts: 0.866 - 0.858 is 0.008 only up to rounding.
  return found >= atLeast - 1e-9 && found <= atMost + 1e-9;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const formats: { readonly [U in Check['unit']]: (value: number) => string } = {
  percent,
  points: (value) => `${(100 * value).toFixed(1)} points`,
  cosine: (value) => value.toFixed(4),
  nats: (value) => value.toFixed(4),
  texts: (value) => String(value),
  loss: (value) => value.toFixed(4),
};
export function formatCheck(check: Check): {
  readonly found: string;
  readonly target: string;
  readonly verdict: 'pass' | 'FAIL';
} {
  const format = formats[check.unit];
  const { atLeast, atMost } = check;
  const bounds = [
    ...(atLeast === undefined ? [] : [`at least ${format(atLeast)}`]),
    ...(atMost === undefined ? [] : [`at most ${format(atMost)}`]),
  ];
  return { found: format(check.found), target: bounds.join(', '), verdict: passes(check) ? 'pass' : 'FAIL' };
}

export interface AccuracyFigures {
  readonly setting: Setting;
  /** Literal ATP on the checkpoint that was tuned with it. */
  readonly tuned: boolean;
  readonly accuracy: number;
  readonly agreement: number;
}
const losses: Readonly<Record<string, { readonly points: number; readonly agreement: number }>> = {
  '1/2': { points: 0.008, agreement: 0.99 },
  '1/4': { points: 0.015, agreement: 0.97 },
};
/** The gates are for these reviews, no more and no fewer. */
export const judgedReviews = 1000;

/** The gates of a row of the accuracy table; none for rows that are shown for comparison. */
export function accuracyChecks(
  { setting, tuned, accuracy, agreement }: AccuracyFigures,
  denseAccuracy: number,
): readonly Check[] {
  const what = describeSetting(setting);
  if (setting.mode === 'dense')
    return [{ what: 'accuracy of dense', found: accuracy, atLeast: 0.864, atMost: 0.868, unit: 'percent' }];
  if (setting.mode === 'svd' && tuned && setting.keys === tunedKeys)
    return [{ what: `accuracy of ${what}, tuned`, found: accuracy, atLeast: 0.793, atMost: 0.813, unit: 'percent' }];
  const loss = losses[setting.keys ?? ''];
  if (!loss || (setting.mode !== 'expand' && setting.mode !== 'topr')) return [];
  return [
    { what: `accuracy lost by ${what}`, found: denseAccuracy - accuracy, atMost: loss.points, unit: 'points' },
    { what: `same decisions, ${what}`, found: agreement, atLeast: loss.agreement, unit: 'percent' },
  ];
}

const cosines: Readonly<Record<string, number>> = { 'expand 1/2': 0.999, 'expand 1/4': 0.99 };
/** The gates of MiniLM at 512 tokens. */
export function similarityChecks(setting: Setting, tokens: number, meanCosine: number): readonly Check[] {
  const what = describeSetting(setting);
  const atLeast = cosines[what];
  return atLeast === undefined || tokens !== 512
    ? []
    : [{ what: `mean cosine of ${what} at ${tokens} tokens`, found: meanCosine, atLeast, unit: 'cosine' }];
}

/** KL on each window as it was recorded with another implementation. Its own reproduction: 15 %, or 0.001 nats for small ones. */
const recordedDivergences: { readonly [P in CachePlanName]: Readonly<Record<WindowName, number>> | null } = {
  dense: null,
  expand: { w0: 0.0042, w1: 0.0013, w2: 0.0019 },
  'expand m = 16': { w0: 0.0025, w1: 0.0022, w2: 0.0027 },
  'hybrid 16': { w0: 0.012, w1: 0.008, w2: 0.006 },
  'hybrid 8': { w0: 0.023, w1: 0.01, w2: 0.008 },
  cluster: null,
  'stream r = 256': { w0: 0.286, w1: 0.024, w2: 0.021 },
  'stream r = 128': { w0: 0.427, w1: 0.047, w2: 0.03 },
};
/** The gates of a plan on a window of WikiText-2. */
export function divergenceChecks(plan: CachePlanName, window: WindowName, divergence: number): readonly Check[] {
  const recorded = recordedDivergences[plan]?.[window];
  if (recorded === undefined) return [];
  const slack = Math.max(0.15 * recorded, 0.001);
  const bounds = { atLeast: recorded - slack, atMost: recorded + slack };
  return [{ what: `KL of ${plan} on ${window}`, found: divergence, ...bounds, unit: 'nats' }];
}

const findsPasskeys: ReadonlySet<CachePlanName> = new Set(['expand', 'hybrid 16']);
/** Pass keys that dense finds must be found. */
export function passkeyChecks({ plan, passkeys }: RetrievalRow, dense: RetrievalRow | undefined): readonly Check[] {
  if (!dense || !findsPasskeys.has(plan)) return [];
  return Object.entries(dense.passkeys).map(([tokens, answers]) => {
    const known = answers.filter(Boolean).length;
    const found = answers.filter((answer, text) => answer && passkeys[tokens]?.[text]).length;
    const length = Number(tokens).toLocaleString('en-US');
    return { what: `pass keys of dense at ${length} tokens found by ${plan}`, found, atLeast: known, unit: 'texts' };
  });
}

/** A plan that was found under a bound keeps near it on text that it was not found on. */
export function boundedChecks({ model, found, heldOut }: BoundedRow, bound: number): readonly Check[] {
  return [
    { what: `upper end of the loss of ${model}, found`, found: found.high, atMost: bound, unit: 'loss' },
    { what: `upper end of the loss of ${model}, held out`, found: heldOut.high, atMost: heldOutFactor * bound, unit: 'loss' },
  ];
}
