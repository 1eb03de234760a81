/*
 * Kernels for processors, as C11 with the vector extensions of GCC and Clang. One text serves every level of instruction sets. All
 * tensors lie in one memory; a kernel is called with the items that it computes, a place for its scratch, the places of its operands
 * (bytes from the base) and integers.
 */

#include <math.h>
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

/* Adding this to a float of size below 2^22 rounds it to an integer, which then stands in the low bits of the sum. */
#define ROUNDING_SHIFT 12582912.0f

INLINE vf exponential(vf x) {
  /* x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts, so that n times the first is exact. */
  const vf shifted = x * 1.4426950216293335f + ROUNDING_SHIFT;
  const vf n = shifted - ROUNDING_SHIFT;
  const vf r = (x - n * 0.693359375f) - n * -2.1219444e-4f;
  const vf p = (((((splat(0.00019875691214110702f) * r + 0.001398199936375022f) * r + 0.008333452045917511f) * r + 0.04166579619050026f) * r + 0.1666666567325592f) * r + 0.5f);
  const vf y = (p * (r * r) + r) + 1.0f;
  /* Times 2^n by adding n to the exponent; what is not normal becomes 0, what is too large infinity. */
  const vf scaled = (vf)((vu)y + ((vu)shifted << 23));
  const vf finite = select_f(x > 88.72283f, splat(INFINITY), scaled);
  return select_f(x < -87.33654f, splat(0.0f), finite);
}
INLINE f32 exponential_1(f32 x) { return exponential(splat(x))[0]; }

INLINE vf logarithm(vf x) {
  /* x = 2^e (1 + m) with sqrt(1/2) <= 1 + m < sqrt(2); subnormals are scaled up first. */
  const vi subnormal = x < 1.17549435e-38f;
  const vi bits = (vi)select_f(subnormal, x * 8388608.0f, x);
  const vf half = (vf)((bits & 0x7fffff) | 0x3f000000);
  const vf exponent = to_float((vi)((vu)bits >> 23)) - select_f(subnormal, splat(149.0f), splat(126.0f));
  const vi low = half < 0.7071067690849304f;
  const vf e = exponent - select_f(low, splat(1.0f), splat(0.0f));
  const vf m = select_f(low, half + half, half) - 1.0f;
  const vf z = m * m;
  const vf p = ((((((((splat(0.07037683576345444f) * m + -0.11514610052108765f) * m + 0.11676998436450958f) * m + -0.12420140951871872f) * m + 0.14249323308467865f) * m + -0.16668057441711426f) * m + 0.2000071406364441f) * m + -0.24999994039535522f) * m + 0.3333333134651184f);
  const vf tail = ((p * m) * z + e * -2.1219444e-4f) - z * 0.5f;
  const vf value = (m + tail) + e * 0.693359375f;
  const vf up_to = select_f(x == INFINITY, splat(INFINITY), value);
  const vf down = select_f(x == 0.0f, splat(-INFINITY), select_f(x < 0.0f, splat(NAN), up_to));
  /* What is not a number stays so. */
  return select_f(x == x, down, x);
}
INLINE f32 logarithm_1(f32 x) { return logarithm(splat(x))[0]; }

/* size (>= 0) with the sign of x. */
INLINE vf with_sign(vf size, vf x) { return (vf)((vi)size | ((vi)x & INT32_MIN)); }

INLINE vf hyperbolic_tangent(vf x) {
  const vf size = absolute(x);
  const vf z = x * x;
  const vf p = ((((splat(-0.0057049887254834175f) * z + 0.0206390880048275f) * z + -0.05373971536755562f) * z + 0.13331441581249237f) * z + -0.3333328068256378f);
  const vf near = (p * z) * x + x;
  const vf far = 1.0f - 2.0f / (exponential(size + size) + 1.0f);
  return select_f(size < 0.625f, near, with_sign(far, x));
}

/* A rational in x; 1 from there on where it rounds to 1 in f32. */
INLINE vf error_function(vf x) {
  const vf size = absolute(x);
  const vf bounded = select_f(size > 4.0f, splat(4.0f), size);
  const vf z = bounded * bounded;
  const vf value = bounded * (((((splat(0.0000019866442926286254f) * z + 0.00028451584512367845f) * z + 0.0038822146598249674f) * z + 0.053098198026418686f) * z + 0.19352230429649353f) * z + 1.1283791065216064f) / (((((splat(0.00003741609907592647f) * z + 0.0011852505849674344f) * z + 0.015205015428364277f) * z + 0.11534010618925095f) * z + 0.5048372149467468f) * z + 1.0f);
  return with_sign(select_f(value > 1.0f, splat(1.0f), value), x);
}

/* sin(x + quarter * pi / 2): x = n pi / 2 + r with |r| <= pi / 4; pi / 2 in three parts. */
INLINE vf circular(vf x, i32 quarter) {
  const vf shifted = x * 0.6366197466850281f + ROUNDING_SHIFT;
  const vf n = shifted - ROUNDING_SHIFT;
  const vf r = ((x - n * 1.5703125f) - n * 4.837512969970703e-4f) - n * 7.549789954891882e-8f;
  const vi quadrant = (vi)shifted + quarter;
  const vf z = r * r;
  const vf sine = ((splat(-0.00019515295571181923f) * z + 0.008332161232829094f) * z + -0.16666655242443085f);
  const vf cosine = ((splat(0.0000244331567955669f) * z + -0.0013887316454201937f) * z + 0.04166664555668831f);
  const vf near = (sine * z) * r + r;
  const vf far = ((cosine * z) * z - z * 0.5f) + 1.0f;
  const vf value = select_f((quadrant & 1) != 0, far, near);
  return (vf)((vu)value ^ ((vu)(quadrant & 2) << 30));
}
INLINE vf sine(vf x) { return circular(x, 0); }
INLINE vf cosine(vf x) { return circular(x, 1); }

INLINE vf gelu(vf x) { return (x * 0.5f) * (1.0f + error_function(x * 0.7071067690849304f)); }
INLINE vf gelu_tanh(vf x) {
  const vf cube = ((x * x) * x) * 0.044715f;
  return (x * 0.5f) * (1.0f + hyperbolic_tangent((x + cube) * 0.7978845834732056f));
}
INLINE vf silu(vf x) { return x / (1.0f + exponential(-x)); }

/* The sums of a row run in four vectors, so that one addition need not wait for the last. */
#define SUM_OF_ROW(term) \
  vf sums[4] = {splat(0.0f), splat(0.0f), splat(0.0f), splat(0.0f)}; \
  i64 at = 0; \
  for (; at + 4 * LANES <= size; at += 4 * LANES) \
    for (int part = 0; part < 4; part++) { \
      const vf x = load(row + at + part * LANES); \
      sums[part] += (term); \
    } \
  for (; at + LANES <= size; at += LANES) { \
    const vf x = load(row + at); \
    sums[0] += (term); \
  } \
  if (at < size) { \
    const vf x = load_part(row + at, size - at); \
    sums[1] += (vf)((lane_numbers() < (i32)(size - at)) & (vi)(term)); \
  } \
  return (f64)sum_of((sums[0] + sums[1]) + (sums[2] + sums[3])) / (f64)size

INLINE f64 mean_of_row(const f32 *row, i64 size) { SUM_OF_ROW(x); }
/* The second pass over the row, as differences do not cancel there. */
INLINE f64 mean_square_of_row(const f32 *row, i64 size, f32 mean) { SUM_OF_ROW((x - mean) * (x - mean)); }

/* (row - mean) / sqrt(variance + epsilon) * weight + bias, in place; without bias also without mean. */
INLINE void normalise_row(f32 *row, i64 size, f64 epsilon, const f32 *weight, const f32 *bias) {
  const f32 mean = bias ? (f32)mean_of_row(row, size) : 0.0f;
  const f32 factor = (f32)(1.0 / sqrt(mean_square_of_row(row, size, mean) + epsilon));
  for (i64 at = 0; at < size; at += LANES) {
    const i64 count = size - at;
    const vf scaled = ((load_part(row + at, count) - mean) * factor) * load_part(weight + at, count);
    store_part(row + at, bias ? scaled + load_part(bias + at, count) : scaled, count);
  }
}

/*
 * Products with panels of 16 rows of the right side, [K][16] each. A tile has up to TILE_ROWS rows and TILE_COLUMNS columns of
 * sums, TILE_VECTORS vectors a row: 24 of 32 registers, or 12 of 16.
 */
#define PANEL 16
#if LANES == 16
#define TILE_ROWS 12
#define TILE_VECTORS 2
#elif LANES == 8
#define TILE_ROWS 6
#define TILE_VECTORS 2
#elif defined(__aarch64__)
#define TILE_ROWS 6
#define TILE_VECTORS 4
#else
#define TILE_ROWS 3
#define TILE_VECTORS 4
#endif
#define TILE_COLUMNS (TILE_VECTORS * LANES)
#define TILE_PANELS (TILE_COLUMNS / PANEL)

struct product {
  const f32 *left;
  f32 *result;
  i64 left_stride, result_stride, depth;
  /* Biases and residuals, and the row strides of the latter. */
  const f32 *extras[8];
  i64 extra_strides[8];
  /* Scratch of 10752 bytes. */
  f32 *sums;
  /* Takes sums[rows][TILE_COLUMNS] through the epilogue to the result. */
  void (*finish)(const struct product *p, const f32 *sums, i64 first_row, i64 rows, i64 first_column, i64 columns);
};

/* sums[rows][TILE_COLUMNS] = (starts ? 0 : sums) + the products of count steps; a line from ahead on is fetched each step. */
INLINE void product_tile(const i32 rows, const f32 *left, i64 left_stride, const f32 *panel, i64 panel_stride, i64 count, i32 starts,
                         f32 *sums, const char *ahead) {
  vf sum[TILE_ROWS][TILE_VECTORS], right[TILE_VECTORS];
  UNROLL for (i32 r = 0; r < rows; r++)
    UNROLL for (i32 v = 0; v < TILE_VECTORS; v++)
      sum[r][v] = starts ? splat(0.0f) : load(sums + r * TILE_COLUMNS + v * LANES);
  for (i64 k = 0; k < count; k++) {
    __builtin_prefetch(ahead, 0, 2);
    UNROLL for (i32 v = 0; v < TILE_VECTORS; v++)
      right[v] = load(panel + v * LANES / PANEL * panel_stride + v * LANES % PANEL);
    UNROLL for (i32 r = 0; r < rows; r++) {
      const vf x = splat(left[r * left_stride]);
      UNROLL for (i32 v = 0; v < TILE_VECTORS; v++) sum[r][v] += x * right[v];
    }
    left++;
    panel += PANEL;
    ahead += 64;
  }
  UNROLL for (i32 r = 0; r < rows; r++)
    UNROLL for (i32 v = 0; v < TILE_VECTORS; v++) store(sums + r * TILE_COLUMNS + v * LANES, sum[r][v]);
}
#define PRODUCT_TILE(rows) \
  APART void product_tile_##rows(const f32 *left, i64 left_stride, const f32 *panel, i64 panel_stride, i64 count, i32 starts, \
                                 f32 *sums, const char *ahead) { \
    product_tile(rows, left, left_stride, panel, panel_stride, count, starts, sums, ahead); \
  }
PRODUCT_TILE(1) PRODUCT_TILE(2) PRODUCT_TILE(3)
#if TILE_ROWS > 3
PRODUCT_TILE(4) PRODUCT_TILE(5) PRODUCT_TILE(6)
#endif
#if TILE_ROWS > 6
PRODUCT_TILE(7) PRODUCT_TILE(8) PRODUCT_TILE(9) PRODUCT_TILE(10) PRODUCT_TILE(11) PRODUCT_TILE(12)
#endif
/* By the number of rows. */
static void (*const product_tiles[])(const f32 *, i64, const f32 *, i64, i64, i32, f32 *, const char *) = {
  0, product_tile_1, product_tile_2, product_tile_3,
#if TILE_ROWS > 3
  product_tile_4, product_tile_5, product_tile_6,
#endif
#if TILE_ROWS > 6
  product_tile_7, product_tile_8, product_tile_9, product_tile_10, product_tile_11, product_tile_12,
#endif
};

/*
 * The rows [first_row, last_row) times the columns [first_column, last_column), whose panels begin at panels; next: elements from
 * the panels of a tile of columns to those that are read after them.
 */
APART void multiply_panels(const struct product *p, const f32 *panels, i64 next, i64 first_row, i64 last_row, i64 first_column,
                           i64 last_column) {
  const i64 depth = p->depth, parts = maximum(1, (depth + 1535) / 1536), part = maximum(1, (depth + parts - 1) / parts);
  const i64 group_rows = maximum(1, 65536 / part / TILE_ROWS) * TILE_ROWS;
  for (i64 group = first_row; group < last_row; group += group_rows) {
    const i64 group_end = minimum(last_row, group + group_rows), tiles = (group_end - group + TILE_ROWS - 1) / TILE_ROWS;
    for (i64 column = first_column; column < last_column; column += TILE_COLUMNS) {
      const f32 *const panel = panels + (column - first_column) * depth;
      /* Where the last panel of a tile is not there, the first one is computed twice. */
      const i64 panel_stride = last_column - column > PANEL ? PANEL * depth : 0;
      for (i64 k = 0; k < maximum(1, depth); k += part) {
        const i64 count = minimum(part, depth - k);
        const i32 ends = k + part >= depth;
        const f32 *const following = ends ? panel + next : panel + (k + count) * PANEL;
        f32 *sums = p->sums;
        i64 row = group;
        for (i64 tile = 0; tile < tiles; tile++) {
          const i64 rows = (group_end - row) / (tiles - tile);
          product_tiles[rows](p->left + row * p->left_stride + k, p->left_stride, panel + k * PANEL, panel_stride, count, k == 0, sums,
                              (const char *)(following + tile % TILE_PANELS * PANEL * depth));
          if (ends) p->finish(p, sums, row, rows, column, minimum(TILE_COLUMNS, last_column - column));
          if (parts > 1) sums += rows * TILE_COLUMNS;
          row += rows;
        }
      }
    }
  }
}

static void finish_bias(const struct product *p, const f32 *sums, i64 first_row, i64 rows, i64 first_column, i64 columns) {
  const f32 *const bias_0 = p->extras[0];
  for (i64 row = first_row; row < first_row + rows; row++, sums += TILE_COLUMNS)
    for (i64 at = 0; at < columns; at += LANES) {
      const i64 column = first_column + at, count = columns - at;
      vf value = load(sums + at);
      value += load_part(bias_0 + column, count);
      store_part(p->result + row * p->result_stride + column, value, count);
    }
}

/* list[0..n) = the positions j < count with mask[j] != 0, ascending; returns n. */
static i64 list_tokens(const i32 *mask, i64 count, i32 *list) {
  i64 found = 0;
  for (i64 position = 0; position < count; position++) {
    list[found] = (i32)position;
    found += mask[position] != 0;
  }
  return found;
}
/* mean[c] = the mean of rows[list[i]][c] over i < count, zeros for none. */
static void mean_of_rows(const i32 *list, i64 count, const f32 *rows, i64 stride, i64 size, f32 *mean) {
  const f32 divisor = (f32)maximum(count, 1);
  for (i64 column = 0; column < size; column += LANES) {
    vf sum = splat(0.0f);
    for (i64 i = 0; i < count; i++) sum += load_part(rows + list[i] * stride + column, size - column);
    store_part(mean + column, sum / divisor, size - column);
  }
}
/* -inf for 0. */
INLINE f32 log_of_count(i64 count) { return logarithm_1((f32)count); }

/* Where the k-means of a block works. */
struct k_means {
  f32 *panels, *centres, *halves;
  i32 *assignment, *ends, *members;
};
/* The keys and values of one key/value head, and where its clusters go. */
struct clustered_head {
  i64 head_size, value_size;
  const f32 *key, *value;
  i64 key_stride, value_stride;
  i32 *offsets;
  f32 *mean_key, *mean_value, *log_mass, *radius;
};

/* assignment[i] = the centre j of largest x_i . c_j - |c_j|^2 / 2, ties to the lowest; two vectors of tokens and four centres at a time. */
static void assign_tokens(const struct k_means work, i64 groups, i64 size, i64 used) {
  for (i64 group = 0; group < groups; group += 2) {
    const i64 second = minimum(group + 1, groups - 1);
    const f32 *const x0 = work.panels + group * size * LANES, *const x1 = work.panels + second * size * LANES;
    vf best[2] = {splat(-INFINITY), splat(-INFINITY)};
    vi choice[2] = {splat_i(0), splat_i(0)};
    for (i64 first = 0; first < used; first += 4) {
      const f32 *centre[4];
      vf sums[4][2] = {{{0}}};
      for (i64 c = 0; c < 4; c++) centre[c] = work.centres + minimum(first + c, used - 1) * size;
      for (i64 e = 0; e < size; e++) {
        const vf a = load(x0 + e * LANES), b = load(x1 + e * LANES);
        for (int c = 0; c < 4; c++) {
          sums[c][0] += centre[c][e] * a;
          sums[c][1] += centre[c][e] * b;
        }
      }
      /* Beyond the last centre it comes once more, and is not better than itself. */
      for (int c = 0; c < 4; c++)
        for (int half = 0; half < 2; half++) {
          const vf value = sums[c][half] + work.halves[minimum(first + c, used - 1)];
          const vi better = value > best[half];
          choice[half] = select_i(better, splat_i((i32)(first + c)), choice[half]);
          best[half] = select_f(better, value, best[half]);
        }
    }
    store_i(work.assignment + group * LANES, choice[0]);
    store_i(work.assignment + second * LANES, choice[second - group]);
  }
}

/* Sorts [0, count) by assignment, keeping the order within a cluster; members become positions[those]. */
static void sort_by_cluster(const struct k_means work, const i32 *positions, i64 count, i64 used) {
  memset(work.ends, 0, (size_t)used * sizeof(i32));
  for (i64 i = 0; i < count; i++) work.ends[work.assignment[i]]++;
  i32 start = 0;
  for (i64 j = 0; j < used; j++) {
    const i32 size = work.ends[j];
    work.ends[j] = start;
    start += size;
  }
  for (i64 i = 0; i < count; i++) work.members[work.ends[work.assignment[i]]++] = positions[i];
}

/* Assigns the tokens at positions[count] to used clusters, and sorts them by it into work.members. */
static void cluster_tokens(
  const struct k_means work, const struct clustered_head *head, const i32 *positions, i64 count, i64 used, i64 iterations
) {
  const i64 size = head->head_size, groups = (count + LANES - 1) / LANES;
  for (i64 i = 0; i < groups * LANES; i++) {
    const f32 *const row = head->key + positions[minimum(i, count - 1)] * head->key_stride;
    f32 *const to = work.panels + i / LANES * size * LANES + i % LANES;
    for (i64 e = 0; e < size; e++) to[e * LANES] = row[e];
  }
  /* Centres start at tokens floor((2 j + 1) n / 2 C). */
  for (i64 j = 0; j < used; j++) {
    const i64 token = (2 * j + 1) * count / (2 * used);
    memcpy(work.centres + j * size, head->key + positions[token] * head->key_stride, (size_t)size * sizeof(f32));
  }
  for (i64 iteration = 0;;) {
    for (i64 j = 0; j < used; j++) {
      vf sum = splat(0.0f);
      for (i64 e = 0; e < size; e += LANES) {
        const vf x = load_part(work.centres + j * size + e, size - e);
        sum += x * x;
      }
      work.halves[j] = -0.5f * sum_of(sum);
    }
    assign_tokens(work, groups, size, used);
    sort_by_cluster(work, positions, count, used);
    if (++iteration >= iterations) return;
    /* The means of the members; an empty cluster keeps its centre. */
    for (i64 j = 0, from = 0; j < used; from = work.ends[j++]) {
      const i64 members = work.ends[j] - from;
      if (members > 0) mean_of_rows(work.members + from, members, head->key, head->key_stride, size, work.centres + j * size);
    }
  }
}

/* The mean of |row - mean|^2 over listed rows; 0 for none. */
static f32 mean_squared_distance(const i32 *list, i64 count, const f32 *rows, i64 stride, i64 size, const f32 *mean) {
  vf sum = splat(0.0f);
  for (i64 i = 0; i < count; i++)
    for (i64 e = 0; e < size; e += LANES) {
      const vf difference = load_part(rows + list[i] * stride + e, size - e) - load_part(mean + e, size - e);
      sum += difference * difference;
    }
  return sum_of(sum) / (f32)maximum(count, 1);
}

/* The results of the clusters [cluster, cluster + used), whose tokens stand in work.members; start is the offset of the first of them. */
static void cluster_results(const struct k_means work, const struct clustered_head *head, i64 start, i64 cluster, i64 used) {
  for (i64 j = 0, from = 0; j < used; from = work.ends[j++]) {
    const i64 row = cluster + j, count = work.ends[j] - from;
    const i32 *const members = work.members + from;
    f32 *const mean = head->mean_key + row * head->head_size;
    mean_of_rows(members, count, head->key, head->key_stride, head->head_size, mean);
    mean_of_rows(members, count, head->value, head->value_stride, head->value_size, head->mean_value + row * head->value_size);
    head->log_mass[row] = log_of_count(count);
    head->radius[row] = mean_squared_distance(members, count, head->key, head->key_stride, head->head_size, mean);
    head->offsets[row] = (i32)(start + from);
  }
}
/* Clusters [from, to) are empty ranges at offset. */
static void empty_clusters(const struct clustered_head *head, i64 from, i64 to, i64 offset) {
  for (i64 row = from; row < to; row++) {
    memset(head->mean_key + row * head->head_size, 0, (size_t)head->head_size * sizeof(f32));
    memset(head->mean_value + row * head->value_size, 0, (size_t)head->value_size * sizeof(f32));
    head->log_mass[row] = -INFINITY;
    head->radius[row] = 0.0f;
    head->offsets[row] = (i32)offset;
  }
}

/* Queries of a group; they are the lanes of two vectors. */
#define GROUP (2 * LANES)
/* Sums of two vectors each that the registers hold beside what they are made of. */
#if LANES == 16 || defined(__aarch64__)
#define KEYS_AT_ONCE 8
#elif LANES == 8
#define KEYS_AT_ONCE 6
#else
#define KEYS_AT_ONCE 4
#endif
/* The running maximum before the first key: finite, so that a difference of two of them is a number. */
#define LOWEST -3.4028234663852886e38f

typedef f32 four __attribute__((vector_size(16)));
typedef f32 four_anywhere __attribute__((vector_size(16), aligned(4), may_alias));
INLINE four load_four(const f32 *from) { return *(const four_anywhere *)from; }
INLINE void store_four(f32 *to, four x) { *(four_anywhere *)to = x; }
#if defined(__clang__)
#define SHUFFLE_FOUR(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef i32 four_i __attribute__((vector_size(16)));
#define SHUFFLE_FOUR(a, b, ...) __builtin_shuffle(a, b, (four_i){__VA_ARGS__})
#endif
INLINE void transpose_four(four x[4]) {
  const four low01 = SHUFFLE_FOUR(x[0], x[1], 0, 4, 1, 5), low23 = SHUFFLE_FOUR(x[2], x[3], 0, 4, 1, 5);
  const four high01 = SHUFFLE_FOUR(x[0], x[1], 2, 6, 3, 7), high23 = SHUFFLE_FOUR(x[2], x[3], 2, 6, 3, 7);
  x[0] = SHUFFLE_FOUR(low01, low23, 0, 1, 4, 5);
  x[1] = SHUFFLE_FOUR(low01, low23, 2, 3, 6, 7);
  x[2] = SHUFFLE_FOUR(high01, high23, 0, 1, 4, 5);
  x[3] = SHUFFLE_FOUR(high01, high23, 2, 3, 6, 7);
}

/* exp for x <= 0, 0 below e^-87: x / ln 2 = n + fraction. */
INLINE vf exponential_below(vf x) {
  const vf shifted = x * 1.4426950216293335f + ROUNDING_SHIFT;
  const vf fraction = x * 1.4426950216293335f - (shifted - ROUNDING_SHIFT);
  const vf power = (((((splat(0.0013276472454890609f) * fraction + 0.009675540961325169f) * fraction + 0.05550713092088699f) * fraction + 0.24022120237350464f) * fraction + 0.6931469440460205f) * fraction + 1.0f);
  return (vf)((vi)((vu)power + ((vu)shifted << 23)) & (x > -87.0f));
}

/* panel[e][lane] = factor * rows[lane][e] for a group of queries; lanes without a row repeat the last one. */
APART void pack_group(const f32 *rows, i64 stride, i64 count, i64 size, f32 factor, f32 *panel) {
  for (i64 lane = 0; lane < GROUP; lane += 4) {
    const f32 *from[4];
    for (int i = 0; i < 4; i++) from[i] = rows + minimum(lane + i, count - 1) * stride;
    i64 e = 0;
    for (; e + 4 <= size; e += 4) {
      four x[4];
      for (int i = 0; i < 4; i++) x[i] = load_four(from[i] + e) * factor;
      transpose_four(x);
      for (int i = 0; i < 4; i++) store_four(panel + (e + i) * GROUP + lane, x[i]);
    }
    for (; e < size; e++)
      for (int i = 0; i < 4; i++) panel[e * GROUP + lane + i] = from[i][e] * factor;
  }
}

/* rows[lane][j] = columns[j][lane] of a group; count is rounded up to 4, and stride leaves room for that. */
APART void columns_to_rows(const f32 *columns, i64 count, f32 *rows, i64 stride) {
  for (i64 lane = 0; lane < GROUP; lane += 4)
    for (i64 j = 0; j < count; j += 4) {
      four x[4];
      for (int i = 0; i < 4; i++) x[i] = load_four(columns + minimum(j + i, count - 1) * GROUP + lane);
      transpose_four(x);
      for (int i = 0; i < 4; i++) store_four(rows + (lane + i) * stride + j, x[i]);
    }
}

INLINE void score_keys_at_once(const int keys, const f32 *panel, i64 size, const f32 *key, i64 stride, f32 *scores) {
  vf sums[KEYS_AT_ONCE][2];
  UNROLL for (int k = 0; k < keys; k++) sums[k][0] = sums[k][1] = (vf){0};
  for (i64 e = 0; e < size; e++) {
    const vf low = load(panel + e * GROUP), high = load(panel + e * GROUP + LANES);
    UNROLL for (int k = 0; k < keys; k++) {
      const f32 element = key[k * stride + e];
      sums[k][0] += low * element;
      sums[k][1] += high * element;
    }
  }
  UNROLL for (int k = 0; k < keys; k++) {
    store(scores + k * GROUP, sums[k][0]);
    store(scores + k * GROUP + LANES, sums[k][1]);
  }
}
/* scores[j][lane] = sum over e of panel[e][lane] * key[j][e]. */
APART void score_group(const f32 *panel, i64 size, const f32 *key, i64 stride, i64 count, f32 *scores) {
  i64 j = 0;
#define SCORE(keys) for (; j + (keys) <= count; j += (keys)) \
  score_keys_at_once(keys, panel, size, key + j * stride, stride, scores + j * GROUP)
  SCORE(KEYS_AT_ONCE);
  SCORE(4);
  SCORE(2);
  SCORE(1);
#undef SCORE
}

/* scores[j][*] += bias[j]. */
APART void bias_group(f32 *scores, i64 count, const f32 *bias) {
  for (i64 j = 0; j < count; j++) {
    store(scores + j * GROUP, load(scores + j * GROUP) + bias[j]);
    store(scores + j * GROUP + LANES, load(scores + j * GROUP + LANES) + bias[j]);
  }
}

/* Scores of keys that a lane may not see become -inf: it sees first + lane <= j <= last + lane. */
APART void limit_group(f32 *scores, i64 count, i64 first, i64 last) {
  for (i64 j = 0; j < count; j++)
    for (int half = 0; half < 2; half++) {
      const i32 lane = half * LANES;
      const vi hidden = (lane_numbers() < (i32)(j - last) - lane) | (lane_numbers() > (i32)(j - first) - lane);
      f32 *const at = scores + j * GROUP + lane;
      store(at, select_f(hidden, splat(-INFINITY), load(at)));
    }
}

/*
 * One step of online softmax (Milakov and Gimelshein 2018, arXiv 1805.02867): scores become exp(score - new maximum), and maximum,
 * sum and correction (what earlier sums are to be multiplied by) are brought up to date. A lane that has seen no key keeps the
 * maximum LOWEST and the sum 0.
 */
APART void softmax_group(f32 *scores, i64 count, f32 *maximum, f32 *sum, f32 *correction) {
  vf even[2], odd[2], total[2];
  UNROLL for (int half = 0; half < 2; half++) {
    even[half] = odd[half] = load(maximum + half * LANES);
    total[half] = (vf){0};
  }
  i64 j = 0;
  for (; j + 2 <= count; j += 2)
    UNROLL for (int half = 0; half < 2; half++) {
      even[half] = larger(even[half], load(scores + j * GROUP + half * LANES));
      odd[half] = larger(odd[half], load(scores + (j + 1) * GROUP + half * LANES));
    }
  if (j < count) {
    UNROLL for (int half = 0; half < 2; half++) even[half] = larger(even[half], load(scores + j * GROUP + half * LANES));
  }
  UNROLL for (int half = 0; half < 2; half++) even[half] = larger(even[half], odd[half]);
  for (j = 0; j < count; j++)
    UNROLL for (int half = 0; half < 2; half++) {
      f32 *const at = scores + j * GROUP + half * LANES;
      const vf weight = exponential_below(load(at) - even[half]);
      store(at, weight);
      total[half] += weight;
    }
  UNROLL for (int half = 0; half < 2; half++) {
    const vf factor = exponential_below(load(maximum + half * LANES) - even[half]);
    store(correction + half * LANES, factor);
    store(maximum + half * LANES, even[half]);
    store(sum + half * LANES, load(sum + half * LANES) * factor + total[half]);
  }
}

INLINE void add_columns_at_once(
  const int columns, const f32 *weights, i64 count, const f32 *value, i64 stride, const f32 *correction, f32 *result
) {
  vf sums[KEYS_AT_ONCE][2];
  UNROLL for (int c = 0; c < columns; c++) {
    sums[c][0] = load(result + c * GROUP) * load(correction);
    sums[c][1] = load(result + c * GROUP + LANES) * load(correction + LANES);
  }
  for (i64 j = 0; j < count; j++) {
    const vf low = load(weights + j * GROUP), high = load(weights + j * GROUP + LANES);
    UNROLL for (int c = 0; c < columns; c++) {
      const f32 element = value[j * stride + c];
      sums[c][0] += low * element;
      sums[c][1] += high * element;
    }
  }
  UNROLL for (int c = 0; c < columns; c++) {
    store(result + c * GROUP, sums[c][0]);
    store(result + c * GROUP + LANES, sums[c][1]);
  }
}
/* result[c][lane] = result[c][lane] * correction[lane] + sum over j of weights[j][lane] * value[j][c]. */
APART void add_values_group(
  const f32 *weights, i64 count, const f32 *value, i64 stride, i64 size, const f32 *correction, f32 *result
) {
  i64 c = 0;
#define ADD(columns) for (; c + (columns) <= size; c += (columns)) \
  add_columns_at_once(columns, weights, count, value + c, stride, correction, result + c * GROUP)
  ADD(KEYS_AT_ONCE);
  ADD(4);
  ADD(2);
  ADD(1);
#undef ADD
}

/* Sums that the registers hold, as rows by four keys or by vectors of columns. */
#if LANES == 16 || defined(__aarch64__)
#define ROWS_AT_ONCE 4
#define MOST_SUMS 16
#else
#define ROWS_AT_ONCE 2
#define MOST_SUMS 8
#endif

/* The sums over the lanes of four vectors. */
INLINE four sums_of_four(vf a, vf b, vf c, vf d) {
#if LANES == 16
  /* Quarters 0 and 2 (or 1 and 3) of two vectors, twice; then all quarters of one vector lie in one quarter. */
  const __m512 x = (__m512)a, y = (__m512)b, z = (__m512)c, w = (__m512)d;
  const __m512 xy = _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xdd));
  const __m512 zw = _mm512_add_ps(_mm512_shuffle_f32x4(z, w, 0x88), _mm512_shuffle_f32x4(z, w, 0xdd));
  __m512 all = _mm512_add_ps(_mm512_shuffle_f32x4(xy, zw, 0x88), _mm512_shuffle_f32x4(xy, zw, 0xdd));
  all = _mm512_add_ps(all, _mm512_permute_ps(all, 0xb1));
  all = _mm512_add_ps(all, _mm512_permute_ps(all, 0x4e));
  const __m512i first = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
  return (four)_mm512_castps512_ps128(_mm512_permutexvar_ps(first, all));
#elif LANES == 8
  const __m256 ab = _mm256_hadd_ps((__m256)a, (__m256)b), cd = _mm256_hadd_ps((__m256)c, (__m256)d);
  const __m256 all = _mm256_hadd_ps(ab, cd);
  return (four)_mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
#else
  four x[4] = {a, b, c, d};
  transpose_four(x);
  return (x[0] + x[2]) + (x[1] + x[3]);
#endif
}
/* size elements, LANES at a time; the lanes after the last one are 0. */
INLINE vf load_lanes(const f32 *from, const int count) { return count >= LANES ? load(from) : load_part(from, count); }
INLINE void store_lanes(f32 *to, vf x, const int count) {
  if (count >= LANES) store(to, x);
  else store_part(to, x, count);
}

/* Asks for a row of 'size' floats that is read soon, a line of a cache at a time. */
INLINE void ask_for_row(const f32 *row, const int size) {
  for (int at = 0; at < size; at += 16) __builtin_prefetch(row + at);
}

/* scores[r][j] = query[r] . key[listed ? list[j] : j]; up to three more are written. Asks for the row j of
 * 'ahead', unless it is NULL. */
INLINE void score_rows_at_once(
  const int rows, const int size, const int listed, const f32 *query, i64 query_stride, const f32 *key, i64 key_stride,
  const i32 *list, i64 count, f32 *scores, i64 scores_stride, const f32 *ahead, i64 ahead_stride, const int ahead_size
) {
  for (i64 j = 0; j < count; j += 4) {
    if (ahead)
      for (int k = 0; k < 4; k++) ask_for_row(ahead + (j + k) * ahead_stride, ahead_size);
    const f32 *keys[4];
    vf sums[ROWS_AT_ONCE][4];
    UNROLL for (int k = 0; k < 4; k++) {
      const i64 at = minimum(j + k, count - 1);
      keys[k] = key + (listed ? list[at] : at) * key_stride;
    }
    UNROLL for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = sums[r][2] = sums[r][3] = (vf){0};
    UNROLL for (int e = 0; e < size; e += LANES) {
      vf elements[ROWS_AT_ONCE];
      UNROLL for (int r = 0; r < rows; r++) elements[r] = load_lanes(query + r * query_stride + e, size - e);
      UNROLL for (int k = 0; k < 4; k++) {
        const vf x = load_lanes(keys[k] + e, size - e);
        UNROLL for (int r = 0; r < rows; r++) sums[r][k] += elements[r] * x;
      }
    }
    UNROLL for (int r = 0; r < rows; r++)
      store_four(scores + r * scores_stride + j, sums_of_four(sums[r][0], sums[r][1], sums[r][2], sums[r][3]));
  }
}
/* The same for any number of rows. */
INLINE void score_rows_of(
  const int size, i64 rows, const f32 *query, i64 query_stride, const f32 *key, i64 key_stride, i64 count, f32 *scores,
  i64 scores_stride, const f32 *ahead, i64 ahead_stride, const int ahead_size
) {
  i64 r = 0;
#define SCORE(at_once) for (; r + (at_once) <= rows; r += (at_once)) \
  score_rows_at_once(at_once, size, 0, query + r * query_stride, query_stride, key, key_stride, NULL, count, \
    scores + r * scores_stride, scores_stride, r == 0 ? ahead : NULL, ahead_stride, ahead_size)
#if ROWS_AT_ONCE == 4
  SCORE(4);
  SCORE(3);
#endif
  SCORE(2);
  SCORE(1);
#undef SCORE
}

/* scores[r][j] += bias[j]. */
APART void bias_rows(i64 rows, f32 *scores, i64 stride, i64 count, const f32 *bias) {
  for (i64 r = 0; r < rows; r++)
    for (i64 j = 0; j < count; j += LANES) store(scores + r * stride + j, load(scores + r * stride + j) + load(bias + j));
}

/*
 * One step of online softmax, as softmax_group does it. Scores after the last one become weights of 0 up to the next multiple of
 * LANES.
 */
APART void softmax_rows(i64 rows, f32 *scores, i64 stride, i64 count, f32 *maximum, f32 *sum, f32 *correction) {
  for (i64 r = 0; r < rows; r++) {
    f32 *const at = scores + r * stride;
    i64 end = count;
    for (; end % LANES != 0; end++) at[end] = -INFINITY;
    vf most = splat(maximum[r]), total = (vf){0};
    for (i64 j = 0; j < end; j += LANES) most = larger(most, load(at + j));
    const f32 top = largest_of(most);
    for (i64 j = 0; j < end; j += LANES) {
      const vf weight = exponential_below(load(at + j) - top);
      store(at + j, weight);
      total += weight;
    }
    correction[r] = exponential_below(splat(maximum[r] - top))[0];
    maximum[r] = top;
    sum[r] = sum[r] * correction[r] + sum_of(total);
  }
}

/*
 * result[r][c] = result[r][c] * correction[r] + sum over j of weights[r][j] * value[listed ? list[j] : j][c] for some vectors of
 * columns, the last of which has 'lanes' columns. With 'apart', for one row, keys of even and of odd place have sums of their own, so
 * that an addition need not wait for the last.
 */
INLINE void add_vectors_at_once(
  const int rows, const int vectors, const int lanes, const int listed, const int apart, const f32 *weights, i64 weights_stride, i64 count,
  const f32 *value, i64 value_stride, const i32 *list, f32 *result, i64 result_stride, const f32 *correction, const f32 *ahead,
  i64 ahead_stride, const int ahead_size
) {
  vf sums[ROWS_AT_ONCE][MOST_SUMS], odd[MOST_SUMS];
#define LANES_OF(v) ((v) == vectors - 1 ? lanes : LANES)
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int v = 0; v < vectors; v++)
      sums[r][v] = load_lanes(result + r * result_stride + v * LANES, LANES_OF(v)) * correction[r];
  i64 j = 0;
  if (apart) {
    UNROLL for (int v = 0; v < vectors; v++) odd[v] = (vf){0};
    for (; j + 2 <= count; j += 2) {
      const f32 *const even_row = value + (listed ? list[j] : j) * value_stride;
      const f32 *const odd_row = value + (listed ? list[j + 1] : j + 1) * value_stride;
      UNROLL for (int v = 0; v < vectors; v++) {
        sums[0][v] += weights[j] * load_lanes(even_row + v * LANES, LANES_OF(v));
        odd[v] += weights[j + 1] * load_lanes(odd_row + v * LANES, LANES_OF(v));
      }
    }
    UNROLL for (int v = 0; v < vectors; v++) sums[0][v] += odd[v];
  }
  for (; j < count; j++) {
    if (ahead) ask_for_row(ahead + j * ahead_stride, ahead_size);
    const f32 *const row = value + (listed ? list[j] : j) * value_stride;
    UNROLL for (int v = 0; v < vectors; v++) {
      const vf x = load_lanes(row + v * LANES, LANES_OF(v));
      UNROLL for (int r = 0; r < rows; r++) sums[r][v] += weights[r * weights_stride + j] * x;
    }
  }
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int v = 0; v < vectors; v++) store_lanes(result + r * result_stride + v * LANES, sums[r][v], LANES_OF(v));
#undef LANES_OF
}
/* All columns. */
INLINE void add_values_at_once(
  const int rows, const int size, const int listed, const int apart, const f32 *weights, i64 weights_stride, i64 count, const f32 *value,
  i64 value_stride, const i32 *list, f32 *result, i64 result_stride, const f32 *correction, const f32 *ahead, i64 ahead_stride,
  const int ahead_size
) {
  const int whole = size / LANES, fit = MOST_SUMS / (apart ? 2 : rows == 3 ? 4 : rows);
  const int most = whole == 0 ? 1 : fit < whole ? fit : whole;
#define ADD(vectors, lanes, column) add_vectors_at_once(rows, vectors, lanes, listed, apart, weights, weights_stride, count, \
    value + (column), value_stride, list, result + (column), result_stride, correction, (column) == 0 ? ahead : NULL, ahead_stride, \
    ahead_size)
  for (int v = 0; v + most <= whole; v += most) ADD(most, LANES, v * LANES);
  if (whole % most != 0) ADD(whole % most, LANES, whole / most * most * LANES);
  if (size % LANES != 0) ADD(1, size % LANES, whole * LANES);
#undef ADD
}
/* The same for any number of rows. */
INLINE void add_values_rows_of(
  const int size, i64 rows, const f32 *weights, i64 weights_stride, i64 count, const f32 *value, i64 value_stride, f32 *result,
  i64 result_stride, const f32 *correction, const f32 *ahead, i64 ahead_stride, const int ahead_size
) {
  i64 r = 0;
#define ADD(at_once) for (; r + (at_once) <= rows; r += (at_once)) \
  add_values_at_once(at_once, size, 0, 0, weights + r * weights_stride, weights_stride, count, value, value_stride, NULL, \
    result + r * result_stride, result_stride, correction + r, r == 0 ? ahead : NULL, ahead_stride, ahead_size)
#if ROWS_AT_ONCE == 4
  ADD(4);
  ADD(3);
#endif
  ADD(2);
  ADD(1);
#undef ADD
}

struct attention;
/* The functions of rows for the sizes of a kernel's heads. */
struct row_functions {
  void (*score)(i64, const f32 *, i64, const f32 *, i64, i64, f32 *, i64, const f32 *, i64);
  void (*add_values)(i64, const f32 *, i64, i64, const f32 *, i64, f32 *, i64, const f32 *, const f32 *, i64);
  void (*attend_list)(const struct attention *, i64, const i32 *, i64, const f32 *, i64, const f32 *, i64);
  void (*score_run)(const f32 *, const f32 *, i64, f32 *);
  void (*add_run)(const f32 *, i64, const f32 *, f32 *);
};

/* The item at hand. */
struct attention {
  /* f32 [tile / GROUP][head size][GROUP]: the queries times the scale. */
  f32 *panels;
  /* f32 [key tile][GROUP], or [row][FEW_KEYS]. */
  f32 *scores;
  /* f32 [key tile]. */
  f32 *bias;
  /* The running softmax, f32 [tile] each; result f32 [tile / GROUP][value size][GROUP]. */
  f32 *maximum, *sum, *correction, *result;
  /* Queries times the scale by rows, and a running softmax of theirs for keys that each row reads by itself. */
  f32 *row_query, *row_maximum, *row_sum, *row_correction, *row_result;
  /* What a segment needs for itself. */
  char *own;
  i64 query_stride, result_stride;
  /* Queries of a head; the first of the tile, and how many it has. Rows of all heads at hand: those of a head lie together. */
  i64 queries, first_query, count, rows;
  /* Whether all keys are read by rows. */
  int by_rows;
};

/* Keys and values in order, and what limits them: query i sees the keys i + from <= j <= i + to. Strides in floats. */
struct key_rows {
  const f32 *key, *value;
  i64 key_stride, value_stride, first, end;
  const f32 *bias;
  const i32 *mask;
  i64 from, to;
};
/* No limit; sums of two of them stay far from the bounds of i32. */
#define ANYWHERE ((i64)1 << 29)
/* Keys that rows read at a time, and at most of a list. */
#define FEW_KEYS 64
#define LIST_KEYS 256
/* The most rows at a time. */
#define MOST_ROWS 16

/* Fills the bias of keys [start, start + count); tells up to where any can be seen, and whether any bias is not 0. */
APART i64 fill_bias(const struct key_rows *keys, i64 start, i64 count, f32 *bias, int *biased) {
  i64 seen = 0;
  *biased = 0;
  for (i64 j = 0; j < count; j++) {
    const f32 own = keys->bias ? keys->bias[start + j] : 0.0f;
    bias[j] = keys->mask && !keys->mask[start + j] ? -INFINITY : own;
    *biased |= bias[j] != 0.0f;
    if (bias[j] > -INFINITY) seen = j + 1;
  }
  return seen;
}

/* Softmax of a finished tile of scores of one group, and its values into the result. */
INLINE void merge_group(
  const struct attention *tile, const int value_size, i64 group, f32 *scores, i64 count, const f32 *value, i64 value_stride
) {
  const i64 at = group * GROUP;
  softmax_group(scores, count, tile->maximum + at, tile->sum + at, tile->correction + at);
  add_values_group(scores, count, value, value_stride, value_size, tile->correction + at, tile->result + at * value_size);
}

INLINE void attend_tile(
  const struct attention *tile, const int head_size, const int value_size, const struct key_rows *keys, i64 start, i64 count, int biased
) {
  for (i64 group = 0; group * GROUP < tile->count; group++) {
    /* The lane l of the group sees low + l <= j <= high + l of the tile of keys. */
    const i64 first_lane = tile->first_query + group * GROUP - start;
    const i64 low = first_lane + keys->from, high = first_lane + keys->to;
    const i64 first = maximum(low, 0), length = minimum(count, high + minimum(GROUP, tile->count - group * GROUP)) - first;
    if (length <= 0) continue;
    const f32 *const key = keys->key + (start + first) * keys->key_stride;
    score_group(tile->panels + group * GROUP * head_size, head_size, key, keys->key_stride, length, tile->scores);
    if (biased) bias_group(tile->scores, length, tile->bias + first);
    if (high - first < length - 1 || low - first + GROUP - 1 > 0) limit_group(tile->scores, length, low - first, high - first);
    merge_group(tile, value_size, group, tile->scores, length, keys->value + (start + first) * keys->value_stride, keys->value_stride);
  }
}

/* Scores of keys that a row does not see become -inf. */
APART void limit_rows(const struct attention *tile, const struct key_rows *keys, i64 start, i64 count) {
  for (i64 row = 0; row < tile->rows; row++) {
    const i64 query = tile->first_query + row % tile->count - start;
    f32 *const scores = tile->scores + row * FEW_KEYS;
    for (i64 j = 0; j < minimum(count, query + keys->from); j++) scores[j] = -INFINITY;
    for (i64 j = maximum(0, query + keys->to + 1); j < count; j++) scores[j] = -INFINITY;
  }
}
APART void attend_few(
  const struct attention *tile, const struct row_functions *of, const struct key_rows *keys, i64 start, i64 count, int biased
) {
  const f32 *const key = keys->key + start * keys->key_stride, *const value = keys->value + start * keys->value_stride;
  of->score(tile->rows, tile->row_query, tile->query_stride, key, keys->key_stride, count, tile->scores, FEW_KEYS, value,
    keys->value_stride);
  if (biased) bias_rows(tile->rows, tile->scores, FEW_KEYS, count, tile->bias);
  if (keys->from > -ANYWHERE || keys->to < ANYWHERE) limit_rows(tile, keys, start, count);
  softmax_rows(tile->rows, tile->scores, FEW_KEYS, count, tile->row_maximum, tile->row_sum, tile->row_correction);
  of->add_values(tile->rows, tile->scores, FEW_KEYS, count, value, keys->value_stride, tile->row_result, tile->result_stride,
    tile->row_correction, start + 2 * FEW_KEYS <= keys->end ? key + FEW_KEYS * keys->key_stride : NULL, keys->key_stride);
}

/* Rows from 'first' on: queries times the scale, which zeros follow up to a multiple of 16, and a softmax of nothing. */
APART void begin_rows(const struct attention *tile, i64 first, const f32 *query, i64 stride, i64 head_size, f32 scale) {
  for (i64 row = first; row < first + tile->count; row++, query += stride) {
    f32 *const to = tile->row_query + row * tile->query_stride;
    for (i64 e = 0; e < tile->query_stride; e += LANES) store(to + e, e < head_size ? load_part(query + e, head_size - e) * scale : splat(0.0f));
    tile->row_maximum[row] = LOWEST;
    tile->row_sum[row] = 0.0f;
    memset(tile->row_result + row * tile->result_stride, 0, (size_t)tile->result_stride * sizeof(f32));
  }
}
APART void end_rows(
  const struct attention *tile, i64 value_size, f32 *out, i64 head_stride, i64 row_stride, f32 *log_sum_exp, i64 sum_head_stride
) {
  for (i64 row = 0; row < tile->rows; row++) {
    const i64 head = row / tile->count, query = row % tile->count;
    const f32 sum = tile->row_sum[row], factor = sum > 0.0f ? 1.0f / sum : 0.0f, *const from = tile->row_result + row * tile->result_stride;
    f32 *const to = out + head * head_stride + query * row_stride;
    for (i64 c = 0; c < value_size; c += LANES) store_part(to + c, load(from + c) * factor, value_size - c);
    if (log_sum_exp) log_sum_exp[head * sum_head_stride + query] = tile->row_maximum[row] + logarithm_1(sum);
  }
}

APART void begin_groups(const struct attention *tile, const f32 *query, i64 stride, i64 head_size, i64 value_size, f32 scale) {
  for (i64 first = 0; first < tile->count; first += GROUP) {
    pack_group(query + first * stride, stride, minimum(GROUP, tile->count - first), head_size, scale, tile->panels + first * head_size);
    for (i64 lane = first; lane < first + GROUP; lane++) {
      tile->maximum[lane] = LOWEST;
      tile->sum[lane] = 0.0f;
    }
    memset(tile->result + first * value_size, 0, (size_t)(GROUP * value_size) * sizeof(f32));
  }
}
/* 'chooses': the rows of the tile have another part of the softmax, which is merged. */
APART void end_groups(const struct attention *tile, i64 value_size, int chooses, f32 *out, i64 stride, f32 *log_sum_exp) {
  for (i64 first = 0; first < tile->count; first += GROUP) {
    f32 factors[GROUP], row_factors[GROUP];
    for (i64 at = 0; at < GROUP; at += LANES) {
      const vf maximum = load(tile->maximum + first + at);
      vf top = maximum, sum = load(tile->sum + first + at), own = splat(1.0f), of_row = splat(0.0f);
      if (chooses) {
        const vf row_maximum = load(tile->row_maximum + first + at);
        top = larger(maximum, row_maximum);
        own = exponential_below(maximum - top);
        of_row = exponential_below(row_maximum - top);
        sum = sum * own + load(tile->row_sum + first + at) * of_row;
      }
      const vi seen = sum > 0.0f;
      store(factors + at, select_f(seen, own / sum, splat(0.0f)));
      store(row_factors + at, select_f(seen, of_row / sum, splat(0.0f)));
      if (log_sum_exp && first + at < tile->count) store_part(log_sum_exp + first + at, top + logarithm(sum), tile->count - first - at);
    }
    const i64 rows = minimum(GROUP, tile->count - first);
    for (i64 row = 0; row < rows; row += 4) {
      const f32 *const from = tile->result + first * value_size + row;
      const four factor = load_four(factors + row);
      for (i64 c = 0; c < value_size; c += 4) {
        four x[4];
        for (int i = 0; i < 4; i++) x[i] = load_four(from + minimum(c + i, value_size - 1) * GROUP) * factor;
        transpose_four(x);
        for (i64 i = 0; i < minimum(4, rows - row); i++) {
          f32 *const to = out + (first + row + i) * stride + c;
          if (chooses) x[i] += load_four(tile->row_result + (first + row + i) * tile->result_stride + c) * row_factors[row + i];
          if (c + 4 <= value_size) store_four(to, x[i]);
          else for (i64 tail = 0; tail < value_size - c; tail++) to[tail] = x[i][tail];
        }
      }
    }
  }
}

/* Online softmax of the tile over keys in order. */
INLINE void attend_keys(
  const struct attention *tile, const int head_size, const int value_size, const int key_tile, const struct row_functions *of,
  const struct key_rows *keys
) {
  const i64 step = tile->by_rows ? FEW_KEYS : key_tile;
  const i64 last = minimum(keys->end, tile->first_query + tile->count + keys->to);
  for (i64 start = maximum(keys->first, tile->first_query + keys->from); start < last; start += step) {
    int biased = 0;
    i64 count = minimum(step, last - start);
    if (keys->bias || keys->mask) count = fill_bias(keys, start, count, tile->bias, &biased);
    if (count <= 0) continue;
    if (tile->by_rows) attend_few(tile, of, keys, start, count, biased);
    else attend_tile(tile, head_size, value_size, keys, start, count, biased);
  }
}

APART void score_rows_8_8(
  i64 rows, const f32 *query, i64 query_stride, const f32 *key, i64 key_stride, i64 count, f32 *scores, i64 scores_stride,
  const f32 *ahead, i64 ahead_stride
) {
  score_rows_of(8, rows, query, query_stride, key, key_stride, count, scores, scores_stride, ahead, ahead_stride,
    8);
}
APART void add_values_rows_8_8(
  i64 rows, const f32 *weights, i64 weights_stride, i64 count, const f32 *value, i64 value_stride, f32 *result, i64 result_stride,
  const f32 *correction, const f32 *ahead, i64 ahead_stride
) {
  add_values_rows_of(8, rows, weights, weights_stride, count, value, value_stride, result, result_stride, correction,
    ahead, ahead_stride, 8);
}
/* Online softmax of one row of the tile over the keys list[0 .. count), at most 256. */
APART void attend_list_8_8(
  const struct attention *tile, i64 row, const i32 *list, i64 count, const f32 *key, i64 key_stride, const f32 *value, i64 value_stride
) {
  f32 correction, *const scores = tile->scores, *const result = tile->row_result + row * tile->result_stride;
  score_rows_at_once(1, 8, 1, tile->row_query + row * tile->query_stride, 0, key, key_stride, list, count, scores, 0,
    NULL, 0, 0);
  softmax_rows(1, scores, 0, count, tile->row_maximum + row, tile->row_sum + row, &correction);
  add_values_at_once(1, 8, 1, 1, scores, 0, count, value, value_stride, list, result, 0, &correction, NULL, 0, 0);
}
/* scores[j] = query . key[j], and result += sum over j of weights[j] * value[j], for few rows that lie together. */
APART void score_run_8_8(const f32 *query, const f32 *key, i64 count, f32 *scores) {
  score_rows_at_once(1, 8, 0, query, 0, key, 8, NULL, count, scores, 0, NULL, 0, 0);
}
APART void add_run_8_8(const f32 *weights, i64 count, const f32 *value, f32 *result) {
  const f32 one = 1.0f;
  add_values_at_once(1, 8, 0, 1, weights, 0, count, value, 8, NULL, result, 0, &one, NULL, 0, 0);
}
static const struct row_functions rows_8_8 = {
  score_rows_8_8, add_values_rows_8_8, attend_list_8_8, score_run_8_8, add_run_8_8,
};

/* Columns whose largest are taken first, in vectors. */
#define COLUMN_VECTORS 8
/* More than any number of keys: all that equal the threshold are taken. */
#define UNLIMITED INT64_MAX
/* Rounds that halve the interval of values; after them its floats are halved, which ends after 32 more. */
#define VALUE_ROUNDS 24

/* Bits of floats as integers in the order of the floats, and back. */
INLINE i64 ordered(f32 x) {
  i32 bits;
  memcpy(&bits, &x, sizeof bits);
  return bits < 0 ? bits ^ 0x7fffffff : bits;
}
INLINE f32 of_ordered(i64 order) {
  const i32 bits = (i32)(order < 0 ? order ^ 0x7fffffff : order);
  f32 x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
INLINE i64 sum_of_integers(vi x) {
  i64 sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += x[lane];
  return sum;
}

/* Where x is not below the bound, as bits. */
INLINE u32 reach(vf x, vf bound) {
#if LANES == 16
  return _mm512_cmp_ps_mask((__m512)x, (__m512)bound, _CMP_GE_OQ);
#elif LANES == 8
  return (u32)_mm256_movemask_ps(_mm256_cmp_ps((__m256)x, (__m256)bound, _CMP_GE_OQ));
#else
  const vi mask = (x >= bound) & (vi){1, 2, 4, 8};
  return (u32)((mask[0] | mask[1]) | (mask[2] | mask[3]));
#endif
}

/* Estimates above 'threshold', and the first 'budget' of those that equal it. */
struct bound {
  f32 threshold;
  i64 budget;
};

/* What the 'wanted' largest of x[count] are, ties to the earlier one, -inf never; -inf stands up to a multiple of LANES. */
APART struct bound find_bound(const f32 *x, i64 count, i64 wanted) {
  vf least = splat(INFINITY), most = splat(-INFINITY);
  vi finite = splat_i(0);
  for (i64 j = 0; j < count; j += LANES) {
    const vf values = load(x + j);
    const vi is_finite = values > -INFINITY;
    finite -= is_finite;
    most = larger(most, values);
    least = smaller(least, select_f(is_finite, values, splat(INFINITY)));
  }
  if (sum_of_integers(finite) <= wanted) return (struct bound){LOWEST, UNLIMITED};
  /* At least 'wanted' reach low, fewer reach high: 'above' of them. */
  i64 low = ordered(-largest_of(-least)), high = ordered(largest_of(most)) + 1, above = 0;
  for (int round = 0; low + 1 < high; round++) {
    i64 middle = round < VALUE_ROUNDS ? ordered(of_ordered(low) * 0.5f + of_ordered(high) * 0.5f) : low + (high - low) / 2;
    middle = maximum(minimum(middle, high - 1), low + 1);
    const vf value = splat(of_ordered(middle));
    vi reached = splat_i(0);
    for (i64 j = 0; j < count; j += LANES) reached -= load(x + j) >= value;
    const i64 number = sum_of_integers(reached);
    if (number == wanted) return (struct bound){of_ordered(middle), UNLIMITED};
    if (number > wanted) {
      low = middle;
    } else {
      high = middle;
      above = number;
    }
  }
  return (struct bound){of_ordered(low), wanted - above};
}

/* Lists the numbers of the estimates within a bound, ascending; how many they are. */
APART i64 list_within(const f32 *x, i64 count, struct bound bound, i32 *list) {
  i64 length = 0;
  const vf threshold = splat(bound.threshold);
  for (i64 j = 0; j < count; j += LANES)
    for (u32 lanes = reach(load(x + j), threshold); lanes != 0; lanes &= lanes - 1) {
      const i64 at = j + __builtin_ctz(lanes);
      if (x[at] == bound.threshold && bound.budget-- <= 0) continue;
      list[length++] = (i32)at;
    }
  return length;
}

/* A value that at least the 'wanted' largest of x[count] reach, and few others; all but -inf where fewer are wanted than there are. */
APART f32 bound_below(const f32 *x, i64 count, i64 wanted) {
  const i64 columns = COLUMN_VECTORS * LANES;
  if (wanted > columns || count < 2 * columns) return find_bound(x, count, wanted).threshold;
  vf most[COLUMN_VECTORS];
  f32 largest[COLUMN_VECTORS * LANES];
  UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) most[v] = load(x + v * LANES);
  i64 j = columns;
  for (; j + columns <= count; j += columns)
    UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) most[v] = larger(most[v], load(x + j + v * LANES));
  for (; j < count; j += LANES) most[0] = larger(most[0], load(x + j));
  UNROLL for (int v = 0; v < COLUMN_VECTORS; v++) store(largest + v * LANES, most[v]);
  return find_bound(largest, columns, wanted).threshold;
}

/*
 * Lists the 'wanted' largest of x[count]. x and the places of list and candidates have room for a multiple of LANES; what follows in x
 * up to there becomes -inf.
 */
APART i64 list_largest(f32 *x, i64 count, i64 wanted, i32 *list, char *candidates) {
  if (wanted <= 0) return 0;
  i64 end = count;
  for (; end % LANES != 0; end++) x[end] = -INFINITY;
  const i64 found = list_within(x, end, (struct bound){bound_below(x, end, wanted), UNLIMITED}, list);
  if (found <= wanted) return found;
  f32 *const values = (f32 *)candidates;
  i32 *const within = (i32 *)(values + found + LANES);
  for (i64 i = 0; i < found; i++) values[i] = x[list[i]];
  i64 padded = found;
  for (; padded % LANES != 0; padded++) values[padded] = -INFINITY;
  const i64 length = list_within(values, padded, find_bound(values, padded, wanted), within);
  /* Both lists ascend, so that a place is read before it is written. */
  for (i64 i = 0; i < length; i++) list[i] = list[within[i]];
  return length;
}

/*
 * The same for the at most 'most' largest of those with estimate - log Z > log_share, Z being the sum of the exponentials of all
 * estimates and of what a softmax (maximum, sum) holds.
 */
APART i64 list_shares(
  f32 *x, i64 count, i64 most, f32 log_share, f32 maximum, f32 sum, i32 *list, char *candidates
) {
  i64 end = count;
  for (; end % LANES != 0; end++) x[end] = -INFINITY;
  vf tops = splat(maximum), total = splat(0.0f);
  for (i64 j = 0; j < end; j += LANES) tops = larger(tops, load(x + j));
  const f32 top = largest_of(tops);
  for (i64 j = 0; j < end; j += LANES) total += exponential_below(load(x + j) - top);
  const f32 all = sum * exponential_below(splat(maximum - top))[0] + sum_of(total);
  const f32 least = (top + logarithm_1(all)) + log_share;
  vi above = splat_i(0);
  for (i64 j = 0; j < end; j += LANES) above -= load(x + j) > least;
  if (sum_of_integers(above) > most) return list_largest(x, count, most, list, candidates);
  return list_within(x, end, (struct bound){least, 0}, list);
}

/* The clusters of one key/value head, and which are to be expanded: at most 'wanted', with a share those that hold more than it. */
struct clusters {
  i64 count, wanted;
  int by_share;
  f32 log_share;
  const f32 *key, *value, *log_mass, *radius;
  const i32 *offsets;
  const f32 *sorted_key, *sorted_value;
};

/* Clusters of which the largest estimate is kept. */
#define BLOCK 4
#define WAITING 1024
#define WAITING_STRIDE 1040
#define RUN 64
/* What a group of queries needs to choose clusters and to read their tokens. */
struct choice {
  /* f32 [row][WAITING_STRIDE]: scores of tokens, then their weights. */
  f32 *waiting;
  /* f32 [cluster][GROUP]. */
  f32 *scores;
  /* The largest estimates: f32 [block][GROUP], and f32 [row][stride]. */
  f32 *largest, *largest_of_row;
  i64 stride;
  /* Candidates of one query: their blocks (later: the clusters that any query chose), estimates and numbers, and those chosen. */
  i32 *blocks;
  f32 *estimates;
  i32 *numbers, *within;
  /* Bits of the rows that chose a cluster. */
  u32 *rows;
};
INLINE struct choice choice_in(char *own, i64 clusters) {
  struct choice at;
  const i64 padded = (clusters + 63) / 64 * 64;
  at.stride = padded / BLOCK;
  at.waiting = (f32 *)own;
  at.scores = at.waiting + 32 * WAITING_STRIDE;
  at.largest = at.scores + padded * GROUP;
  at.largest_of_row = at.largest + at.stride * GROUP;
  at.estimates = at.largest_of_row + at.stride * GROUP;
  at.numbers = (i32 *)(at.estimates + padded);
  at.within = at.numbers + padded;
  at.blocks = at.within + padded;
  at.rows = (u32 *)(at.blocks + padded);
  return at;
}

/* weights[lane] = |scale q|^2 / (2 size): what an estimate gets for each unit of the radius. */
APART void radius_weights(const f32 *panel, i64 size, f32 *weights) {
  for (int half = 0; half < 2; half++) {
    vf sum = splat(0.0f);
    for (i64 e = 0; e < size; e++) sum += load(panel + e * GROUP + half * LANES) * load(panel + e * GROUP + half * LANES);
    store(weights + half * LANES, sum * (0.5f / (f32)size));
  }
}
/* Adds the log masses to scores, and keeps the largest estimate of each block. */
APART void estimate_group(f32 *scores, i64 count, const f32 *log_mass, const f32 *radius, const f32 *weights, f32 *largest) {
  for (i64 first = 0; first < count; first += BLOCK, largest += GROUP) {
    vf most[2] = {splat(-INFINITY), splat(-INFINITY)};
    for (i64 j = first; j < minimum(first + BLOCK, count); j++)
      UNROLL for (int half = 0; half < 2; half++) {
        f32 *const at = scores + j * GROUP + half * LANES;
        const vf score = load(at) + log_mass[j];
        store(at, score);
        most[half] = larger(most[half], score + load(weights + half * LANES) * radius[j]);
      }
    store(largest, most[0]);
    store(largest + LANES, most[1]);
  }
}
/* least[lane] = log Z + log share, Z being the sum of the exponentials of all estimates and of what the softmax so far holds. */
APART void share_bounds(
  const struct clusters *of, const struct choice *at, const f32 *weights, const f32 *maximum, const f32 *sum, f32 *least
) {
  for (int half = 0; half < 2; half++) {
    const vf own = load(maximum + half * LANES), weight = load(weights + half * LANES);
    vf top = own, total[2] = {splat(0.0f), splat(0.0f)};
    for (i64 block = 0; block * BLOCK < of->count; block++) top = larger(top, load(at->largest + block * GROUP + half * LANES));
    for (i64 j = 0; j < of->count; j++)
      total[j & 1] += exponential_below((load(at->scores + j * GROUP + half * LANES) + weight * of->radius[j]) - top);
    const vf all = load(sum + half * LANES) * exponential_below(own - top) + (total[0] + total[1]);
    store(least + half * LANES, (top + logarithm(all)) + of->log_share);
  }
}

/* Marks the clusters that one query expands, and takes them out of the scores; with a share those above 'least'. */
APART void choose_row(const struct clusters *of, const struct choice *at, i64 row, f32 weight, f32 least) {
  f32 *const largest = at->largest_of_row + row * at->stride;
  const i64 blocks = (of->count + BLOCK - 1) / BLOCK;
  i64 end = blocks, found = 0;
  for (; end % LANES != 0; end++) largest[end] = -INFINITY;
  /* As many blocks as there are wanted clusters reach the bound, so at least as many clusters do. */
  const struct bound bound = of->by_share ? (struct bound){least, 0} : (struct bound){bound_below(largest, end, of->wanted), UNLIMITED};
  const i64 candidates = list_within(largest, end, bound, at->blocks);
  for (i64 i = 0; i < candidates; i++)
    for (i64 j = at->blocks[i] * BLOCK; j < minimum((at->blocks[i] + 1) * BLOCK, of->count); j++) {
      const f32 estimate = at->scores[j * GROUP + row] + weight * of->radius[j];
      at->estimates[found] = estimate;
      at->numbers[found] = (i32)j;
      found += of->by_share ? estimate > least : estimate >= bound.threshold;
    }
  i64 chosen = found;
  if (found > of->wanted) {
    i64 padded = found;
    for (; padded % LANES != 0; padded++) at->estimates[padded] = -INFINITY;
    chosen = list_within(at->estimates, padded, find_bound(at->estimates, padded, of->wanted), at->within);
  }
  for (i64 i = 0; i < chosen; i++) {
    const i32 cluster = at->numbers[found > of->wanted ? at->within[i] : i];
    at->scores[cluster * GROUP + row] = -INFINITY;
    at->rows[cluster] |= 1u << row;
  }
}

/* A place among the tokens of the clusters that any query chose, which lie in runs of at most RUN. */
struct place {
  i64 entry;
  i64 token;
};
INLINE i64 run_at(const struct clusters *of, const struct choice *at, struct place place) {
  return minimum(RUN, of->offsets[at->blocks[place.entry] + 1] - place.token);
}
INLINE struct place after_run(const struct clusters *of, const struct choice *at, i64 entries, struct place place) {
  place.token += RUN;
  while (place.entry < entries && place.token >= of->offsets[at->blocks[place.entry] + 1]) {
    place.entry++;
    if (place.entry < entries) place.token = of->offsets[at->blocks[place.entry]];
  }
  return place;
}
INLINE struct place first_run(const struct clusters *of, const struct choice *at, i64 entries) {
  struct place place = {0, entries > 0 ? of->offsets[at->blocks[0]] - RUN : 0};
  return after_run(of, at, entries, place);
}

/* Softmax of the scores that wait, which are of the runs [from, to), and their values. */
APART void finish_waiting(
  const struct attention *tile, const struct row_functions *functions, const struct clusters *of, const struct choice *at, i64 entries,
  i64 first_row, struct place from, struct place to, i64 *filled, i64 value_size
) {
  i64 read[GROUP] = {0};
  for (i64 row = 0; row < GROUP; row++) {
    if (!filled[row]) continue;
    f32 correction, *const result = tile->row_result + (first_row + row) * tile->result_stride;
    softmax_rows(1, at->waiting + row * WAITING_STRIDE, 0, filled[row], tile->row_maximum + first_row + row,
      tile->row_sum + first_row + row, &correction);
    for (i64 c = 0; c < tile->result_stride; c += LANES) store(result + c, load(result + c) * correction);
    filled[row] = 0;
  }
  for (; from.entry != to.entry || from.token != to.token; from = after_run(of, at, entries, from)) {
    const i64 count = run_at(of, at, from);
    for (u32 rows = at->rows[at->blocks[from.entry]]; rows != 0; rows &= rows - 1) {
      const i64 row = __builtin_ctz(rows);
      functions->add_run(at->waiting + row * WAITING_STRIDE + read[row], count, of->sorted_value + from.token * value_size,
        tile->row_result + (first_row + row) * tile->result_stride);
      read[row] += count;
    }
  }
}
APART void attend_chosen_group(
  const struct attention *tile, const struct row_functions *functions, const struct clusters *of, const struct choice *at,
  i64 first_row, i64 head_size, i64 value_size
) {
  i64 entries = 0, filled[GROUP] = {0};
  for (i64 j = 0; j < of->count; j++) {
    at->blocks[entries] = (i32)j;
    entries += at->rows[j] != 0;
  }
  struct place place = first_run(of, at, entries), from = place;
  for (; place.entry < entries; place = after_run(of, at, entries, place)) {
    const i64 count = run_at(of, at, place);
    const u32 rows = at->rows[at->blocks[place.entry]];
    int full = 0;
    for (u32 left = rows; left != 0; left &= left - 1) full |= filled[__builtin_ctz(left)] + count > WAITING;
    if (full) {
      finish_waiting(tile, functions, of, at, entries, first_row, from, place, filled, value_size);
      from = place;
    }
    for (u32 left = rows; left != 0; left &= left - 1) {
      const i64 row = __builtin_ctz(left);
      functions->score_run(tile->row_query + (first_row + row) * tile->query_stride, of->sorted_key + place.token * head_size, count,
        at->waiting + row * WAITING_STRIDE + filled[row]);
      filled[row] += count;
    }
  }
  finish_waiting(tile, functions, of, at, entries, first_row, from, place, filled, value_size);
}

INLINE void expand_tile(
  const struct attention *tile, const int head_size, const int value_size, const int key_tile, const struct row_functions *functions,
  const struct clusters *of
) {
  const struct choice at = choice_in(tile->own, of->count);
  f32 weights[GROUP], least[GROUP] = {0};
  for (i64 first_row = 0; first_row < tile->count; first_row += GROUP) {
    const f32 *const panel = tile->panels + first_row * head_size;
    radius_weights(panel, head_size, weights);
    for (i64 start = 0; start < of->count; start += key_tile) {
      const i64 count = minimum(key_tile, of->count - start);
      score_group(panel, head_size, of->key + start * head_size, head_size, count, at.scores + start * GROUP);
      estimate_group(at.scores + start * GROUP, count, of->log_mass + start, of->radius + start, weights, at.largest + start / BLOCK * GROUP);
    }
    if (of->by_share) share_bounds(of, &at, weights, tile->maximum + first_row, tile->sum + first_row, least);
    columns_to_rows(at.largest, (of->count + BLOCK - 1) / BLOCK, at.largest_of_row, at.stride);
    memset(at.rows, 0, (size_t)of->count * sizeof(u32));
    for (i64 row = 0; row < minimum(GROUP, tile->count - first_row); row++) choose_row(of, &at, row, weights[row], least[row]);
    /* The clusters that are left. */
    for (i64 start = 0; start < of->count; start += key_tile)
      merge_group(tile, value_size, first_row / GROUP, at.scores + start * GROUP, minimum(key_tile, of->count - start),
        of->value + start * value_size, value_size);
    attend_chosen_group(tile, functions, of, &at, first_row, head_size, value_size);
  }
}

/* Bytes of keys and values that all queries of a group read before the next ones are touched. */
#define SWEEP_BYTES 524288

/* The places in the scratch of a segment of expanded clusters. */
struct expansion {
  i32 *token_list, *lengths, *cursors, *lists;
  f32 *scores, *estimates;
  char *candidates;
  /* From one query's estimates, list, or row of scores to the next one's. */
  i64 stride;
};
INLINE struct expansion expansion_in(char *own, i64 clusters) {
  struct expansion at;
  at.stride = (clusters + 15) / 16 * 16;
  at.token_list = (i32 *)own;
  at.lengths = at.token_list + LIST_KEYS;
  at.cursors = at.lengths + 16;
  at.scores = (f32 *)(at.cursors + 16);
  at.estimates = at.scores + 16 * at.stride;
  at.lists = (i32 *)(at.estimates + 16 * at.stride);
  at.candidates = (char *)(at.lists + 16 * at.stride);
  return at;
}

/* Lists the clusters that a query (zeros follow it) expands, from estimates to which it adds what the radii do; (maximum, sum) is its softmax so far. */
APART i64 choose_clusters(
  const struct clusters *of, const f32 *query, i64 head_size, f32 maximum, f32 sum, f32 *estimates, i32 *list, char *candidates
) {
  vf squares = splat(0.0f);
  for (i64 e = 0; e < head_size; e += LANES) squares += load(query + e) * load(query + e);
  const f32 weight = sum_of(squares) * (0.5f / (f32)head_size);
  for (i64 j = 0; j < of->count; j += LANES)
    store_part(estimates + j, load_part(estimates + j, of->count - j) + load_part(of->radius + j, of->count - j) * weight, of->count - j);
  if (of->by_share) return list_shares(estimates, of->count, of->wanted, of->log_share, maximum, sum, list, candidates);
  return list_largest(estimates, of->count, of->wanted, list, candidates);
}

/*
 * The tokens of the listed clusters of the rows [first_row, first_row + rows), in sweeps over the tokens that all of them make
 * together.
 */
APART void attend_chosen(
  const struct attention *tile, const struct row_functions *functions, const struct clusters *of, const struct expansion *at,
  i64 first_row, i64 rows, i64 head_size, i64 value_size
) {
  const i64 step = maximum(64, SWEEP_BYTES / ((head_size + value_size) * (i64)sizeof(f32)));
  const i64 tokens = of->offsets[of->count];
  memset(at->cursors, 0, (size_t)rows * sizeof(i32));
  for (i64 limit = step; limit < tokens + step; limit += step)
    for (i64 row = 0; row < rows; row++) {
      const i32 *const list = at->lists + row * at->stride;
      i64 filled = 0, entry = at->cursors[row];
      for (; entry < at->lengths[row] && of->offsets[list[entry]] < limit; entry++)
        for (i32 token = of->offsets[list[entry]]; token < of->offsets[list[entry] + 1]; token++) {
          at->token_list[filled++] = token;
          if (filled < LIST_KEYS) continue;
          functions->attend_list(tile, first_row + row, at->token_list, filled, of->sorted_key, head_size, of->sorted_value, value_size);
          filled = 0;
        }
      at->cursors[row] = (i32)entry;
      if (filled)
        functions->attend_list(tile, first_row + row, at->token_list, filled, of->sorted_key, head_size, of->sorted_value, value_size);
    }
}

/* Few queries of several heads. */
APART void expand_few(
  const struct attention *tile, i64 head_size, i64 value_size, const struct row_functions *functions, const struct clusters *of
) {
  const struct expansion place = expansion_in(tile->own, of->count), *const at = &place;
  functions->score(tile->rows, tile->row_query, tile->query_stride, of->key, head_size, of->count, at->scores, at->stride,
    NULL, 0);
  for (i64 row = 0; row < tile->rows; row++) {
    f32 *const scores = at->scores + row * at->stride, *const estimates = at->estimates + row * at->stride;
    for (i64 j = 0; j < of->count; j += LANES) {
      const i64 count = of->count - j;
      const vf biased = load_part(scores + j, count) + load_part(of->log_mass + j, count);
      store_part(scores + j, biased, count);
      store_part(estimates + j, biased, count);
    }
    i32 *const list = at->lists + row * at->stride;
    at->lengths[row] = (i32)choose_clusters(of, tile->row_query + row * tile->query_stride, head_size, tile->row_maximum[row],
      tile->row_sum[row], estimates, list, at->candidates);
    for (i64 i = 0; i < at->lengths[row]; i++) scores[list[i]] = -INFINITY;
  }
  for (i64 start = 0; start < of->count; start += FEW_KEYS) {
    const i64 count = minimum(FEW_KEYS, of->count - start);
    softmax_rows(tile->rows, at->scores + start, at->stride, count, tile->row_maximum, tile->row_sum, tile->row_correction);
    functions->add_values(tile->rows, at->scores + start, at->stride, count, of->value + start * value_size, value_size,
      tile->row_result, tile->result_stride, tile->row_correction, NULL, 0);
  }
  attend_chosen(tile, functions, of, at, 0, tile->rows, head_size, value_size);
}

INLINE void expand_clusters(
  const struct attention *tile, const int head_size, const int value_size, const int key_tile, const struct row_functions *functions,
  struct clusters of
) {
  /* Unused clusters stand at the end. */
  while (of.count > 0 && !(of.log_mass[of.count - 1] > -INFINITY)) of.count--;
  if (of.count == 0) return;
  if (tile->by_rows) expand_few(tile, head_size, value_size, functions, &of);
  else expand_tile(tile, head_size, value_size, key_tile, functions, &of);
}

static void finish_bias_residual(const struct product *p, const f32 *sums, i64 first_row, i64 rows, i64 first_column, i64 columns) {
  const f32 *const bias_0 = p->extras[0];
  const f32 *const residual_1 = p->extras[1];
  const i64 residual_1_stride = p->extra_strides[1];
  for (i64 row = first_row; row < first_row + rows; row++, sums += TILE_COLUMNS)
    for (i64 at = 0; at < columns; at += LANES) {
      const i64 column = first_column + at, count = columns - at;
      vf value = load(sums + at);
      value += load_part(bias_0 + column, count);
      value += load_part(residual_1 + row * residual_1_stride + column, count);
      store_part(p->result + row * p->result_stride + column, value, count);
    }
}

static void finish_bias_gelu(const struct product *p, const f32 *sums, i64 first_row, i64 rows, i64 first_column, i64 columns) {
  const f32 *const bias_0 = p->extras[0];
  for (i64 row = first_row; row < first_row + rows; row++, sums += TILE_COLUMNS)
    for (i64 at = 0; at < columns; at += LANES) {
      const i64 column = first_column + at, count = columns - at;
      vf value = load(sums + at);
      value += load_part(bias_0 + column, count);
      value = gelu(value);
      store_part(p->result + row * p->result_stride + column, value, count);
    }
}

// === kernel layer_norm ===
static void kernel_layer_norm(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const i32 *const x0 = (const i32 *)(base + arguments[3]);
  const f32 *const x1 = (const f32 *)(base + arguments[4]);
  const i32 *const x2 = (const i32 *)(base + arguments[5]);
  const f32 *const x3 = (const f32 *)(base + arguments[6]);
  const f32 *const x4 = (const f32 *)(base + arguments[7]);
  const f32 *const weight = (const f32 *)(base + arguments[8]);
  const f32 *const bias = (const f32 *)(base + arguments[9]);
  f32 *const result = (f32 *)(base + arguments[10]);
  const i64 extent_0 = arguments[11];
  const i64 extent_1 = arguments[12];
  const i64 extent_2 = arguments[13];
  const i64 x0_stride_0 = arguments[14];
  const i64 x0_stride_1 = arguments[15];
  const i64 x0_stride_2 = arguments[16];
  const i64 x1_stride_0 = arguments[17];
  const i64 x1_stride_1 = arguments[18];
  const i64 x1_stride_2 = arguments[19];
  const i64 x1_stride_indirect = arguments[20];
  const i64 x2_stride_0 = arguments[21];
  const i64 x2_stride_1 = arguments[22];
  const i64 x2_stride_2 = arguments[23];
  const i64 x3_stride_0 = arguments[24];
  const i64 x3_stride_1 = arguments[25];
  const i64 x3_stride_2 = arguments[26];
  const i64 x3_stride_indirect = arguments[27];
  const i64 x4_stride_0 = arguments[28];
  const i64 x4_stride_1 = arguments[29];
  const i64 x4_stride_2 = arguments[30];
  const i64 x4_stride_indirect = arguments[31];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_1 = rest % extent_1;
    rest /= extent_1;
    const i64 index_0 = rest;
    const i32 *const x0_row = x0 + index_0 * x0_stride_0 + index_1 * x0_stride_1;
    const f32 *const x1_row = x1 + index_0 * x1_stride_0 + index_1 * x1_stride_1;
    const i32 *const x2_row = x2 + index_0 * x2_stride_0 + index_1 * x2_stride_1;
    const f32 *const x3_row = x3 + index_0 * x3_stride_0 + index_1 * x3_stride_1;
    const f32 *const x4_row = x4 + index_0 * x4_stride_0 + index_1 * x4_stride_1;
    f32 *const result_row = result + item * extent_2;
    const i64 x1_from = (i64)(splat_i(*(x0_row)))[0] * x1_stride_indirect;
    const i64 x3_from_1 = (i64)(splat_i(*(x2_row)))[0] * x3_stride_indirect;
    const i64 x4_from_2 = (i64)(splat_i((i32)index_1))[0] * x4_stride_indirect;
    for (i64 at = 0; at < extent_2; at += LANES) {
      const i64 count = extent_2 - at;
      store_part(result_row + at, ((load_part(x1_row + at + x1_from, count) + load_part(x3_row + at + x3_from_1, count)) + load_part(x4_row + at + x4_from_2, count)), count);
    }
    normalise_row(result_row, extent_2, 1e-12, weight, bias);
  }
}

// === kernel gemm_bias ===
static void kernel_gemm_bias(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const left = (const f32 *)(base + arguments[3]);
  const f32 *const right = (const f32 *)(base + arguments[4]);
  const f32 *const bias_0 = (const f32 *)(base + arguments[5]);
  f32 *const result = (f32 *)(base + arguments[6]);
  const i64 M = arguments[7];
  const i64 N = arguments[8];
  const i64 K = arguments[9];
  const i64 left_stride = arguments[10];
  const i64 result_stride = arguments[11];
  const struct product product = {
    left, result, left_stride, result_stride, K,
    {bias_0}, {0},
    (f32 *)scratch, finish_bias,
  };
  const i64 row_tiles = (M + 23) / 24;
  for (i64 item = begin, items; item < end; item += items) {
    const i64 row_tile = item % row_tiles, column_tile = item / row_tiles;
    const i64 whole = row_tile == 0 ? (end - item) / row_tiles : 0;
    items = whole > 0 ? whole * row_tiles : minimum(row_tiles - row_tile, end - item);
    const i64 first_row = row_tile * 24, last_row = whole > 0 ? M : minimum(M, first_row + items * 24);
    const i64 first_column = column_tile * 32, last_column = minimum(N, first_column + maximum(1, whole) * 32);
    multiply_panels(&product, right + first_column * K, TILE_COLUMNS * K, first_row, last_row, first_column, last_column);
  }
}

// === kernel map_cast ===
static void kernel_map_cast(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const i32 *const x0 = (const i32 *)(base + arguments[3]);
  i32 *const result = (i32 *)(base + arguments[4]);
  const i64 extent_0 = arguments[5];
  const i64 extent_1 = arguments[6];
  const i64 x0_stride_0 = arguments[7];
  const i64 x0_stride_1 = arguments[8];
  const i64 result_stride_0 = arguments[9];
  const i64 result_stride_1 = arguments[10];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_0 = rest;
    const i32 *const x0_row = x0 + index_0 * x0_stride_0;
    i32 *const result_row = result + index_0 * result_stride_0;
    for (i64 at = 0; at < extent_1; at += LANES) {
      const i64 count = extent_1 - at;
      store_part_i(result_row + at, flag(load_part_i(x0_row + at, count) != 0), count);
    }
  }
}

// === kernel sum_cast ===
static void kernel_sum_cast(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const i32 *const x0 = (const i32 *)(base + arguments[3]);
  i32 *const result = (i32 *)(base + arguments[4]);
  const i64 extent_0 = arguments[5];
  const i64 extent_1 = arguments[6];
  const i64 extent_r = arguments[7];
  const i64 x0_stride_0 = arguments[8];
  const i64 x0_stride_1 = arguments[9];
  const i64 x0_stride_r = arguments[10];
  const i64 result_stride_0 = arguments[11];
  const i64 result_stride_1 = arguments[12];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_0 = rest;
    const i32 *const x0_row = x0 + index_0 * x0_stride_0;
    i32 *const result_row = result + index_0 * result_stride_0;
    for (i64 at = 0; at < extent_1; at += LANES) {
      const i64 count = extent_1 - at;
      vi total = splat_i(0);
      for (i64 r = 0; r < extent_r; r++) {
        total = total + splat_i(*(x0_row + r * x0_stride_r));
      }
      store_part_i(result_row + at, total, count);
    }
  }
}

// === kernel cluster ===
static void kernel_cluster(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const key = (const f32 *)(base + arguments[3]);
  const f32 *const value = (const f32 *)(base + arguments[4]);
  const i32 *const mask = (const i32 *)(base + arguments[5]);
  i32 *const order = (i32 *)(base + arguments[6]);
  i32 *const offsets = (i32 *)(base + arguments[7]);
  f32 *const mean_key = (f32 *)(base + arguments[8]);
  f32 *const mean_value = (f32 *)(base + arguments[9]);
  f32 *const log_mass = (f32 *)(base + arguments[10]);
  f32 *const radius = (f32 *)(base + arguments[11]);
  const i64 batches = arguments[12];
  const i64 key_heads = arguments[13];
  const i64 keys = arguments[14];
  const i64 clusters = arguments[15];
  const i64 key_batch = arguments[16];
  const i64 key_head = arguments[17];
  const i64 key_row = arguments[18];
  const i64 value_batch = arguments[19];
  const i64 value_head = arguments[20];
  const i64 value_row = arguments[21];
  const i64 head_size = 8, value_size = 8, capacity = 32;
  const struct k_means work = {.panels = (f32 *)(scratch + 0), .centres = (f32 *)(scratch + 4096), .halves = (f32 *)(scratch + 5120), .assignment = (i32 *)(scratch + 5248), .ends = (i32 *)(scratch + 5760), .members = (i32 *)(scratch + 5888)};
  i32 *const positions = (i32 *)(scratch + 6400);
  for (i64 item = begin; item < end; item++) {
    const i64 batch = item / key_heads, head_index = item % key_heads;
    const i32 *const mask_row = mask + batch * keys;
    i32 *const order_row = order + item * keys;
    const struct clustered_head head = {
      .head_size = head_size,
      .value_size = value_size,
      .key = key + batch * key_batch + head_index * key_head,
      .value = value + batch * value_batch + head_index * value_head,
      .key_stride = key_row,
      .value_stride = value_row,
      .offsets = offsets + item * (clusters + 1),
      .mean_key = mean_key + item * clusters * head_size,
      .mean_value = mean_value + item * clusters * value_size,
      .log_mass = log_mass + item * clusters,
      .radius = radius + item * clusters,
    };
    i64 tokens = list_tokens(mask_row, keys, positions);
    i64 cluster = 0;
    for (i64 start = 0; start < tokens; start += 128) {
      const i64 count = minimum(128, tokens - start);
      const i64 used = maximum(1, minimum(capacity, maximum(1, floor_divide((count + 2), 4))));
      cluster_tokens(work, &head, positions + start, count, used, 5);
      cluster_results(work, &head, start, cluster, used);
      memcpy(order_row + start, work.members, (size_t)count * sizeof(i32));
      empty_clusters(&head, cluster + used, cluster + capacity, start + count);
      cluster += capacity;
    }
    empty_clusters(&head, cluster, clusters, tokens);
    head.offsets[clusters] = (i32)tokens;
    // padded tokens last
    for (i64 position = 0; position < keys; position++)
      if (mask_row[position] == 0) order_row[tokens++] = (i32)position;
  }
}

// === kernel map_gather ===
static void kernel_map_gather(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const i32 *const x0 = (const i32 *)(base + arguments[3]);
  const f32 *const x1 = (const f32 *)(base + arguments[4]);
  f32 *const result = (f32 *)(base + arguments[5]);
  const i64 extent_0 = arguments[6];
  const i64 extent_1 = arguments[7];
  const i64 extent_2 = arguments[8];
  const i64 extent_3 = arguments[9];
  const i64 x0_stride_0 = arguments[10];
  const i64 x0_stride_1 = arguments[11];
  const i64 x0_stride_2 = arguments[12];
  const i64 x0_stride_3 = arguments[13];
  const i64 x1_stride_0 = arguments[14];
  const i64 x1_stride_1 = arguments[15];
  const i64 x1_stride_2 = arguments[16];
  const i64 x1_stride_3 = arguments[17];
  const i64 x1_stride_indirect = arguments[18];
  const i64 result_stride_0 = arguments[19];
  const i64 result_stride_1 = arguments[20];
  const i64 result_stride_2 = arguments[21];
  const i64 result_stride_3 = arguments[22];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_2 = rest % extent_2;
    rest /= extent_2;
    const i64 index_1 = rest % extent_1;
    rest /= extent_1;
    const i64 index_0 = rest;
    const i32 *const x0_row = x0 + index_0 * x0_stride_0 + index_1 * x0_stride_1 + index_2 * x0_stride_2;
    const f32 *const x1_row = x1 + index_0 * x1_stride_0 + index_1 * x1_stride_1 + index_2 * x1_stride_2;
    f32 *const result_row = result + index_0 * result_stride_0 + index_1 * result_stride_1 + index_2 * result_stride_2;
    const i64 x1_from = (i64)(splat_i(*(x0_row)))[0] * x1_stride_indirect;
    for (i64 at = 0; at < extent_3; at += LANES) {
      const i64 count = extent_3 - at;
      store_part(result_row + at, load_part(x1_row + at + x1_from, count), count);
    }
  }
}

// === kernel attention_keys_expand ===
static void kernel_attention_keys_expand(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const query = (const f32 *)(base + arguments[3]);
  const f32 *const segment0_key = (const f32 *)(base + arguments[4]);
  const f32 *const segment0_value = (const f32 *)(base + arguments[5]);
  const i32 *const segment0_mask = (const i32 *)(base + arguments[6]);
  const i32 *const segment0_tokens = (const i32 *)(base + arguments[7]);
  const f32 *const segment1_mean_key = (const f32 *)(base + arguments[8]);
  const f32 *const segment1_mean_value = (const f32 *)(base + arguments[9]);
  const f32 *const segment1_log_mass = (const f32 *)(base + arguments[10]);
  const f32 *const segment1_radius = (const f32 *)(base + arguments[11]);
  const i32 *const segment1_offsets = (const i32 *)(base + arguments[12]);
  const f32 *const segment1_sorted_key = (const f32 *)(base + arguments[13]);
  const f32 *const segment1_sorted_value = (const f32 *)(base + arguments[14]);
  const i32 *const segment1_tokens = (const i32 *)(base + arguments[15]);
  f32 *const result = (f32 *)(base + arguments[16]);
  const i64 batches = arguments[17];
  const i64 heads = arguments[18];
  const i64 key_heads = arguments[19];
  const i64 queries = arguments[20];
  const i64 query_batch = arguments[21];
  const i64 query_head = arguments[22];
  const i64 query_row = arguments[23];
  const i64 result_batch = arguments[24];
  const i64 result_head = arguments[25];
  const i64 result_row = arguments[26];
  const i64 segment0_keys = arguments[27];
  const i64 segment0_key_batch = arguments[28];
  const i64 segment0_key_head = arguments[29];
  const i64 segment0_key_row = arguments[30];
  const i64 segment0_value_batch = arguments[31];
  const i64 segment0_value_head = arguments[32];
  const i64 segment0_value_row = arguments[33];
  const i64 segment1_clusters = arguments[34];
  const i64 segment1_capacity = arguments[35];
  const i64 segment1_keys = arguments[36];
  const i64 tiles = (queries + 63) / 64, heads_per_key_head = heads / key_heads;
  const f32 scale = 0.3535533845424652f;
  struct attention tile = {
    .panels = (f32 *)(scratch + 0),
    .scores = (f32 *)(scratch + 2048),
    .bias = (f32 *)(scratch + 10240),
    .maximum = (f32 *)(scratch + 10496),
    .sum = (f32 *)(scratch + 10752),
    .correction = (f32 *)(scratch + 11008),
    .result = (f32 *)(scratch + 11264),
    .row_query = (f32 *)(scratch + 13312),
    .row_maximum = (f32 *)(scratch + 17408),
    .row_sum = (f32 *)(scratch + 17664),
    .row_correction = (f32 *)(scratch + 17920),
    .row_result = (f32 *)(scratch + 18176),
    .own = scratch + 22272, .query_stride = 16, .result_stride = 16,
  };
  tile.queries = queries;
  for (i64 item = begin; item < end;) {
    const i64 batch = item / (heads * tiles), head = item % (heads * tiles) / tiles, key_head = head / heads_per_key_head;
    const i64 first_query = item % tiles * 64;
    tile.first_query = first_query;
    tile.count = minimum(64, queries - first_query);
    const i64 heads_here = 1;
    tile.rows = heads_here * tile.count;
    const f32 *const first_row = query + batch * query_batch + head * query_head + first_query * query_row;
    if (!tile.by_rows) begin_groups(&tile, first_row, query_row, 8, 8, scale);
    for (i64 own_head = 0; own_head < heads_here; own_head++)
      begin_rows(&tile, own_head * tile.count, first_row + own_head * query_head, query_row, 8, scale);
    // segment of keys
    if (segment0_tokens[batch] >= 0 && segment0_tokens[batch] < 64) {
      const struct key_rows rows = {
        .key = segment0_key + batch * segment0_key_batch + key_head * segment0_key_head, .key_stride = segment0_key_row,
        .value = segment0_value + batch * segment0_value_batch + key_head * segment0_value_head, .value_stride = segment0_value_row,
        .end = segment0_keys,
        .mask = segment0_mask + batch * segment0_keys,
        .from = -ANYWHERE, .to = ANYWHERE,
      };
      attend_keys(&tile, 8, 8, 64, &rows_8_8, &rows);
    }
    // segment of clusters
    if (segment1_tokens[batch] >= 64) {
      if (segment1_clusters > 0) {
        const i64 first_cluster = (batch * key_heads + key_head) * segment1_capacity;
        const i64 wanted = maximum(1, floor_divide(((i64)segment1_tokens[batch] + 8), 16));
        if (wanted > 0) {
          const i64 first_token = (batch * key_heads + key_head) * segment1_keys;
          const struct clusters rows = {
            .count = segment1_clusters, .wanted = wanted, .by_share = 0, .log_share = 0.0f,
            .key = segment1_mean_key + first_cluster * 8, .value = segment1_mean_value + first_cluster * 8,
            .log_mass = segment1_log_mass + first_cluster, .radius = segment1_radius + first_cluster,
            .offsets = segment1_offsets + first_cluster + batch * key_heads + key_head,
            .sorted_key = segment1_sorted_key + first_token * 8, .sorted_value = segment1_sorted_value + first_token * 8,
          };
          expand_clusters(&tile, 8, 8, 64, &rows_8_8, rows);
        } else {
          const struct key_rows rows = {
            .key = segment1_mean_key + first_cluster * 8, .value = segment1_mean_value + first_cluster * 8,
            .key_stride = 8, .value_stride = 8, .end = segment1_clusters, .bias = segment1_log_mass + first_cluster,
            .from = -ANYWHERE, .to = ANYWHERE,
          };
          attend_keys(&tile, 8, 8, 64, &rows_8_8, &rows);
        }
      }
    }
    f32 *const out = result + batch * result_batch + head * result_head + first_query * result_row;
    if (tile.by_rows) end_rows(&tile, 8, out, result_head, result_row, NULL, 0);
    else end_groups(&tile, 8, 1, out, result_row, NULL);
    item += heads_here;
  }
}

// === kernel gemm_bias_residual ===
static void kernel_gemm_bias_residual(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const left = (const f32 *)(base + arguments[3]);
  const f32 *const right = (const f32 *)(base + arguments[4]);
  const f32 *const bias_0 = (const f32 *)(base + arguments[5]);
  const f32 *const residual_1 = (const f32 *)(base + arguments[6]);
  f32 *const result = (f32 *)(base + arguments[7]);
  const i64 M = arguments[8];
  const i64 N = arguments[9];
  const i64 K = arguments[10];
  const i64 left_stride = arguments[11];
  const i64 result_stride = arguments[12];
  const i64 residual_1_stride = arguments[13];
  const struct product product = {
    left, result, left_stride, result_stride, K,
    {bias_0, residual_1}, {0, residual_1_stride},
    (f32 *)scratch, finish_bias_residual,
  };
  const i64 row_tiles = (M + 23) / 24;
  for (i64 item = begin, items; item < end; item += items) {
    const i64 row_tile = item % row_tiles, column_tile = item / row_tiles;
    const i64 whole = row_tile == 0 ? (end - item) / row_tiles : 0;
    items = whole > 0 ? whole * row_tiles : minimum(row_tiles - row_tile, end - item);
    const i64 first_row = row_tile * 24, last_row = whole > 0 ? M : minimum(M, first_row + items * 24);
    const i64 first_column = column_tile * 32, last_column = minimum(N, first_column + maximum(1, whole) * 32);
    multiply_panels(&product, right + first_column * K, TILE_COLUMNS * K, first_row, last_row, first_column, last_column);
  }
}

// === kernel layer_norm_2 ===
static void kernel_layer_norm_2(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const x0 = (const f32 *)(base + arguments[3]);
  const f32 *const weight = (const f32 *)(base + arguments[4]);
  const f32 *const bias = (const f32 *)(base + arguments[5]);
  f32 *const result = (f32 *)(base + arguments[6]);
  const i64 extent_0 = arguments[7];
  const i64 extent_1 = arguments[8];
  const i64 extent_2 = arguments[9];
  const i64 x0_stride_0 = arguments[10];
  const i64 x0_stride_1 = arguments[11];
  const i64 x0_stride_2 = arguments[12];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_1 = rest % extent_1;
    rest /= extent_1;
    const i64 index_0 = rest;
    const f32 *const x0_row = x0 + index_0 * x0_stride_0 + index_1 * x0_stride_1;
    f32 *const result_row = result + item * extent_2;
    for (i64 at = 0; at < extent_2; at += LANES) {
      const i64 count = extent_2 - at;
      store_part(result_row + at, load_part(x0_row + at, count), count);
    }
    normalise_row(result_row, extent_2, 1e-12, weight, bias);
  }
}

// === kernel gemm_bias_gelu ===
static void kernel_gemm_bias_gelu(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const left = (const f32 *)(base + arguments[3]);
  const f32 *const right = (const f32 *)(base + arguments[4]);
  const f32 *const bias_0 = (const f32 *)(base + arguments[5]);
  f32 *const result = (f32 *)(base + arguments[6]);
  const i64 M = arguments[7];
  const i64 N = arguments[8];
  const i64 K = arguments[9];
  const i64 left_stride = arguments[10];
  const i64 result_stride = arguments[11];
  const struct product product = {
    left, result, left_stride, result_stride, K,
    {bias_0}, {0},
    (f32 *)scratch, finish_bias_gelu,
  };
  const i64 row_tiles = (M + 23) / 24;
  for (i64 item = begin, items; item < end; item += items) {
    const i64 row_tile = item % row_tiles, column_tile = item / row_tiles;
    const i64 whole = row_tile == 0 ? (end - item) / row_tiles : 0;
    items = whole > 0 ? whole * row_tiles : minimum(row_tiles - row_tile, end - item);
    const i64 first_row = row_tile * 24, last_row = whole > 0 ? M : minimum(M, first_row + items * 24);
    const i64 first_column = column_tile * 32, last_column = minimum(N, first_column + maximum(1, whole) * 32);
    multiply_panels(&product, right + first_column * K, TILE_COLUMNS * K, first_row, last_row, first_column, last_column);
  }
}

// === kernel map_cast_2 ===
static void kernel_map_cast_2(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const i32 *const x0 = (const i32 *)(base + arguments[3]);
  f32 *const result = (f32 *)(base + arguments[4]);
  const i64 extent_0 = arguments[5];
  const i64 extent_1 = arguments[6];
  const i64 x0_stride_0 = arguments[7];
  const i64 x0_stride_1 = arguments[8];
  const i64 result_stride_0 = arguments[9];
  const i64 result_stride_1 = arguments[10];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_0 = rest;
    const i32 *const x0_row = x0 + index_0 * x0_stride_0;
    f32 *const result_row = result + index_0 * result_stride_0;
    for (i64 at = 0; at < extent_1; at += LANES) {
      const i64 count = extent_1 - at;
      store_part(result_row + at, to_float(load_part_i(x0_row + at, count)), count);
    }
  }
}

// === kernel sum_multiply ===
static void kernel_sum_multiply(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const x0 = (const f32 *)(base + arguments[3]);
  const f32 *const x1 = (const f32 *)(base + arguments[4]);
  f32 *const result = (f32 *)(base + arguments[5]);
  const i64 extent_0 = arguments[6];
  const i64 extent_1 = arguments[7];
  const i64 extent_2 = arguments[8];
  const i64 extent_r = arguments[9];
  const i64 x0_stride_0 = arguments[10];
  const i64 x0_stride_1 = arguments[11];
  const i64 x0_stride_2 = arguments[12];
  const i64 x0_stride_r = arguments[13];
  const i64 x1_stride_0 = arguments[14];
  const i64 x1_stride_1 = arguments[15];
  const i64 x1_stride_2 = arguments[16];
  const i64 x1_stride_r = arguments[17];
  const i64 result_stride_0 = arguments[18];
  const i64 result_stride_1 = arguments[19];
  const i64 result_stride_2 = arguments[20];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_1 = rest % extent_1;
    rest /= extent_1;
    const i64 index_0 = rest;
    const f32 *const x0_row = x0 + index_0 * x0_stride_0 + index_1 * x0_stride_1;
    const f32 *const x1_row = x1 + index_0 * x1_stride_0 + index_1 * x1_stride_1;
    f32 *const result_row = result + index_0 * result_stride_0 + index_1 * result_stride_1;
    for (i64 at = 0; at < extent_2; at += LANES) {
      const i64 count = extent_2 - at;
      vf total = splat(0.0f);
      for (i64 r = 0; r < extent_r; r++) {
        total = total + (load_part(x0_row + at + r * x0_stride_r, count) * splat(*(x1_row + r * x1_stride_r)));
      }
      store_part(result_row + at, total, count);
    }
  }
}

// === kernel sum_copy ===
static void kernel_sum_copy(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const x0 = (const f32 *)(base + arguments[3]);
  f32 *const result = (f32 *)(base + arguments[4]);
  const i64 extent_0 = arguments[5];
  const i64 extent_1 = arguments[6];
  const i64 extent_2 = arguments[7];
  const i64 extent_r = arguments[8];
  const i64 x0_stride_0 = arguments[9];
  const i64 x0_stride_1 = arguments[10];
  const i64 x0_stride_2 = arguments[11];
  const i64 x0_stride_r = arguments[12];
  const i64 result_stride_0 = arguments[13];
  const i64 result_stride_1 = arguments[14];
  const i64 result_stride_2 = arguments[15];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_1 = rest % extent_1;
    rest /= extent_1;
    const i64 index_0 = rest;
    const f32 *const x0_row = x0 + index_0 * x0_stride_0 + index_1 * x0_stride_1;
    f32 *const result_row = result + index_0 * result_stride_0 + index_1 * result_stride_1;
    for (i64 at = 0; at < extent_2; at += LANES) {
      const i64 count = extent_2 - at;
      vf total = splat(0.0f);
      for (i64 r = 0; r < extent_r; r++) {
        total = total + splat(*(x0_row + r * x0_stride_r));
      }
      store_part(result_row + at, total, count);
    }
  }
}

// === kernel map_maximum_divide ===
static void kernel_map_maximum_divide(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const x0 = (const f32 *)(base + arguments[3]);
  const f32 *const x1 = (const f32 *)(base + arguments[4]);
  f32 *const result = (f32 *)(base + arguments[5]);
  const i64 extent_0 = arguments[6];
  const i64 extent_1 = arguments[7];
  const i64 extent_2 = arguments[8];
  const i64 x0_stride_0 = arguments[9];
  const i64 x0_stride_1 = arguments[10];
  const i64 x0_stride_2 = arguments[11];
  const i64 x1_stride_0 = arguments[12];
  const i64 x1_stride_1 = arguments[13];
  const i64 x1_stride_2 = arguments[14];
  const i64 result_stride_0 = arguments[15];
  const i64 result_stride_1 = arguments[16];
  const i64 result_stride_2 = arguments[17];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_1 = rest % extent_1;
    rest /= extent_1;
    const i64 index_0 = rest;
    const f32 *const x0_row = x0 + index_0 * x0_stride_0 + index_1 * x0_stride_1;
    const f32 *const x1_row = x1 + index_0 * x1_stride_0 + index_1 * x1_stride_1;
    f32 *const result_row = result + index_0 * result_stride_0 + index_1 * result_stride_1;
    for (i64 at = 0; at < extent_2; at += LANES) {
      const i64 count = extent_2 - at;
      store_part(result_row + at, (load_part(x0_row + at, count) / maximum_f(splat(*(x1_row)), splat(9.999999717180685e-10f))), count);
    }
  }
}

// === kernel sum_multiply_2 ===
static void kernel_sum_multiply_2(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const x0 = (const f32 *)(base + arguments[3]);
  f32 *const result = (f32 *)(base + arguments[4]);
  const i64 extent_0 = arguments[5];
  const i64 extent_1 = arguments[6];
  const i64 extent_r = arguments[7];
  const i64 x0_stride_0 = arguments[8];
  const i64 x0_stride_1 = arguments[9];
  const i64 x0_stride_r = arguments[10];
  const i64 result_stride_0 = arguments[11];
  const i64 result_stride_1 = arguments[12];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_0 = rest;
    const f32 *const x0_row = x0 + index_0 * x0_stride_0;
    f32 *const result_row = result + index_0 * result_stride_0;
    for (i64 at = 0; at < extent_1; at += LANES) {
      const i64 count = extent_1 - at;
      vf total = splat(0.0f);
      for (i64 r = 0; r < extent_r; r++) {
        const vf shared_1 = splat(*(x0_row + r * x0_stride_r));
        total = total + (shared_1 * shared_1);
      }
      store_part(result_row + at, total, count);
    }
  }
}

// === kernel map_sqrt_maximum_divide ===
static void kernel_map_sqrt_maximum_divide(const i64 *arguments, char *base) {
  const i64 begin = arguments[0], end = arguments[1];
  char *const scratch = base + arguments[2];
  const f32 *const x0 = (const f32 *)(base + arguments[3]);
  const f32 *const x1 = (const f32 *)(base + arguments[4]);
  f32 *const result = (f32 *)(base + arguments[5]);
  const i64 extent_0 = arguments[6];
  const i64 extent_1 = arguments[7];
  const i64 x0_stride_0 = arguments[8];
  const i64 x0_stride_1 = arguments[9];
  const i64 x1_stride_0 = arguments[10];
  const i64 x1_stride_1 = arguments[11];
  const i64 result_stride_0 = arguments[12];
  const i64 result_stride_1 = arguments[13];
  for (i64 item = begin; item < end; item++) {
    i64 rest = item;
    const i64 index_0 = rest;
    const f32 *const x0_row = x0 + index_0 * x0_stride_0;
    const f32 *const x1_row = x1 + index_0 * x1_stride_0;
    f32 *const result_row = result + index_0 * result_stride_0;
    for (i64 at = 0; at < extent_1; at += LANES) {
      const i64 count = extent_1 - at;
      store_part(result_row + at, (load_part(x0_row + at, count) / maximum_f(square_root(splat(*(x1_row))), splat(9.999999960041972e-13f))), count);
    }
  }
}

// === table ===
struct atpc_kernel {
  const char *name;
  void (*run)(const i64 *arguments, char *base);
};
static const struct atpc_kernel atpc_kernels[] = {
  {"layer_norm", kernel_layer_norm},
  {"gemm_bias", kernel_gemm_bias},
  {"map_cast", kernel_map_cast},
  {"sum_cast", kernel_sum_cast},
  {"cluster", kernel_cluster},
  {"map_gather", kernel_map_gather},
  {"attention_keys_expand", kernel_attention_keys_expand},
  {"gemm_bias_residual", kernel_gemm_bias_residual},
  {"layer_norm_2", kernel_layer_norm_2},
  {"gemm_bias_gelu", kernel_gemm_bias_gelu},
  {"map_cast_2", kernel_map_cast_2},
  {"sum_multiply", kernel_sum_multiply},
  {"sum_copy", kernel_sum_copy},
  {"map_maximum_divide", kernel_map_maximum_divide},
  {"sum_multiply_2", kernel_sum_multiply_2},
  {"map_sqrt_maximum_divide", kernel_map_sqrt_maximum_divide},
};

// === lanes ===
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ATPC_EXPORT __attribute__((visibility("default")))

// The interface that this library has.
ATPC_EXPORT int32_t atpc_interface(void) { return 1; }

// Position of a kernel in the table; -1 for one that is not there.
ATPC_EXPORT int32_t atpc_find_kernel(const char *name) {
  for (size_t index = 0; index < sizeof(atpc_kernels) / sizeof(atpc_kernels[0]); index++)
    if (strcmp(atpc_kernels[index].name, name) == 0) return (int32_t)index;
  return -1;
}

// Whether this processor, and its system, has what a build needs, by the names of the manifest. Built for every processor.
#if defined(__x86_64__)
#include <cpuid.h>
__attribute__((target("arch=x86-64")))
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif
ATPC_EXPORT int32_t atpc_has_feature(const char *name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const int v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("popcnt");
  const int v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                 __builtin_cpu_supports("bmi2");
  const int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (strcmp(name, "x86-64-v2") == 0) return v2;
  if (strcmp(name, "x86-64-v3") == 0) return v3;
  if (strcmp(name, "avx-vnni") == 0) {
    // Not every Clang has a name for it.
    unsigned int eax, ebx, ecx, edx;
    return v3 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 4 & 1) != 0;
  }
  if (strcmp(name, "x86-64-v4") == 0) return v4;
  if (strcmp(name, "avx512-vnni") == 0) return v4 && __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__) && defined(__linux__)
  // HWCAP_ASIMDDP of asm/hwcap.h.
  if (strcmp(name, "arm-dotprod") == 0) return (getauxval(AT_HWCAP) >> 20 & 1) != 0;
#endif
  (void)name;
  return 0;
}

#ifdef MAP_NORESERVE
static const int atpc_flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
#else
static const int atpc_flags = MAP_PRIVATE | MAP_ANONYMOUS;
#endif
// Memory that is zero, and takes none of the machine's until it is written to. Begins at a page. NULL where there is none.
ATPC_EXPORT void *atpc_reserve(int64_t bytes) {
  void *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, atpc_flags, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}
ATPC_EXPORT void atpc_release(void *memory, int64_t bytes) { munmap(memory, (size_t)bytes); }
// A range that is read all the time: large pages, where the system gives them, take fewer look-ups of addresses.
ATPC_EXPORT void atpc_read_often(char *memory, int64_t bytes) {
#ifdef MADV_HUGEPAGE
  // Begins at a page, as the memory does; what the system refuses, it does without.
  (void)madvise(memory, (size_t)bytes, MADV_HUGEPAGE);
#else
  (void)memory, (void)bytes;
#endif
}
// Makes memory zero again and gives its whole pages back.
ATPC_EXPORT void atpc_clear(char *memory, int64_t bytes) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t begin = (uintptr_t)memory, end = begin + (uintptr_t)bytes;
  const uintptr_t first = (begin + page - 1) & ~(page - 1), last = end & ~(page - 1);
  if (first >= last || mmap((void *)first, last - first, PROT_READ | PROT_WRITE, atpc_flags | MAP_FIXED, -1, 0) == MAP_FAILED) {
    memset(memory, 0, (size_t)bytes);
    return;
  }
  memset(memory, 0, first - begin);
  memset((void *)last, 0, end - last);
}

// A run stops within 50 ms: a lane computes ranges of items that take about this long each. The first is shorter, since its length
// goes by the last run, and the work may depend on the data.
#define ATPC_FIRST_RANGE_MS 4.0
#define ATPC_RANGE_MS 20.0
#define ATPC_LOOKS 2000
#define ATPC_EVERY_CALL (-2)

// The lanes of one model. Words that lanes wait for have cache lines of their own.
struct atpc_team {
  int64_t lanes;
  pthread_t *threads;
  pthread_mutex_t mutex;
  pthread_cond_t woken;
  // The call: written before 'started' changes.
  const double *steps;
  int64_t step_count;
  char *base;
  int64_t scratch_stride;
  const int32_t *abort;
  int32_t call;
  double *rates;
  double *times;
  _Alignas(64) int32_t started;
  _Alignas(64) int32_t arrived;
  int32_t stop;
  _Alignas(64) int32_t phase;
  _Alignas(64) int32_t sleepers;
  int32_t ending;
};
struct atpc_lane {
  struct atpc_team *team;
  int64_t lane;
};

static double atpc_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}
static inline void atpc_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Waits until a word is no longer what it was, awake for a while and then asleep; gives what it is.
static int32_t atpc_await(struct atpc_team *team, const int32_t *word, int32_t was) {
  for (int look = 0; look < ATPC_LOOKS; look++) {
    const int32_t current = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    if (current != was) return current;
    atpc_pause();
  }
  pthread_mutex_lock(&team->mutex);
  // Counted before the look at the word: who changes the word, and then looks at the count, misses no sleeper.
  __atomic_add_fetch(&team->sleepers, 1, __ATOMIC_SEQ_CST);
  int32_t current;
  while ((current = __atomic_load_n(word, __ATOMIC_SEQ_CST)) == was) pthread_cond_wait(&team->woken, &team->mutex);
  __atomic_sub_fetch(&team->sleepers, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&team->mutex);
  return current;
}
static void atpc_change(struct atpc_team *team, int32_t *word, int32_t value) {
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&team->sleepers, __ATOMIC_SEQ_CST) == 0) return;
  pthread_mutex_lock(&team->mutex);
  pthread_cond_broadcast(&team->woken);
  pthread_mutex_unlock(&team->mutex);
}

// Waits for all lanes; gives whether to go on, which they do unless one of them did not finish. The answer is part of the word that
// lanes wait for, in steps of 2, plus 1 to stop: all lanes take the same way, and none can see the answer of a later barrier.
static int atpc_meet(struct atpc_team *team, int finished) {
  if (team->lanes == 1) return finished;
  const int32_t phase = __atomic_load_n(&team->phase, __ATOMIC_ACQUIRE);
  if (!finished) __atomic_store_n(&team->stop, 1, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&team->arrived, 1, __ATOMIC_ACQ_REL) < team->lanes)
    return (atpc_await(team, &team->phase, phase) & 1) == 0;
  const int32_t stop = __atomic_exchange_n(&team->stop, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&team->arrived, 0, __ATOMIC_RELAXED);
  atpc_change(team, &team->phase, (int32_t)(((uint32_t)phase & ~1u) + 2u) | stop);
  return !stop;
}

static int atpc_is_aborted(const struct atpc_team *team) {
  const int32_t aborted = __atomic_load_n(team->abort, __ATOMIC_RELAXED);
  return aborted == team->call || aborted == ATPC_EVERY_CALL;
}

// Computes the items of this lane; gives whether it came to their end. 'rate': milliseconds an item as of the last run, 0 before it.
static int atpc_dispatch(const struct atpc_team *team, const struct atpc_kernel *kernel, int64_t *arguments, int64_t first,
                         int64_t last, double *rate) {
  double milliseconds = 0, known = *rate;
  for (int64_t begin = first, probe = 1; begin < last; probe *= 2) {
    // The first run finds the rate: one item, two, four, ... until a range takes long enough to measure.
    const double most = (double)(last - begin);
    double count = known > 0 ? (begin == first ? ATPC_FIRST_RANGE_MS : ATPC_RANGE_MS) / known : (double)probe;
    count = count < 1 ? 1 : count > most ? most : count;
    arguments[0] = begin;
    arguments[1] = begin += (int64_t)count;
    const double before = atpc_now();
    kernel->run(arguments, team->base);
    const double elapsed = atpc_now() - before;
    milliseconds += elapsed;
    if (elapsed >= 1) known = elapsed / (double)(int64_t)count;
    if (atpc_is_aborted(team)) return 0;
  }
  if (last > first) *rate = milliseconds / (double)(last - first);
  return 1;
}

// This lane's share of every dispatch: which lane computes an item never depends on time. All meet after each, so that the next finds
// what this one wrote; but for dispatches that lane 0 does alone, it is enough to meet when others come next.
static int atpc_walk(struct atpc_team *team, int64_t lane) {
  int64_t arguments[256];
  int alone = 0, met = 0, finished = 1;
  const double began = atpc_now();
  // Once all have met at the last dispatch, the first lane may write down the next call: nothing of this one is read after that.
  const int64_t step_count = team->step_count;
  const double *record = team->steps;
  for (int64_t position = 0; position < step_count; position++) {
    const struct atpc_kernel *kernel = &atpc_kernels[(int64_t)record[0]];
    const int64_t step = (int64_t)record[1], items = (int64_t)record[2];
    const int one_lane = record[3] != 0;
    const int64_t count = (int64_t)record[4];
    for (int64_t at = 0; at < count; at++) arguments[2 + at] = (int64_t)record[5 + at];
    record += 5 + count;
    arguments[2] += lane * team->scratch_stride;
    const double start = atpc_now();
    if (alone && !one_lane && !atpc_meet(team, finished)) return 0;
    alone = one_lane;
    const int64_t first = one_lane ? 0 : items * lane / team->lanes;
    const int64_t last = one_lane ? (lane == 0 ? items : 0) : items * (lane + 1) / team->lanes;
    if (finished) finished = atpc_dispatch(team, kernel, arguments, first, last, &team->rates[step * team->lanes + lane]);
    if (!alone) {
      if (!atpc_meet(team, finished)) return 0;
      met = 1;
    }
    if (lane == 0 && team->times != NULL) {
      team->times[2 * position] = start - began;
      team->times[2 * position + 1] = atpc_now() - start;
    }
  }
  // Lane 0 has to know that the others have begun a call before it starts the next.
  return alone || !met ? atpc_meet(team, finished) : 1;
}

static void *atpc_serve(void *parameter) {
  const struct atpc_lane own = *(struct atpc_lane *)parameter;
  free(parameter);
  for (int32_t started = 0;;) {
    started = atpc_await(own.team, &own.team->started, started);
    if (own.team->ending) return NULL;
    atpc_walk(own.team, own.lane);
  }
}

// Ends the lanes, which wait for a call.
ATPC_EXPORT void atpc_disband(struct atpc_team *team) {
  team->ending = 1;
  atpc_change(team, &team->started, team->started + 1);
  for (int64_t lane = 1; lane < team->lanes; lane++) pthread_join(team->threads[lane], NULL);
  pthread_cond_destroy(&team->woken);
  pthread_mutex_destroy(&team->mutex);
  free(team->threads);
  free(team);
}

// So many lanes, of which whoever calls atpc_run is the first. NULL where the system gives no memory or no threads.
ATPC_EXPORT struct atpc_team *atpc_gather(int32_t lanes) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, sizeof(struct atpc_team)) != 0) return NULL;
  struct atpc_team *team = memory;
  memset(team, 0, sizeof *team);
  team->lanes = 1;
  pthread_mutex_init(&team->mutex, NULL);
  pthread_cond_init(&team->woken, NULL);
  team->threads = calloc((size_t)lanes, sizeof(pthread_t));
  int fails = team->threads == NULL;
  for (int32_t lane = 1; lane < lanes && !fails; lane++) {
    struct atpc_lane *own = malloc(sizeof *own);
    fails = own == NULL;
    if (fails) break;
    *own = (struct atpc_lane){team, lane};
    fails = pthread_create(&team->threads[lane], NULL, atpc_serve, own) != 0;
    if (fails) free(own);
    else team->lanes = lane + 1;
  }
  if (!fails) return team;
  atpc_disband(team);
  return NULL;
}

// Runs dispatches, one after the other, each a record of numbers: kernel, step, items, whether one lane does it alone, how many
// arguments follow; the arguments from the scratch of the first lane on. 'abort' holds the number of the call to stop, or -2 for
// every call. 'rates': for each step and lane, milliseconds an item. 'times', where it is not NULL: for each dispatch its start from
// the start of the call, and how long it took, in milliseconds. Gives 0 when all is done and 1 when it was stopped. Blocks.
ATPC_EXPORT int32_t atpc_run(struct atpc_team *team, const double *steps, int64_t step_count, char *base, int64_t scratch_stride,
                             const int32_t *abort, int32_t call, double *rates, double *times) {
  team->steps = steps;
  team->step_count = step_count;
  team->base = base;
  team->scratch_stride = scratch_stride;
  team->abort = abort;
  team->call = call;
  team->rates = rates;
  team->times = times;
  if (team->lanes > 1) atpc_change(team, &team->started, (int32_t)((uint32_t)team->started + 1u));
  return atpc_walk(team, 0) ? 0 : 1;
}
