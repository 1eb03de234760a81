/** Quants of blocks as vectors of numbers, for products with them and what else reads blocks. */
import type { BlockFormat } from '../../weights/block-format.ts';
import type { SharedText } from './kernel-text.ts';

/** The numbers of a format as arguments of the C functions over blocks, which take them as constants: bits, block, is_signed. */
export function formatArguments({ bits, block, signed }: BlockFormat): string {
  return `${bits}, ${block}, ${Number(signed)}`;
}

export const blockVectors: SharedText = {
  name: 'block_vectors',
  text: String.raw`/* LANES bytes from an address on as integers; GCC 12 makes single moves of a conversion that widens fourfold. */
INLINE vi widen_u8(const u8 *from) {
#if LANES == 16
  return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from));
#elif LANES == 8
  return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from));
#else
  u32 bytes;
  memcpy(&bytes, from, 4);
#if defined(__SSE4_1__)
  return (vi)_mm_cvtepu8_epi32(_mm_cvtsi32_si128((i32)bytes));
#elif defined(__aarch64__)
  return (vi)vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(bytes))));
#else
  vi x;
  for (i32 lane = 0; lane < LANES; lane++) x[lane] = from[lane];
  return x;
#endif
#endif
}
INLINE vi widen_i8(const u8 *from) {
#if LANES == 16
  return (vi)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from));
#elif LANES == 8
  return (vi)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from));
#else
  u32 bytes;
  memcpy(&bytes, from, 4);
#if defined(__SSE4_1__)
  return (vi)_mm_cvtepi8_epi32(_mm_cvtsi32_si128((i32)bytes));
#elif defined(__aarch64__)
  return (vi)vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(vcreate_u8(bytes)))));
#else
  vi x;
  for (i32 lane = 0; lane < LANES; lane++) x[lane] = (i8)from[lane];
  return x;
#endif
#endif
}

typedef u8 v16u8 __attribute__((vector_size(16)));
typedef u8 v16u8_anywhere __attribute__((vector_size(16), aligned(1), may_alias));
/* a0 b0 a1 b1 ... of the lower and of the upper halves. */
INLINE v16u8 zip_low(v16u8 a, v16u8 b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#else
  return __builtin_shuffle(a, b, (v16u8){0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
#endif
}
INLINE v16u8 zip_high(v16u8 a, v16u8 b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#else
  return __builtin_shuffle(a, b, (v16u8){8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31});
#endif
}
/* to[j][i] = rows[i * row_bytes + j]: each round turns the bits of an index (4 of the row, 4 of the byte) by one. */
INLINE void transpose_bytes(const u8 *rows, const i64 *offsets, u8 to[16][16]) {
  v16u8 a[16], b[16];
  UNROLL for (i32 i = 0; i < 16; i++) a[i] = *(const v16u8_anywhere *)(rows + offsets[i]);
  UNROLL for (i32 round = 0; round < 2; round++) {
    UNROLL for (i32 i = 0; i < 8; i++) b[2 * i] = zip_low(a[i], a[i + 8]), b[2 * i + 1] = zip_high(a[i], a[i + 8]);
    UNROLL for (i32 i = 0; i < 8; i++) a[2 * i] = zip_low(b[i], b[i + 8]), a[2 * i + 1] = zip_high(b[i], b[i + 8]);
  }
  UNROLL for (i32 i = 0; i < 16; i++) *(v16u8_anywhere *)to[i] = a[i];
}`,
};
