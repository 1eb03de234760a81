/**
 * Quantising f32 matrices into blocks of 32 along the rows. Scales and minima are F16 exactly, which halves what they take,
 * and are rounded outwards: every value lies in the range that the quants reach, so that its error is at most half a scale.
 */
import { AtpcError } from '../../runtime/errors.ts';
import type { BlockFormat, BlockMatrix } from './block-format.ts';
import { fitsBlocks, quantBytes } from './block-matrix.ts';
import { float16Max, float16Values, float32ToFloat16 } from './float16.ts';

export type QuantName = 'q8' | 'q4';

export const quantFormats: { readonly [K in QuantName]: BlockFormat } = {
  /** scale = max |x| / 127. */
  q8: { bits: 8, block: 32, signed: true, minima: false },
  /** scale = (max - min) / 15, minimum = min. */
  q4: { bits: 4, block: 32, signed: false, minima: true },
};

/** What holds the scales and minima of `quantise` exactly. */
export const quantisedScales = 'F16';

/** Whether a tensor can be quantised: a matrix whose rows are whole blocks. Others stay as they are. */
export function canQuantise(quant: QuantName, shape: readonly number[]): boolean {
  return shape.length === 2 && fitsBlocks(quantFormats[quant], shape[1] ?? 0);
}

/**
 * Values of [rows, columns], row-major. Throws ATPC-207 for a value that is not finite or that needs a scale or minimum
 * beyond F16.
 */
export function quantise(
  name: string,
  quant: QuantName,
  values: Float32Array,
  shape: readonly [rows: number, columns: number],
): BlockMatrix {
  const format = quantFormats[quant];
  const [rows, columns] = shape;
  if (!canQuantise(quant, shape) || values.length !== rows * columns)
    throw new RangeError(`${values.length} values in rows of ${columns} are not whole blocks of ${format.block}.`);
  const blocks = values.length / format.block;
  const matrix = {
    format,
    shape,
    quants: new Uint8Array(quantBytes(format, values.length)),
    scales: new Float32Array(blocks),
    minima: format.minima ? new Float32Array(blocks) : null,
  };
  for (let block = 0, at = 0; block < blocks; block += 1, at += format.block) {
    const { min, max } = range(name, values, at, format.block);
    if (quant === 'q8') writeQ8(matrix, block, values.subarray(at, at + format.block), Math.max(-min, max));
    else writeQ4(matrix, block, values.subarray(at, at + format.block), min, max);
  }
  const beyond = [matrix.scales, matrix.minima ?? new Float32Array(0)].some((parts) =>
    parts.some((part) => !Number.isFinite(part)),
  );
  if (beyond) {
    throw new AtpcError(
      'ATPC-207',
      `The tensor '${name}' has values whose ${quant} scale or minimum is above ${float16Max}, the largest F16.`,
      {
        hint: 'Keep its weights in F32 or BF16.',
      },
    );
  }
  return matrix;
}

function range(name: string, values: Float32Array, from: number, length: number): { readonly min: number; readonly max: number } {
  let min = Infinity;
  let max = -Infinity;
  for (let at = from; at < from + length; at += 1) {
    const value = values[at] as number;
    if (!Number.isFinite(value))
      throw new AtpcError('ATPC-207', `The tensor '${name}' has the value ${value} (element ${at}), which cannot be quantised.`);
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

interface Target {
  readonly quants: Uint8Array;
  readonly scales: Float32Array;
  readonly minima: Float32Array | null;
}

function writeQ8({ quants, scales }: Target, block: number, values: Float32Array, largest: number): void {
  const scale = float16Above(largest / 127);
  scales[block] = scale;
  // A Uint8Array keeps the low byte: two's complement.
  for (const [j, value] of values.entries()) quants[block * 32 + j] = scale === 0 ? 0 : Math.round(value / scale);
}

function writeQ4({ quants, scales, minima }: Target, block: number, values: Float32Array, min: number, max: number): void {
  const minimum = -float16Above(-min);
  const scale = float16Above((max - minimum) / 15);
  scales[block] = scale;
  if (minima !== null) minima[block] = minimum;
  const quantOf = (j: number): number => (scale === 0 ? 0 : Math.round(((values[j] as number) - minimum) / scale));
  for (let j = 0; j < 16; j += 1) quants[block * 16 + j] = quantOf(j) | (quantOf(j + 16) << 4);
}

const one = new Float32Array(1);

/** The smallest F16 that is not below a number; infinite above the largest F16. */
function float16Above(value: number): number {
  one[0] = value;
  const bits = float32ToFloat16(one).halves[0] as number;
  const nearest = float16Values()[bits] as number;
  if (nearest >= value) return nearest;
  // The next larger one: away from zero for positive numbers, towards it for negative ones.
  if (nearest === 0) return 2 ** -24;
  return float16Values()[nearest > 0 ? bits + 1 : bits - 1] as number;
}
