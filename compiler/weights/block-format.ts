/**
 * Block-quantised weights: rows of a matrix [N, K] in blocks along K. value = scale * q + minimum, one f32 scale and (where
 * the format has one) one f32 minimum a block. Every GGUF type that is imported maps onto one of these exactly.
 *
 * In a package a quantised tensor `w` is three tensors that any tool can read:
 *   `w.quants`  U8: 8 bits [N, K] (two's complement where the format is signed), 4 bits [N, K / 2]: byte j of a block of 32
 *               holds element j in its low nibble and element j + 16 in its high nibble, as GGUF does
 *   `w.scales`  F32 or F16 [N, K / block]
 *   `w.minima`  F32 or F16 [N, K / block], where the format has minima
 */
export interface BlockFormat {
  readonly bits: 4 | 8;
  /** Elements of a block: 32, or with 8 bits also 16. */
  readonly block: 16 | 32;
  /** Signed 8-bit quants; 4-bit quants are unsigned. */
  readonly signed: boolean;
  readonly minima: boolean;
}

/** A matrix in blocks. */
export interface BlockMatrix {
  readonly format: BlockFormat;
  readonly shape: readonly [rows: number, columns: number];
  /** Row-major, as in `.quants`. */
  readonly quants: Uint8Array;
  /** [rows, columns / block]. */
  readonly scales: Float32Array;
  readonly minima: Float32Array | null;
}

export function sameBlockFormat(a: BlockFormat | null, b: BlockFormat | null): boolean {
  return a === b || (a !== null && b !== null && formatBlockFormat(a) === formatBlockFormat(b));
}
/** `q4 in blocks of 32 with minima`, for people and as a key. */
export function formatBlockFormat({ bits, block, signed, minima }: BlockFormat): string {
  return `${signed ? 'signed ' : ''}q${bits} in blocks of ${block}${minima ? ' with minima' : ''}`;
}

/** The values, rounded to f32 as (scale * q) + minimum, each operation in f32. */
export function dequantise(matrix: BlockMatrix): Float32Array {
  const { format, shape, quants, scales, minima } = matrix;
  const [rows, columns] = shape;
  const { bits, block, signed } = format;
  const values = new Float32Array(rows * columns);
  const signedQuants = new Int8Array(quants.buffer, quants.byteOffset, quants.byteLength);
  for (let at = 0, index = 0; at < values.length; at += block, index += 1) {
    const scale = scales[index] as number;
    const minimum = minima === null ? 0 : (minima[index] as number);
    for (let i = 0; i < block; i += 1) {
      let quant: number;
      if (bits === 8) quant = (signed ? signedQuants : quants)[at + i] as number;
      else quant = ((quants[at / 2 + (i % 16)] as number) >> (i < 16 ? 0 : 4)) & 15;
      values[at + i] = Math.fround(scale * quant) + minimum;
    }
  }
  return values;
}
