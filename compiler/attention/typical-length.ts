/** When an approximation is taken without being asked for: by the predicted time at the length of a typical input. */
import { AtpcError } from '../../runtime/errors.ts';
import type { CompileOptions } from '../compile-options.ts';

const defaultTypicalLength = 256;

/** Tokens of a typical input. Throws ATPC-301 for what is no length. */
export function typicalLengthOf({ typicalLength = defaultTypicalLength }: Pick<CompileOptions, 'typicalLength'>): number {
  if (Number.isInteger(typicalLength) && typicalLength >= 1) return typicalLength;
  throw new AtpcError('ATPC-301', `The typical length must be a whole number of tokens above 0, and is ${typicalLength}.`);
}

/** An approximation that saves less than a tenth of a layer's attention is not worth its error. */
export const leastGain = 0.9;
export const leastGainWords = `a gain under ${Math.round(100 - 100 * leastGain)} % is not worth an approximation`;
