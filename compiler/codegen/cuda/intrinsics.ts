import { tensorCoreIntrinsics } from './tensor-core-intrinsics.ts';

/**
 * Everything in a file of CUDA C++ that only a GPU has, inline PTX above all. Where ATPC_SIMULATED_DEVICE is defined, a header for the CPU
 * takes its place (test/cuda-sim), with the same names and meanings.
 */
export const intrinsics = `#ifndef ATPC_SIMULATED_DEVICE
using f32 = float;
using i32 = int;
using u32 = unsigned int;
using u16 = unsigned short;

/* The 16-bit float in the low half of a word (PTX ISA, section 9.7.9.21, cvt). */
static __device__ inline f32 half_to_f32(u32 bits) {
  f32 value;
  asm("{ .reg .f16 half; mov.b16 half, %1; cvt.f32.f16 %0, half; }" : "=f"(value) : "h"((u16)bits));
  return value;
}
static __device__ inline f32 f32_of_bits(u32 bits) { return __uint_as_float(bits); }
static __device__ inline u32 bits_of_f32(f32 value) { return __float_as_uint(value); }
/* The value that thread lane ^ mask of the warp has; all 32 lanes come here. */
static __device__ inline f32 shuffle_xor(f32 value, u32 mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }

${tensorCoreIntrinsics}#endif
`;
