/**
 * Text in which a passage comes again from far back, made of a document of the person's own: a list or a name that is repeated later. Heads
 * that copy show what they lose there, and calibration text without far repeats hides exactly that loss (atp-modes.md, section 1).
 */
import type { TokenIds } from './documents.ts';
import type { ScoredDocument } from './measure.ts';

/** Of 16 parts of a document: the passage, what lies between, and the passage again. */
const parts = { passage: 5, between: 6 } as const;
/** Tokens of the repeat that tell the model where it is. */
const unscored = 32;

/** Scored on the repeat after its first tokens; at most `rows` positions. */
export function repeatedDocument(document: TokenIds, rows: number): ScoredDocument {
  const sixteenth = document.length / 16;
  const passage = Math.floor(parts.passage * sixteenth);
  const start = passage + Math.floor(parts.between * sixteenth);
  const repeated = [...document.slice(0, start), ...document.slice(0, passage)];
  const first = start + Math.min(unscored, passage >> 1);
  return { document: repeated, positions: evenly(first, repeated.length, rows) };
}

/** At most `most` whole numbers of [first, end), evenly among them. */
export function evenly(first: number, end: number, most: number): readonly number[] {
  const count = Math.min(most, end - first);
  return Array.from({ length: count }, (_, index) => first + Math.floor((index * (end - first)) / count));
}
