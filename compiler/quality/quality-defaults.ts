import type { Task } from '../../runtime/format/manifest.ts';
import type { DocumentCounts } from './documents.ts';

/**
 * How many documents are read at most. A share of labels takes hundreds to tell 1 % from 2 %; embeddings differ little from text to text;
 * a document of a model that generates has a thousand rows, and takes many seconds.
 */
export const documentCounts: { readonly [K in Exclude<Task['kind'], 'tensors'>]: DocumentCounts } = {
  classify: { search: 256, check: 768 },
  embed: { search: 32, check: 96 },
  generate: { search: 2, check: 6 },
};

export const qualityDefaults = {
  /** Documents whose activations rank the heads of an encoder: the longest ones. */
  rankedDocuments: 8,
  /** Tokens of a document of a model that generates: what lies far back is read, and a document still takes less than a minute. */
  longestDocument: 2048,
  /** A shorter document of a model that generates shows nothing: its caches are still exact, or nearly. */
  shortestDocument: 1024,
  /** Positions before this one say nothing. */
  firstPosition: 512,
  /** Documents with far repeats. */
  repeatedDocuments: 2,
  /** Bytes of kept log-probabilities, which decide how many positions of a document are scored. */
  referenceBytes: 2 ** 30,
  /** Different modes or budgets among the heads of one layer: each is a call of its own. */
  choicesPerLayer: 3,
} as const;
