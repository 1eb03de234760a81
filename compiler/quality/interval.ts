/**
 * 95 % intervals of a mean over documents: Student's t for losses that are real numbers, Clopper and Pearson's for shares of documents
 * ("The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 1934). A t interval of documents that
 * all agree has no width; the binomial one says how rare a disagreement may still be.
 */

export const confidence = 0.95;

export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Of a mean of real numbers. One number says nothing about the spread: its interval has no end. */
export function meanInterval(values: readonly number[]): Interval {
  const count = values.length;
  if (count === 0) return { mean: Number.NaN, low: -Infinity, high: Infinity };
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, low: -Infinity, high: Infinity };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = studentQuantile(count - 1) * Math.sqrt(squares / (count - 1) / count);
  return { mean, low: mean - half, high: mean + half };
}

/** Of a share: `hits` of `count` documents. */
export function shareInterval(hits: number, count: number): Interval {
  if (count === 0) return { mean: Number.NaN, low: 0, high: 1 };
  const tail = (1 - confidence) / 2;
  return {
    mean: hits / count,
    low: hits === 0 ? 0 : betaQuantile(tail, hits, count - hits + 1),
    high: hits === count ? 1 : betaQuantile(1 - tail, hits + 1, count - hits),
  };
}

/** The least number of documents whose interval ends below `bound` where all of them agree. */
export function leastDocumentsForShare(bound: number): number {
  return bound >= 1 ? 1 : Math.ceil(Math.log((1 - confidence) / 2) / Math.log(1 - bound));
}

/** What the t distribution exceeds with probability (1 - confidence) / 2. */
function studentQuantile(degrees: number): number {
  // P(|T| > t) = I_x(degrees / 2, 1 / 2) with x = degrees / (degrees + t^2): Abramowitz and Stegun, 26.7.1.
  const x = betaQuantile(1 - confidence, degrees / 2, 0.5);
  return Math.sqrt((degrees * (1 - x)) / x);
}

/** The x with I_x(a, b) = probability, by bisection. */
function betaQuantile(probability: number, a: number, b: number): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < 100; step += 1) {
    const middle = (low + high) / 2;
    if (betaShare(middle, a, b) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The regularised incomplete beta function I_x(a, b), by its continued fraction: Numerical Recipes, 6.4. */
export function betaShare(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  // The fraction converges quickly below the mean.
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const away = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m <= 1000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    result *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    const factor = d * c;
    result *= factor;
    if (Math.abs(factor - 1) < 1e-14) break;
  }
  return result;
}

/** Lanczos' approximation with g = 7, to 15 digits: Godfrey's coefficients. */
function logGamma(x: number): number {
  const [first, ...rest] = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ] as const;
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const sum = rest.reduce<number>((total, coefficient, index) => total + coefficient / (x + index), first);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}
