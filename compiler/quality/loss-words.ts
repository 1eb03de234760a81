import type { ManifestLoss } from '../../runtime/format/manifest.ts';

const number = (value: number): string => String(Number(value.toPrecision(3)));

/** A measured loss as a sentence. */
export function lossWords({ name, unit, mean, high, documents, tokens, repeats }: ManifestLoss): string {
  const apart = repeats === undefined ? '' : ` On a passage that is repeated from far back: ${number(repeats)} ${unit}.`;
  return `Measured ${name}: ${number(mean)} ${unit}, at most ${number(high)} with 95 % confidence, on ${documents} documents of ${tokens} tokens.${apart}`;
}

/** The same with the bound, and the text that it was measured on. */
export function lossLine(loss: ManifestLoss): string {
  return `${lossWords(loss)} The bound was ${loss.bound}; SHA-256 of the text: ${loss.textHash}.`;
}
