/**
 * Quants as vectors of f32. Where the bytes of sixteen elements lie in the four 32-bit lanes of a vector, byte b of every lane
 * together is a vector too, of the elements b, b + 4, b + 8 and b + 12: a mask and a conversion give it, where elements in
 * order would need a chain of extensions. 4-bit quants have two such vectors a byte.
 */
import type { BlockFormat } from '../../weights/block-format.ts';
import type { FunctionBuilder } from './wat-builder.ts';
import { f32x4, i32x4, v128 } from './wat-code.ts';
import type { Code, Local, V128 } from './wat-code.ts';

/** The vectors that one load of 16 bytes of quants holds, in the order of their bits. */
export interface QuantVector {
  /** Where the quants stand in each 32-bit lane. */
  readonly bit: number;
  /** The first of the four elements, which are 4 apart, counted from the first element of the load. */
  readonly element: number;
}
export function quantVectors({ bits }: BlockFormat): readonly QuantVector[] {
  return Array.from({ length: 32 / bits }, (_, index) => {
    const bit = index * bits;
    const byte = Math.floor(bit / 8);
    return { bit, element: byte + (bits === 4 && bit % 8 === 4 ? 16 : 0) };
  });
}
/** Elements in 16 bytes of quants. */
export function elementsPerLoad({ bits }: BlockFormat): number {
  return 128 / bits;
}

export interface QuantConstants {
  /** Ones in the lowest bits of each lane, as many as a quant has. */
  readonly lowest: Local<'v128'>;
  /** 128 in each byte, which added to signed quants (or taken from them: the same bit) makes them unsigned; null for unsigned ones. */
  readonly offset: Local<'v128'> | null;
}
/** Shifted, they are no constants to V8, which would build each constant again wherever it is used, in three instructions. */
export function quantConstants(f: FunctionBuilder, { bits, signed }: BlockFormat): QuantConstants {
  const splat = (value: number): V128 => i32x4.const(value, value, value, value);
  return {
    lowest: f.let('lowest', i32x4.shr_u(splat(2 ** (bits + 1) - 2), 1)),
    offset: signed ? f.let('offset', i32x4.shl(splat(0x40404040), 1)) : null,
  };
}

/** The quants of one vector as i32. */
export function quantIntegers({ bits, signed }: BlockFormat, word: V128, { bit }: QuantVector, { lowest }: QuantConstants): V128 {
  const top = 32 - bits;
  if (signed) return i32x4.shr_s(bit === top ? word : i32x4.shl(word, top - bit), top);
  const shifted = bit === 0 ? word : i32x4.shr_u(word, bit);
  return bit === top ? shifted : v128.and(shifted, lowest);
}

type Rows = readonly [V128, V128, V128, V128];
/** The transpose of 4 x 4: vector i gets element i of every vector. */
export function transposed(f: FunctionBuilder, rows: readonly Code<'v128'>[]): readonly Local<'v128'>[] {
  const [a, b, c, d] = rows.map((row, i) => f.let(`row_${i}`, row)) as unknown as Rows;
  const [low, high] = [[0, 4, 1, 5] as const, [2, 6, 3, 7] as const];
  // Pairs of rows interleaved, then the pairs.
  const [ab, cd] = [f.let('ab', f32x4.shuffle(a, b, low)), f.let('cd', f32x4.shuffle(c, d, low))];
  const [abHigh, cdHigh] = [f.let('ab_high', f32x4.shuffle(a, b, high)), f.let('cd_high', f32x4.shuffle(c, d, high))];
  return [
    f.let('column_0', f32x4.shuffle(ab, cd, [0, 1, 4, 5])),
    f.let('column_1', f32x4.shuffle(ab, cd, [2, 3, 6, 7])),
    f.let('column_2', f32x4.shuffle(abHigh, cdHigh, [0, 1, 4, 5])),
    f.let('column_3', f32x4.shuffle(abHigh, cdHigh, [2, 3, 6, 7])),
  ];
}
