/** Functions of numbers that CUDA has without an include (CUDA Math API), and twins of those that have inline PTX in kernels.cu. */
#ifndef ATPC_SIMULATED_INTRINSICS
#define ATPC_SIMULATED_INTRINSICS

using f32 = float;
using i32 = int;
using u32 = unsigned int;
using u16 = unsigned short;

// The C library has those of single precision under the same names.
extern "C" {
float expf(float) noexcept;
float exp2f(float) noexcept;
float logf(float) noexcept;
float log2f(float) noexcept;
float sinf(float) noexcept;
float cosf(float) noexcept;
float tanhf(float) noexcept;
float erff(float) noexcept;
float powf(float, float) noexcept;
}
static inline float fmaf(float a, float b, float c) noexcept { return __builtin_fmaf(a, b, c); }
static inline float sqrtf(float value) noexcept { return __builtin_sqrtf(value); }
static inline float fabsf(float value) noexcept { return __builtin_fabsf(value); }
static inline float floorf(float value) noexcept { return __builtin_floorf(value); }
static inline float ceilf(float value) noexcept { return __builtin_ceilf(value); }
static inline float truncf(float value) noexcept { return __builtin_truncf(value); }
/** To the nearest, ties to even. */
static inline float rintf(float value) noexcept { return __builtin_rintf(value); }
static inline float fmaxf(float a, float b) noexcept { return __builtin_fmaxf(a, b); }
static inline float fminf(float a, float b) noexcept { return __builtin_fminf(a, b); }
static inline float copysignf(float a, float b) noexcept { return __builtin_copysignf(a, b); }
static inline float rsqrtf(float value) noexcept { return 1.0f / __builtin_sqrtf(value); }
static inline float __expf(float value) { return expf(value); }
static inline float __logf(float value) { return logf(value); }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fmul_rn(float a, float b) { return a * b; }

static inline float __uint_as_float(unsigned bits) { return __builtin_bit_cast(float, bits); }
static inline float __int_as_float(int bits) { return __builtin_bit_cast(float, bits); }
static inline unsigned __float_as_uint(float value) { return __builtin_bit_cast(unsigned, value); }
static inline int __float_as_int(float value) { return __builtin_bit_cast(int, value); }
static inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
static inline int __clz(int bits) { return bits == 0 ? 32 : __builtin_clz(unsigned(bits)); }

// The twin of compiler/codegen/cuda/intrinsics.ts.
/** The 16-bit float in the low half of a word. */
static inline f32 half_to_f32(u32 bits) {
#ifdef __FLT16_MANT_DIG__
  return f32(__builtin_bit_cast(_Float16, u16(bits)));
#else
  const u32 exponent = bits >> 10 & 31u, fraction = bits & 1023u;
  const f32 size = exponent == 31u  ? (fraction != 0u ? __builtin_nanf("") : __builtin_inff())
                   : exponent == 0u ? f32(fraction) * 0x1p-24f
                                    : __builtin_bit_cast(f32, (exponent + 112u) << 23 | fraction << 13);
  return (bits & 0x8000u) != 0u ? -size : size;
#endif
}
static inline f32 f32_of_bits(u32 bits) { return __builtin_bit_cast(f32, bits); }
static inline u32 bits_of_f32(f32 value) { return __builtin_bit_cast(u32, value); }
static inline f32 shuffle_xor(f32 value, u32 mask, int line = __builtin_LINE()) {
  return simulated_shuffle_xor(line, 0xffffffffu, value, int(mask));
}

static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline float min(float a, float b) { return __builtin_fminf(a, b); }
static inline float max(float a, float b) { return __builtin_fmaxf(a, b); }

#endif
