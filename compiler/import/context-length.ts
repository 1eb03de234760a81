/** How many tokens a session of a generating model can hold. */
import { AtpcError } from '../../runtime/errors.ts';

export interface ContextOptions {
  /** Tokens that a session can hold (`--max-seq`); the length that the model was trained for unless given. */
  readonly maxLength?: number;
  /** Allows more than the model was trained for: time and memory are claimed then, not quality. */
  readonly beyondTrainedContext?: boolean;
}

/** Throws ATPC-301 for a length that is no length, or above the trained one without being asked for. */
export function contextLength(trainedLength: number, { maxLength, beyondTrainedContext = false }: ContextOptions): number {
  const length = maxLength ?? trainedLength;
  if (!Number.isInteger(length) || length < 1) {
    throw new AtpcError('ATPC-301', `The length of a session (--max-seq) must be a whole number above 0, and is ${length}.`);
  }
  if (length <= trainedLength || beyondTrainedContext) return length;
  throw new AtpcError(
    'ATPC-301',
    `A session of ${length} tokens (--max-seq) was asked for, and the model was trained for ${trainedLength}.`,
    { hint: 'Beyond its training a model may lose the thread: --beyond-trained-context compiles it all the same.' },
  );
}

/** The sentence for a package that goes beyond; none for others. */
export function contextNotes(trainedLength: number, maxLength: number): readonly string[] {
  if (maxLength <= trainedLength) return [];
  return [
    `Sessions hold ${maxLength} tokens, and the model was trained for ${trainedLength}: beyond, time and memory are claimed, not quality.`,
  ];
}

/** Throws ATPC-301 where a length was asked for and the model keeps nothing between calls. */
export function refuseContextOptions(model: string, { maxLength, beyondTrainedContext = false }: ContextOptions): void {
  if (maxLength === undefined && !beyondTrainedContext) return;
  const option = maxLength === undefined ? '--beyond-trained-context' : '--max-seq';
  throw new AtpcError('ATPC-301', `The option ${option} is for models that generate text, and ${model} is none.`);
}
