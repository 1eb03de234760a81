/**
 * Types and small functions that all kernels of a file use. One text serves all levels of instruction sets: vectors are as wide as
 * the registers that the C compiler is told to use, and what has an instruction that compilers do not find by themselves is an
 * intrinsic where there is one.
 */
export const prelude = String.raw`#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

typedef float f32;
typedef double f64;
typedef int8_t i8;
typedef int32_t i32;
typedef int64_t i64;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* Lanes of a vector of f32: the registers of AVX-512, AVX2, and of SSE or NEON. */
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && defined(__AVX512BW__)
#define LANES 16
#elif defined(__AVX2__) && defined(__FMA__)
#define LANES 8
#else
#define LANES 4
#endif
typedef f32 vf __attribute__((vector_size(4 * LANES)));
typedef i32 vi __attribute__((vector_size(4 * LANES)));
typedef u32 vu __attribute__((vector_size(4 * LANES)));
/* The same anywhere in memory: tensors are aligned to their elements only. */
typedef f32 vf_anywhere __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef i32 vi_anywhere __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
/* A function of its own, so that its registers are allocated without those of its callers. */
#define APART static __attribute__((noinline))
/* Before a loop of a constant count, at most 16: arrays indexed by it alone are in registers then. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE i64 minimum(i64 a, i64 b) { return a < b ? a : b; }
INLINE i64 maximum(i64 a, i64 b) { return a > b ? a : b; }
INLINE i64 floor_divide(i64 a, i64 b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0)); }
INLINE i64 ceil_divide(i64 a, i64 b) { return -floor_divide(-a, b); }

/* x - 0 and not 0 + x: the sign of -0 stays. */
INLINE vf splat(f32 x) { return x - (vf){0}; }
INLINE vi splat_i(i32 x) { return x - (vi){0}; }
INLINE vi bits_of(vf x) { return (vi)x; }
INLINE vf float_of_bits(vi x) { return (vf)x; }
INLINE vf to_float(vi x) { return __builtin_convertvector(x, vf); }

INLINE vf load(const f32 *from) { return *(const vf_anywhere *)from; }
INLINE void store(f32 *to, vf x) { *(vf_anywhere *)to = x; }
INLINE vi load_i(const i32 *from) { return *(const vi_anywhere *)from; }
INLINE void store_i(i32 *to, vi x) { *(vi_anywhere *)to = x; }

/* 0, 1, 2, ... */
INLINE vi lane_numbers(void) {
  vi x;
  for (int lane = 0; lane < LANES; lane++) x[lane] = lane;
  return x;
}

/* The first lanes, at most count (at least 1) of them; the others are 0, and are not read or written. */
#if LANES == 16
INLINE __mmask16 lanes_below(i64 count) { return (__mmask16)(count >= LANES ? 0xffff : (1u << count) - 1); }
INLINE vi load_part_i(const i32 *from, i64 count) { return (vi)_mm512_maskz_loadu_epi32(lanes_below(count), from); }
INLINE void store_part_i(i32 *to, vi x, i64 count) { _mm512_mask_storeu_epi32(to, lanes_below(count), (__m512i)x); }
#elif LANES == 8
INLINE __m256i lanes_below(i64 count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((i32)minimum(count, LANES)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vi load_part_i(const i32 *from, i64 count) {
  return count >= LANES ? load_i(from) : (vi)_mm256_maskload_epi32((const int *)from, lanes_below(count));
}
INLINE void store_part_i(i32 *to, vi x, i64 count) {
  if (count >= LANES) store_i(to, x);
  else _mm256_maskstore_epi32((int *)to, lanes_below(count), (__m256i)x);
}
#else
INLINE vi load_part_i(const i32 *from, i64 count) {
  if (count >= LANES) return load_i(from);
  vi x = {0};
  for (int lane = 0; lane < LANES - 1; lane++) if (lane < count) x[lane] = from[lane];
  return x;
}
INLINE void store_part_i(i32 *to, vi x, i64 count) {
  if (count >= LANES) store_i(to, x);
  else for (int lane = 0; lane < LANES - 1; lane++) if (lane < count) to[lane] = x[lane];
}
#endif
INLINE vf load_part(const f32 *from, i64 count) { return (vf)load_part_i((const i32 *)from, count); }
INLINE void store_part(f32 *to, vf x, i64 count) { store_part_i((i32 *)to, (vi)x, count); }

/* The same with elements apart. */
INLINE vi load_apart_i(const i32 *from, i64 stride, i64 count) {
  vi x = {0};
  for (int lane = 0; lane < LANES; lane++) if (lane < count) x[lane] = from[lane * stride];
  return x;
}
INLINE void store_apart_i(i32 *to, i64 stride, vi x, i64 count) {
  for (int lane = 0; lane < LANES; lane++) if (lane < count) to[lane * stride] = x[lane];
}
/* from[lane * stride + rows[lane] * row_stride]. */
INLINE vi load_rows_i(const i32 *from, i64 stride, vi rows, i64 row_stride, i64 count) {
  vi x = {0};
  for (int lane = 0; lane < LANES; lane++) if (lane < count) x[lane] = from[lane * stride + rows[lane] * row_stride];
  return x;
}
INLINE vf load_apart(const f32 *from, i64 stride, i64 count) { return (vf)load_apart_i((const i32 *)from, stride, count); }
INLINE void store_apart(f32 *to, i64 stride, vf x, i64 count) { store_apart_i((i32 *)to, stride, (vi)x, count); }
INLINE vf load_rows(const f32 *from, i64 stride, vi rows, i64 row_stride, i64 count) {
  return (vf)load_rows_i((const i32 *)from, stride, rows, row_stride, count);
}

/* a where the mask is all ones, b where it is 0. */
INLINE vi select_i(vi mask, vi a, vi b) { return (mask & a) | (~mask & b); }
INLINE vf select_f(vi mask, vf a, vf b) { return (vf)select_i(mask, (vi)a, (vi)b); }
INLINE vi flag(vi mask) { return mask & 1; }
INLINE vf absolute(vf x) { return (vf)((vi)x & 0x7fffffff); }

/* The larger one; a where one of them is not a number. */
INLINE vf larger(vf a, vf b) {
#if LANES == 16
  return (vf)_mm512_max_ps((__m512)b, (__m512)a);
#elif LANES == 8
  return (vf)_mm256_max_ps((__m256)b, (__m256)a);
#elif defined(__SSE__)
  return (vf)_mm_max_ps((__m128)b, (__m128)a);
#else
  return select_f(b > a, b, a);
#endif
}
INLINE vf smaller(vf a, vf b) {
#if LANES == 16
  return (vf)_mm512_min_ps((__m512)b, (__m512)a);
#elif LANES == 8
  return (vf)_mm256_min_ps((__m256)b, (__m256)a);
#elif defined(__SSE__)
  return (vf)_mm_min_ps((__m128)b, (__m128)a);
#else
  return select_f(b < a, b, a);
#endif
}
/* What is not a number stays so. */
INLINE vf maximum_f(vf a, vf b) { return select_f(b != b, b, larger(a, b)); }
INLINE vf minimum_f(vf a, vf b) { return select_f(b != b, b, smaller(a, b)); }
INLINE vi maximum_i(vi a, vi b) { return select_i(a > b, a, b); }
INLINE vi minimum_i(vi a, vi b) { return select_i(a < b, a, b); }

INLINE vf square_root(vf x) {
#if LANES == 16
  return (vf)_mm512_sqrt_ps((__m512)x);
#elif LANES == 8
  return (vf)_mm256_sqrt_ps((__m256)x);
#elif defined(__SSE__)
  return (vf)_mm_sqrt_ps((__m128)x);
#elif defined(__aarch64__)
  return (vf)vsqrtq_f32((float32x4_t)x);
#else
  for (int lane = 0; lane < LANES; lane++) x[lane] = sqrtf(x[lane]);
  return x;
#endif
}
/* Towards 0; the nearest i32 for what is none, 0 for what is not a number. */
INLINE vi to_integer(vf x) {
  const vi fits = absolute(x) < 2147483648.0f;
  const vi beyond = select_i(x > 0.0f, splat_i(INT32_MAX), splat_i(INT32_MIN)) & (x == x);
  return select_i(fits, __builtin_convertvector((vf)(fits & (vi)x), vi), beyond);
}

/* Over all lanes, always in the same order. */
INLINE f32 sum_of(vf x) {
#if LANES == 16
  return _mm512_reduce_add_ps((__m512)x);
#else
#if LANES == 8
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
#else
  const vf four = x;
#endif
  return (four[0] + four[2]) + (four[1] + four[3]);
#endif
}
INLINE f32 largest_of(vf x) {
#if LANES == 16
  return _mm512_reduce_max_ps((__m512)x);
#else
  f32 most = x[0];
  for (int lane = 1; lane < LANES; lane++) most = x[lane] > most ? x[lane] : most;
  return most;
#endif
}
`;
