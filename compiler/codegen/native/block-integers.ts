/**
 * Products with blocks in integers, where the processor has them (AVX-512 VNNI): the left side is rounded to 8 bits, block by block of
 * K as the right side has them, x = scale * q with q from -127 to 127. Off unless asked for (`--activations int8`): the sums are exact,
 * the left side is not. One instruction multiplies 64 pairs, a quarter of which a multiply-add of f32 does; a block costs a
 * conversion and the product of its scales beside. With everything that is around a tile, 128 and 512 rows of 576 x 1536 take 440 to
 * 580 GFLOP/s in blocks of 32 on a core whose limit in f32 is 256 (EPYC 9005), 330 in blocks of 16. Few rows are limited by the
 * memory, or by what both ways do with a block, and are multiplied as they are.
 */
import type { SharedText } from './kernel-text.ts';
import { productTiles, tileColumns } from './product-tiles.ts';

/** Rows that are rounded at a time, and then meet all columns. */
export const roundedRows = 256;
/** Rows of a tile: with as many products under way, the block of the right side, its scales and the sums fill the registers. */
export const integerRows = 8;

export const blockIntegers: SharedText = {
  name: 'block_integers',
  uses: [productTiles],
  text: String.raw`#if defined(__AVX512VNNI__)
/* Rows of the left side in 8 bits. */
struct rounded {
  /* [rows][K]; of each block [rows][K / block] the scale, the sum of the unrounded elements, and -128 times that of the rounded ones. */
  i8 *values;
  f32 *scales, *sums;
  i32 *offsets;
};
INLINE struct rounded rounded_rows(const struct rounded *all, i64 row, i64 depth, i64 blocks) {
  return (struct rounded){all->values + row * depth, all->scales + row * blocks, all->sums + row * blocks, all->offsets + row * blocks};
}
INLINE void round_block(const i32 block, const f32 *from, i8 *values, f32 *scale, f32 *sum, i32 *offset) {
  vf x[2], most = splat(0.0f), total = splat(0.0f);
  UNROLL for (i32 v = 0; v < block / LANES; v++) {
    x[v] = load(from + v * LANES);
    most = larger(most, absolute(x[v]));
    total += x[v];
  }
  const f32 largest = largest_of(most);
  const vf inverse = splat(largest > 0.0f ? 127.0f / largest : 0.0f);
  vi rounded = splat_i(0);
  UNROLL for (i32 v = 0; v < block / LANES; v++) {
    const __m512i q = _mm512_cvtps_epi32((__m512)(x[v] * inverse));
    _mm_storeu_si128((__m128i *)(values + v * LANES), _mm512_cvtsepi32_epi8(q));
    rounded += (vi)q;
  }
  *sum = sum_of(total);
  /* What is not finite makes numbers of its row that are none, as in f32 but for signs of infinities. */
  *scale = largest / 127.0f + (*sum - *sum);
  *offset = -128 * _mm512_reduce_add_epi32((__m512i)rounded);
}
INLINE void round_rows(const i32 block, const f32 *left, i64 left_stride, i64 rows, i64 blocks, struct rounded to) {
  for (i64 row = 0; row < rows; row++)
    for (i64 b = 0; b < blocks; b++) {
      const i64 at = row * blocks + b;
      round_block(block, left + row * left_stride + b * block, to.values + at * block, to.scales + at, to.sums + at, to.offsets + at);
    }
}

/* What a load of up to 64 quants holds, count of them, as unsigned numbers: signed ones with 128 added. */
INLINE __m512i unsigned_quants(const i32 bits, const i32 is_signed, const u8 *quants, i64 count) {
  if (bits == 8) {
    const __m512i q = _mm512_maskz_loadu_epi8(count >= 64 ? ~0ull : (1ull << count) - 1, quants);
    return is_signed ? _mm512_xor_si512(q, _mm512_set1_epi8(-128)) : q;
  }
  /* Each 16 bytes twice: the low halves of the bytes, then the high ones. */
  const __m512i pairs = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(count >= 64 ? ~0u : 0xffffu, quants));
  const __m512i twice = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 1, 0, 1, 2, 3, 2, 3), pairs);
  return _mm512_and_si512(_mm512_srlv_epi64(twice, _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4)), _mm512_set1_epi8(15));
}
/* A panel of rows of quants: unsigned [K / 4][PANEL][4], scales and minima [K / block][PANEL]. */
struct integer_panel {
  u8 *quants;
  f32 *scales, *minima;
};
/* Rows that are not there (columns < PANEL) are those of the first. */
INLINE void integer_panel(const i32 bits, const i32 block, const i32 is_signed, const i32 has_minima, const u8 *quants, const f32 *scales,
                          const f32 *minima, i64 columns, i64 depth, struct integer_panel to) {
  const i64 blocks = depth / block, quant_bytes = depth * bits / 8;
  i64 rows[PANEL];
  for (i32 i = 0; i < PANEL; i++) rows[i] = i < columns ? i : 0;
  /* 64 elements of four rows at a time: lanes of four elements, turned so that those of one place lie beside each other. */
  for (i64 k = 0; k < depth; k += 64) {
    const i64 count = minimum(64, depth - k);
    __m512i q[PANEL];
    UNROLL for (i32 i = 0; i < PANEL; i++)
      q[i] = unsigned_quants(bits, is_signed, quants + rows[i] * quant_bytes + k * bits / 8, count);
    __m512i turned[PANEL];
    /* Each round turns the index (4 bits of the row, 4 of the lane) by one bit, as in transpose_bytes. */
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    UNROLL for (i32 round = 0; round < 2; round++) {
      UNROLL for (i32 i = 0; i < 8; i++) {
        turned[2 * i] = _mm512_permutex2var_epi32(q[i], low, q[i + 8]);
        turned[2 * i + 1] = _mm512_permutex2var_epi32(q[i], high, q[i + 8]);
      }
      UNROLL for (i32 i = 0; i < 8; i++) {
        q[2 * i] = _mm512_permutex2var_epi32(turned[i], low, turned[i + 8]);
        q[2 * i + 1] = _mm512_permutex2var_epi32(turned[i], high, turned[i + 8]);
      }
    }
    UNROLL for (i32 i = 0; i < 16; i++)
      if (4 * i < count) _mm512_storeu_si512(to.quants + k * PANEL + i * 64, q[i]);
  }
  for (i64 b = 0; b < blocks; b++) {
    UNROLL for (i32 i = 0; i < PANEL; i++) to.scales[b * PANEL + i] = scales[rows[i] * blocks + b];
    if (has_minima) UNROLL for (i32 i = 0; i < PANEL; i++) to.minima[b * PANEL + i] = minima[rows[i] * blocks + b];
  }
}
/* sums[rows][TILE_COLUMNS], the first PANEL of each row = rows of the left side times a panel. */
INLINE void integer_tile(const i32 rows, const i32 block, const i32 is_signed, const i32 has_minima, struct rounded left, i64 depth,
                         struct integer_panel panel, f32 *sums) {
  const i64 blocks = depth / block;
  vf total[${integerRows}];
  UNROLL for (i32 r = 0; r < rows; r++) total[r] = splat(0.0f);
  for (i64 b = 0; b < blocks; b++) {
    __m512i right[8];
    UNROLL for (i32 i = 0; i < block / 4; i++) right[i] = _mm512_loadu_si512(panel.quants + b * block * PANEL + i * 64);
    const vf scale = load(panel.scales + b * PANEL);
    UNROLL for (i32 r = 0; r < rows; r++) {
      const i64 at = r * blocks + b;
      __m512i sum = is_signed ? _mm512_set1_epi32(left.offsets[at]) : _mm512_setzero_si512();
      UNROLL for (i32 i = 0; i < block / 4; i++) {
        i32 four;
        memcpy(&four, left.values + r * depth + b * block + 4 * i, 4);
        sum = _mm512_dpbusd_epi32(sum, right[i], _mm512_set1_epi32(four));
      }
      total[r] += to_float((vi)sum) * (scale * splat(left.scales[at]));
      if (has_minima) total[r] += load(panel.minima + b * PANEL) * splat(left.sums[at]);
    }
  }
  UNROLL for (i32 r = 0; r < rows; r++) store(sums + r * TILE_COLUMNS, total[r]);
}
#endif`,
};

/** Bytes of scratch for each element of K: rounded rows with three numbers a block, and a panel with two. */
export function integerScratchBytes(block: number): number {
  return roundedRows * (1 + 12 / block) + (tileColumns / 2) * (1 + 8 / block);
}
