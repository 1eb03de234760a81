/**
 * Few rows of the left side times rows of quants, straight from their blocks. For a block
 *
 *     sum of (scale * q + minimum) * x = scale * (sum of q * x) + minimum * (sum of x),
 *
 * so that a weight costs its share of a conversion and a multiply-add. Rows of quants are read one after the other, as one stream:
 * with two or four at a time, half of the bandwidth of the memory was left (EPYC 9005: 13 to 22 GB/s of 27).
 */
import type { SharedText } from './kernel-text.ts';
import { blockVectors } from './block-vectors.ts';

/** Rows that share a conversion: their sums stay in registers. */
export const rowsAtOnce = 4;
/**
 * Rows up to which unpacking takes longer than converting the blocks once for every four of them: with AVX-512, 576 x 1536 and q4 the
 * one gives 57, 80 and 120 GFLOP/s at 5, 8 and 16 rows, the other 115 to 130.
 */
export const mostDirectRows = 12;

export const blockDot: SharedText = {
  name: 'block_dot',
  uses: [blockVectors],
  text: String.raw`/* sums[row * blocks + b] = the sum of the elements of block b of a row. */
INLINE void block_sums(const i32 block, const f32 *left, i64 left_stride, i64 rows, i64 blocks, f32 *sums) {
  for (i64 row = 0; row < rows; row++)
    for (i64 b = 0; b < blocks; b++) {
      vf sum = splat(0.0f);
      UNROLL for (i32 i = 0; i < block; i += LANES) sum += load(left + row * left_stride + b * block + i);
      sums[row * blocks + b] = sum_of(sum);
    }
}
/* sums[row * sums_stride] = left[row] times one row of blocks. */
INLINE void block_dot(const i32 rows, const i32 bits, const i32 block, const i32 is_signed, const i32 has_minima, const f32 *left,
                      i64 left_stride, const f32 *left_sums, const u8 *quants, const f32 *scales, const f32 *minima, i64 blocks, f32 *sums,
                      i64 sums_stride) {
  vf total[4];
  UNROLL for (i32 r = 0; r < rows; r++) total[r] = splat(0.0f);
  for (i64 b = 0; b < blocks; b++) {
    const vf scale = splat(scales[b]);
    vf sum[4];
    if (bits == 8) {
      UNROLL for (i32 i = 0; i < block; i += LANES) {
        const vf quant = to_float(is_signed ? widen_i8(quants + i) : widen_u8(quants + i));
        UNROLL for (i32 r = 0; r < rows; r++) {
          const vf x = load(left + r * left_stride + i);
          sum[r] = i == 0 ? x * quant : sum[r] + x * quant;
        }
      }
    } else {
      UNROLL for (i32 i = 0; i < 16; i += LANES) {
        const vi pair = widen_u8(quants + i);
        const vf low = to_float(pair & 15), high = to_float(pair >> 4);
        UNROLL for (i32 r = 0; r < rows; r++) {
          const vf x = load(left + r * left_stride + i), y = load(left + r * left_stride + 16 + i);
          sum[r] = i == 0 ? x * low : sum[r] + x * low;
          sum[r] += y * high;
        }
      }
    }
    UNROLL for (i32 r = 0; r < rows; r++) total[r] += sum[r] * scale;
    quants += block * bits / 8;
    left += block;
  }
  if (has_minima)
    for (i64 b = 0; b < blocks; b += LANES) {
      const vf offset = load_part(minima + b, blocks - b);
      UNROLL for (i32 r = 0; r < rows; r++) total[r] += load_part(left_sums + r * blocks + b, blocks - b) * offset;
    }
  UNROLL for (i32 r = 0; r < rows; r++) sums[r * sums_stride] = sum_of(total[r]);
}`,
};
