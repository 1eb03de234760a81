/**
 * Elementary functions that languages lack or do not promise well enough: WGSL's sin and cos are good to 2^-11 (WGSL, section
 * 15.7.4.1, accuracy of built-in functions) and its tanh to 1e-5. Range reductions and polynomials are those of the Cephes
 * library's single-precision functions (S. L. Moshier, netlib.org/cephes, 1989), erf is a rational fit of our own; the same as in
 * compiler/codegen/wasm/math.ts. Fused multiply-adds keep them right where a driver is allowed to reorder sums.
 */
import type { Code, FunctionDefinition } from './code.ts';

/** Horner's rule, highest power first. */
function polynomial(code: Code, x: string, coefficients: readonly number[]): string {
  const [first = 0, ...others] = coefficients;
  return others.reduce((sum, coefficient) => code.call('fma', sum, x, code.f32(coefficient)), code.f32(first));
}
const unary = (name: string, body: (code: Code) => void, uses: readonly FunctionDefinition[] = []): FunctionDefinition => ({
  name,
  parameters: [{ name: 'x', type: 'f32' }],
  result: 'f32',
  body,
  uses,
});

const tanh = unary('tanh_f32', (code) => {
  const size = code.let('size', 'f32', code.call('abs', 'x'));
  const z = code.let('z', 'f32', 'x * x');
  const series = polynomial(
    code,
    z,
    [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
  );
  const near = code.let('near', 'f32', code.call('fma', `${series} * z`, 'x', 'x'));
  code.comment('1 - 2 / (exp(2 |x|) + 1); from 10 on it is 1 in f32');
  const bounded = code.call('min', size, code.f32(10));
  const far = code.let('far', 'f32', `1.0 - 2.0 / (${code.call('exp', `2.0 * ${bounded}`)} + 1.0)`);
  code.return(code.select(`${size} < ${code.f32(0.625)}`, near, code.select('x < 0.0', `-${far}`, far)));
});

const erfBound = 4;
const erfNumerator = [1.986644288e-6, 2.845158537e-4, 3.882214607e-3, 5.309819947e-2, 0.1935223094, 1.12837914];
const erfDenominator = [3.741609858e-5, 1.185250624e-3, 1.520501588e-2, 0.1153401092, 0.5048372441, 1];
const erf = unary('erf_f32', (code) => {
  code.comment('a rational in x; 1 from there on where it rounds to 1 in f32');
  const bounded = code.let('bounded', 'f32', code.call('min', code.call('abs', 'x'), code.f32(erfBound)));
  const z = code.let('z', 'f32', `${bounded} * ${bounded}`);
  const quotient = `${bounded} * ${polynomial(code, z, erfNumerator)} / ${polynomial(code, z, erfDenominator)}`;
  const value = code.let('value', 'f32', code.call('min', quotient, code.f32(1)));
  code.return(code.select('x < 0.0', `-${value}`, value));
});

/** sin(x + quarter pi / 2). */
const circular = (name: string, quarter: number): FunctionDefinition =>
  unary(name, (code) => {
    code.comment('x = n pi / 2 + r with |r| <= pi / 4; pi / 2 in three parts');
    const n = code.let('n', 'f32', code.call('round', `x * ${code.f32(2 / Math.PI)}`));
    const parts = [1.5703125, 4.837512969970703e-4, 7.549789954891882e-8];
    const r = code.let(
      'r',
      'f32',
      parts.reduce((rest, part) => code.call('fma', `-${n}`, code.f32(part), rest), 'x'),
    );
    const quadrant = code.let('quadrant', 'i32', `${code.cast('i32', n)} + ${quarter}`);
    const z = code.let('z', 'f32', `${r} * ${r}`);
    const sine = polynomial(code, z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
    const cosine = polynomial(code, z, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]);
    const near = code.let('near', 'f32', code.call('fma', `${sine} * ${z}`, r, r));
    const far = code.let('far', 'f32', `${code.call('fma', `${cosine} * ${z}`, z, `-0.5 * ${z}`)} + 1.0`);
    const value = code.let('value', 'f32', code.select(`(${quadrant} & 1) != 0`, far, near));
    code.return(code.select(`(${quadrant} & 2) != 0`, `-${value}`, value));
  });
const sin = circular('sin_f32', 0);
const cos = circular('cos_f32', 1);

const gelu = unary('gelu_f32', (code) => code.return(`0.5 * x * (1.0 + erf_f32(x * ${code.f32(Math.SQRT1_2)}))`), [erf]);
const geluTanh = unary(
  'gelu_tanh_f32',
  (code) => {
    const inner = code.call('fma', `x * x * x`, code.f32(0.044715), 'x');
    code.return(`0.5 * x * (1.0 + tanh_f32(${inner} * ${code.f32(Math.sqrt(2 / Math.PI))}))`);
  },
  [tanh],
);
const silu = unary('silu_f32', (code) => code.return(`x / (1.0 + ${code.call('exp', '-x')})`));

export const mathFunctions = { tanh, erf, sin, cos, gelu, gelu_tanh: geluTanh, silu } as const;
