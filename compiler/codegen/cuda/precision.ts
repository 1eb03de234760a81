import type { Rounding } from '../target.ts';

/** What both sides of products, and of attention, are multiplied as. Sums and softmax are f32 in any case. */
export const precisions = ['f32', 'f16', 'bf16'] as const;
export type Precision = (typeof precisions)[number];

const wordsOf = (name: string): string =>
  `both sides of products and of attention rounded to ${name}, on tensor cores; sums and softmax in f32`;

/**
 * Absent for f32, whose numbers are those of the reference. Tolerances are five to eight times what was measured, of the largest value of an
 * output, on the simulated device against the reference in float64: f16 2e-3 at most and bf16 6e-3 (sentiment-mini, all-MiniLM-L6-v2 and
 * eight tokens of SmolLM2-135M). Left out is a choice of keys that rounding turns, which no tolerance covers (6e-2 for sentiment-mini with
 * expand in bf16): golden vectors are taken where small disturbances change no choice. Models may be deeper than these; a kernel that is
 * wrong is off by as much as the values are.
 */
export const roundings: { readonly [P in Exclude<Precision, 'f32'>]: Rounding } = {
  f16: { unit: 2 ** -11, tolerance: 1e-2, words: wordsOf('f16') },
  bf16: { unit: 2 ** -8, tolerance: 5e-2, words: wordsOf('bf16') },
};
