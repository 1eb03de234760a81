/** The elementary functions in float64, and how far those of a target may be from them. */
export type MathName = 'exp' | 'log' | 'tanh' | 'erf' | 'sin' | 'cos' | 'gelu' | 'geluTanh' | 'silu';

/** erf in float64: the Maclaurin series of erf up to 3, the continued fraction of erfc beyond. */
function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 3) {
    let fraction = 0;
    for (let k = 60; k > 0; k--) fraction = k / 2 / (size + fraction);
    return Math.sign(x) * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / (size + fraction));
  }
  let [term, sum] = [x, x];
  for (let k = 1; k < 80; k++) {
    term *= (-x * x) / k;
    sum += term / (2 * k + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
export const exactMath: { readonly [K in MathName]: (x: number) => number } = {
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  erf,
  sin: Math.sin,
  cos: Math.cos,
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  geluTanh: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
};

/** Distance in units in the last place of the f32 nearest to `wanted`. */
export function ulps(found: number, wanted: number): number {
  const rounded = Math.fround(wanted);
  if (Object.is(found, rounded) || found === rounded) return 0;
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(wanted))));
  return Math.abs(found - wanted) / 2 ** (exponent - 23);
}
const absolute = (found: number, wanted: number): number => Math.abs(found - wanted);

/** Range of arguments, and the largest error allowed in a measure. */
export const mathBounds: { readonly [K in MathName]: { range: readonly [number, number]; measure: typeof ulps; limit: number } } =
  {
    exp: { range: [-87.3, 88.7], measure: ulps, limit: 2 },
    log: { range: [1e-3, 1e3], measure: ulps, limit: 2 },
    tanh: { range: [-12, 12], measure: ulps, limit: 3 },
    erf: { range: [-6, 6], measure: absolute, limit: 5e-7 },
    sin: { range: [-1e4, 1e4], measure: absolute, limit: 5e-7 },
    cos: { range: [-1e4, 1e4], measure: absolute, limit: 5e-7 },
    gelu: { range: [-8, 8], measure: absolute, limit: 1e-6 },
    geluTanh: { range: [-8, 8], measure: absolute, limit: 1e-6 },
    silu: { range: [-80, 80], measure: ulps, limit: 6 },
  };

/** Arguments and what they give, to the bit. */
export const mathLimits: readonly (readonly [MathName, number, number])[] = [
  ['exp', -Infinity, 0], ['exp', Infinity, Infinity], ['exp', NaN, NaN], ['exp', 0, 1], ['exp', -200, 0], ['exp', 100, Infinity],
  ['log', 0, -Infinity], ['log', Infinity, Infinity], ['log', -1, NaN], ['log', NaN, NaN], ['log', 1, 0],
  ['tanh', Infinity, 1], ['tanh', -Infinity, -1], ['tanh', 0, 0], ['tanh', NaN, NaN],
  ['erf', Infinity, 1], ['erf', -Infinity, -1], ['erf', 0, 0], ['erf', NaN, NaN],
  ['gelu', -20, 0], ['gelu', 20, 20], ['silu', 100, 100], ['sin', 0, 0], ['cos', 0, 1],
]; // prettier-ignore
