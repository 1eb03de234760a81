/** A task: documents for a model to read, and what is made of the rows that it gives. */
import type { Interval } from '../quality/interval.ts';
import type { ScoredDocument } from '../quality/measure.ts';
import type { EvaluationLoss, EvaluationReport, EvaluationRow, Measure } from './evaluation.ts';

export interface EvaluationTask {
  readonly data: Pick<EvaluationReport['data'], 'sha256' | 'found'>;
  readonly documents: readonly ScoredDocument[];
  readonly measures: readonly Measure[];
  readonly loss: EvaluationLoss;
  /** For the rows of one plan; the first call is for dense attention, which the others are held against. */
  collect(): Collector;
  readonly notes: readonly string[];
}
export interface Collector {
  /** `row` counts the positions of the document; the array is only valid during the call. */
  onRow(document: number, row: number, values: Float32Array): void;
  /** After all documents. */
  results(): { readonly measures: EvaluationRow['measures']; readonly loss: Interval };
}
