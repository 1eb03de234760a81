/**
 * Elementary functions on vectors. exp, log, tanh, sin and cos use the range reductions and polynomials of the Cephes library's
 * single-precision functions (S. L. Moshier, netlib.org/cephes, 1989), erf is a rational fit of our own; the same as in
 * compiler/codegen/wasm/math.ts, which says more. Errors are measured in test/backend/native-math.test.ts.
 */
import { f32Constant } from './kernel-text.ts';

/** Horner's rule in a variable, highest power first. */
function polynomial(x: string, coefficients: readonly number[]): string {
  const [first = 0, ...others] = coefficients;
  return others.reduce((sum, coefficient) => `(${sum} * ${x} + ${f32Constant(coefficient)})`, `splat(${f32Constant(first)})`);
}

const erfNumerator = [1.986644288e-6, 2.845158537e-4, 3.882214607e-3, 5.309819947e-2, 0.1935223094, 1.12837914];
const erfDenominator = [3.741609858e-5, 1.185250624e-3, 1.520501588e-2, 0.1153401092, 0.5048372441, 1];

export const math = String.raw`/* Adding this to a float of size below 2^22 rounds it to an integer, which then stands in the low bits of the sum. */
#define ROUNDING_SHIFT 12582912.0f

INLINE vf exponential(vf x) {
  /* x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts, so that n times the first is exact. */
  const vf shifted = x * ${f32Constant(Math.LOG2E)} + ROUNDING_SHIFT;
  const vf n = shifted - ROUNDING_SHIFT;
  const vf r = (x - n * 0.693359375f) - n * -2.1219444e-4f;
  const vf p = ${polynomial('r', [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.50000001201])};
  const vf y = (p * (r * r) + r) + 1.0f;
  /* Times 2^n by adding n to the exponent; what is not normal becomes 0, what is too large infinity. */
  const vf scaled = (vf)((vu)y + ((vu)shifted << 23));
  const vf finite = select_f(x > 88.72283f, splat(INFINITY), scaled);
  return select_f(x < -87.33654f, splat(0.0f), finite);
}
INLINE f32 exponential_1(f32 x) { return exponential(splat(x))[0]; }

INLINE vf logarithm(vf x) {
  /* x = 2^e (1 + m) with sqrt(1/2) <= 1 + m < sqrt(2); subnormals are scaled up first. */
  const vi subnormal = x < 1.17549435e-38f;
  const vi bits = (vi)select_f(subnormal, x * 8388608.0f, x);
  const vf half = (vf)((bits & 0x7fffff) | 0x3f000000);
  const vf exponent = to_float((vi)((vu)bits >> 23)) - select_f(subnormal, splat(149.0f), splat(126.0f));
  const vi low = half < ${f32Constant(Math.SQRT1_2)};
  const vf e = exponent - select_f(low, splat(1.0f), splat(0.0f));
  const vf m = select_f(low, half + half, half) - 1.0f;
  const vf z = m * m;
  const vf p = ${polynomial('m', [7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1])};
  const vf tail = ((p * m) * z + e * -2.1219444e-4f) - z * 0.5f;
  const vf value = (m + tail) + e * 0.693359375f;
  const vf up_to = select_f(x == INFINITY, splat(INFINITY), value);
  const vf down = select_f(x == 0.0f, splat(-INFINITY), select_f(x < 0.0f, splat(NAN), up_to));
  /* What is not a number stays so. */
  return select_f(x == x, down, x);
}
INLINE f32 logarithm_1(f32 x) { return logarithm(splat(x))[0]; }

/* size (>= 0) with the sign of x. */
INLINE vf with_sign(vf size, vf x) { return (vf)((vi)size | ((vi)x & INT32_MIN)); }

INLINE vf hyperbolic_tangent(vf x) {
  const vf size = absolute(x);
  const vf z = x * x;
  const vf p = ${polynomial('z', [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1])};
  const vf near = (p * z) * x + x;
  const vf far = 1.0f - 2.0f / (exponential(size + size) + 1.0f);
  return select_f(size < 0.625f, near, with_sign(far, x));
}

/* A rational in x; 1 from there on where it rounds to 1 in f32. */
INLINE vf error_function(vf x) {
  const vf size = absolute(x);
  const vf bounded = select_f(size > 4.0f, splat(4.0f), size);
  const vf z = bounded * bounded;
  const vf value = bounded * ${polynomial('z', erfNumerator)} / ${polynomial('z', erfDenominator)};
  return with_sign(select_f(value > 1.0f, splat(1.0f), value), x);
}

/* sin(x + quarter * pi / 2): x = n pi / 2 + r with |r| <= pi / 4; pi / 2 in three parts. */
INLINE vf circular(vf x, i32 quarter) {
  const vf shifted = x * ${f32Constant(2 / Math.PI)} + ROUNDING_SHIFT;
  const vf n = shifted - ROUNDING_SHIFT;
  const vf r = ((x - n * 1.5703125f) - n * 4.837512969970703e-4f) - n * 7.549789954891882e-8f;
  const vi quadrant = (vi)shifted + quarter;
  const vf z = r * r;
  const vf sine = ${polynomial('z', [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1])};
  const vf cosine = ${polynomial('z', [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2])};
  const vf near = (sine * z) * r + r;
  const vf far = ((cosine * z) * z - z * 0.5f) + 1.0f;
  const vf value = select_f((quadrant & 1) != 0, far, near);
  return (vf)((vu)value ^ ((vu)(quadrant & 2) << 30));
}
INLINE vf sine(vf x) { return circular(x, 0); }
INLINE vf cosine(vf x) { return circular(x, 1); }

INLINE vf gelu(vf x) { return (x * 0.5f) * (1.0f + error_function(x * ${f32Constant(Math.SQRT1_2)})); }
INLINE vf gelu_tanh(vf x) {
  const vf cube = ((x * x) * x) * 0.044715f;
  return (x * 0.5f) * (1.0f + hyperbolic_tangent((x + cube) * ${f32Constant(Math.sqrt(2 / Math.PI))}));
}
INLINE vf silu(vf x) { return x / (1.0f + exponential(-x)); }
`;
