/** What the paper of ATP claims, beside the figures that bear on it. */
import type { ModeName } from '../../passes/atp/modes/table.ts';
import type { Accuracy, AccuracyRow } from './accuracy.ts';
import { windowNames, type Language } from './language-model.ts';
import type { Retrieval } from './retrieval.ts';
import type { Similarity } from './similarity.ts';
import { passkeyCells, passkeyHeads, percent, type Results, type Rows } from './tables.ts';

/** The abstract of arXiv 2403.02352, word by word, and what it is taken to mean: points of accuracy that may be lost at most. */
export const claims = [
  { keys: '1/2', words: '"barely loses accuracy"', points: 0.01 },
  { keys: '1/4', words: '"around 2% accuracy drops"', points: 0.025 },
] as const satisfies readonly { readonly keys: string; readonly words: string; readonly points: number }[];
type Claim = (typeof claims)[number];

interface Variant {
  readonly mode: ModeName;
  /** On the checkpoint that was tuned with literal ATP. */
  readonly tuned: boolean;
}
function rowOf({ rows }: Accuracy, { mode, tuned }: Variant, { keys }: Pick<Claim, 'keys'>): AccuracyRow | undefined {
  return rows.find((row) => row.setting.mode === mode && row.tuned === tuned && row.setting.keys === keys);
}
/** Literal ATP first, then the others in the order in which they were measured. */
function variantsOf({ rows }: Accuracy): readonly Variant[] {
  const others = [...new Set(rows.map(({ setting }) => setting.mode))].filter((mode) => mode !== 'dense' && mode !== 'svd');
  const literal = [true, false].map((tuned): Variant => ({ mode: 'svd', tuned }));
  return [...literal, ...others.map((mode): Variant => ({ mode, tuned: false }))];
}

/** Points of accuracy below dense attention; undefined where one of the two was not measured. */
export function accuracyLost(figures: Accuracy, variant: Variant, claim: Pick<Claim, 'keys'>): number | undefined {
  const dense = figures.rows.find(({ setting }) => setting.mode === 'dense');
  const row = rowOf(figures, variant, claim);
  return dense && row && dense.accuracy - row.accuracy;
}
/** Whether no more is lost than the claim says; undefined where that was not measured. */
function holds(figures: Accuracy, variant: Variant, claim: Claim): boolean | undefined {
  const lost = accuracyLost(figures, variant, claim);
  // Shares are ratios of counts: 0.866 - 0.856 is 0.01 only up to rounding.
  return lost === undefined ? undefined : lost <= claim.points + 1e-9;
}
/** Modes of which both claims hold on weights that nothing was tuned for, and the others. */
export function untunedModes(figures: Accuracy): {
  readonly asClaimed: readonly ModeName[];
  readonly others: readonly ModeName[];
} {
  const untuned = variantsOf(figures).filter(({ tuned }) => !tuned);
  const asClaimed = untuned.filter((variant) => claims.every((claim) => holds(figures, variant, claim)));
  const modesOf = (variants: readonly Variant[]): readonly ModeName[] => variants.map(({ mode }) => mode);
  return { asClaimed: modesOf(asClaimed), others: modesOf(untuned.filter((variant) => !asClaimed.includes(variant))) };
}

/** Mean cosine of the sentence embeddings of the longest texts, whose model nothing was tuned for. */
function cosineOf(similarity: Similarity | undefined, { mode, tuned }: Variant, { keys }: Claim): string {
  const rows = similarity?.rows ?? [];
  const longest = Math.max(...rows.map(({ tokens }) => tokens));
  const row = rows.find(({ tokens, setting }) => tokens === longest && setting.mode === mode && setting.keys === keys);
  return row && !tuned ? row.meanCosine.toFixed(4) : '';
}

/** BERT: every mode at the shares of the claims. */
export function encoderClaimsTable(figures: Accuracy, similarity: Similarity | undefined): Rows {
  const cells = (variant: Variant, claim: Claim): readonly string[] => {
    const lost = accuracyLost(figures, variant, claim);
    const row = rowOf(figures, variant, claim);
    const verdict = holds(figures, variant, claim);
    return [
      lost === undefined ? '' : `${(100 * lost).toFixed(1)} points`,
      row ? percent(row.agreement) : '',
      cosineOf(similarity, variant, claim),
      verdict === undefined ? '' : verdict ? 'yes' : 'NO',
    ];
  };
  const label = ({ mode, tuned }: Variant): readonly [string, string] =>
    mode === 'svd' ? ['literal ATP (svd)', tuned ? 'tuned with it, at 1/4' : 'not tuned'] : [mode, 'not tuned'];
  return [
    [
      'attention',
      'weights',
      ...claims.flatMap(({ keys }) => [`${keys}: accuracy lost`, 'same decisions', 'cosine', 'as claimed']),
    ],
    ['ATP in the paper', '', ...claims.flatMap(({ words }) => [words, '', '', ''])],
    ...variantsOf(figures).map((variant) => [...label(variant), ...claims.flatMap((claim) => cells(variant, claim))]),
  ];
}

/** Llama: what the caches of causal attention lose in the place of literal ATP, which is not causal. */
export function causalClaimsTable(language: Language | undefined, retrieval: Retrieval | undefined): Rows {
  const dense = { plan: 'dense', keysKept: 1, windows: undefined } as const;
  return [
    ['cache', 'keys kept', ...windowNames.map((name) => `${name}: KL`), ...passkeyHeads(retrieval)],
    ...[dense, ...(language?.rows ?? [])].map(({ plan, keysKept, windows }) => [
      plan,
      percent(keysKept),
      ...windowNames.map((name) => (windows ? windows[name].divergence.toFixed(4) : '0')),
      ...passkeyCells(
        retrieval,
        retrieval?.rows.find((row) => row.plan === plan),
      ),
    ]),
  ];
}

/** The tables by their titles; none of parts that were not measured. */
export function claimsTables({ accuracy, similarity, language, retrieval }: Results): readonly (readonly [string, Rows])[] {
  return [
    ...(accuracy ? [['BERT', encoderClaimsTable(accuracy.figures, similarity?.figures)] as const] : []),
    ...(language ? [['Llama', causalClaimsTable(language.figures, retrieval?.figures)] as const] : []),
  ];
}
