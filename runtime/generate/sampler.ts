import { AtpcError } from '../errors.ts';
import { Random } from './random.ts';

/** How a token is taken from its logits; the fields are those of GenerateOptions. */
export interface Sampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly seed: number;
}
export interface TokenProbability {
  readonly id: number;
  readonly logprob: number;
}

// Sorting a whole vocabulary takes as long as computing a token of a small model. Nearly all of the probability lies within a few
// units of the best logit, so that only what is there gets sorted, and more where that does not suffice.
const firstDepth = 4;
// Weights below e^-750 are zero in float64.
const deepest = 750;

/**
 * Takes tokens by their logits. The steps are in the order of Hugging Face's generation: penalty, temperature, topK, topP (over what
 * topK left), minP. Ties go to the lower id.
 */
export class Sampler {
  readonly #sampling: Sampling;
  readonly #random: Random;

  constructor(sampling: Sampling) {
    this.#sampling = sampling;
    this.#random = new Random(sampling.seed);
  }

  /** Changes `logits` where there is a penalty; `seen` are the ids that it is for. Throws ATPC-504 for logits that are NaN. */
  take(logits: Float32Array, seen: Iterable<number>): number {
    const { temperature, repetitionPenalty } = this.#sampling;
    if (repetitionPenalty !== 1) penalise(logits, seen, repetitionPenalty);
    const best = largest(logits);
    if (temperature === 0) return best;
    const top = logits[best] as number;
    const weightOf = (logit: number): number => Math.exp((logit - top) / temperature);
    const { topK, topP, minP } = this.#sampling;
    if (topK === 0 && topP === 1 && minP === 0) return this.#draw(logits, weightOf);
    const kept = this.#likeliest(logits, top, weightOf);
    return kept[
      this.#draw(
        kept.map((id) => logits[id] as number),
        weightOf,
      )
    ] as number;
  }

  /** Ids that topK, topP and minP leave, the likeliest first. */
  #likeliest(logits: Float32Array, top: number, weightOf: (logit: number) => number): readonly number[] {
    const { temperature, topK, topP, minP } = this.#sampling;
    const count = topK === 0 ? logits.length : Math.min(topK, logits.length);
    const weight = (id: number): number => weightOf(logits[id] as number);
    const all = topK === 0 && topP < 1 ? logits.reduce((sum, logit) => sum + weightOf(logit), 0) : 0;
    const leastDepth = minP === 0 ? 0 : -Math.log(minP);
    for (let depth = Math.max(firstDepth, leastDepth); ; depth *= 2) {
      const floor = top - depth * temperature;
      const near: number[] = [];
      logits.forEach((logit, id) => void (logit >= floor && near.push(id)));
      const complete = depth > deepest || near.length === logits.length;
      if (topK > 0 && near.length < count && !complete) continue;
      near.sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
      near.length = Math.min(near.length, count);
      const total = topK === 0 ? all : near.reduce((sum, id) => sum + weight(id), 0);
      let [mass, end] = [0, 0];
      while (end < near.length && (topP === 1 || mass < topP * total)) mass += weight(near[end++] as number);
      const enough = complete || topK > 0 || topP === 1 || mass >= topP * total;
      const within = near.slice(0, end).filter((id) => weight(id) >= minP);
      // What lies beyond the depth of minP is cut anyway.
      if (enough || minP > 0) return within;
    }
  }

  /** A position among logits, as likely as its weight is large. */
  #draw(logits: ArrayLike<number>, weightOf: (logit: number) => number): number {
    let total = 0;
    for (let at = 0; at < logits.length; at++) total += weightOf(logits[at] as number);
    let left = this.#random.fraction() * total;
    let last = 0;
    for (let at = 0; at < logits.length; at++) {
      const weight = weightOf(logits[at] as number);
      if (weight > 0) last = at;
      left -= weight;
      if (left < 0) return at;
    }
    // Rounding may leave a little of the total.
    return last;
  }
}

/** Keskar et al. 2019, section 4.1, with the negative logits as Hugging Face has them. */
function penalise(logits: Float32Array, seen: Iterable<number>, penalty: number): void {
  for (const id of seen) {
    const logit = logits[id] as number;
    logits[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
}

/** Position of the largest logit, the first where there are several; throws ATPC-504 for NaN and where all are infinite. */
function largest(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (Number.isNaN(logit)) throw notNumbers(id);
    if (logit > (logits[best] as number)) best = id;
  }
  if (!Number.isFinite(logits[best])) throw notNumbers(best);
  return best;
}
function notNumbers(id: number): AtpcError {
  return new AtpcError('ATPC-504', `The model gave a logit for token ${id} that is not a finite number.`, {
    hint: 'Run its selfTest(): the weights or the kernels are damaged.',
  });
}

/** Log probabilities under the logits as they are: of the `count` likeliest tokens, and of any other. */
export function probabilities(
  logits: Float32Array,
  count: number,
): { readonly top: readonly TokenProbability[]; readonly of: (id: number) => number } {
  const values = logits.slice();
  const most = values[largest(values)] as number;
  const logTotal = most + Math.log(values.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
  const of = (id: number): number => (values[id] as number) - logTotal;
  const top: number[] = [];
  values.forEach((logit, id) => {
    if (top.length === count && !(logit > (values[top.at(-1) ?? id] as number))) return;
    let at = top.length;
    while (at > 0 && (values[top[at - 1] as number] as number) < logit) at -= 1;
    top.splice(at, 0, id);
    top.length = Math.min(top.length, count);
  });
  return { top: top.map((id) => ({ id, logprob: of(id) })), of };
}
