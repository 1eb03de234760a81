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

// Sorting a whole vocabulary takes longer than computing a token of a small model: lists above this length are divided first.
const sortedLength = 256;
const bins = 512;

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
    const kept = this.#likeliest(logits, weightOf);
    return kept[
      this.#draw(
        kept.map((id) => logits[id] as number),
        weightOf,
      )
    ] as number;
  }

  /** Ids that topK, topP and minP leave. */
  #likeliest(logits: Float32Array, weightOf: (logit: number) => number): readonly number[] {
    const { topK, topP, minP } = this.#sampling;
    const weight = (id: number): number => weightOf(logits[id] as number);
    let ids: readonly number[] = idsOf(logits);
    if (topK > 0) ids = topOf(ids, logits, () => 1, topK);
    if (topP < 1) ids = topOf(ids, logits, weight, topP * ids.reduce((sum, id) => sum + weight(id), 0));
    return minP > 0 ? ids.filter((id) => weight(id) >= minP) : ids;
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

/** All ids but those that a model rules out. */
function idsOf(logits: Float32Array): readonly number[] {
  const ids: number[] = [];
  for (let id = 0; id < logits.length; id++) if (logits[id] !== -Infinity) ids.push(id);
  return ids;
}
/**
 * The ids of the largest logits, the lower id first of equals, until their sizes add up to the goal. Ids are put into bins by their
 * logits; all before the bin in which the goal lies are taken, and that one is looked at more closely.
 */
function topOf(ids: readonly number[], logits: Float32Array, sizeOf: (id: number) => number, goal: number): readonly number[] {
  const logitOf = (id: number): number => logits[id] as number;
  let [most, least] = [-Infinity, Infinity];
  for (const id of ids) {
    most = Math.max(most, logitOf(id));
    least = Math.min(least, logitOf(id));
  }
  if (ids.length <= sortedLength || most === least) {
    const sorted = [...ids].sort((a, b) => logitOf(b) - logitOf(a) || a - b);
    let [sum, end] = [0, 0];
    while (end < sorted.length && sum < goal) sum += sizeOf(sorted[end++] as number);
    return sorted.slice(0, end);
  }
  const binOf = new Uint16Array(ids.length);
  const sums = new Float64Array(bins);
  const scale = (bins - 1) / (most - least);
  for (const [at, id] of ids.entries()) {
    const bin = Math.floor((most - logitOf(id)) * scale);
    binOf[at] = bin;
    sums[bin] = (sums[bin] as number) + sizeOf(id);
  }
  let [before, last] = [0, 0];
  while (last < bins - 1 && before + (sums[last] as number) < goal) before += sums[last++] as number;
  const taken: number[] = [];
  const closer: number[] = [];
  for (const [at, id] of ids.entries()) {
    const bin = binOf[at] as number;
    if (bin < last) taken.push(id);
    else if (bin === last) closer.push(id);
  }
  return [...taken, ...topOf(closer, logits, sizeOf, goal - before)];
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
