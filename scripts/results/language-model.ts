/** SmolLM2's next-token distributions on WikiText-2 under each cache plan, against the dense ones. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { logSumExp } from '../../compiler/quality/loss.ts';
import type { CachePlan } from '../../passes/atp/cache-plan.ts';
import { cachePlans, keysKept, type CachePlanName } from './cache-plans.ts';
import type { CausalModel, CompiledCausalModel } from './causal-model.ts';

/** Stretches of the WikiText-2 test file, tokenized whole; w0 has verbatim far repeats. */
export const windowOffsets = { w0: 0, w1: 100_000, w2: 200_000 } as const;
export type WindowName = keyof typeof windowOffsets;
export const windowNames = Object.keys(windowOffsets) as readonly WindowName[];
/** Tokens of a window, and how many of its last positions are scored. */
export const windowTokens = 2048;
export const scoredTokens = 1536;
export const wikiTextFile = 'wikitext2-raw-test.txt';

/** Tokens of the whole test file, none added at its beginning. */
export async function readWikiText(data: string, model: Pick<CausalModel, 'encode'>): Promise<readonly number[]> {
  const text = await readFile(path.join(data, wikiTextFile), 'utf8');
  // The lines of the file end in CR LF, and a CR is a token; the recorded figures are of lines that end in LF.
  return model.encode(text.replaceAll('\r\n', '\n'));
}
/** A window and the token after it, which is only predicted. */
export type Window = readonly number[];
export function windowsOf(ids: readonly number[]): Readonly<Record<WindowName, Window>> {
  const at = (offset: number): Window => ids.slice(offset, offset + windowTokens + 1);
  return { w0: at(windowOffsets.w0), w1: at(windowOffsets.w1), w2: at(windowOffsets.w2) };
}

export interface Divergence {
  /** Mean KL(dense || plan) of next-token distributions, nats. */
  readonly divergence: number;
  /** Mean loss less that of dense, nats. */
  readonly lossChange: number;
}
/** Dense log-probabilities of the scored positions, a row each. */
export interface DenseReference {
  readonly rows: readonly Float32Array[];
  /** Mean negative log-likelihood, nats. */
  readonly loss: number;
}

/** Calls back with the scored positions of a window: their logits, the log of their sum, and the token that came. */
function scoreWindow(
  compiled: CompiledCausalModel,
  window: Window,
  onScore: (row: number, logits: Float32Array, normalizer: number, next: number) => void,
): void {
  const text = compiled.open();
  const unscored = windowTokens - scoredTokens;
  try {
    text.read(window.slice(0, unscored));
    text.score(window.slice(unscored, windowTokens), (position, logits) =>
      onScore(position - unscored, logits, logSumExp(logits), window[position + 1] ?? 0),
    );
  } finally {
    text.close();
  }
}

export function denseReference(compiled: CompiledCausalModel, window: Window): DenseReference {
  const rows: Float32Array[] = [];
  let loss = 0;
  scoreWindow(compiled, window, (row, logits, normalizer, next) => {
    rows[row] = logits.map((logit) => logit - normalizer);
    loss -= (logits[next] ?? Number.NaN) - normalizer;
  });
  return { rows, loss: loss / scoredTokens };
}

export function measureDivergence(compiled: CompiledCausalModel, window: Window, dense: DenseReference): Divergence {
  let divergence = 0;
  let loss = 0;
  scoreWindow(compiled, window, (row, logits, normalizer, next) => {
    const exact = dense.rows[row] ?? new Float32Array();
    for (let id = 0; id < logits.length; id += 1) {
      const logProbability = exact[id] ?? Number.NaN;
      divergence += Math.exp(logProbability) * (logProbability - (logits[id] ?? Number.NaN) + normalizer);
    }
    loss -= (logits[next] ?? Number.NaN) - normalizer;
  });
  return { divergence: divergence / scoredTokens, lossChange: loss / scoredTokens - dense.loss };
}

export interface LanguageRow {
  readonly plan: CachePlanName;
  /** Share of a window's tokens that the state keeps the keys of at most. */
  readonly keysKept: number;
  readonly windows: Readonly<Record<WindowName, Divergence>>;
}
export interface Language {
  /** Mean dense loss, nats. */
  readonly denseLoss: Readonly<Record<WindowName, number>>;
  readonly rows: readonly LanguageRow[];
}

function ofWindows<T>(measure: (name: WindowName) => T): Readonly<Record<WindowName, T>> {
  return { w0: measure('w0'), w1: measure('w1'), w2: measure('w2') };
}

export async function measureLanguage(model: CausalModel, data: string, progress: (text: string) => void): Promise<Language> {
  const windows = windowsOf(await readWikiText(data, model));
  const planOf = async (name: CachePlanName): Promise<CachePlan> => cachePlans[name](model.heads, windowTokens);
  const compile = async (name: CachePlanName): Promise<CompiledCausalModel> => {
    progress(`language: ${name}: compiling`);
    return await model.compile(await planOf(name), windowTokens);
  };
  const dense = await compile('dense');
  const references = ofWindows((name) => {
    progress(`language: dense: ${name}`);
    return denseReference(dense, windows[name]);
  });
  const rows: LanguageRow[] = [];
  for (const plan of Object.keys(cachePlans) as readonly CachePlanName[]) {
    if (plan === 'dense') continue;
    const compiled = await compile(plan);
    const measured = ofWindows((name) => {
      progress(`language: ${plan}: ${name}`);
      return measureDivergence(compiled, windows[name], references[name]);
    });
    rows.push({ plan, keysKept: keysKept(await planOf(plan), windowTokens), windows: measured });
  }
  return { denseLoss: ofWindows((name) => references[name].loss), rows };
}
