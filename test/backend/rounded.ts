/** Floats rounded to 16 bits, to the nearest, ties to even: what tensor cores multiply. */
import type { Precision } from '../../compiler/codegen/cuda/target.ts';

/** Half of the last place of one. */
export const unitsOf: { readonly [P in Precision]: number } = { f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8 };

/** By the definition of a format with so many bits of significand and a least exponent. */
function roundTo(bits: number, leastExponent: number, largest: number): (x: number) => number {
  return (x) => {
    if (x === 0 || !Number.isFinite(x)) return x;
    const exponent = Math.max(Math.floor(Math.log2(Math.abs(x))), leastExponent);
    const place = 2 ** (exponent - bits + 1);
    const [down, rest] = [Math.floor(x / place), x / place - Math.floor(x / place)];
    const nearest = rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
    const value = nearest * place;
    return Math.abs(value) > largest ? Math.sign(x) * Infinity : value;
  };
}
export const roundings: { readonly [P in Precision]: (x: number) => number } = {
  f32: Math.fround,
  f16: roundTo(11, -14, 65504),
  bf16: roundTo(8, -126, 3.3895313892515355e38),
};
