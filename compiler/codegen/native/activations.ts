import type { Rounding } from '../target.ts';

/** What the left sides of products with weights in blocks are multiplied as: as they are, or rounded to 8 bits, a scale for each block. */
export const activationTypes = ['f32', 'int8'] as const;
export type ActivationType = (typeof activationTypes)[number];

/**
 * The tolerance is three to eleven times what was measured, of the largest value of an output, for all-MiniLM-L6-v2 at 128 and 512 tokens
 * beside f32: 9e-3 and 1.2e-2 with weights in q8, 1.8e-2 and 3.5e-2 in q4 (1 - cosine of all outputs 4e-4 and 2e-3). A kernel that is
 * wrong is off by as much as the values are.
 */
export const int8Rounding: Rounding = {
  unit: 2 ** -8,
  tolerance: 1e-1,
  words:
    'left sides of products with weights in blocks rounded to 8 bits, a scale a block, on processors with AVX2 or ARM dot products',
};
