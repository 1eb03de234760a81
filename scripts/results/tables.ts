/** The tables of the results, for the terminal and the page alike. */
import type { AttentionTime, PrincipalRowsTime } from '../../bench/attention.ts';
import { attentionCases } from '../../bench/attention.ts';
import { tunedKeys, type Accuracy, type AccuracyRow } from './accuracy.ts';
import type { Bounded, BoundedRow } from './bounded.ts';
import { windowNames, type Language } from './language-model.ts';
import type { Machine } from '../../bench/machine.ts';
import { describeSetting } from './measured-model.ts';
import type { Retrieval, RetrievalRow } from './retrieval.ts';
import type { Similarity } from './similarity.ts';
import {
  accuracyChecks,
  boundedChecks,
  divergenceChecks,
  formatCheck,
  judgedReviews,
  passkeyChecks,
  similarityChecks,
  type Check,
} from './targets.ts';

export interface Timing {
  readonly attention: readonly AttentionTime[];
  readonly principalRows: readonly PrincipalRowsTime[];
}
/** A part of the results with the machine that it was measured on. */
export interface Measured<T> {
  readonly machine: Machine;
  readonly figures: T;
}
/** All that was measured; parts may be missing. */
export interface Results {
  readonly accuracy?: Measured<Accuracy>;
  readonly similarity?: Measured<Similarity>;
  readonly language?: Measured<Language>;
  readonly retrieval?: Measured<Retrieval>;
  readonly bounded?: Measured<Bounded>;
  readonly timing?: Measured<Timing>;
}
/** Head and rows; the first column holds names, the others figures. */
export type Rows = readonly (readonly string[])[];

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const milliseconds = (value: number): string =>
  value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(value < 10 ? 2 : 1)} ms`;
const keysOf = (keys: { readonly mean: number; readonly max: number } | null): readonly [string, string] =>
  keys ? [keys.mean.toFixed(2), keys.max.toFixed(2)] : ['1', '1'];

function verdict(checks: readonly Check[]): string {
  return checks.length === 0 ? '' : checks.map((check) => formatCheck(check).verdict).join(', ');
}

export function checksOf({ accuracy, similarity, language, retrieval, bounded }: Results): readonly Check[] {
  return [
    ...(accuracy ? accuracyGates(accuracy.figures).flat() : []),
    ...(similarity?.figures.rows.flatMap(({ setting, tokens, meanCosine }) => similarityChecks(setting, tokens, meanCosine)) ??
      []),
    ...(language?.figures.rows.flatMap(({ plan, windows }) =>
      windowNames.flatMap((name) => divergenceChecks(plan, name, windows[name].divergence)),
    ) ?? []),
    ...(retrieval?.figures.rows.flatMap((row) => passkeyChecks(row, denseRow(retrieval.figures))) ?? []),
    ...(bounded?.figures.rows.flatMap((row) => boundedChecks(row, bounded.figures.bound)) ?? []),
  ];
}

/** The gates of each row of the accuracy table. */
function accuracyGates({ reviews, rows }: Accuracy): readonly (readonly Check[])[] {
  const denseAccuracy = rows.find(({ setting }) => setting.mode === 'dense')?.accuracy ?? Number.NaN;
  return rows.map((row) => (reviews === judgedReviews ? accuracyChecks(row, denseAccuracy) : []));
}

function accuracyLabel({ setting, tuned }: AccuracyRow): string {
  const weights = !tuned ? 'not tuned' : setting.keys === tunedKeys ? 'tuned' : `tuned at ${tunedKeys}`;
  return `${describeSetting(setting)}${setting.mode === 'svd' ? `, ${weights}` : ''}`;
}
export function accuracyTable(figures: Accuracy): Rows {
  const { rows } = figures;
  const gates = accuracyGates(figures);
  return [
    ['attention', 'accuracy', 'standard error', 'same decisions', 'keys read, mean', 'max', 'a review', 'targets'],
    ...rows.map((row, index) => [
      accuracyLabel(row),
      percent(row.accuracy),
      percent(row.standardError),
      percent(row.agreement),
      ...keysOf(row.keys),
      milliseconds(row.milliseconds),
      verdict(gates[index] ?? []),
    ]),
  ];
}

export function similarityTable({ rows }: Similarity): Rows {
  return [
    ['tokens', 'attention', 'mean cosine', 'min cosine', 'keys read, mean', 'max', 'a text', 'targets'],
    ...rows.map((row) => [
      String(row.tokens),
      describeSetting(row.setting),
      row.meanCosine.toFixed(4),
      row.minCosine.toFixed(4),
      ...keysOf(row.keys),
      milliseconds(row.milliseconds),
      verdict(similarityChecks(row.setting, row.tokens, row.meanCosine)),
    ]),
  ];
}

const signed = (value: number): string => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`;

export function languageTable({ rows }: Language): Rows {
  return [
    ['cache', ...windowNames.flatMap((name) => [`${name}: KL`, 'loss']), 'targets'],
    ...rows.map(({ plan, windows }) => [
      plan,
      ...windowNames.flatMap((name) => [windows[name].divergence.toFixed(4), signed(windows[name].lossChange)]),
      verdict(windowNames.flatMap((name) => divergenceChecks(plan, name, windows[name].divergence))),
    ]),
  ];
}

function denseRow({ rows }: Retrieval): RetrievalRow | undefined {
  return rows.find(({ plan }) => plan === 'dense');
}
/** A column for each length of the texts that pass keys lie in. */
const passkeyLengths = (figures: Retrieval | undefined): readonly string[] =>
  Object.keys((figures && denseRow(figures))?.passkeys ?? {});
export function passkeyHeads(figures: Retrieval | undefined): readonly string[] {
  return passkeyLengths(figures).map((tokens) => `pass key, ${Number(tokens).toLocaleString('en-US')} tokens`);
}
/** Empty cells for a plan that was not asked. */
export function passkeyCells(figures: Retrieval | undefined, row: RetrievalRow | undefined): readonly string[] {
  return passkeyLengths(figures).map((tokens) => {
    const answers = row?.passkeys[tokens];
    return answers ? `${answers.filter(Boolean).length} of ${answers.length}` : '';
  });
}
export function retrievalTable(figures: Retrieval): Rows {
  const dense = denseRow(figures);
  const copyChange = (row: RetrievalRow): string => (dense ? signed(row.copyLoss - dense.copyLoss) : '');
  return [
    ['cache', ...passkeyHeads(figures), 'key and value', 'their loss', 'far copy: loss', 'change', 'targets'],
    ...figures.rows.map((row) => [
      row.plan,
      ...passkeyCells(figures, row),
      `${row.keyValue.right} of ${row.keyValue.asked}`,
      row.keyValueLoss.toFixed(3),
      row.copyLoss.toFixed(3),
      copyChange(row),
      verdict(passkeyChecks(row, dense)),
    ]),
  ];
}

export function boundedTable({ bound, rows }: Bounded): Rows {
  const digits = (value: number): string => String(Number(value.toPrecision(3)));
  const loss = ({ mean, low, high }: BoundedRow['found']): string => `${digits(mean)} (${digits(low)} to ${digits(high)})`;
  return [
    [
      'model',
      'text',
      'tokens',
      'attention, predicted',
      'loss',
      'found on: 95 %',
      'documents',
      'held out: 95 %',
      'documents',
      'far repeats',
      'targets',
    ],
    ...rows.map((row) => [
      row.model,
      row.source,
      String(row.typicalLength),
      `${milliseconds(1000 * row.seconds.dense)} to ${milliseconds(1000 * row.seconds.plan)}`,
      `${row.found.name}, ${row.found.unit}`,
      loss(row.found),
      String(row.found.documents),
      loss(row.heldOut),
      String(row.heldOut.documents),
      row.heldOut.repeats === undefined ? '' : digits(row.heldOut.repeats),
      verdict(boundedChecks(row, bound)),
    ]),
  ];
}

/** Times of one head size: a row a length, a column a case, with the speed-up against dense. */
export function timingTable({ attention }: Timing, headSize: number): Rows {
  const own = attention.filter((time) => time.headSize === headSize);
  const lengths = [...new Set(own.map(({ tokens }) => tokens))];
  const labels = attentionCases.map(({ label }) => label).filter((label) => own.some((time) => time.label === label));
  const timeOf = (label: string, tokens: number): number | null =>
    own.find((time) => time.label === label && time.tokens === tokens)?.milliseconds ?? null;
  const cell = (label: string, tokens: number): string => {
    const [time, dense] = [timeOf(label, tokens), timeOf('dense', tokens)];
    if (time === null) return 'not run';
    return label === 'dense' || dense === null ? milliseconds(time) : `${milliseconds(time)} (${(dense / time).toFixed(1)}x)`;
  };
  return [
    ['tokens', ...labels],
    ...lengths.map((tokens) => [tokens.toLocaleString('en-US'), ...labels.map((label) => cell(label, tokens))]),
  ];
}

export function principalRowsTable({ principalRows }: Timing): Rows {
  return [
    ['tokens', 'width', 'principal rows'],
    ...principalRows.map((row) => [String(row.tokens), String(row.width), milliseconds(row.milliseconds)]),
  ];
}

export function checksTable(results: Results): Rows {
  return [
    ['target', 'found', 'must be', ''],
    ...checksOf(results).map((check) => {
      const { found, target, verdict: word } = formatCheck(check);
      return [check.what, found, target, word];
    }),
  ];
}
