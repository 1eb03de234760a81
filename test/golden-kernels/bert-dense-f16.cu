// Kernels for CUDA, compute capability 8.0 and up; products of f16, summed in f32.

#ifndef ATPC_SIMULATED_DEVICE
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

/* Where a place in shared memory lies in it. */
static __device__ inline u32 shared_address(const void *place) { return (u32)__cvta_generic_to_shared(place); }
/* Two floats as 16-bit ones in a word, rounded to the nearest, ties to even (PTX ISA 9.7.9.21, cvt). */
static __device__ inline u32 pack_f16(f32 low, f32 high) {
  u32 word;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
}
static __device__ inline u32 pack_bf16(f32 low, f32 high) {
  u32 word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
}
/* 8 x 8 matrices of 16 bits from shared memory: lanes 8 i to 8 i + 7 say where the rows of matrix i begin, at multiples of 16
   bytes; words[i] is row lane / 4, columns 2 (lane % 4) and the next, of it (PTX ISA 9.7.14.5.15, ldmatrix), or of its transpose. */
static __device__ inline void load_1_matrices(u32 *words, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
    : "=r"(words[0]) : "r"(shared_address(row)) : "memory");
}
static __device__ inline void load_1_matrices_transposed(u32 *words, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
    : "=r"(words[0]) : "r"(shared_address(row)) : "memory");
}
static __device__ inline void load_2_matrices(u32 *words, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
    : "=r"(words[0]), "=r"(words[1]) : "r"(shared_address(row)) : "memory");
}
static __device__ inline void load_2_matrices_transposed(u32 *words, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
    : "=r"(words[0]), "=r"(words[1]) : "r"(shared_address(row)) : "memory");
}
static __device__ inline void load_4_matrices(u32 *words, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
    : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(shared_address(row)) : "memory");
}
static __device__ inline void load_4_matrices_transposed(u32 *words, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
    : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(shared_address(row)) : "memory");
}
/* sums[16, 8] += left[16, 16] x right[8, 16]^T by the lanes of a warp (PTX ISA 9.7.14.5.14, mma). */
static __device__ inline void multiply_f16(f32 *sums, const u32 *left, const u32 *right) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
    : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
    : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
}
static __device__ inline void multiply_bf16(f32 *sums, const u32 *left, const u32 *right) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
    : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
    : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
}
/* 2^x, and 0 for what is less than 2^-126 (PTX ISA 9.7.3.22, ex2). */
static __device__ inline f32 exp2_approximate(f32 x) {
  f32 power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}
/* The same number, of which the compiler knows nothing: what is loaded by it again is not kept in registers until then. */
static __device__ inline i32 opaque(i32 number) {
  asm volatile("" : "+r"(number));
  return number;
}
/* 16 bytes from global to shared memory, or zeros; there once the group of copies they belong to was waited for (PTX ISA
   9.7.9.25.3, cp.async; both places are multiples of 16 bytes). */
static __device__ inline void copy_async(void *to, const void *from, bool zeros) {
  const u32 bytes = zeros ? 0u : 16u;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
    :: "r"(shared_address(to)), "l"(__cvta_generic_to_global(from)), "r"(bytes) : "memory");
}
static __device__ inline void close_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/* Waits for the copies of this thread but for those of its last `open` groups. */
template <int open> static __device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" :: "n"(open) : "memory");
}
#endif

#pragma nv_diag_suppress 177, 550 /* declared or set, and not used by every file */

template <class T> struct vec2 {
  T x, y;
  /* A choice keeps both in registers, where an address would not. */
  __device__ T operator[](i32 lane) const { return lane == 0 ? x : y; }
};
template <class T> struct alignas(16) vec4 {
  T x, y, z, w;
  vec4() = default;
  __device__ explicit vec4(T all) : x(all), y(all), z(all), w(all) {}
  __device__ vec4(T x, T y, T z, T w) : x(x), y(y), z(z), w(w) {}
  __device__ T &operator[](i32 lane) { return (&x)[lane]; }
  __device__ const T &operator[](i32 lane) const { return (&x)[lane]; }
  __device__ vec4 &operator+=(const vec4 &b) { return *this = *this + b; }
};
template <class T> __device__ inline vec4<T> operator+(vec4<T> a, vec4<T> b) { return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w}; }
template <class T> __device__ inline vec4<T> operator-(vec4<T> a, vec4<T> b) { return {a.x - b.x, a.y - b.y, a.z - b.z, a.w - b.w}; }
template <class T> __device__ inline vec4<T> operator*(vec4<T> a, vec4<T> b) { return {a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w}; }
template <class T> __device__ inline vec4<T> operator/(vec4<T> a, vec4<T> b) { return {a.x / b.x, a.y / b.y, a.z / b.z, a.w / b.w}; }
template <class T> __device__ inline vec4<T> operator+(vec4<T> a, T b) { return a + vec4<T>(b); }
template <class T> __device__ inline vec4<T> operator-(vec4<T> a, T b) { return a - vec4<T>(b); }
template <class T> __device__ inline vec4<T> operator*(vec4<T> a, T b) { return a * vec4<T>(b); }
template <class T> __device__ inline vec4<T> operator/(vec4<T> a, T b) { return a / vec4<T>(b); }
template <class T> __device__ inline vec4<T> operator*(T a, vec4<T> b) { return vec4<T>(a) * b; }

/* One half of a vector, two words, at once. */
struct alignas(8) word_pair { u32 low, high; };
static __device__ inline void store_pair(vec4<u32> &place, i32 half, u32 low, u32 high) {
  reinterpret_cast<word_pair *>(&place)[half] = {low, high};
}

template <class T> struct bits_as;
template <> struct bits_as<f32> {
  static __device__ f32 of(f32 value) { return value; }
  static __device__ f32 of(i32 value) { return f32_of_bits((u32)value); }
  static __device__ f32 of(u32 value) { return f32_of_bits(value); }
};
template <> struct bits_as<i32> {
  static __device__ i32 of(f32 value) { return (i32)bits_of_f32(value); }
  static __device__ i32 of(i32 value) { return value; }
  static __device__ i32 of(u32 value) { return (i32)value; }
};
template <> struct bits_as<u32> {
  static __device__ u32 of(f32 value) { return bits_of_f32(value); }
  static __device__ u32 of(i32 value) { return (u32)value; }
  static __device__ u32 of(u32 value) { return value; }
};
static __device__ inline vec2<f32> unpack_halves(u32 word) { return {half_to_f32(word & 0xffffu), half_to_f32(word >> 16)}; }

static __device__ inline i32 maximum(i32 a, i32 b) { return a > b ? a : b; }
static __device__ inline i32 minimum(i32 a, i32 b) { return a < b ? a : b; }
static __device__ inline u32 maximum(u32 a, u32 b) { return a > b ? a : b; }
static __device__ inline u32 minimum(u32 a, u32 b) { return a < b ? a : b; }
static __device__ inline f32 maximum(f32 a, f32 b) { return fmaxf(a, b); }
static __device__ inline f32 minimum(f32 a, f32 b) { return fminf(a, b); }
static __device__ inline f32 absolute(f32 x) { return fabsf(x); }
static __device__ inline i32 absolute(i32 x) { return x < 0 ? -x : x; }
static __device__ inline f32 exponential(f32 x) { return expf(x); }
static __device__ inline f32 logarithm(f32 x) { return logf(x); }
static __device__ inline vec4<f32> logarithm(vec4<f32> x) { return {logf(x.x), logf(x.y), logf(x.z), logf(x.w)}; }
static __device__ inline vec4<f32> maximum(vec4<f32> a, vec4<f32> b) { return {fmaxf(a.x, b.x), fmaxf(a.y, b.y), fmaxf(a.z, b.z), fmaxf(a.w, b.w)}; }
static __device__ inline vec4<f32> minimum(vec4<f32> a, vec4<f32> b) { return {fminf(a.x, b.x), fminf(a.y, b.y), fminf(a.z, b.z), fminf(a.w, b.w)}; }
static __device__ inline vec4<f32> absolute(vec4<f32> x) { return {fabsf(x.x), fabsf(x.y), fabsf(x.z), fabsf(x.w)}; }
static __device__ inline vec4<f32> exponential(vec4<f32> x) { return {expf(x.x), expf(x.y), expf(x.z), expf(x.w)}; }
template <class T> static __device__ inline T clamp(T x, T low, T high) { return minimum(maximum(x, low), high); }
static __device__ inline f32 dot(vec4<f32> a, vec4<f32> b) { return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, a.x * b.x))); }

/* A value of shared memory that is the same for all threads; holds a barrier before and after. */
template <class T> static __device__ inline T uniform_load(const T &place) {
  __syncthreads();
  const T value = place;
  __syncthreads();
  return value;
}

// === kernel layer_norm ===
// layer_norm
// layer_norm of one row a workgroup.

namespace layer_norm_kernel {
struct Sizes {
  i32 items;
  i32 x0_offset;
  i32 x1_offset;
  i32 x2_offset;
  i32 x3_offset;
  i32 x4_offset;
  i32 weight_offset;
  i32 bias_offset;
  i32 result_offset;
  i32 extent_0;
  i32 extent_1;
  i32 extent_2;
  i32 x0_stride_0;
  i32 x0_stride_1;
  i32 x0_stride_2;
  i32 x1_stride_0;
  i32 x1_stride_1;
  i32 x1_stride_2;
  i32 x1_stride_indirect;
  i32 x2_stride_0;
  i32 x2_stride_1;
  i32 x2_stride_2;
  i32 x3_stride_0;
  i32 x3_stride_1;
  i32 x3_stride_2;
  i32 x3_stride_indirect;
  i32 x4_stride_0;
  i32 x4_stride_1;
  i32 x4_stride_2;
  i32 x4_stride_indirect;
};

extern "C" __global__ void __launch_bounds__(64, 1) layer_norm(
  const Sizes *__restrict__ sizes,
  const i32 *__restrict__ x0_buffer,
  const f32 *__restrict__ x1_buffer,
  const i32 *__restrict__ x2_buffer,
  const f32 *__restrict__ x3_buffer,
  const f32 *__restrict__ x4_buffer,
  const f32 *__restrict__ weight_buffer,
  const f32 *__restrict__ bias_buffer,
  f32 *__restrict__ result_buffer
) {
  __shared__ f32 exchanged[64];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 index_1 = item % sizes->extent_1;
  const i32 rest = item / sizes->extent_1;
  const i32 index_0 = rest;
  const i32 row = item * sizes->extent_2;
  f32 partial = f32();
  for (i32 column = thread; column < sizes->extent_2; column += 64) {
    const f32 value = ((x1_buffer[sizes->x1_offset + index_0 * sizes->x1_stride_0 + index_1 * sizes->x1_stride_1 + column + x0_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + index_1 * sizes->x0_stride_1] * sizes->x1_stride_indirect] + x3_buffer[sizes->x3_offset + index_0 * sizes->x3_stride_0 + index_1 * sizes->x3_stride_1 + column + x2_buffer[sizes->x2_offset + index_0 * sizes->x2_stride_0 + index_1 * sizes->x2_stride_1] * sizes->x3_stride_indirect]) + x4_buffer[sizes->x4_offset + index_0 * sizes->x4_stride_0 + index_1 * sizes->x4_stride_1 + column + index_1 * sizes->x4_stride_indirect]);
    result_buffer[sizes->result_offset + row + column] = value;
    partial += value;
  }
  f32 sum = partial;
  i32 mask = 1;
  const i32 lanes = i32(32);
  while (mask < minimum(lanes, 64)) {
    sum = sum + shuffle_xor(sum, u32(mask));
    mask = mask * 2;
  }
  while (mask < 64) {
    exchanged[thread] = sum;
    __syncthreads();
    sum = sum + exchanged[(thread ^ mask)];
    __syncthreads();
    mask = mask * 2;
  }
  const f32 mean = sum / f32(sizes->extent_2);
  partial = 0.0f;
  for (i32 column = thread; column < sizes->extent_2; column += 64) {
    const f32 distance = result_buffer[sizes->result_offset + row + column] - mean;
    partial += distance * distance;
  }
  f32 squares = partial;
  i32 mask_2 = 1;
  const i32 lanes_2 = i32(32);
  while (mask_2 < minimum(lanes_2, 64)) {
    squares = squares + shuffle_xor(squares, u32(mask_2));
    mask_2 = mask_2 * 2;
  }
  while (mask_2 < 64) {
    exchanged[thread] = squares;
    __syncthreads();
    squares = squares + exchanged[(thread ^ mask_2)];
    __syncthreads();
    mask_2 = mask_2 * 2;
  }
  const f32 scale = 1.0f / sqrtf(squares / f32(sizes->extent_2) + 9.999999960041972e-13f);
  for (i32 column = thread; column < sizes->extent_2; column += 64) {
    result_buffer[sizes->result_offset + row + column] = (result_buffer[sizes->result_offset + row + column] - mean) * scale * weight_buffer[sizes->weight_offset + column] + bias_buffer[sizes->bias_offset + column];
  }
}
}

// === kernel gemm_bias ===
// gemm_bias
// left [rows, depth] x right [columns, depth]^T, the right side of f32, both multiplied as f16 and summed in f32.
// A tile of 64 x 64 a thread block of 4 warps, by tensor cores.

namespace gemm_bias_kernel {
struct Sizes {
  i32 items;
  i32 left_offset;
  i32 right_offset;
  i32 bias_offset;
  i32 result_offset;
  i32 rows;
  i32 columns;
  i32 depth;
  i32 left_stride;
  i32 result_stride;
};

extern "C" __global__ void __launch_bounds__(128, 1) gemm_bias(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_buffer,
  const vec4<f32> *__restrict__ right_buffer,
  const vec4<f32> *__restrict__ bias_buffer,
  vec4<f32> *__restrict__ result_buffer
) {
  __shared__ vec4<u32> left_tile[512];
  __shared__ vec4<u32> right_tile[512];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row_tiles = ((sizes->rows + 63) / 64);
  const i32 first_row = item % row_tiles * 64;
  const i32 first_column = item / row_tiles * 64;
  vec4<f32> left_quad[4] = {};
  vec4<f32> right_quad[4] = {};
  const i32 lane = thread % 32;
  const i32 warp = thread / 32;
  const i32 warp_row = warp / 2 % 2 * 32;
  const i32 warp_column = warp % 2 * 32;
  const i32 warp_depth = warp / 4;
  f32 sums[32] = {};
  // The rows of matrices that the lane names to ldmatrix: 16 of the left side, and of the right side two times 8.
  const i32 left_row = warp_row + lane % 16;
  const i32 left_chunk = lane / 16;
  const i32 right_row = warp_column + lane / 16 * 8 + lane % 8;
  const i32 right_chunk = lane / 8 % 2;
  const i32 left_exchange = ((left_row >> 1) & 3);
  const i32 right_exchange = ((right_row >> 1) & 3);
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run = thread + piece * 128;
    const i32 tile_row = run / 8;
    const i32 within = run % 8 * 4;
    const i32 row = minimum(first_row + tile_row, sizes->rows - 1);
    const i32 place = minimum(0 + within, sizes->depth - 4);
    left_quad[piece] = left_buffer[(sizes->left_offset + row * sizes->left_stride + place) >> 2u];
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_2 = thread + piece * 128;
    const i32 tile_row_2 = run_2 / 8;
    const i32 within_2 = run_2 % 8 * 4;
    const u32 kept = ((0 + within_2 < sizes->depth) ? (0xffffffffu) : (0u));
    const vec4<f32> quad = left_quad[piece];
    store_pair(left_tile[(tile_row_2) * 4 + ((within_2 / 8) ^ (((tile_row_2) >> 1) & 3))], within_2 / 4 % 2, pack_f16(quad.x, quad.y) & kept, pack_f16(quad.z, quad.w) & kept);
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_3 = thread + piece * 128;
    const i32 tile_row_3 = run_3 / 8;
    const i32 within_3 = run_3 % 8 * 4;
    const i32 row_2 = minimum(first_column + tile_row_3, sizes->columns - 1);
    const i32 place_2 = minimum(0 + within_3, sizes->depth - 4);
    right_quad[piece] = right_buffer[(sizes->right_offset + row_2 * sizes->depth + place_2) >> 2u];
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_4 = thread + piece * 128;
    const i32 tile_row_4 = run_4 / 8;
    const i32 within_4 = run_4 % 8 * 4;
    const u32 kept_2 = ((0 + within_4 < sizes->depth) ? (0xffffffffu) : (0u));
    const vec4<f32> quad_2 = right_quad[piece];
    store_pair(right_tile[(tile_row_4) * 4 + ((within_4 / 8) ^ (((tile_row_4) >> 1) & 3))], within_4 / 4 % 2, pack_f16(quad_2.x, quad_2.y) & kept_2, pack_f16(quad_2.z, quad_2.w) & kept_2);
  }
  const i32 steps = ((sizes->depth + 31) / 32);
  for (i32 step = 0; step < steps; step += 1) {
    __syncthreads();
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_5 = thread + piece * 128;
      const i32 tile_row_5 = run_5 / 8;
      const i32 within_5 = run_5 % 8 * 4;
      const i32 row_3 = minimum(first_row + tile_row_5, sizes->rows - 1);
      const i32 place_3 = minimum((step + 1) * 32 + within_5, sizes->depth - 4);
      left_quad[piece] = left_buffer[(sizes->left_offset + row_3 * sizes->left_stride + place_3) >> 2u];
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_6 = thread + piece * 128;
      const i32 tile_row_6 = run_6 / 8;
      const i32 within_6 = run_6 % 8 * 4;
      const i32 row_4 = minimum(first_column + tile_row_6, sizes->columns - 1);
      const i32 place_4 = minimum((step + 1) * 32 + within_6, sizes->depth - 4);
      right_quad[piece] = right_buffer[(sizes->right_offset + row_4 * sizes->depth + place_4) >> 2u];
    }
    const i32 left_at = (step % 2 * 64 + left_row) * 4;
    const i32 right_at = (step % 2 * 64 + right_row) * 4;
    #pragma unroll
    for (i32 slice = 0; slice < 2; slice += 1) {
      const i32 chunk = slice * 2;
      u32 left_words[8] = {};
      u32 right_words[8] = {};
      #pragma unroll
      for (i32 i = 0; i < 2; i += 1) {
        load_4_matrices(&left_words[i * 4], &left_tile[left_at + i * 64 + ((chunk + left_chunk) ^ left_exchange)]);
      }
      #pragma unroll
      for (i32 j = 0; j < 2; j += 1) {
        load_4_matrices(&right_words[j * 4], &right_tile[right_at + j * 64 + ((chunk + right_chunk) ^ right_exchange)]);
      }
      #pragma unroll
      for (i32 i = 0; i < 2; i += 1) {
        #pragma unroll
        for (i32 j = 0; j < 4; j += 1) {
          multiply_f16(&sums[(i * 4 + j) * 4], &left_words[i * 4], &right_words[j * 2]);
        }
      }
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_7 = thread + piece * 128;
      const i32 tile_row_7 = run_7 / 8;
      const i32 within_7 = run_7 % 8 * 4;
      const u32 kept_3 = (((step + 1) * 32 + within_7 < sizes->depth) ? (0xffffffffu) : (0u));
      const vec4<f32> quad_3 = left_quad[piece];
      store_pair(left_tile[((step + 1) % 2 * 64 + tile_row_7) * 4 + ((within_7 / 8) ^ ((((step + 1) % 2 * 64 + tile_row_7) >> 1) & 3))], within_7 / 4 % 2, pack_f16(quad_3.x, quad_3.y) & kept_3, pack_f16(quad_3.z, quad_3.w) & kept_3);
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_8 = thread + piece * 128;
      const i32 tile_row_8 = run_8 / 8;
      const i32 within_8 = run_8 % 8 * 4;
      const u32 kept_4 = (((step + 1) * 32 + within_8 < sizes->depth) ? (0xffffffffu) : (0u));
      const vec4<f32> quad_4 = right_quad[piece];
      store_pair(right_tile[((step + 1) % 2 * 64 + tile_row_8) * 4 + ((within_8 / 8) ^ ((((step + 1) % 2 * 64 + tile_row_8) >> 1) & 3))], within_8 / 4 % 2, pack_f16(quad_4.x, quad_4.y) & kept_4, pack_f16(quad_4.z, quad_4.w) & kept_4);
    }
  }
  const i32 stored_row = first_row + warp_row;
  const i32 stored_column = first_column + warp_column;
  const bool is_odd = lane % 2 == 1;
  const i32 own_row = stored_row + lane / 4 + lane % 2 * 8;
  const i32 own_column = stored_column + lane % 4 / 2 * 4;
  #pragma unroll
  for (i32 i = 0; i < 2; i += 1) {
    #pragma unroll
    for (i32 j = 0; j < 4; j += 1) {
      const f32 first = shuffle_xor(((is_odd) ? (sums[(i * 4 + j) * 4 + 0]) : (sums[(i * 4 + j) * 4 + 2])), 1u);
      const f32 second = shuffle_xor(((is_odd) ? (sums[(i * 4 + j) * 4 + 1]) : (sums[(i * 4 + j) * 4 + 3])), 1u);
      const vec4<f32> values = ((is_odd) ? (vec4<f32>(first, second, sums[(i * 4 + j) * 4 + 2], sums[(i * 4 + j) * 4 + 3])) : (vec4<f32>(sums[(i * 4 + j) * 4 + 0], sums[(i * 4 + j) * 4 + 1], first, second)));
      const i32 row_5 = own_row + i * 16;
      const i32 column = own_column + j * 8;
      if (row_5 < sizes->rows && column < sizes->columns) {
        const vec4<f32> values_2 = values + bias_buffer[(sizes->bias_offset + column) >> 2u];
        result_buffer[(sizes->result_offset + row_5 * sizes->result_stride + column) >> 2u] = values_2;
      }
    }
  }
}
}

// === kernel map_cast ===
// map_cast
// One element a thread.

namespace map_cast_kernel {
struct Sizes {
  i32 items;
  i32 x0_offset;
  i32 result_offset;
  i32 extent_0;
  i32 extent_1;
  i32 x0_stride_0;
  i32 x0_stride_1;
  i32 result_stride_0;
  i32 result_stride_1;
};

extern "C" __global__ void __launch_bounds__(64, 1) map_cast(
  const Sizes *__restrict__ sizes,
  const i32 *__restrict__ x0_buffer,
  i32 *__restrict__ result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 element = item * 64 + thread;
  const i32 index_1 = element % sizes->extent_1;
  const i32 rest = element / sizes->extent_1;
  const i32 index_0 = rest;
  if (index_0 < sizes->extent_0) {
    result_buffer[sizes->result_offset + index_0 * sizes->result_stride_0 + index_1] = ((x0_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + index_1] != 0) ? (1) : (0));
  }
}
}

// === kernel attention_keys ===
// attention_keys
// Attention of 64 queries of one head a workgroup, 64 keys at a time.

namespace attention_keys_kernel {
struct Sizes {
  i32 items;
  i32 query_offset;
  i32 key_offset;
  i32 value_offset;
  i32 mask_offset;
  i32 result_offset;
  i32 batches;
  i32 heads;
  i32 key_heads;
  i32 queries;
  i32 query_batch;
  i32 query_head;
  i32 query_row;
  i32 result_batch;
  i32 result_head;
  i32 result_row;
  i32 keys;
  i32 key_batch;
  i32 key_head;
  i32 key_row;
  i32 value_batch;
  i32 value_head;
  i32 value_row;
};

extern "C" __global__ void __launch_bounds__(128, 1) attention_keys(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ query_key_value_buffer,
  const i32 *__restrict__ mask_buffer,
  vec4<f32> *__restrict__ result_buffer
) {
  __shared__ vec4<u32> key_tile[128];
  __shared__ vec4<u32> value_tile[128];
  __shared__ f32 key_biases[64];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 tiles = ((sizes->queries + 63) / 64);
  const i32 batch = item / tiles / sizes->heads;
  const i32 head = item / tiles % sizes->heads;
  const i32 key_head = head / (sizes->heads / sizes->key_heads);
  const i32 first_query = item % tiles * 64;
  const i32 rows = minimum(64, sizes->queries - first_query);
  const i32 row_group = thread / 8;
  const i32 lane = thread % 8;
  const i32 query_start = batch * sizes->query_batch + head * sizes->query_head;
  const i32 warp_lane = thread & 31;
  const i32 quad_lane = thread & 3;
  const i32 row_warp = thread / 32;
  const i32 own_row = row_warp * 16 + warp_lane / 4;
  f32 maximum_0 = (-4.999999840142846e+37f);
  f32 maximum_1 = (-4.999999840142846e+37f);
  f32 total_0 = f32();
  f32 total_1 = f32();
  f32 sums[2][4] = {};
  vec4<f32> key_parts[2] = {};
  vec4<f32> value_parts[2] = {};
  f32 key_bias = f32();
  const i32 low_row = warp_lane & 7;
  const i32 key_row = warp_lane / 16 * 8 + low_row;
  const i32 key_half = (warp_lane / 8) % 2;
  const i32 value_row = (warp_lane / 8) % 2 * 8 + low_row;
  const i32 value_half = warp_lane / 16;
  // Segment of keys
  const i32 first_stand = first_query + sizes->keys - sizes->queries;
  const i32 own_stand = first_stand + own_row;
  const i32 key_start = batch * sizes->key_batch + key_head * sizes->key_head;
  const i32 value_start = batch * sizes->value_batch + key_head * sizes->value_head;
  u32 query_parts[1][4];
  const i32 query_row_start = opaque(query_start + (first_query + minimum((own_row + 0), rows - 1)) * sizes->query_row);
  const i32 query_row_start_2 = opaque(query_start + (first_query + minimum((own_row + 8), rows - 1)) * sizes->query_row);
  #pragma unroll
  for (i32 step = 0; step < 1; step += 1) {
    const i32 column = step * 16 + quad_lane * 2;
    query_parts[step][0] = pack_f16(((column < 8) ? (query_key_value_buffer[(sizes->query_offset + query_row_start + minimum(column, 7)) >> 2u][(sizes->query_offset + query_row_start + minimum(column, 7)) & 3]) : (0.0f)), (((column + 1) < 8) ? (query_key_value_buffer[(sizes->query_offset + query_row_start + minimum((column + 1), 7)) >> 2u][(sizes->query_offset + query_row_start + minimum((column + 1), 7)) & 3]) : (0.0f)));
    query_parts[step][1] = pack_f16(((column < 8) ? (query_key_value_buffer[(sizes->query_offset + query_row_start_2 + minimum(column, 7)) >> 2u][(sizes->query_offset + query_row_start_2 + minimum(column, 7)) & 3]) : (0.0f)), (((column + 1) < 8) ? (query_key_value_buffer[(sizes->query_offset + query_row_start_2 + minimum((column + 1), 7)) >> 2u][(sizes->query_offset + query_row_start_2 + minimum((column + 1), 7)) & 3]) : (0.0f)));
    query_parts[step][2] = pack_f16((((column + 8) < 8) ? (query_key_value_buffer[(sizes->query_offset + query_row_start + minimum((column + 8), 7)) >> 2u][(sizes->query_offset + query_row_start + minimum((column + 8), 7)) & 3]) : (0.0f)), (((column + 9) < 8) ? (query_key_value_buffer[(sizes->query_offset + query_row_start + minimum((column + 9), 7)) >> 2u][(sizes->query_offset + query_row_start + minimum((column + 9), 7)) & 3]) : (0.0f)));
    query_parts[step][3] = pack_f16((((column + 8) < 8) ? (query_key_value_buffer[(sizes->query_offset + query_row_start_2 + minimum((column + 8), 7)) >> 2u][(sizes->query_offset + query_row_start_2 + minimum((column + 8), 7)) & 3]) : (0.0f)), (((column + 9) < 8) ? (query_key_value_buffer[(sizes->query_offset + query_row_start_2 + minimum((column + 9), 7)) >> 2u][(sizes->query_offset + query_row_start_2 + minimum((column + 9), 7)) & 3]) : (0.0f)));
  }
  if (0 < sizes->keys) {
    const i32 count = minimum(64, sizes->keys - 0);
    const i32 first_row = thread / 4;
    const i32 part = thread % 4;
    #pragma unroll
    for (i32 slot = 0; slot < 2; slot += 1) {
      const i32 row = slot * 32 + first_row;
      const i32 from = key_start + (0 + minimum(row, count - 1)) * sizes->key_row;
      key_parts[slot] = ((part * 4 < 8) ? (query_key_value_buffer[(sizes->key_offset + from + minimum(part * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    }
    if (thread < 64) {
      key_bias = ((thread < count) ? ((((mask_buffer[sizes->mask_offset + batch * sizes->keys + (0 + minimum(thread, count - 1))] != 0) ? (0.0f) : ((-9.999999680285692e+37f)))) * 1.4426950216293335f) : ((-9.999999680285692e+37f)));
    }
    const i32 first_row_2 = thread / 4;
    const i32 part_2 = thread % 4;
    #pragma unroll
    for (i32 slot = 0; slot < 2; slot += 1) {
      const i32 row_2 = slot * 32 + first_row_2;
      const i32 chunk = (row_2) * 2 + ((part_2 / 2) ^ (((row_2 & 7) / 4) & 1));
      key_tile[chunk][(part_2 & 1) * 2 + 0] = pack_f16(key_parts[slot].x, key_parts[slot].y);
      key_tile[chunk][(part_2 & 1) * 2 + 1] = pack_f16(key_parts[slot].z, key_parts[slot].w);
    }
    if (thread < 64) {
      key_biases[thread] = key_bias;
    }
    const i32 first_row_3 = thread / 4;
    const i32 part_3 = thread % 4;
    #pragma unroll
    for (i32 slot = 0; slot < 2; slot += 1) {
      const i32 row_3 = slot * 32 + first_row_3;
      const i32 from_2 = value_start + (0 + minimum(row_3, count - 1)) * sizes->value_row;
      value_parts[slot] = ((part_3 * 4 < 8) ? (query_key_value_buffer[(sizes->value_offset + from_2 + minimum(part_3 * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    }
  }
  for (i32 tile = 0; tile < sizes->keys; tile += 64) {
    const i32 next_tile = tile + 64;
    __syncthreads();
    f32 scores[8][4] = {};
    #pragma unroll
    for (i32 step = 0; step < 1; step += 1) {
      #pragma unroll
      for (i32 pair = 0; pair < 4; pair += 1) {
        u32 key_parts_2[4];
        load_4_matrices(key_parts_2, &key_tile[(key_row + pair * 16) * 2 + ((step * 2 + key_half) ^ (((low_row) / 4) & 1))]);
        const u32 right[2] = {key_parts_2[0], key_parts_2[1]};
        multiply_f16(scores[pair * 2 + 0], query_parts[step], right);
        const u32 right_2[2] = {key_parts_2[2], key_parts_2[3]};
        multiply_f16(scores[pair * 2 + 1], query_parts[step], right_2);
      }
    }
    const i32 first_row_4 = thread / 4;
    const i32 part_4 = thread % 4;
    #pragma unroll
    for (i32 slot = 0; slot < 2; slot += 1) {
      const i32 row_4 = slot * 32 + first_row_4;
      const i32 chunk_2 = (row_4) * 2 + ((part_4 / 2) ^ (((row_4 & 7) / 4) & 1));
      value_tile[chunk_2][(part_4 & 1) * 2 + 0] = pack_f16(value_parts[slot].x, value_parts[slot].y);
      value_tile[chunk_2][(part_4 & 1) * 2 + 1] = pack_f16(value_parts[slot].z, value_parts[slot].w);
    }
    if (next_tile < sizes->keys) {
      const i32 count_2 = minimum(64, sizes->keys - next_tile);
      const i32 first_row_5 = thread / 4;
      const i32 part_5 = thread % 4;
      #pragma unroll
      for (i32 slot = 0; slot < 2; slot += 1) {
        const i32 row_5 = slot * 32 + first_row_5;
        const i32 from_3 = key_start + (next_tile + minimum(row_5, count_2 - 1)) * sizes->key_row;
        key_parts[slot] = ((part_5 * 4 < 8) ? (query_key_value_buffer[(sizes->key_offset + from_3 + minimum(part_5 * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
      }
      if (thread < 64) {
        key_bias = ((thread < count_2) ? ((((mask_buffer[sizes->mask_offset + batch * sizes->keys + (next_tile + minimum(thread, count_2 - 1))] != 0) ? (0.0f) : ((-9.999999680285692e+37f)))) * 1.4426950216293335f) : ((-9.999999680285692e+37f)));
      }
    }
    #pragma unroll
    for (i32 block = 0; block < 8; block += 1) {
      const i32 number = block * 8 + quad_lane * 2 + 0;
      const f32 bias = key_biases[number];
      scores[block][0] = fmaf(scores[block][0], 0.510069727897644f, bias);
      scores[block][2] = fmaf(scores[block][2], 0.510069727897644f, bias);
      const i32 number_2 = block * 8 + quad_lane * 2 + 1;
      const f32 bias_2 = key_biases[number_2];
      scores[block][1] = fmaf(scores[block][1], 0.510069727897644f, bias_2);
      scores[block][3] = fmaf(scores[block][3], 0.510069727897644f, bias_2);
    }
    f32 tile_maximum = (-9.999999680285692e+37f);
    #pragma unroll
    for (i32 block = 0; block < 8; block += 1) {
      tile_maximum = maximum(tile_maximum, maximum(scores[block][0], scores[block][1]));
    }
    tile_maximum = maximum(tile_maximum, shuffle_xor(tile_maximum, 1u));
    tile_maximum = maximum(tile_maximum, shuffle_xor(tile_maximum, 2u));
    const f32 raised = maximum(maximum_0, tile_maximum);
    const f32 factor = exp2_approximate(maximum_0 - raised);
    maximum_0 = raised;
    total_0 = total_0 * factor;
    #pragma unroll
    for (i32 block = 0; block < 2; block += 1) {
      sums[block][0] = sums[block][0] * factor;
      sums[block][1] = sums[block][1] * factor;
    }
    #pragma unroll
    for (i32 block = 0; block < 8; block += 1) {
      scores[block][0] = exp2_approximate(scores[block][0] - maximum_0);
      total_0 += scores[block][0];
      scores[block][1] = exp2_approximate(scores[block][1] - maximum_0);
      total_0 += scores[block][1];
    }
    f32 tile_maximum_2 = (-9.999999680285692e+37f);
    #pragma unroll
    for (i32 block = 0; block < 8; block += 1) {
      tile_maximum_2 = maximum(tile_maximum_2, maximum(scores[block][2], scores[block][3]));
    }
    tile_maximum_2 = maximum(tile_maximum_2, shuffle_xor(tile_maximum_2, 1u));
    tile_maximum_2 = maximum(tile_maximum_2, shuffle_xor(tile_maximum_2, 2u));
    const f32 raised_2 = maximum(maximum_1, tile_maximum_2);
    const f32 factor_2 = exp2_approximate(maximum_1 - raised_2);
    maximum_1 = raised_2;
    total_1 = total_1 * factor_2;
    #pragma unroll
    for (i32 block = 0; block < 2; block += 1) {
      sums[block][2] = sums[block][2] * factor_2;
      sums[block][3] = sums[block][3] * factor_2;
    }
    #pragma unroll
    for (i32 block = 0; block < 8; block += 1) {
      scores[block][2] = exp2_approximate(scores[block][2] - maximum_1);
      total_1 += scores[block][2];
      scores[block][3] = exp2_approximate(scores[block][3] - maximum_1);
      total_1 += scores[block][3];
    }
    __syncthreads();
    #pragma unroll
    for (i32 step = 0; step < 4; step += 1) {
      const u32 weight_parts[4] = {pack_f16(scores[step * 2 + 0][0], scores[step * 2 + 0][1]), pack_f16(scores[step * 2 + 0][2], scores[step * 2 + 0][3]), pack_f16(scores[step * 2 + 1][0], scores[step * 2 + 1][1]), pack_f16(scores[step * 2 + 1][2], scores[step * 2 + 1][3])};
      #pragma unroll
      for (i32 pair = 0; pair < 1; pair += 1) {
        u32 value_parts_2[4];
        load_4_matrices_transposed(value_parts_2, &value_tile[(value_row + step * 16) * 2 + ((pair * 2 + value_half) ^ (((low_row) / 4) & 1))]);
        const u32 right_3[2] = {value_parts_2[0], value_parts_2[1]};
        multiply_f16(sums[pair * 2 + 0], weight_parts, right_3);
        const u32 right_4[2] = {value_parts_2[2], value_parts_2[3]};
        multiply_f16(sums[pair * 2 + 1], weight_parts, right_4);
      }
    }
    if (next_tile < sizes->keys) {
      const i32 first_row_6 = thread / 4;
      const i32 part_6 = thread % 4;
      #pragma unroll
      for (i32 slot = 0; slot < 2; slot += 1) {
        const i32 row_6 = slot * 32 + first_row_6;
        const i32 chunk_3 = (row_6) * 2 + ((part_6 / 2) ^ (((row_6 & 7) / 4) & 1));
        key_tile[chunk_3][(part_6 & 1) * 2 + 0] = pack_f16(key_parts[slot].x, key_parts[slot].y);
        key_tile[chunk_3][(part_6 & 1) * 2 + 1] = pack_f16(key_parts[slot].z, key_parts[slot].w);
      }
      if (thread < 64) {
        key_biases[thread] = key_bias;
      }
      const i32 count_3 = minimum(64, sizes->keys - next_tile);
      const i32 first_row_7 = thread / 4;
      const i32 part_7 = thread % 4;
      #pragma unroll
      for (i32 slot = 0; slot < 2; slot += 1) {
        const i32 row_7 = slot * 32 + first_row_7;
        const i32 from_4 = value_start + (next_tile + minimum(row_7, count_3 - 1)) * sizes->value_row;
        value_parts[slot] = ((part_7 * 4 < 8) ? (query_key_value_buffer[(sizes->value_offset + from_4 + minimum(part_7 * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
      }
    }
  }
  __syncthreads();
  f32 row_total = total_0;
  f32 row_total_2 = total_1;
  row_total = row_total + shuffle_xor(row_total, 1u);
  row_total = row_total + shuffle_xor(row_total, 2u);
  row_total_2 = row_total_2 + shuffle_xor(row_total_2, 1u);
  row_total_2 = row_total_2 + shuffle_xor(row_total_2, 2u);
  // a query that sees no key has a total of 0: zeros
  const f32 inverse = ((row_total > 0.0f) ? (1.0f / row_total) : (0.0f));
  const f32 factor_3 = inverse;
  #pragma unroll
  for (i32 block = 0; block < 2; block += 1) {
    sums[block][0] = sums[block][0] * factor_3;
    sums[block][1] = sums[block][1] * factor_3;
  }
  const f32 inverse_2 = ((row_total_2 > 0.0f) ? (1.0f / row_total_2) : (0.0f));
  const f32 factor_4 = inverse_2;
  #pragma unroll
  for (i32 block = 0; block < 2; block += 1) {
    sums[block][2] = sums[block][2] * factor_4;
    sums[block][3] = sums[block][3] * factor_4;
  }
  const i32 result_start = batch * sizes->result_batch + head * sizes->result_head;
  const bool is_even = (warp_lane & 1) == 0;
  const i32 stored_row = own_row + (warp_lane & 1) * 8;
  #pragma unroll
  for (i32 block = 0; block < 2; block += 1) {
    const f32 given = ((is_even) ? (sums[block][2]) : (sums[block][0]));
    const f32 taken = shuffle_xor(given, 1u);
    const f32 given_2 = ((is_even) ? (sums[block][3]) : (sums[block][1]));
    const f32 taken_2 = shuffle_xor(given_2, 1u);
    const vec4<f32> row_part = ((is_even) ? (vec4<f32>(sums[block][0], sums[block][1], taken, taken_2)) : (vec4<f32>(taken, taken_2, sums[block][2], sums[block][3])));
    const i32 column_2 = block * 8 + (warp_lane & 2) * 2;
    if (stored_row < rows && column_2 < 8) {
      const i32 place = result_start + (first_query + stored_row) * sizes->result_row + column_2;
      result_buffer[(sizes->result_offset + place) >> 2u] = row_part;
    }
  }
}
}

// === kernel gemm_bias_residual ===
// gemm_bias_residual
// left [rows, depth] x right [columns, depth]^T, the right side of f32, both multiplied as f16 and summed in f32.
// A tile of 64 x 64 a thread block of 4 warps, by tensor cores.

namespace gemm_bias_residual_kernel {
struct Sizes {
  i32 items;
  i32 left_offset;
  i32 right_offset;
  i32 bias_offset;
  i32 residual_offset;
  i32 result_offset;
  i32 result_statistics_offset;
  i32 rows;
  i32 columns;
  i32 depth;
  i32 left_stride;
  i32 result_stride;
  i32 residual_stride;
};

extern "C" __global__ void __launch_bounds__(128, 1) gemm_bias_residual(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_buffer,
  const vec4<f32> *__restrict__ right_buffer,
  const vec4<f32> *__restrict__ bias_buffer,
  const vec4<f32> *__restrict__ residual_buffer,
  vec4<f32> *__restrict__ result_result_statistics_buffer
) {
  __shared__ vec4<u32> left_tile[512];
  __shared__ vec4<u32> right_tile[512];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row_tiles = ((sizes->rows + 63) / 64);
  const i32 first_row = item % row_tiles * 64;
  const i32 first_column = item / row_tiles * 64;
  vec4<f32> left_quad[4] = {};
  vec4<f32> right_quad[4] = {};
  const i32 lane = thread % 32;
  const i32 warp = thread / 32;
  const i32 warp_row = warp / 2 % 2 * 32;
  const i32 warp_column = warp % 2 * 32;
  const i32 warp_depth = warp / 4;
  f32 sums[32] = {};
  // The rows of matrices that the lane names to ldmatrix: 16 of the left side, and of the right side two times 8.
  const i32 left_row = warp_row + lane % 16;
  const i32 left_chunk = lane / 16;
  const i32 right_row = warp_column + lane / 16 * 8 + lane % 8;
  const i32 right_chunk = lane / 8 % 2;
  const i32 left_exchange = ((left_row >> 1) & 3);
  const i32 right_exchange = ((right_row >> 1) & 3);
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run = thread + piece * 128;
    const i32 tile_row = run / 8;
    const i32 within = run % 8 * 4;
    const i32 row = minimum(first_row + tile_row, sizes->rows - 1);
    const i32 place = minimum(0 + within, sizes->depth - 4);
    left_quad[piece] = left_buffer[(sizes->left_offset + row * sizes->left_stride + place) >> 2u];
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_2 = thread + piece * 128;
    const i32 tile_row_2 = run_2 / 8;
    const i32 within_2 = run_2 % 8 * 4;
    const u32 kept = ((0 + within_2 < sizes->depth) ? (0xffffffffu) : (0u));
    const vec4<f32> quad = left_quad[piece];
    store_pair(left_tile[(tile_row_2) * 4 + ((within_2 / 8) ^ (((tile_row_2) >> 1) & 3))], within_2 / 4 % 2, pack_f16(quad.x, quad.y) & kept, pack_f16(quad.z, quad.w) & kept);
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_3 = thread + piece * 128;
    const i32 tile_row_3 = run_3 / 8;
    const i32 within_3 = run_3 % 8 * 4;
    const i32 row_2 = minimum(first_column + tile_row_3, sizes->columns - 1);
    const i32 place_2 = minimum(0 + within_3, sizes->depth - 4);
    right_quad[piece] = right_buffer[(sizes->right_offset + row_2 * sizes->depth + place_2) >> 2u];
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_4 = thread + piece * 128;
    const i32 tile_row_4 = run_4 / 8;
    const i32 within_4 = run_4 % 8 * 4;
    const u32 kept_2 = ((0 + within_4 < sizes->depth) ? (0xffffffffu) : (0u));
    const vec4<f32> quad_2 = right_quad[piece];
    store_pair(right_tile[(tile_row_4) * 4 + ((within_4 / 8) ^ (((tile_row_4) >> 1) & 3))], within_4 / 4 % 2, pack_f16(quad_2.x, quad_2.y) & kept_2, pack_f16(quad_2.z, quad_2.w) & kept_2);
  }
  const i32 steps = ((sizes->depth + 31) / 32);
  for (i32 step = 0; step < steps; step += 1) {
    __syncthreads();
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_5 = thread + piece * 128;
      const i32 tile_row_5 = run_5 / 8;
      const i32 within_5 = run_5 % 8 * 4;
      const i32 row_3 = minimum(first_row + tile_row_5, sizes->rows - 1);
      const i32 place_3 = minimum((step + 1) * 32 + within_5, sizes->depth - 4);
      left_quad[piece] = left_buffer[(sizes->left_offset + row_3 * sizes->left_stride + place_3) >> 2u];
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_6 = thread + piece * 128;
      const i32 tile_row_6 = run_6 / 8;
      const i32 within_6 = run_6 % 8 * 4;
      const i32 row_4 = minimum(first_column + tile_row_6, sizes->columns - 1);
      const i32 place_4 = minimum((step + 1) * 32 + within_6, sizes->depth - 4);
      right_quad[piece] = right_buffer[(sizes->right_offset + row_4 * sizes->depth + place_4) >> 2u];
    }
    const i32 left_at = (step % 2 * 64 + left_row) * 4;
    const i32 right_at = (step % 2 * 64 + right_row) * 4;
    #pragma unroll
    for (i32 slice = 0; slice < 2; slice += 1) {
      const i32 chunk = slice * 2;
      u32 left_words[8] = {};
      u32 right_words[8] = {};
      #pragma unroll
      for (i32 i = 0; i < 2; i += 1) {
        load_4_matrices(&left_words[i * 4], &left_tile[left_at + i * 64 + ((chunk + left_chunk) ^ left_exchange)]);
      }
      #pragma unroll
      for (i32 j = 0; j < 2; j += 1) {
        load_4_matrices(&right_words[j * 4], &right_tile[right_at + j * 64 + ((chunk + right_chunk) ^ right_exchange)]);
      }
      #pragma unroll
      for (i32 i = 0; i < 2; i += 1) {
        #pragma unroll
        for (i32 j = 0; j < 4; j += 1) {
          multiply_f16(&sums[(i * 4 + j) * 4], &left_words[i * 4], &right_words[j * 2]);
        }
      }
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_7 = thread + piece * 128;
      const i32 tile_row_7 = run_7 / 8;
      const i32 within_7 = run_7 % 8 * 4;
      const u32 kept_3 = (((step + 1) * 32 + within_7 < sizes->depth) ? (0xffffffffu) : (0u));
      const vec4<f32> quad_3 = left_quad[piece];
      store_pair(left_tile[((step + 1) % 2 * 64 + tile_row_7) * 4 + ((within_7 / 8) ^ ((((step + 1) % 2 * 64 + tile_row_7) >> 1) & 3))], within_7 / 4 % 2, pack_f16(quad_3.x, quad_3.y) & kept_3, pack_f16(quad_3.z, quad_3.w) & kept_3);
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_8 = thread + piece * 128;
      const i32 tile_row_8 = run_8 / 8;
      const i32 within_8 = run_8 % 8 * 4;
      const u32 kept_4 = (((step + 1) * 32 + within_8 < sizes->depth) ? (0xffffffffu) : (0u));
      const vec4<f32> quad_4 = right_quad[piece];
      store_pair(right_tile[((step + 1) % 2 * 64 + tile_row_8) * 4 + ((within_8 / 8) ^ ((((step + 1) % 2 * 64 + tile_row_8) >> 1) & 3))], within_8 / 4 % 2, pack_f16(quad_4.x, quad_4.y) & kept_4, pack_f16(quad_4.z, quad_4.w) & kept_4);
    }
  }
  const i32 stored_row = first_row + warp_row;
  const i32 stored_column = first_column + warp_column;
  const bool is_odd = lane % 2 == 1;
  const i32 own_row = stored_row + lane / 4 + lane % 2 * 8;
  const i32 own_column = stored_column + lane % 4 / 2 * 4;
  #pragma unroll
  for (i32 i = 0; i < 2; i += 1) {
    #pragma unroll
    for (i32 j = 0; j < 4; j += 1) {
      const f32 first = shuffle_xor(((is_odd) ? (sums[(i * 4 + j) * 4 + 0]) : (sums[(i * 4 + j) * 4 + 2])), 1u);
      const f32 second = shuffle_xor(((is_odd) ? (sums[(i * 4 + j) * 4 + 1]) : (sums[(i * 4 + j) * 4 + 3])), 1u);
      const vec4<f32> values = ((is_odd) ? (vec4<f32>(first, second, sums[(i * 4 + j) * 4 + 2], sums[(i * 4 + j) * 4 + 3])) : (vec4<f32>(sums[(i * 4 + j) * 4 + 0], sums[(i * 4 + j) * 4 + 1], first, second)));
      const i32 row_5 = own_row + i * 16;
      const i32 column = own_column + j * 8;
      if (row_5 < sizes->rows && column < sizes->columns) {
        const vec4<f32> values_2 = values + bias_buffer[(sizes->bias_offset + column) >> 2u];
        const vec4<f32> values_3 = values_2 + residual_buffer[(sizes->residual_offset + row_5 * sizes->residual_stride + column) >> 2u];
        result_result_statistics_buffer[(sizes->result_offset + row_5 * sizes->result_stride + column) >> 2u] = values_3;
        sums[(i * 4 + j) * 4 + 0] = values_3.x;
        sums[(i * 4 + j) * 4 + 1] = values_3.y;
        sums[(i * 4 + j) * 4 + 2] = values_3.z;
        sums[(i * 4 + j) * 4 + 3] = values_3.w;
      }
    }
    const i32 part_row = own_row + i * 16;
    f32 total = f32();
    #pragma unroll
    for (i32 j = 0; j < 4; j += 1) {
      if (own_column + 0 + j * 8 < sizes->columns) {
        total += sums[(i * 4 + j) * 4 + 0];
      }
      if (own_column + 1 + j * 8 < sizes->columns) {
        total += sums[(i * 4 + j) * 4 + 1];
      }
      if (own_column + 2 + j * 8 < sizes->columns) {
        total += sums[(i * 4 + j) * 4 + 2];
      }
      if (own_column + 3 + j * 8 < sizes->columns) {
        total += sums[(i * 4 + j) * 4 + 3];
      }
    }
    total += shuffle_xor(total, 2u);
    const f32 mean = total / f32(minimum(32, sizes->columns - stored_column));
    f32 squares = f32();
    #pragma unroll
    for (i32 j = 0; j < 4; j += 1) {
      if (own_column + 0 + j * 8 < sizes->columns) {
        squares += (sums[(i * 4 + j) * 4 + 0] - mean) * (sums[(i * 4 + j) * 4 + 0] - mean);
      }
      if (own_column + 1 + j * 8 < sizes->columns) {
        squares += (sums[(i * 4 + j) * 4 + 1] - mean) * (sums[(i * 4 + j) * 4 + 1] - mean);
      }
      if (own_column + 2 + j * 8 < sizes->columns) {
        squares += (sums[(i * 4 + j) * 4 + 2] - mean) * (sums[(i * 4 + j) * 4 + 2] - mean);
      }
      if (own_column + 3 + j * 8 < sizes->columns) {
        squares += (sums[(i * 4 + j) * 4 + 3] - mean) * (sums[(i * 4 + j) * 4 + 3] - mean);
      }
    }
    squares += shuffle_xor(squares, 2u);
    if ((lane & 2) == 0 && part_row < sizes->rows && stored_column < sizes->columns) {
      const i32 part_at = part_row * ((sizes->columns + 31) / 32) + stored_column / 32;
      result_result_statistics_buffer[(sizes->result_statistics_offset + part_at * 2 + 0) >> 2u][(sizes->result_statistics_offset + part_at * 2 + 0) & 3] = total;
      result_result_statistics_buffer[(sizes->result_statistics_offset + part_at * 2 + 1) >> 2u][(sizes->result_statistics_offset + part_at * 2 + 1) & 3] = squares;
    }
  }
}
}

// === kernel gemm_bias_gelu ===
// gemm_bias_gelu
// left [rows, depth] x right [columns, depth]^T, the right side of f32, both multiplied as f16 and summed in f32.
// A tile of 64 x 64 a thread block of 4 warps, by tensor cores.

namespace gemm_bias_gelu_kernel {
struct Sizes {
  i32 items;
  i32 left_offset;
  i32 right_offset;
  i32 bias_offset;
  i32 norm_weight_offset;
  i32 norm_bias_offset;
  i32 statistics_offset;
  i32 result_offset;
  i32 rows;
  i32 columns;
  i32 depth;
  i32 left_stride;
  i32 result_stride;
  i32 part_columns;
};

static __device__ f32 erf_f32(f32 x) {
  // a rational in x; 1 from there on where it rounds to 1 in f32
  const f32 bounded = minimum(absolute(x), 4.0f);
  const f32 z = bounded * bounded;
  const f32 value = minimum(bounded * fmaf(fmaf(fmaf(fmaf(fmaf(0.0000019866442926286254f, z, 0.00028451584512367845f), z, 0.0038822146598249674f), z, 0.053098198026418686f), z, 0.19352230429649353f), z, 1.1283791065216064f) / fmaf(fmaf(fmaf(fmaf(fmaf(0.00003741609907592647f, z, 0.0011852505849674344f), z, 0.015205015428364277f), z, 0.11534010618925095f), z, 0.5048372149467468f), z, 1.0f), 1.0f);
  return ((x < 0.0f) ? (-value) : (value));
}

static __device__ f32 gelu_f32(f32 x) {
  return 0.5f * x * (1.0f + erf_f32(x * 0.7071067690849304f));
}

extern "C" __global__ void __launch_bounds__(128, 1) gemm_bias_gelu(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_statistics_buffer,
  const vec4<f32> *__restrict__ right_buffer,
  const vec4<f32> *__restrict__ bias_buffer,
  const vec4<f32> *__restrict__ norm_weight_buffer,
  const vec4<f32> *__restrict__ norm_bias_buffer,
  vec4<f32> *__restrict__ result_buffer
) {
  __shared__ vec4<u32> left_tile[512];
  __shared__ vec4<u32> right_tile[512];
  __shared__ f32 row_scale[64];
  __shared__ f32 row_mean[64];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row_tiles = ((sizes->rows + 63) / 64);
  const i32 first_row = item % row_tiles * 64;
  const i32 first_column = item / row_tiles * 64;
  for (i32 tile_row = thread; tile_row < 64; tile_row += 128) {
    const i32 row = minimum(first_row + tile_row, sizes->rows - 1);
    const i32 parts = ((sizes->depth + sizes->part_columns - 1) / sizes->part_columns);
    const i32 first_part = row * parts;
    f32 squares = f32();
    f32 total = f32();
    #pragma unroll 16
    for (i32 part = 0; part < parts; part += 1) {
      total += left_statistics_buffer[(sizes->statistics_offset + (first_part + part) * 2) >> 2u][(sizes->statistics_offset + (first_part + part) * 2) & 3];
    }
    const f32 mean = total / f32(sizes->depth);
    #pragma unroll 16
    for (i32 part = 0; part < parts; part += 1) {
      const f32 count = f32(minimum(sizes->part_columns, sizes->depth - part * sizes->part_columns));
      const f32 distance = left_statistics_buffer[(sizes->statistics_offset + (first_part + part) * 2) >> 2u][(sizes->statistics_offset + (first_part + part) * 2) & 3] / count - mean;
      squares += left_statistics_buffer[(sizes->statistics_offset + (first_part + part) * 2 + 1) >> 2u][(sizes->statistics_offset + (first_part + part) * 2 + 1) & 3] + count * distance * distance;
    }
    const f32 scale = 1.0f / sqrtf(squares / f32(sizes->depth) + 9.999999960041972e-13f);
    row_mean[tile_row] = mean;
    row_scale[tile_row] = scale;
  }
  __syncthreads();
  vec4<f32> left_quad[4] = {};
  vec4<f32> norm_weight_2 = vec4<f32>();
  vec4<f32> norm_bias_2 = vec4<f32>();
  vec4<f32> right_quad[4] = {};
  const i32 lane = thread % 32;
  const i32 warp = thread / 32;
  const i32 warp_row = warp / 2 % 2 * 32;
  const i32 warp_column = warp % 2 * 32;
  const i32 warp_depth = warp / 4;
  f32 sums[32] = {};
  // The rows of matrices that the lane names to ldmatrix: 16 of the left side, and of the right side two times 8.
  const i32 left_row = warp_row + lane % 16;
  const i32 left_chunk = lane / 16;
  const i32 right_row = warp_column + lane / 16 * 8 + lane % 8;
  const i32 right_chunk = lane / 8 % 2;
  const i32 left_exchange = ((left_row >> 1) & 3);
  const i32 right_exchange = ((right_row >> 1) & 3);
  const i32 norm_place = minimum(0 + thread % 8 * 4, sizes->depth - 4);
  norm_weight_2 = norm_weight_buffer[(sizes->norm_weight_offset + norm_place) >> 2u];
  norm_bias_2 = norm_bias_buffer[(sizes->norm_bias_offset + norm_place) >> 2u];
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run = thread + piece * 128;
    const i32 tile_row = run / 8;
    const i32 within = run % 8 * 4;
    const i32 row_2 = minimum(first_row + tile_row, sizes->rows - 1);
    const i32 place = minimum(0 + within, sizes->depth - 4);
    left_quad[piece] = left_statistics_buffer[(sizes->left_offset + row_2 * sizes->left_stride + place) >> 2u];
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_2 = thread + piece * 128;
    const i32 tile_row_2 = run_2 / 8;
    const i32 within_2 = run_2 % 8 * 4;
    const u32 kept = ((0 + within_2 < sizes->depth) ? (0xffffffffu) : (0u));
    const vec4<f32> quad = (left_quad[piece] - row_mean[tile_row_2]) * row_scale[tile_row_2] * norm_weight_2 + norm_bias_2;
    store_pair(left_tile[(tile_row_2) * 4 + ((within_2 / 8) ^ (((tile_row_2) >> 1) & 3))], within_2 / 4 % 2, pack_f16(quad.x, quad.y) & kept, pack_f16(quad.z, quad.w) & kept);
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_3 = thread + piece * 128;
    const i32 tile_row_3 = run_3 / 8;
    const i32 within_3 = run_3 % 8 * 4;
    const i32 row_3 = minimum(first_column + tile_row_3, sizes->columns - 1);
    const i32 place_2 = minimum(0 + within_3, sizes->depth - 4);
    right_quad[piece] = right_buffer[(sizes->right_offset + row_3 * sizes->depth + place_2) >> 2u];
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_4 = thread + piece * 128;
    const i32 tile_row_4 = run_4 / 8;
    const i32 within_4 = run_4 % 8 * 4;
    const u32 kept_2 = ((0 + within_4 < sizes->depth) ? (0xffffffffu) : (0u));
    const vec4<f32> quad_2 = right_quad[piece];
    store_pair(right_tile[(tile_row_4) * 4 + ((within_4 / 8) ^ (((tile_row_4) >> 1) & 3))], within_4 / 4 % 2, pack_f16(quad_2.x, quad_2.y) & kept_2, pack_f16(quad_2.z, quad_2.w) & kept_2);
  }
  const i32 steps = ((sizes->depth + 31) / 32);
  for (i32 step = 0; step < steps; step += 1) {
    __syncthreads();
    const i32 norm_place_2 = minimum((step + 1) * 32 + thread % 8 * 4, sizes->depth - 4);
    norm_weight_2 = norm_weight_buffer[(sizes->norm_weight_offset + norm_place_2) >> 2u];
    norm_bias_2 = norm_bias_buffer[(sizes->norm_bias_offset + norm_place_2) >> 2u];
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_5 = thread + piece * 128;
      const i32 tile_row_5 = run_5 / 8;
      const i32 within_5 = run_5 % 8 * 4;
      const i32 row_4 = minimum(first_row + tile_row_5, sizes->rows - 1);
      const i32 place_3 = minimum((step + 1) * 32 + within_5, sizes->depth - 4);
      left_quad[piece] = left_statistics_buffer[(sizes->left_offset + row_4 * sizes->left_stride + place_3) >> 2u];
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_6 = thread + piece * 128;
      const i32 tile_row_6 = run_6 / 8;
      const i32 within_6 = run_6 % 8 * 4;
      const i32 row_5 = minimum(first_column + tile_row_6, sizes->columns - 1);
      const i32 place_4 = minimum((step + 1) * 32 + within_6, sizes->depth - 4);
      right_quad[piece] = right_buffer[(sizes->right_offset + row_5 * sizes->depth + place_4) >> 2u];
    }
    const i32 left_at = (step % 2 * 64 + left_row) * 4;
    const i32 right_at = (step % 2 * 64 + right_row) * 4;
    #pragma unroll
    for (i32 slice = 0; slice < 2; slice += 1) {
      const i32 chunk = slice * 2;
      u32 left_words[8] = {};
      u32 right_words[8] = {};
      #pragma unroll
      for (i32 i = 0; i < 2; i += 1) {
        load_4_matrices(&left_words[i * 4], &left_tile[left_at + i * 64 + ((chunk + left_chunk) ^ left_exchange)]);
      }
      #pragma unroll
      for (i32 j = 0; j < 2; j += 1) {
        load_4_matrices(&right_words[j * 4], &right_tile[right_at + j * 64 + ((chunk + right_chunk) ^ right_exchange)]);
      }
      #pragma unroll
      for (i32 i = 0; i < 2; i += 1) {
        #pragma unroll
        for (i32 j = 0; j < 4; j += 1) {
          multiply_f16(&sums[(i * 4 + j) * 4], &left_words[i * 4], &right_words[j * 2]);
        }
      }
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_7 = thread + piece * 128;
      const i32 tile_row_7 = run_7 / 8;
      const i32 within_7 = run_7 % 8 * 4;
      const u32 kept_3 = (((step + 1) * 32 + within_7 < sizes->depth) ? (0xffffffffu) : (0u));
      const vec4<f32> quad_3 = (left_quad[piece] - row_mean[tile_row_7]) * row_scale[tile_row_7] * norm_weight_2 + norm_bias_2;
      store_pair(left_tile[((step + 1) % 2 * 64 + tile_row_7) * 4 + ((within_7 / 8) ^ ((((step + 1) % 2 * 64 + tile_row_7) >> 1) & 3))], within_7 / 4 % 2, pack_f16(quad_3.x, quad_3.y) & kept_3, pack_f16(quad_3.z, quad_3.w) & kept_3);
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_8 = thread + piece * 128;
      const i32 tile_row_8 = run_8 / 8;
      const i32 within_8 = run_8 % 8 * 4;
      const u32 kept_4 = (((step + 1) * 32 + within_8 < sizes->depth) ? (0xffffffffu) : (0u));
      const vec4<f32> quad_4 = right_quad[piece];
      store_pair(right_tile[((step + 1) % 2 * 64 + tile_row_8) * 4 + ((within_8 / 8) ^ ((((step + 1) % 2 * 64 + tile_row_8) >> 1) & 3))], within_8 / 4 % 2, pack_f16(quad_4.x, quad_4.y) & kept_4, pack_f16(quad_4.z, quad_4.w) & kept_4);
    }
  }
  const i32 stored_row = first_row + warp_row;
  const i32 stored_column = first_column + warp_column;
  const bool is_odd = lane % 2 == 1;
  const i32 own_row = stored_row + lane / 4 + lane % 2 * 8;
  const i32 own_column = stored_column + lane % 4 / 2 * 4;
  #pragma unroll
  for (i32 i = 0; i < 2; i += 1) {
    #pragma unroll
    for (i32 j = 0; j < 4; j += 1) {
      const f32 first = shuffle_xor(((is_odd) ? (sums[(i * 4 + j) * 4 + 0]) : (sums[(i * 4 + j) * 4 + 2])), 1u);
      const f32 second = shuffle_xor(((is_odd) ? (sums[(i * 4 + j) * 4 + 1]) : (sums[(i * 4 + j) * 4 + 3])), 1u);
      const vec4<f32> values = ((is_odd) ? (vec4<f32>(first, second, sums[(i * 4 + j) * 4 + 2], sums[(i * 4 + j) * 4 + 3])) : (vec4<f32>(sums[(i * 4 + j) * 4 + 0], sums[(i * 4 + j) * 4 + 1], first, second)));
      const i32 row_6 = own_row + i * 16;
      const i32 column = own_column + j * 8;
      if (row_6 < sizes->rows && column < sizes->columns) {
        const vec4<f32> values_2 = values + bias_buffer[(sizes->bias_offset + column) >> 2u];
        const vec4<f32> values_3 = vec4<f32>(gelu_f32(values_2.x), gelu_f32(values_2.y), gelu_f32(values_2.z), gelu_f32(values_2.w));
        result_buffer[(sizes->result_offset + row_6 * sizes->result_stride + column) >> 2u] = values_3;
      }
    }
  }
}
}

// === kernel gemm_bias_residual_2 ===
// gemm_bias_residual_2
// left [rows, depth] x right [columns, depth]^T, the right side of f32, both multiplied as f16 and summed in f32.
// A tile of 64 x 64 a thread block of 4 warps, by tensor cores.

namespace gemm_bias_residual_2_kernel {
struct Sizes {
  i32 items;
  i32 left_offset;
  i32 right_offset;
  i32 bias_offset;
  i32 residual_offset;
  i32 residual_weight_offset;
  i32 residual_bias_offset;
  i32 residual_statistics_offset;
  i32 result_offset;
  i32 result_statistics_offset;
  i32 rows;
  i32 columns;
  i32 depth;
  i32 left_stride;
  i32 result_stride;
  i32 residual_stride;
  i32 residual_part_columns;
};

extern "C" __global__ void __launch_bounds__(128, 1) gemm_bias_residual_2(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_buffer,
  const vec4<f32> *__restrict__ right_buffer,
  const vec4<f32> *__restrict__ bias_buffer,
  const vec4<f32> *__restrict__ residual_residual_statistics_buffer,
  const vec4<f32> *__restrict__ residual_weight_buffer,
  const vec4<f32> *__restrict__ residual_bias_buffer,
  vec4<f32> *__restrict__ result_result_statistics_buffer
) {
  __shared__ vec4<u32> left_tile[512];
  __shared__ vec4<u32> right_tile[512];
  __shared__ f32 row_scale[64];
  __shared__ f32 row_mean[64];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row_tiles = ((sizes->rows + 63) / 64);
  const i32 first_row = item % row_tiles * 64;
  const i32 first_column = item / row_tiles * 64;
  for (i32 tile_row = thread; tile_row < 64; tile_row += 128) {
    const i32 row = minimum(first_row + tile_row, sizes->rows - 1);
    const i32 parts = ((sizes->columns + sizes->residual_part_columns - 1) / sizes->residual_part_columns);
    const i32 first_part = row * parts;
    f32 squares = f32();
    f32 total = f32();
    #pragma unroll 16
    for (i32 part = 0; part < parts; part += 1) {
      total += residual_residual_statistics_buffer[(sizes->residual_statistics_offset + (first_part + part) * 2) >> 2u][(sizes->residual_statistics_offset + (first_part + part) * 2) & 3];
    }
    const f32 mean = total / f32(sizes->columns);
    #pragma unroll 16
    for (i32 part = 0; part < parts; part += 1) {
      const f32 count = f32(minimum(sizes->residual_part_columns, sizes->columns - part * sizes->residual_part_columns));
      const f32 distance = residual_residual_statistics_buffer[(sizes->residual_statistics_offset + (first_part + part) * 2) >> 2u][(sizes->residual_statistics_offset + (first_part + part) * 2) & 3] / count - mean;
      squares += residual_residual_statistics_buffer[(sizes->residual_statistics_offset + (first_part + part) * 2 + 1) >> 2u][(sizes->residual_statistics_offset + (first_part + part) * 2 + 1) & 3] + count * distance * distance;
    }
    const f32 scale = 1.0f / sqrtf(squares / f32(sizes->columns) + 9.999999960041972e-13f);
    row_mean[tile_row] = mean;
    row_scale[tile_row] = scale;
  }
  __syncthreads();
  vec4<f32> left_quad[4] = {};
  vec4<f32> right_quad[4] = {};
  const i32 lane = thread % 32;
  const i32 warp = thread / 32;
  const i32 warp_row = warp / 2 % 2 * 32;
  const i32 warp_column = warp % 2 * 32;
  const i32 warp_depth = warp / 4;
  f32 sums[32] = {};
  // The rows of matrices that the lane names to ldmatrix: 16 of the left side, and of the right side two times 8.
  const i32 left_row = warp_row + lane % 16;
  const i32 left_chunk = lane / 16;
  const i32 right_row = warp_column + lane / 16 * 8 + lane % 8;
  const i32 right_chunk = lane / 8 % 2;
  const i32 left_exchange = ((left_row >> 1) & 3);
  const i32 right_exchange = ((right_row >> 1) & 3);
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run = thread + piece * 128;
    const i32 tile_row = run / 8;
    const i32 within = run % 8 * 4;
    const i32 row_2 = minimum(first_row + tile_row, sizes->rows - 1);
    const i32 place = minimum(0 + within, sizes->depth - 4);
    left_quad[piece] = left_buffer[(sizes->left_offset + row_2 * sizes->left_stride + place) >> 2u];
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_2 = thread + piece * 128;
    const i32 tile_row_2 = run_2 / 8;
    const i32 within_2 = run_2 % 8 * 4;
    const u32 kept = ((0 + within_2 < sizes->depth) ? (0xffffffffu) : (0u));
    const vec4<f32> quad = left_quad[piece];
    store_pair(left_tile[(tile_row_2) * 4 + ((within_2 / 8) ^ (((tile_row_2) >> 1) & 3))], within_2 / 4 % 2, pack_f16(quad.x, quad.y) & kept, pack_f16(quad.z, quad.w) & kept);
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_3 = thread + piece * 128;
    const i32 tile_row_3 = run_3 / 8;
    const i32 within_3 = run_3 % 8 * 4;
    const i32 row_3 = minimum(first_column + tile_row_3, sizes->columns - 1);
    const i32 place_2 = minimum(0 + within_3, sizes->depth - 4);
    right_quad[piece] = right_buffer[(sizes->right_offset + row_3 * sizes->depth + place_2) >> 2u];
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_4 = thread + piece * 128;
    const i32 tile_row_4 = run_4 / 8;
    const i32 within_4 = run_4 % 8 * 4;
    const u32 kept_2 = ((0 + within_4 < sizes->depth) ? (0xffffffffu) : (0u));
    const vec4<f32> quad_2 = right_quad[piece];
    store_pair(right_tile[(tile_row_4) * 4 + ((within_4 / 8) ^ (((tile_row_4) >> 1) & 3))], within_4 / 4 % 2, pack_f16(quad_2.x, quad_2.y) & kept_2, pack_f16(quad_2.z, quad_2.w) & kept_2);
  }
  const i32 steps = ((sizes->depth + 31) / 32);
  for (i32 step = 0; step < steps; step += 1) {
    __syncthreads();
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_5 = thread + piece * 128;
      const i32 tile_row_5 = run_5 / 8;
      const i32 within_5 = run_5 % 8 * 4;
      const i32 row_4 = minimum(first_row + tile_row_5, sizes->rows - 1);
      const i32 place_3 = minimum((step + 1) * 32 + within_5, sizes->depth - 4);
      left_quad[piece] = left_buffer[(sizes->left_offset + row_4 * sizes->left_stride + place_3) >> 2u];
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_6 = thread + piece * 128;
      const i32 tile_row_6 = run_6 / 8;
      const i32 within_6 = run_6 % 8 * 4;
      const i32 row_5 = minimum(first_column + tile_row_6, sizes->columns - 1);
      const i32 place_4 = minimum((step + 1) * 32 + within_6, sizes->depth - 4);
      right_quad[piece] = right_buffer[(sizes->right_offset + row_5 * sizes->depth + place_4) >> 2u];
    }
    const i32 left_at = (step % 2 * 64 + left_row) * 4;
    const i32 right_at = (step % 2 * 64 + right_row) * 4;
    #pragma unroll
    for (i32 slice = 0; slice < 2; slice += 1) {
      const i32 chunk = slice * 2;
      u32 left_words[8] = {};
      u32 right_words[8] = {};
      #pragma unroll
      for (i32 i = 0; i < 2; i += 1) {
        load_4_matrices(&left_words[i * 4], &left_tile[left_at + i * 64 + ((chunk + left_chunk) ^ left_exchange)]);
      }
      #pragma unroll
      for (i32 j = 0; j < 2; j += 1) {
        load_4_matrices(&right_words[j * 4], &right_tile[right_at + j * 64 + ((chunk + right_chunk) ^ right_exchange)]);
      }
      #pragma unroll
      for (i32 i = 0; i < 2; i += 1) {
        #pragma unroll
        for (i32 j = 0; j < 4; j += 1) {
          multiply_f16(&sums[(i * 4 + j) * 4], &left_words[i * 4], &right_words[j * 2]);
        }
      }
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_7 = thread + piece * 128;
      const i32 tile_row_7 = run_7 / 8;
      const i32 within_7 = run_7 % 8 * 4;
      const u32 kept_3 = (((step + 1) * 32 + within_7 < sizes->depth) ? (0xffffffffu) : (0u));
      const vec4<f32> quad_3 = left_quad[piece];
      store_pair(left_tile[((step + 1) % 2 * 64 + tile_row_7) * 4 + ((within_7 / 8) ^ ((((step + 1) % 2 * 64 + tile_row_7) >> 1) & 3))], within_7 / 4 % 2, pack_f16(quad_3.x, quad_3.y) & kept_3, pack_f16(quad_3.z, quad_3.w) & kept_3);
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_8 = thread + piece * 128;
      const i32 tile_row_8 = run_8 / 8;
      const i32 within_8 = run_8 % 8 * 4;
      const u32 kept_4 = (((step + 1) * 32 + within_8 < sizes->depth) ? (0xffffffffu) : (0u));
      const vec4<f32> quad_4 = right_quad[piece];
      store_pair(right_tile[((step + 1) % 2 * 64 + tile_row_8) * 4 + ((within_8 / 8) ^ ((((step + 1) % 2 * 64 + tile_row_8) >> 1) & 3))], within_8 / 4 % 2, pack_f16(quad_4.x, quad_4.y) & kept_4, pack_f16(quad_4.z, quad_4.w) & kept_4);
    }
  }
  const i32 stored_row = first_row + warp_row;
  const i32 stored_column = first_column + warp_column;
  const bool is_odd = lane % 2 == 1;
  const i32 own_row = stored_row + lane / 4 + lane % 2 * 8;
  const i32 own_column = stored_column + lane % 4 / 2 * 4;
  #pragma unroll
  for (i32 i = 0; i < 2; i += 1) {
    #pragma unroll
    for (i32 j = 0; j < 4; j += 1) {
      const f32 first = shuffle_xor(((is_odd) ? (sums[(i * 4 + j) * 4 + 0]) : (sums[(i * 4 + j) * 4 + 2])), 1u);
      const f32 second = shuffle_xor(((is_odd) ? (sums[(i * 4 + j) * 4 + 1]) : (sums[(i * 4 + j) * 4 + 3])), 1u);
      const vec4<f32> values = ((is_odd) ? (vec4<f32>(first, second, sums[(i * 4 + j) * 4 + 2], sums[(i * 4 + j) * 4 + 3])) : (vec4<f32>(sums[(i * 4 + j) * 4 + 0], sums[(i * 4 + j) * 4 + 1], first, second)));
      const i32 row_6 = own_row + i * 16;
      const i32 column = own_column + j * 8;
      if (row_6 < sizes->rows && column < sizes->columns) {
        const vec4<f32> values_2 = values + bias_buffer[(sizes->bias_offset + column) >> 2u];
        const vec4<f32> values_3 = values_2 + ((residual_residual_statistics_buffer[(sizes->residual_offset + row_6 * sizes->residual_stride + column) >> 2u] - row_mean[row_6 - first_row]) * row_scale[row_6 - first_row] * residual_weight_buffer[(sizes->residual_weight_offset + column) >> 2u] + residual_bias_buffer[(sizes->residual_bias_offset + column) >> 2u]);
        result_result_statistics_buffer[(sizes->result_offset + row_6 * sizes->result_stride + column) >> 2u] = values_3;
        sums[(i * 4 + j) * 4 + 0] = values_3.x;
        sums[(i * 4 + j) * 4 + 1] = values_3.y;
        sums[(i * 4 + j) * 4 + 2] = values_3.z;
        sums[(i * 4 + j) * 4 + 3] = values_3.w;
      }
    }
    const i32 part_row = own_row + i * 16;
    f32 total_2 = f32();
    #pragma unroll
    for (i32 j = 0; j < 4; j += 1) {
      if (own_column + 0 + j * 8 < sizes->columns) {
        total_2 += sums[(i * 4 + j) * 4 + 0];
      }
      if (own_column + 1 + j * 8 < sizes->columns) {
        total_2 += sums[(i * 4 + j) * 4 + 1];
      }
      if (own_column + 2 + j * 8 < sizes->columns) {
        total_2 += sums[(i * 4 + j) * 4 + 2];
      }
      if (own_column + 3 + j * 8 < sizes->columns) {
        total_2 += sums[(i * 4 + j) * 4 + 3];
      }
    }
    total_2 += shuffle_xor(total_2, 2u);
    const f32 mean_2 = total_2 / f32(minimum(32, sizes->columns - stored_column));
    f32 squares_2 = f32();
    #pragma unroll
    for (i32 j = 0; j < 4; j += 1) {
      if (own_column + 0 + j * 8 < sizes->columns) {
        squares_2 += (sums[(i * 4 + j) * 4 + 0] - mean_2) * (sums[(i * 4 + j) * 4 + 0] - mean_2);
      }
      if (own_column + 1 + j * 8 < sizes->columns) {
        squares_2 += (sums[(i * 4 + j) * 4 + 1] - mean_2) * (sums[(i * 4 + j) * 4 + 1] - mean_2);
      }
      if (own_column + 2 + j * 8 < sizes->columns) {
        squares_2 += (sums[(i * 4 + j) * 4 + 2] - mean_2) * (sums[(i * 4 + j) * 4 + 2] - mean_2);
      }
      if (own_column + 3 + j * 8 < sizes->columns) {
        squares_2 += (sums[(i * 4 + j) * 4 + 3] - mean_2) * (sums[(i * 4 + j) * 4 + 3] - mean_2);
      }
    }
    squares_2 += shuffle_xor(squares_2, 2u);
    if ((lane & 2) == 0 && part_row < sizes->rows && stored_column < sizes->columns) {
      const i32 part_at = part_row * ((sizes->columns + 31) / 32) + stored_column / 32;
      result_result_statistics_buffer[(sizes->result_statistics_offset + part_at * 2 + 0) >> 2u][(sizes->result_statistics_offset + part_at * 2 + 0) & 3] = total_2;
      result_result_statistics_buffer[(sizes->result_statistics_offset + part_at * 2 + 1) >> 2u][(sizes->result_statistics_offset + part_at * 2 + 1) & 3] = squares_2;
    }
  }
}
}

// === kernel gemm_bias_2 ===
// gemm_bias_2
// left [rows, depth] x right [columns, depth]^T, the right side of f32, both multiplied as f16 and summed in f32.
// A tile of 64 x 64 a thread block of 4 warps, by tensor cores.

namespace gemm_bias_2_kernel {
struct Sizes {
  i32 items;
  i32 left_offset;
  i32 right_offset;
  i32 bias_offset;
  i32 norm_weight_offset;
  i32 norm_bias_offset;
  i32 statistics_offset;
  i32 result_offset;
  i32 rows;
  i32 columns;
  i32 depth;
  i32 left_stride;
  i32 result_stride;
  i32 part_columns;
};

extern "C" __global__ void __launch_bounds__(128, 1) gemm_bias_2(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_statistics_buffer,
  const vec4<f32> *__restrict__ right_buffer,
  const vec4<f32> *__restrict__ bias_buffer,
  const vec4<f32> *__restrict__ norm_weight_buffer,
  const vec4<f32> *__restrict__ norm_bias_buffer,
  vec4<f32> *__restrict__ result_buffer
) {
  __shared__ vec4<u32> left_tile[512];
  __shared__ vec4<u32> right_tile[512];
  __shared__ f32 row_scale[64];
  __shared__ f32 row_mean[64];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row_tiles = ((sizes->rows + 63) / 64);
  const i32 first_row = item % row_tiles * 64;
  const i32 first_column = item / row_tiles * 64;
  for (i32 tile_row = thread; tile_row < 64; tile_row += 128) {
    const i32 row = minimum(first_row + tile_row, sizes->rows - 1);
    const i32 parts = ((sizes->depth + sizes->part_columns - 1) / sizes->part_columns);
    const i32 first_part = row * parts;
    f32 squares = f32();
    f32 total = f32();
    #pragma unroll 16
    for (i32 part = 0; part < parts; part += 1) {
      total += left_statistics_buffer[(sizes->statistics_offset + (first_part + part) * 2) >> 2u][(sizes->statistics_offset + (first_part + part) * 2) & 3];
    }
    const f32 mean = total / f32(sizes->depth);
    #pragma unroll 16
    for (i32 part = 0; part < parts; part += 1) {
      const f32 count = f32(minimum(sizes->part_columns, sizes->depth - part * sizes->part_columns));
      const f32 distance = left_statistics_buffer[(sizes->statistics_offset + (first_part + part) * 2) >> 2u][(sizes->statistics_offset + (first_part + part) * 2) & 3] / count - mean;
      squares += left_statistics_buffer[(sizes->statistics_offset + (first_part + part) * 2 + 1) >> 2u][(sizes->statistics_offset + (first_part + part) * 2 + 1) & 3] + count * distance * distance;
    }
    const f32 scale = 1.0f / sqrtf(squares / f32(sizes->depth) + 9.999999960041972e-13f);
    row_mean[tile_row] = mean;
    row_scale[tile_row] = scale;
  }
  __syncthreads();
  vec4<f32> left_quad[4] = {};
  vec4<f32> norm_weight_2 = vec4<f32>();
  vec4<f32> norm_bias_2 = vec4<f32>();
  vec4<f32> right_quad[4] = {};
  const i32 lane = thread % 32;
  const i32 warp = thread / 32;
  const i32 warp_row = warp / 2 % 2 * 32;
  const i32 warp_column = warp % 2 * 32;
  const i32 warp_depth = warp / 4;
  f32 sums[32] = {};
  // The rows of matrices that the lane names to ldmatrix: 16 of the left side, and of the right side two times 8.
  const i32 left_row = warp_row + lane % 16;
  const i32 left_chunk = lane / 16;
  const i32 right_row = warp_column + lane / 16 * 8 + lane % 8;
  const i32 right_chunk = lane / 8 % 2;
  const i32 left_exchange = ((left_row >> 1) & 3);
  const i32 right_exchange = ((right_row >> 1) & 3);
  const i32 norm_place = minimum(0 + thread % 8 * 4, sizes->depth - 4);
  norm_weight_2 = norm_weight_buffer[(sizes->norm_weight_offset + norm_place) >> 2u];
  norm_bias_2 = norm_bias_buffer[(sizes->norm_bias_offset + norm_place) >> 2u];
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run = thread + piece * 128;
    const i32 tile_row = run / 8;
    const i32 within = run % 8 * 4;
    const i32 row_2 = minimum(first_row + tile_row, sizes->rows - 1);
    const i32 place = minimum(0 + within, sizes->depth - 4);
    left_quad[piece] = left_statistics_buffer[(sizes->left_offset + row_2 * sizes->left_stride + place) >> 2u];
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_2 = thread + piece * 128;
    const i32 tile_row_2 = run_2 / 8;
    const i32 within_2 = run_2 % 8 * 4;
    const u32 kept = ((0 + within_2 < sizes->depth) ? (0xffffffffu) : (0u));
    const vec4<f32> quad = (left_quad[piece] - row_mean[tile_row_2]) * row_scale[tile_row_2] * norm_weight_2 + norm_bias_2;
    store_pair(left_tile[(tile_row_2) * 4 + ((within_2 / 8) ^ (((tile_row_2) >> 1) & 3))], within_2 / 4 % 2, pack_f16(quad.x, quad.y) & kept, pack_f16(quad.z, quad.w) & kept);
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_3 = thread + piece * 128;
    const i32 tile_row_3 = run_3 / 8;
    const i32 within_3 = run_3 % 8 * 4;
    const i32 row_3 = minimum(first_column + tile_row_3, sizes->columns - 1);
    const i32 place_2 = minimum(0 + within_3, sizes->depth - 4);
    right_quad[piece] = right_buffer[(sizes->right_offset + row_3 * sizes->depth + place_2) >> 2u];
  }
  #pragma unroll
  for (i32 piece = 0; piece < 4; piece += 1) {
    const i32 run_4 = thread + piece * 128;
    const i32 tile_row_4 = run_4 / 8;
    const i32 within_4 = run_4 % 8 * 4;
    const u32 kept_2 = ((0 + within_4 < sizes->depth) ? (0xffffffffu) : (0u));
    const vec4<f32> quad_2 = right_quad[piece];
    store_pair(right_tile[(tile_row_4) * 4 + ((within_4 / 8) ^ (((tile_row_4) >> 1) & 3))], within_4 / 4 % 2, pack_f16(quad_2.x, quad_2.y) & kept_2, pack_f16(quad_2.z, quad_2.w) & kept_2);
  }
  const i32 steps = ((sizes->depth + 31) / 32);
  for (i32 step = 0; step < steps; step += 1) {
    __syncthreads();
    const i32 norm_place_2 = minimum((step + 1) * 32 + thread % 8 * 4, sizes->depth - 4);
    norm_weight_2 = norm_weight_buffer[(sizes->norm_weight_offset + norm_place_2) >> 2u];
    norm_bias_2 = norm_bias_buffer[(sizes->norm_bias_offset + norm_place_2) >> 2u];
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_5 = thread + piece * 128;
      const i32 tile_row_5 = run_5 / 8;
      const i32 within_5 = run_5 % 8 * 4;
      const i32 row_4 = minimum(first_row + tile_row_5, sizes->rows - 1);
      const i32 place_3 = minimum((step + 1) * 32 + within_5, sizes->depth - 4);
      left_quad[piece] = left_statistics_buffer[(sizes->left_offset + row_4 * sizes->left_stride + place_3) >> 2u];
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_6 = thread + piece * 128;
      const i32 tile_row_6 = run_6 / 8;
      const i32 within_6 = run_6 % 8 * 4;
      const i32 row_5 = minimum(first_column + tile_row_6, sizes->columns - 1);
      const i32 place_4 = minimum((step + 1) * 32 + within_6, sizes->depth - 4);
      right_quad[piece] = right_buffer[(sizes->right_offset + row_5 * sizes->depth + place_4) >> 2u];
    }
    const i32 left_at = (step % 2 * 64 + left_row) * 4;
    const i32 right_at = (step % 2 * 64 + right_row) * 4;
    #pragma unroll
    for (i32 slice = 0; slice < 2; slice += 1) {
      const i32 chunk = slice * 2;
      u32 left_words[8] = {};
      u32 right_words[8] = {};
      #pragma unroll
      for (i32 i = 0; i < 2; i += 1) {
        load_4_matrices(&left_words[i * 4], &left_tile[left_at + i * 64 + ((chunk + left_chunk) ^ left_exchange)]);
      }
      #pragma unroll
      for (i32 j = 0; j < 2; j += 1) {
        load_4_matrices(&right_words[j * 4], &right_tile[right_at + j * 64 + ((chunk + right_chunk) ^ right_exchange)]);
      }
      #pragma unroll
      for (i32 i = 0; i < 2; i += 1) {
        #pragma unroll
        for (i32 j = 0; j < 4; j += 1) {
          multiply_f16(&sums[(i * 4 + j) * 4], &left_words[i * 4], &right_words[j * 2]);
        }
      }
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_7 = thread + piece * 128;
      const i32 tile_row_7 = run_7 / 8;
      const i32 within_7 = run_7 % 8 * 4;
      const u32 kept_3 = (((step + 1) * 32 + within_7 < sizes->depth) ? (0xffffffffu) : (0u));
      const vec4<f32> quad_3 = (left_quad[piece] - row_mean[tile_row_7]) * row_scale[tile_row_7] * norm_weight_2 + norm_bias_2;
      store_pair(left_tile[((step + 1) % 2 * 64 + tile_row_7) * 4 + ((within_7 / 8) ^ ((((step + 1) % 2 * 64 + tile_row_7) >> 1) & 3))], within_7 / 4 % 2, pack_f16(quad_3.x, quad_3.y) & kept_3, pack_f16(quad_3.z, quad_3.w) & kept_3);
    }
    #pragma unroll
    for (i32 piece = 0; piece < 4; piece += 1) {
      const i32 run_8 = thread + piece * 128;
      const i32 tile_row_8 = run_8 / 8;
      const i32 within_8 = run_8 % 8 * 4;
      const u32 kept_4 = (((step + 1) * 32 + within_8 < sizes->depth) ? (0xffffffffu) : (0u));
      const vec4<f32> quad_4 = right_quad[piece];
      store_pair(right_tile[((step + 1) % 2 * 64 + tile_row_8) * 4 + ((within_8 / 8) ^ ((((step + 1) % 2 * 64 + tile_row_8) >> 1) & 3))], within_8 / 4 % 2, pack_f16(quad_4.x, quad_4.y) & kept_4, pack_f16(quad_4.z, quad_4.w) & kept_4);
    }
  }
  const i32 stored_row = first_row + warp_row;
  const i32 stored_column = first_column + warp_column;
  const bool is_odd = lane % 2 == 1;
  const i32 own_row = stored_row + lane / 4 + lane % 2 * 8;
  const i32 own_column = stored_column + lane % 4 / 2 * 4;
  #pragma unroll
  for (i32 i = 0; i < 2; i += 1) {
    #pragma unroll
    for (i32 j = 0; j < 4; j += 1) {
      const f32 first = shuffle_xor(((is_odd) ? (sums[(i * 4 + j) * 4 + 0]) : (sums[(i * 4 + j) * 4 + 2])), 1u);
      const f32 second = shuffle_xor(((is_odd) ? (sums[(i * 4 + j) * 4 + 1]) : (sums[(i * 4 + j) * 4 + 3])), 1u);
      const vec4<f32> values = ((is_odd) ? (vec4<f32>(first, second, sums[(i * 4 + j) * 4 + 2], sums[(i * 4 + j) * 4 + 3])) : (vec4<f32>(sums[(i * 4 + j) * 4 + 0], sums[(i * 4 + j) * 4 + 1], first, second)));
      const i32 row_6 = own_row + i * 16;
      const i32 column = own_column + j * 8;
      if (row_6 < sizes->rows && column < sizes->columns) {
        const vec4<f32> values_2 = values + bias_buffer[(sizes->bias_offset + column) >> 2u];
        result_buffer[(sizes->result_offset + row_6 * sizes->result_stride + column) >> 2u] = values_2;
      }
    }
  }
}
}

// === kernel layer_norm_2 ===
// layer_norm_2
// layer_norm of one row a workgroup.

namespace layer_norm_2_kernel {
struct Sizes {
  i32 items;
  i32 x0_offset;
  i32 weight_offset;
  i32 bias_offset;
  i32 statistics_offset;
  i32 result_offset;
  i32 extent_0;
  i32 extent_1;
  i32 extent_2;
  i32 x0_stride_0;
  i32 x0_stride_1;
  i32 x0_stride_2;
  i32 part_columns;
};

extern "C" __global__ void __launch_bounds__(64, 1) layer_norm_2(
  const Sizes *__restrict__ sizes,
  const f32 *__restrict__ x0_statistics_buffer,
  const f32 *__restrict__ weight_buffer,
  const f32 *__restrict__ bias_buffer,
  f32 *__restrict__ result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 index_1 = item % sizes->extent_1;
  const i32 rest = item / sizes->extent_1;
  const i32 index_0 = rest;
  const i32 row = item * sizes->extent_2;
  const i32 parts = ((sizes->extent_2 + sizes->part_columns - 1) / sizes->part_columns);
  const i32 first_part = item * parts;
  f32 squares = f32();
  f32 total = f32();
  #pragma unroll 16
  for (i32 part = 0; part < parts; part += 1) {
    total += x0_statistics_buffer[sizes->statistics_offset + (first_part + part) * 2];
  }
  const f32 mean = total / f32(sizes->extent_2);
  #pragma unroll 16
  for (i32 part = 0; part < parts; part += 1) {
    const f32 count = f32(minimum(sizes->part_columns, sizes->extent_2 - part * sizes->part_columns));
    const f32 distance = x0_statistics_buffer[sizes->statistics_offset + (first_part + part) * 2] / count - mean;
    squares += x0_statistics_buffer[sizes->statistics_offset + (first_part + part) * 2 + 1] + count * distance * distance;
  }
  const f32 scale = 1.0f / sqrtf(squares / f32(sizes->extent_2) + 9.999999960041972e-13f);
  for (i32 column = thread; column < sizes->extent_2; column += 64) {
    const f32 value = x0_statistics_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + index_1 * sizes->x0_stride_1 + column];
    result_buffer[sizes->result_offset + row + column] = (value - mean) * scale * weight_buffer[sizes->weight_offset + column] + bias_buffer[sizes->bias_offset + column];
  }
}
}

// === kernel map_cast_2 ===
// map_cast_2
// One element a thread.

namespace map_cast_2_kernel {
struct Sizes {
  i32 items;
  i32 x0_offset;
  i32 result_offset;
  i32 extent_0;
  i32 extent_1;
  i32 x0_stride_0;
  i32 x0_stride_1;
  i32 result_stride_0;
  i32 result_stride_1;
};

extern "C" __global__ void __launch_bounds__(64, 1) map_cast_2(
  const Sizes *__restrict__ sizes,
  const i32 *__restrict__ x0_buffer,
  f32 *__restrict__ result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 element = item * 64 + thread;
  const i32 index_1 = element % sizes->extent_1;
  const i32 rest = element / sizes->extent_1;
  const i32 index_0 = rest;
  if (index_0 < sizes->extent_0) {
    result_buffer[sizes->result_offset + index_0 * sizes->result_stride_0 + index_1] = f32(x0_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + index_1]);
  }
}
}

// === kernel sum_multiply ===
// sum_multiply
// One sum over the last axis of the nest a thread.

namespace sum_multiply_kernel {
struct Sizes {
  i32 items;
  i32 x0_offset;
  i32 x1_offset;
  i32 result_offset;
  i32 extent_0;
  i32 extent_1;
  i32 extent_2;
  i32 extent_r;
  i32 x0_stride_0;
  i32 x0_stride_1;
  i32 x0_stride_2;
  i32 x0_stride_r;
  i32 x1_stride_0;
  i32 x1_stride_1;
  i32 x1_stride_2;
  i32 x1_stride_r;
  i32 result_stride_0;
  i32 result_stride_1;
  i32 result_stride_2;
};

extern "C" __global__ void __launch_bounds__(64, 1) sum_multiply(
  const Sizes *__restrict__ sizes,
  const f32 *__restrict__ x0_buffer,
  const f32 *__restrict__ x1_buffer,
  f32 *__restrict__ result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 element = item * 64 + thread;
  const i32 index_2 = element % sizes->extent_2;
  const i32 rest = element / sizes->extent_2;
  const i32 index_1 = rest % sizes->extent_1;
  const i32 rest_2 = rest / sizes->extent_1;
  const i32 index_0 = rest_2;
  if (index_0 < sizes->extent_0) {
    f32 reduced = 0.0f;
    for (i32 r = 0; r < sizes->extent_r; r += 1) {
      reduced = reduced + (x0_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + index_1 * sizes->x0_stride_1 + index_2 + r * sizes->x0_stride_r] * x1_buffer[sizes->x1_offset + index_0 * sizes->x1_stride_0 + index_1 * sizes->x1_stride_1 + r * sizes->x1_stride_r]);
    }
    result_buffer[sizes->result_offset + index_0 * sizes->result_stride_0 + index_1 * sizes->result_stride_1 + index_2] = reduced;
  }
}
}

// === kernel sum_copy ===
// sum_copy
// One sum over the last axis of the nest a thread.

namespace sum_copy_kernel {
struct Sizes {
  i32 items;
  i32 x0_offset;
  i32 result_offset;
  i32 extent_0;
  i32 extent_1;
  i32 extent_2;
  i32 extent_r;
  i32 x0_stride_0;
  i32 x0_stride_1;
  i32 x0_stride_2;
  i32 x0_stride_r;
  i32 result_stride_0;
  i32 result_stride_1;
  i32 result_stride_2;
};

extern "C" __global__ void __launch_bounds__(64, 1) sum_copy(
  const Sizes *__restrict__ sizes,
  const f32 *__restrict__ x0_buffer,
  f32 *__restrict__ result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 element = item * 64 + thread;
  const i32 index_2 = element % sizes->extent_2;
  const i32 rest = element / sizes->extent_2;
  const i32 index_1 = rest % sizes->extent_1;
  const i32 rest_2 = rest / sizes->extent_1;
  const i32 index_0 = rest_2;
  if (index_0 < sizes->extent_0) {
    f32 reduced = 0.0f;
    for (i32 r = 0; r < sizes->extent_r; r += 1) {
      reduced = reduced + x0_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + index_1 * sizes->x0_stride_1 + r * sizes->x0_stride_r];
    }
    result_buffer[sizes->result_offset + index_0 * sizes->result_stride_0 + index_1 * sizes->result_stride_1 + index_2] = reduced;
  }
}
}

// === kernel map_maximum_divide ===
// map_maximum_divide
// One element a thread.

namespace map_maximum_divide_kernel {
struct Sizes {
  i32 items;
  i32 x0_offset;
  i32 x1_offset;
  i32 result_offset;
  i32 extent_0;
  i32 extent_1;
  i32 extent_2;
  i32 x0_stride_0;
  i32 x0_stride_1;
  i32 x0_stride_2;
  i32 x1_stride_0;
  i32 x1_stride_1;
  i32 x1_stride_2;
  i32 result_stride_0;
  i32 result_stride_1;
  i32 result_stride_2;
};

extern "C" __global__ void __launch_bounds__(64, 1) map_maximum_divide(
  const Sizes *__restrict__ sizes,
  const f32 *__restrict__ x0_buffer,
  const f32 *__restrict__ x1_buffer,
  f32 *__restrict__ result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 element = item * 64 + thread;
  const i32 index_2 = element % sizes->extent_2;
  const i32 rest = element / sizes->extent_2;
  const i32 index_1 = rest % sizes->extent_1;
  const i32 rest_2 = rest / sizes->extent_1;
  const i32 index_0 = rest_2;
  if (index_0 < sizes->extent_0) {
    result_buffer[sizes->result_offset + index_0 * sizes->result_stride_0 + index_1 * sizes->result_stride_1 + index_2] = (x0_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + index_1 * sizes->x0_stride_1 + index_2] / maximum(x1_buffer[sizes->x1_offset + index_0 * sizes->x1_stride_0 + index_1 * sizes->x1_stride_1], 9.999999717180685e-10f));
  }
}
}

// === kernel sum_multiply_2 ===
// sum_multiply_2
// One sum over the last axis of the nest a thread.

namespace sum_multiply_2_kernel {
struct Sizes {
  i32 items;
  i32 x0_offset;
  i32 result_offset;
  i32 extent_0;
  i32 extent_1;
  i32 extent_r;
  i32 x0_stride_0;
  i32 x0_stride_1;
  i32 x0_stride_r;
  i32 result_stride_0;
  i32 result_stride_1;
};

extern "C" __global__ void __launch_bounds__(64, 1) sum_multiply_2(
  const Sizes *__restrict__ sizes,
  const f32 *__restrict__ x0_buffer,
  f32 *__restrict__ result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 element = item * 64 + thread;
  const i32 index_1 = element % sizes->extent_1;
  const i32 rest = element / sizes->extent_1;
  const i32 index_0 = rest;
  if (index_0 < sizes->extent_0) {
    f32 reduced = 0.0f;
    for (i32 r = 0; r < sizes->extent_r; r += 1) {
      const f32 shared_value = x0_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + r * sizes->x0_stride_r];
      reduced = reduced + (shared_value * shared_value);
    }
    result_buffer[sizes->result_offset + index_0 * sizes->result_stride_0 + index_1] = reduced;
  }
}
}

// === kernel map_sqrt_maximum_divide ===
// map_sqrt_maximum_divide
// One element a thread.

namespace map_sqrt_maximum_divide_kernel {
struct Sizes {
  i32 items;
  i32 x0_offset;
  i32 x1_offset;
  i32 result_offset;
  i32 extent_0;
  i32 extent_1;
  i32 x0_stride_0;
  i32 x0_stride_1;
  i32 x1_stride_0;
  i32 x1_stride_1;
  i32 result_stride_0;
  i32 result_stride_1;
};

extern "C" __global__ void __launch_bounds__(64, 1) map_sqrt_maximum_divide(
  const Sizes *__restrict__ sizes,
  const f32 *__restrict__ x0_buffer,
  const f32 *__restrict__ x1_buffer,
  f32 *__restrict__ result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 element = item * 64 + thread;
  const i32 index_1 = element % sizes->extent_1;
  const i32 rest = element / sizes->extent_1;
  const i32 index_0 = rest;
  if (index_0 < sizes->extent_0) {
    result_buffer[sizes->result_offset + index_0 * sizes->result_stride_0 + index_1] = (x0_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + index_1] / maximum(sqrtf(x1_buffer[sizes->x1_offset + index_0 * sizes->x1_stride_0]), 9.999999960041972e-13f));
  }
}
}
