/**
 * Products with blocks in integers, where the processor has them (byte-products.ts): the left side is rounded to 8 bits, block by block
 * of K as the right side has them, x = scale * q with q from -127 to 127. Off unless asked for (`--activations int8`): the sums of a block
 * are exact, the left side is not. With VNNI one instruction multiplies four times as many pairs as a multiply-add of f32 does, without
 * it two do; a block costs a conversion and the product of its scales beside. With everything that is around a tile, 128
 * and 512 rows of 576 x 1536 take so many GFLOP/s on a core of an EPYC 9005:
 *
 *     instructions    f32   q4    q8    q8 in blocks of 16
 *     AVX2            130   300   190   164
 *     AVX2, VNNI      130   348   380   320
 *     AVX-512         260   550   f32   f32
 *     AVX-512, VNNI   260   620   635   500
 *
 * Few rows are limited by the memory, or by what both ways do with a block, and are multiplied as they are.
 */
import type { SharedText } from './kernel-text.ts';
import type { BlockFormat } from '../../weights/block-format.ts';
import { byteProducts } from './byte-products.ts';
import { panelWidth, productTiles } from './product-tiles.ts';

/** Rows that are rounded at a time, and then meet all columns. */
export const roundedRows = 256;
/** Rows of a tile: with registers of 256 bits, of which there are 16, and with those of 512, of which there are 32. */
export const integerRows = 6;
export const mostIntegerRows = 8;

export const blockIntegers: SharedText = {
  name: 'block_integers',
  uses: [productTiles, byteProducts],
  text: String.raw`#if INTEGER_BITS > 0
/* A tile: with as many products under way, its sums fill the registers. Weights in two planes have two sums for one. */
#if LANES == 16
#define INTEGER_ROWS ${mostIntegerRows}
#else
#define INTEGER_ROWS ${integerRows}
#endif
#define INTEGER_VECTORS(bits) (PANEL / LANES / PLANES(bits))
/* Rows of the left side in 8 bits. */
struct rounded {
  /* [rows][K]; of each block [rows][K / block] the scale, the sum of the unrounded elements, and -BIAS times that of the rounded ones. */
  i8 *values;
  f32 *scales, *sums;
  i32 *offsets;
};
INLINE struct rounded rounded_rows(const struct rounded *all, i64 row, i64 depth, i64 blocks) {
  return (struct rounded){all->values + row * depth, all->scales + row * blocks, all->sums + row * blocks, all->offsets + row * blocks};
}
INLINE void round_block(const i32 block, const f32 *from, i8 *values, f32 *scale, f32 *sum, i32 *offset) {
  vf x[32 / LANES], most = splat(0.0f), total = splat(0.0f);
  UNROLL for (i32 v = 0; v < block / LANES; v++) {
    x[v] = load(from + v * LANES);
    most = larger(most, absolute(x[v]));
    total += x[v];
  }
  const f32 largest = largest_of(most);
  /* 0 also where the quotient were infinite: such a block is one of zeros. */
  const vf inverse = splat(largest > 1e-36f ? 127.0f / largest : 0.0f);
  vi rounded = splat_i(0);
  UNROLL for (i32 v = 0; v < block / LANES; v++) {
    const vi q = to_nearest(x[v] * inverse);
    store_bytes(values + v * LANES, q);
    rounded += q;
  }
  *sum = sum_of(total);
  /* What is not finite makes numbers of its row that are none, as in f32 but for signs of infinities. */
  *scale = largest / 127.0f + (*sum - *sum);
  i32 all = 0;
  UNROLL for (i32 lane = 0; lane < LANES; lane++) all += rounded[lane];
  *offset = -BIAS * all;
}
INLINE void round_rows(const i32 block, const f32 *left, i64 left_stride, i64 rows, i64 blocks, struct rounded to) {
  for (i64 row = 0; row < rows; row++)
    for (i64 b = 0; b < blocks; b++) {
      const i64 at = row * blocks + b;
      round_block(block, left + row * left_stride + b * block, to.values + at * block, to.scales + at, to.sums + at, to.offsets + at);
    }
}

/* A panel of rows of quants: bytes [K / 4][PLANES][PANEL][4], scales and minima [K / block][PANEL]. */
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
  /* Lanes of four elements, turned so that those of one place lie beside each other. */
  for (i64 k = 0; k < depth; k += 4 * LANES) {
    const i64 count = minimum(4 * LANES, depth - k);
    for (i32 column = 0; column < PANEL; column += LANES) {
      vi q[LANES], turned[LANES];
      UNROLL for (i32 i = 0; i < LANES; i++)
        q[i] = right_bytes(bits, is_signed, quants + rows[column + i] * quant_bytes, k, count);
      /* Each round turns the index (bits of the row, then those of the lane) by one bit, as in transpose_bytes. */
      UNROLL for (i32 round = 0; round < (LANES == 16 ? 4 : LANES == 8 ? 3 : 2); round++) {
        UNROLL for (i32 i = 0; i < LANES / 2; i++) {
          turned[2 * i] = zip_low_i(q[i], q[i + LANES / 2]);
          turned[2 * i + 1] = zip_high_i(q[i], q[i + LANES / 2]);
        }
        UNROLL for (i32 i = 0; i < LANES; i++) q[i] = turned[i];
      }
      UNROLL for (i32 i = 0; i < LANES; i++)
        if (4 * i < count)
          for (i32 plane = 0; plane < PLANES(bits); plane++)
            store_i((i32 *)(to.quants + ((k / 4 + i) * PLANES(bits) + plane) * PANEL * 4 + column * 4), plane_of(bits, q[i], plane));
    }
  }
  for (i64 b = 0; b < blocks; b++) {
    UNROLL for (i32 i = 0; i < PANEL; i++) to.scales[b * PANEL + i] = scales[rows[i] * blocks + b];
    if (has_minima) UNROLL for (i32 i = 0; i < PANEL; i++) to.minima[b * PANEL + i] = minima[rows[i] * blocks + b];
  }
}
/* sums[rows][TILE_COLUMNS], the first PANEL of each row = rows of the left side times a panel. */
INLINE void integer_tile(const i32 rows, const i32 bits, const i32 block, const i32 is_signed, const i32 has_minima, struct rounded left,
                         i64 depth, struct integer_panel panel, f32 *sums) {
  const i64 blocks = depth / block;
  for (i32 first = 0; first < PANEL / LANES; first += INTEGER_VECTORS(bits)) {
    vf total[INTEGER_ROWS][PANEL / LANES];
    UNROLL for (i32 r = 0; r < rows; r++)
      for (i32 v = 0; v < INTEGER_VECTORS(bits); v++) total[r][v] = splat(0.0f);
    const u8 *quants = panel.quants + first * LANES * 4;
    for (i64 b = 0; b < blocks; b++) {
      const f32 *const scales = panel.scales + b * PANEL + first * LANES, *const minima = panel.minima + b * PANEL + first * LANES;
      vi part[INTEGER_ROWS][PANEL / LANES][2];
      UNROLL for (i32 r = 0; r < rows; r++)
        for (i32 v = 0; v < INTEGER_VECTORS(bits); v++)
          for (i32 plane = 0; plane < PLANES(bits); plane++) part[r][v][plane] = splat_i(0);
      UNROLL for (i32 i = 0; i < block / 4; i++) {
        vi right[PANEL / LANES][2];
        for (i32 plane = 0; plane < PLANES(bits); plane++, quants += 4 * PANEL)
          for (i32 v = 0; v < INTEGER_VECTORS(bits); v++) right[v][plane] = load_i((const i32 *)(quants + v * LANES * 4));
        UNROLL for (i32 r = 0; r < rows; r++) {
          i32 four;
          memcpy(&four, left.values + r * depth + b * block + 4 * i, 4);
          const vi x = splat_i(four);
          for (i32 v = 0; v < INTEGER_VECTORS(bits); v++)
            for (i32 plane = 0; plane < PLANES(bits); plane++)
              part[r][v][plane] = add_products(part[r][v][plane], right[v][plane], x);
        }
      }
      UNROLL for (i32 r = 0; r < rows; r++) {
        const i64 at = r * blocks + b;
        for (i32 v = 0; v < INTEGER_VECTORS(bits); v++) {
          vi sum = sum_of_plane(part[r][v][0], 1);
          if (PLANES(bits) == 2) sum += sum_of_plane(part[r][v][1], 16);
          if (IS_BIASED(bits, is_signed)) sum += splat_i(left.offsets[at]);
          total[r][v] += to_float(sum) * (load(scales + v * LANES) * splat(left.scales[at]));
          if (has_minima) total[r][v] += load(minima + v * LANES) * splat(left.sums[at]);
        }
      }
    }
    UNROLL for (i32 r = 0; r < rows; r++)
      for (i32 v = 0; v < INTEGER_VECTORS(bits); v++) store(sums + r * TILE_COLUMNS + (first + v) * LANES, total[r][v]);
  }
}
#endif`,
};

/** Bytes of scratch for each element of K: rounded rows with three numbers a block, and a panel with two, its quants in planes of 4 bits. */
export function integerScratchBytes({ bits, block }: BlockFormat): number {
  return roundedRows * (1 + 12 / block) + panelWidth * (bits / 4 + 8 / block);
}
