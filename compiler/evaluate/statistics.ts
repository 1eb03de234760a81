/** What is computed from many documents: medians, and rank correlation with its interval. */
import type { Interval } from '../quality/interval.ts';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Ranks from 1; equal values have the mean of the ranks that they take together. */
export function ranksOf(values: readonly number[]): readonly number[] {
  const order = values.map((_, index) => index).sort((a, b) => (values[a] as number) - (values[b] as number));
  const ranks = values.map(() => 0);
  for (let start = 0; start < order.length;) {
    const value = values[order[start] as number];
    let end = start + 1;
    while (end < order.length && values[order[end] as number] === value) end += 1;
    for (const index of order.slice(start, end)) ranks[index] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

/** Spearman's rank correlation: that of Pearson of the ranks. NaN where one side has one value only. */
export function spearman(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranksOf(a), ranksOf(b)];
  const middle = (a.length + 1) / 2;
  let [product, own, other] = [0, 0, 0];
  for (const [index, rank] of x.entries()) {
    const [dx, dy] = [rank - middle, (y[index] as number) - middle];
    product += dx * dy;
    own += dx * dx;
    other += dy * dy;
  }
  return product / Math.sqrt(own * other);
}

/** The 97.5 % quantile of the normal distribution. */
const normalQuantile = 1.959963984540054;

/**
 * The 95 % interval of Spearman's correlation, by Fisher's transformation with the variance (1 + r^2 / 2) / (n - 3): Bonett and Wright,
 * "Sample size requirements for estimating Pearson, Kendall and Spearman correlations", Psychometrika 2000. Three pairs say nothing.
 */
export function spearmanInterval(a: readonly number[], b: readonly number[]): Interval {
  const mean = spearman(a, b);
  if (a.length <= 3 || Number.isNaN(mean)) return { mean, low: -1, high: 1 };
  const half = normalQuantile * Math.sqrt((1 + mean ** 2 / 2) / (a.length - 3));
  const z = Math.atanh(mean);
  return Math.abs(mean) === 1 ? { mean, low: mean, high: mean } : { mean, low: Math.tanh(z - half), high: Math.tanh(z + half) };
}
