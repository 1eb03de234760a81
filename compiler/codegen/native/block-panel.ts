/** Unpacking of blocks into panels of f32, for products of many rows. */
import type { SharedText } from './kernel-text.ts';
import { blockVectors } from './block-vectors.ts';
import { productTiles } from './product-tiles.ts';

export const blockPanel: SharedText = {
  name: 'unpack_panel',
  uses: [blockVectors, productTiles],
  text: String.raw`/* The values (k = first, first + 1, ...) of a byte of all columns of a panel each. */
INLINE void unpack_values(const u8 *bytes, const f32 *scale, const f32 *minimum, i32 has_minima, i32 bits, i32 is_signed, f32 *panel) {
  UNROLL for (i32 v = 0; v < PANEL / LANES; v++) {
    const vi quants = is_signed ? widen_i8(bytes + v * LANES) : widen_u8(bytes + v * LANES);
    const vf factor = load(scale + v * LANES), offset = has_minima ? load(minimum + v * LANES) : splat(0.0f);
    if (bits == 8) {
      store(panel + v * LANES, to_float(quants) * factor + offset);
    } else {
      store(panel + v * LANES, to_float(quants & 15) * factor + offset);
      store(panel + 16 * PANEL + v * LANES, to_float(quants >> 4) * factor + offset);
    }
  }
}
/* panel[K][PANEL] = the values of rows of quants; those that are not there (columns < PANEL) get the values of the first. */
INLINE void unpack_panel(const i32 bits, const i32 block, const i32 is_signed, const i32 has_minima, const u8 *quants, const f32 *scales,
                         const f32 *minima, i64 columns, i64 depth, f32 *panel) {
  const i64 blocks = depth / block, quant_bytes = depth * bits / 8;
  i64 rows[PANEL], offsets[PANEL];
  for (i32 i = 0; i < PANEL; i++) rows[i] = i < columns ? i : 0, offsets[i] = rows[i] * quant_bytes;
  for (i64 b = 0; b < blocks; b++) {
    f32 scale[PANEL], minimum[PANEL];
    UNROLL for (i32 i = 0; i < PANEL; i++) scale[i] = scales[rows[i] * blocks + b];
    if (has_minima) UNROLL for (i32 i = 0; i < PANEL; i++) minimum[i] = minima[rows[i] * blocks + b];
    for (i32 byte = 0; byte < block * bits / 8; byte += 16) {
      u8 bytes[16][16] __attribute__((aligned(64)));
      transpose_bytes(quants, offsets, bytes);
      UNROLL for (i32 i = 0; i < 16; i++) unpack_values(bytes[i], scale, minimum, has_minima, bits, is_signed, panel + i * PANEL);
      quants += 16;
      panel += 16 * PANEL;
    }
    if (bits == 4) panel += 16 * PANEL;
  }
}`,
};
