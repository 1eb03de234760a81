import type { Rounding } from '../target.ts';

/** What the left sides of products with weights in blocks are multiplied as: as they are, or rounded to 8 bits, a scale for each block. */
export const activationTypes = ['f32', 'int8'] as const;
export type ActivationType = (typeof activationTypes)[number];

/** MEASURED */
export const int8Rounding: Rounding = {
  unit: 2 ** -8,
  tolerance: 5e-2,
  words: 'left sides of products with weights in blocks rounded to 8 bits, a scale a block, on processors with AVX-512 VNNI',
};
