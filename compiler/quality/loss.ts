/**
 * How far the outputs of a planned model are from those of the dense one, in the unit of its task: a document has rows (one embedding,
 * one row of class logits, or the logits after each scored position), and its loss is the mean over its rows. What is said of a source
 * of text is the mean over documents, with an interval.
 */
import { AtpcError } from '../../runtime/errors.ts';
import type { Task } from '../../runtime/format/manifest.ts';
import { confidence, meanInterval, shareInterval, type Interval } from './interval.ts';

/** Distance of a row of the planned model to the dense row that it was made from. */
export type RowDistance = (row: Float32Array) => number;

export interface LossDefinition {
  /** As the manifest and tables name it. */
  readonly name: 'KL divergence' | 'cosine distance' | 'disagreement';
  readonly unit: 'nats' | '1 - cosine' | 'share of labels';
  /** What is measured, for people. */
  readonly summary: string;
  /** Keeps what is needed of a dense row; the row itself may change afterwards. */
  against(dense: Float32Array): RowDistance;
  /** The mean over documents and its 95 % interval. */
  interval(losses: readonly number[]): Interval;
}

/** A loss over documents of one source. */
export interface MeasuredLoss {
  readonly name: LossDefinition['name'];
  readonly unit: LossDefinition['unit'];
  readonly mean: number;
  /** Over documents; its upper end is what a bound is held against. */
  readonly interval: { readonly low: number; readonly high: number; readonly confidence: number };
  /** By document, in their order. */
  readonly documents: readonly number[];
}

type LossTask = Exclude<Task['kind'], 'tensors'>;

/** The loss of every task that has one: a row a task. */
export const losses: { readonly [K in LossTask]: LossDefinition } = {
  generate: {
    name: 'KL divergence',
    unit: 'nats',
    summary: 'mean KL(dense || plan) of the next-token distributions, in nats',
    against: divergenceFrom,
    interval: atLeastZero(meanInterval),
  },
  embed: {
    name: 'cosine distance',
    unit: '1 - cosine',
    summary: '1 - cosine of an embedding to the dense one',
    against: cosineDistanceFrom,
    interval: atLeastZero(meanInterval),
  },
  classify: {
    name: 'disagreement',
    unit: 'share of labels',
    summary: 'share of texts whose label is not that of the dense model',
    against: disagreementWith,
    interval: (values) => shareInterval(values.filter((value) => value > 0).length, values.length),
  },
};

/** Throws ATPC-311 for a model of tensors alone, whose outputs have no meaning that could be compared. */
export function lossOf(task: Task): LossDefinition {
  if (task.kind !== 'tensors') return losses[task.kind];
  throw new AtpcError('ATPC-311', 'A model that gives tensors has no task, and so no loss that could be measured.', {
    hint: 'Models that embed, classify or generate have one. Choose a mode with --attn, and compare the outputs yourself.',
  });
}

/** `documents`: the loss of each. */
export function measuredLoss({ name, unit, interval }: LossDefinition, documents: readonly number[]): MeasuredLoss {
  const { mean, low, high } = interval(documents);
  return { name, unit, mean, interval: { low, high, confidence }, documents };
}

/** No loss is below 0; the interval of a mean may be. */
function atLeastZero(of: (values: readonly number[]) => Interval): LossDefinition['interval'] {
  return (values) => {
    const { mean, low, high } = of(values);
    return { mean, low: Math.max(0, low), high };
  };
}

/** Log of the sum of the exponentials: logits less this are log-probabilities. */
export function logSumExp(logits: Float32Array): number {
  let largest = -Infinity;
  for (const logit of logits) if (logit > largest) largest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return largest + Math.log(sum);
}

/** Log-probabilities are kept as multiples of 1/2048 nat down to -32 nats, in 16 bits: a vocabulary of 49,152 has 96 KB a row. */
const stepsPerNat = 2048;
const lowest = 2 ** 16 - 1;
let probabilities: Float64Array | null = null;
function probabilityTable(): Float64Array {
  return (probabilities ??= Float64Array.from({ length: lowest + 1 }, (_, steps) =>
    steps === lowest ? 0 : Math.exp(-steps / stepsPerNat),
  ));
}

/**
 * KL(p || q) of the softmax p of the dense row. p is rounded, by a relative 2^-12 at most, and made to sum to 1 again, so that no more than
 * such a part of the divergence is wrong, and 1e-6 nats where there is none.
 */
function divergenceFrom(dense: Float32Array): RowDistance {
  const normalizer = logSumExp(dense);
  const steps = Uint16Array.from(dense, (logit) => Math.min(lowest, Math.round((normalizer - logit) * stepsPerNat)));
  const table = probabilityTable();
  let total = 0;
  for (const step of steps) total += table[step] as number;
  return (row) => {
    const other = logSumExp(row);
    let sum = 0;
    for (let id = 0; id < steps.length; id += 1) {
      const step = steps[id] as number;
      if (step === lowest) continue;
      sum += (table[step] as number) * (-step / stepsPerNat - (row[id] as number) + other);
    }
    return Math.max(0, sum / total - Math.log(total));
  };
}

export function cosineDistanceFrom(dense: Float32Array): RowDistance {
  const kept = dense.slice();
  return (row) => {
    let [product, own, other] = [0, 0, 0];
    for (let i = 0; i < kept.length; i += 1) {
      const [a, b] = [kept[i] as number, row[i] as number];
      product += a * b;
      own += a * a;
      other += b * b;
    }
    // Two equal rows differ by rounding, which is no loss.
    return Math.max(0, 1 - product / Math.sqrt(own * other));
  };
}

/** The id of the largest logit, the first of equal ones: what greedy decoding takes. */
export function largestLogit(row: Float32Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i += 1) if ((row[i] as number) > (row[best] as number)) best = i;
  return best;
}

/** The label of a row of logits; of the one logit of a model with one label, whether it is above 0, its sigmoid above a half. */
export function labelOf(row: Float32Array): number {
  return row.length === 1 ? Number((row[0] as number) > 0) : largestLogit(row);
}
function disagreementWith(dense: Float32Array): RowDistance {
  const label = labelOf(dense);
  return (row) => (labelOf(row) === label ? 0 : 1);
}
