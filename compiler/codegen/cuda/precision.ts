import type { Rounding } from '../target.ts';

/** What both sides of products, and of attention, are multiplied as. Sums and softmax are f32 in any case. */
export const precisions = ['f32', 'f16', 'bf16'] as const;
export type Precision = (typeof precisions)[number];

const wordsOf = (name: string): string =>
  `both sides of products and of attention rounded to ${name}, on tensor cores; sums and softmax in f32`;

/** Absent for f32, whose numbers are those of the reference. Tolerances: docs/results.md has what was measured. */
export const roundings: { readonly [P in Exclude<Precision, 'f32'>]: Rounding } = {
  f16: { unit: 2 ** -11, tolerance: 1e-2, words: wordsOf('f16') },
  bf16: { unit: 2 ** -8, tolerance: 8e-2, words: wordsOf('bf16') },
};
