/**
 * What products in integers need of a processor, for each set of instructions that has it: sums of products of bytes, those of the right
 * side (weights) with signed ones of the left side. The sums of a block are exact in all of them.
 *
 * With VNNI (AVX-512, or AVX of 256 bits) and with ARM's dot products one instruction adds four products to a sum of 32 bits; the bytes of
 * the right side are unsigned in the former, signed in the latter. With neither, one adds two products to 16 bits (vpmaddubsw), where it
 * saturates: with weights of 4 bits nothing does that in a whole block, whose sums are of at most 16 * 15 * 128 < 2^15. So weights of 8
 * bits are two planes of 4, w = low + 16 * high, each summed in 16 bits. That takes as many instructions as f32 does with registers of the
 * same width, but half of them are additions, which start on more of a core's ports: worth it with AVX2. Processors with AVX-512 and
 * without VNNI (Skylake) have two ports for either with 512 bits: f32 is as fast there, and stays.
 */
import type { SharedText } from './kernel-text.ts';

export const byteProducts: SharedText = {
  name: 'byte_products',
  text: String.raw`/*
 * INTEGER_BITS: weights of up to so many bits are multiplied in integers, 0 for none. PLANE_BITS: those of a byte of the right side that
 * are multiplied at once.
 */
#if (LANES == 16 && defined(__AVX512VNNI__)) || (LANES == 8 && defined(__AVXVNNI__))
#define INTEGER_BITS 8
#define PLANE_BITS 8
#elif LANES == 16
#define INTEGER_BITS 4
#define PLANE_BITS 4
#elif LANES == 8
#define INTEGER_BITS 8
#define PLANE_BITS 4
#elif LANES == 4 && defined(__ARM_FEATURE_DOTPROD)
#define INTEGER_BITS 8
#define PLANE_BITS 8
#else
#define INTEGER_BITS 0
#endif
#if INTEGER_BITS > 0
#define PLANES(bits) ((bits) > PLANE_BITS ? 2 : 1)
/* What is added to quants that are biased, so that they are bytes as the instructions take them on the right. */
#if defined(__aarch64__)
#define BIAS (-128)
#define IS_BIASED(bits, is_signed) ((bits) == 8 && !(is_signed))
#else
#define BIAS 128
#define IS_BIASED(bits, is_signed) (is_signed)
#endif
#endif

#if LANES == 16
/* The nearest integers, even ones where two are as near. */
INLINE vi to_nearest(vf x) { return (vi)_mm512_cvtps_epi32((__m512)x); }
INLINE void store_bytes(i8 *to, vi x) { _mm_storeu_si128((__m128i *)to, _mm512_cvtsepi32_epi8((__m512i)x)); }
/* a0 b0 a1 b1 ... of the lower and of the upper halves. */
INLINE vi zip_low_i(vi a, vi b) {
  const __m512i order = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  return (vi)_mm512_permutex2var_epi32((__m512i)a, order, (__m512i)b);
}
INLINE vi zip_high_i(vi a, vi b) {
  const __m512i order = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return (vi)_mm512_permutex2var_epi32((__m512i)a, order, (__m512i)b);
}
/* 4 * LANES quants from place k of a row on, or as many as there are, as bytes of the right side. */
INLINE vi right_bytes(const i32 bits, const i32 is_signed, const u8 *row, i64 k, i64 count) {
  if (bits == 8) {
    const __m512i q = _mm512_maskz_loadu_epi8(count >= 64 ? ~0ull : (1ull << count) - 1, row + k);
    return (vi)(is_signed ? _mm512_xor_si512(q, _mm512_set1_epi8(-128)) : q);
  }
  /* Each 16 bytes twice: the low halves of the bytes, then the high ones. */
  const __m512i pairs = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(count >= 64 ? ~0u : 0xffffu, row + k / 2));
  const __m512i twice = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 1, 0, 1, 2, 3, 2, 3), pairs);
  return (vi)_mm512_and_si512(_mm512_srlv_epi64(twice, _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4)), _mm512_set1_epi8(15));
}
#elif LANES == 8
INLINE vi to_nearest(vf x) { return (vi)_mm256_cvtps_epi32((__m256)x); }
INLINE void store_bytes(i8 *to, vi x) {
  const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
  _mm_storel_epi64((__m128i *)to, _mm_packs_epi16(halves, halves));
}
INLINE vi zip_low_i(vi a, vi b) {
  const __m256i low = _mm256_unpacklo_epi32((__m256i)a, (__m256i)b), high = _mm256_unpackhi_epi32((__m256i)a, (__m256i)b);
  return (vi)_mm256_permute2x128_si256(low, high, 0x20);
}
INLINE vi zip_high_i(vi a, vi b) {
  const __m256i low = _mm256_unpacklo_epi32((__m256i)a, (__m256i)b), high = _mm256_unpackhi_epi32((__m256i)a, (__m256i)b);
  return (vi)_mm256_permute2x128_si256(low, high, 0x31);
}
INLINE vi right_bytes(const i32 bits, const i32 is_signed, const u8 *row, i64 k, i64 count) {
  const __m128i first = _mm_loadu_si128((const __m128i *)(row + k * bits / 8));
  if (bits == 8) {
    const __m256i q = _mm256_set_m128i(count >= 32 ? _mm_loadu_si128((const __m128i *)(row + k + 16)) : _mm_setzero_si128(), first);
    return (vi)(is_signed ? _mm256_xor_si256(q, _mm256_set1_epi8(-128)) : q);
  }
  return (vi)_mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(first, 4), first), _mm256_set1_epi8(15));
}
#elif INTEGER_BITS > 0
INLINE vi to_nearest(vf x) { return (vi)vcvtnq_s32_f32((float32x4_t)x); }
INLINE void store_bytes(i8 *to, vi x) {
  const int16x4_t halves = vqmovn_s32((int32x4_t)x);
  const u32 four = vget_lane_u32(vreinterpret_u32_s8(vqmovn_s16(vcombine_s16(halves, halves))), 0);
  memcpy(to, &four, 4);
}
INLINE vi zip_low_i(vi a, vi b) { return (vi)vzip1q_s32((int32x4_t)a, (int32x4_t)b); }
INLINE vi zip_high_i(vi a, vi b) { return (vi)vzip2q_s32((int32x4_t)a, (int32x4_t)b); }
INLINE vi right_bytes(const i32 bits, const i32 is_signed, const u8 *row, i64 k, i64 count) {
  if (bits == 8) return (vi)veorq_u8(vld1q_u8(row + k), vdupq_n_u8(is_signed ? 0 : 128));
  const uint8x16_t pairs = vld1q_u8(row + k / 32 * 16);
  return (vi)(k % 32 == 0 ? vandq_u8(pairs, vdupq_n_u8(15)) : vshrq_n_u8(pairs, 4));
}
#endif

#if INTEGER_BITS > 0
INLINE vi plane_of(const i32 bits, vi quants, i32 plane) {
  return PLANES(bits) == 1 ? quants : (plane == 0 ? quants : quants >> 4) & 0x0f0f0f0f;
}
/*
 * sums + the products of a plane with signed bytes of the left side: four to a lane where PLANE_BITS is 8, else two to each half of a lane.
 */
INLINE vi add_products(vi sums, vi right, vi left) {
#if defined(__aarch64__)
  return (vi)vdotq_s32((int32x4_t)sums, (int8x16_t)right, (int8x16_t)left);
#elif LANES == 16 && defined(__AVX512VNNI__)
  return (vi)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)right, (__m512i)left);
#elif LANES == 8 && defined(__AVXVNNI__)
  return (vi)_mm256_dpbusd_avx_epi32((__m256i)sums, (__m256i)right, (__m256i)left);
#else
#if LANES == 16
  sums = (vi)_mm512_add_epi16((__m512i)sums, _mm512_maddubs_epi16((__m512i)right, (__m512i)left));
#else
  sums = (vi)_mm256_add_epi16((__m256i)sums, _mm256_maddubs_epi16((__m256i)right, (__m256i)left));
#endif
  /* Keeps the order of additions: GCC makes a tree of them, for which all products of a block wait in memory. */
  __asm__("" : "+v"(sums));
  return sums;
#endif
}
/* The sums of lanes, times a factor. */
INLINE vi sum_of_plane(vi sums, i32 factor) {
#if PLANE_BITS == 8
  return sums;
#elif LANES == 16
  return (vi)_mm512_madd_epi16((__m512i)sums, _mm512_set1_epi16((short)factor));
#else
  return (vi)_mm256_madd_epi16((__m256i)sums, _mm256_set1_epi16((short)factor));
#endif
}
#endif`,
};
