import type { BlockFormat } from '../../weights/block-format.ts';
import type { SharedText } from './kernel-text.ts';

/** Quants as they lie in memory. */
export function quantType({ bits, signed }: BlockFormat): 'i8' | 'u8' {
  return bits === 8 && signed ? 'i8' : 'u8';
}

/** The values of one block (compiler/weights/block-format.ts): fl(scale * q) + minimum, exactly as the reference rounds. */
export const blockValues: SharedText = {
  name: 'block_values',
  text: String.raw`/* to[i] = fl(scale * q_i) + minimum, the product rounded before the sum whatever the compiler may contract. */
INLINE void block_values(const u8 *quants, f32 scale, f32 minimum, i32 bits, i32 block, i32 is_signed, f32 *to) {
  f32 scaled[32];
  for (i32 i = 0; i < block; i++) {
    const i32 quant = bits == 8 ? (is_signed ? (i8)quants[i] : quants[i]) : (quants[i % 16] >> (i < 16 ? 0 : 4)) & 15;
    scaled[i] = scale * (f32)quant;
  }
  /* Nothing is known of what the memory holds from here on: no product to fuse with. */
  __asm__ volatile("" : : "r"(scaled) : "memory");
  for (i32 i = 0; i < block; i++) to[i] = scaled[i] + minimum;
}`,
};
