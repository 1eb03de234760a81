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

// === kernel sum_cast ===
// sum_cast
// One sum over the last axis of the nest a thread.

namespace sum_cast_kernel {
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

extern "C" __global__ void __launch_bounds__(64, 1) sum_cast(
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
    i32 reduced = 0;
    for (i32 r = 0; r < sizes->extent_r; r += 1) {
      reduced = reduced + x0_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + r * sizes->x0_stride_r];
    }
    result_buffer[sizes->result_offset + index_0 * sizes->result_stride_0 + index_1] = reduced;
  }
}
}

// === kernel cluster ===
// cluster
// k-means of 128 unpadded tokens at most of one key/value head a workgroup.

namespace cluster_kernel {
struct Sizes {
  i32 items;
  i32 key_offset;
  i32 value_offset;
  i32 mask_offset;
  i32 order_offset;
  i32 offsets_offset;
  i32 mean_key_offset;
  i32 mean_value_offset;
  i32 log_mass_offset;
  i32 radius_offset;
  i32 batches;
  i32 key_heads;
  i32 keys;
  i32 clusters;
  i32 key_batch;
  i32 key_head;
  i32 key_row;
  i32 value_batch;
  i32 value_head;
  i32 value_row;
};

static __device__ i32 floor_divide(i32 a, i32 b) {
  const i32 rest = a % b;
  return a / b - ((rest != 0 && (rest < 0) != (b < 0)) ? (1) : (0));
}

extern "C" __global__ void __launch_bounds__(128, 1) cluster(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ key_value_buffer,
  const i32 *__restrict__ mask_buffer,
  u32 *__restrict__ order_offsets_mean_key_mean_value_log_mass_radius_buffer
) {
  __shared__ i32 positions[128];
  __shared__ i32 token_counts[129];
  __shared__ vec4<f32> centres[32];
  __shared__ f32 half_squares[16];
  __shared__ i32 assignment[128];
  __shared__ i32 members[128];
  __shared__ i32 starts[33];
  __shared__ f32 distances[128];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 blocks = ((sizes->keys + 127) / 128);
  const i32 block = item % blocks;
  const i32 head = item / blocks;
  const i32 batch = head / sizes->key_heads;
  const i32 first = block * 128;
  const i32 mask_row = batch * sizes->keys;
  // the tokens of the block; padded ones stand at the end of the order
  const i32 piece = ((sizes->keys + 127) / 128);
  const i32 begin = thread * piece;
  const i32 end = minimum(begin + piece, sizes->keys);
  i32 own_tokens = i32();
  for (i32 position = begin; position < end; position += 1) {
    own_tokens += ((mask_buffer[sizes->mask_offset + mask_row + position] != 0) ? (1) : (0));
  }
  token_counts[thread] = own_tokens;
  __syncthreads();
  i32 tokens_before = i32();
  for (i32 other = 0; other < thread; other += 1) {
    tokens_before += token_counts[other];
  }
  if (thread == 127) {
    token_counts[128] = tokens_before + own_tokens;
  }
  __syncthreads();
  const i32 tokens = uniform_load(token_counts[128]);
  const i32 order_of_head = head * sizes->keys;
  i32 rank = tokens_before;
  for (i32 position = begin; position < end; position += 1) {
    if (mask_buffer[sizes->mask_offset + mask_row + position] != 0) {
      if (rank >= first && rank < first + 128) {
        positions[rank - first] = position;
      }
      rank += 1;
    } else {
      if ((position - rank) >= first && (position - rank) < first + 128) {
        order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->order_offset + order_of_head + tokens + (position - rank)] = bits_as<u32>::of(position);
      }
    }
  }
  __syncthreads();
  const i32 count = clamp(tokens - first, 0, 128);
  const i32 used = ((count > 0) ? (clamp(maximum(1, floor_divide((count + 2), 4)), 1, 32)) : (0));
  const i32 start = minimum(first, tokens);
  const i32 first_offset = head * (sizes->clusters + 1) + block * 32;
  const i32 key_rows = batch * sizes->key_batch + head % sizes->key_heads * sizes->key_head;
  const i32 value_rows = batch * sizes->value_batch + head % sizes->key_heads * sizes->value_head;
  const i32 first_cluster = head * sizes->clusters + block * 32;
  // centres start at tokens floor((2 j + 1) n / 2 C)
  for (i32 slot = thread; slot < used * 2; slot += 128) {
    const i32 row = slot / 2;
    const i32 part = slot % 2;
    const i32 token = (2 * row + 1) * count / (2 * used);
    const vec4<f32> lanes = key_value_buffer[(sizes->key_offset + key_rows + positions[token] * sizes->key_row + part * 4) >> 2u];
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row) * 8 + part * 4] = bits_as<u32>::of(lanes.x);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row) * 8 + part * 4 + 1] = bits_as<u32>::of(lanes.y);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row) * 8 + part * 4 + 2] = bits_as<u32>::of(lanes.z);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row) * 8 + part * 4 + 3] = bits_as<u32>::of(lanes.w);
  }
  for (i32 iteration = 0; iteration < 5; iteration += 1) {
    if (iteration > 0) {
      // the means of the members; an empty cluster keeps its centre
      for (i32 slot = thread; slot < used * 2; slot += 128) {
        const i32 row_2 = slot / 2;
        const i32 part_2 = slot % 2;
        const i32 from = starts[row_2];
        const i32 to = starts[row_2 + 1];
        if (to > from) {
          vec4<f32> sum = vec4<f32>();
          for (i32 place = from; place < to; place += 1) {
            sum += key_value_buffer[(sizes->key_offset + key_rows + positions[members[place]] * sizes->key_row + part_2 * 4) >> 2u];
          }
          const vec4<f32> lanes_2 = sum / f32(maximum(to - from, 1));
          order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row_2) * 8 + part_2 * 4] = bits_as<u32>::of(lanes_2.x);
          order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row_2) * 8 + part_2 * 4 + 1] = bits_as<u32>::of(lanes_2.y);
          order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row_2) * 8 + part_2 * 4 + 2] = bits_as<u32>::of(lanes_2.z);
          order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row_2) * 8 + part_2 * 4 + 3] = bits_as<u32>::of(lanes_2.w);
        }
      }
    }
    __syncthreads();
    for (i32 base = 0; base < count; base += 128) {
      const i32 token_2 = base + thread;
      i32 best = i32();
      f32 least = 3.0000000054977558e+38f;
      for (i32 first_centre = 0; first_centre < used; first_centre += 16) {
        const i32 centres_left = used - first_centre;
        for (i32 slot = thread; slot < 32; slot += 128) {
          const i32 tile_row = slot / 2;
          vec4<f32> tile_part = vec4<f32>();
          if (tile_row < centres_left) {
            tile_part = vec4<f32>(bits_as<f32>::of(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + first_centre + tile_row) * 8 + (slot % 2) * 4]), bits_as<f32>::of(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + first_centre + tile_row) * 8 + (slot % 2) * 4 + 1]), bits_as<f32>::of(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + first_centre + tile_row) * 8 + (slot % 2) * 4 + 2]), bits_as<f32>::of(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + first_centre + tile_row) * 8 + (slot % 2) * 4 + 3]));
          }
          centres[slot] = tile_part;
        }
        __syncthreads();
        // |c|^2 / 2 - k.c orders as the distance does
        for (i32 row_3 = thread; row_3 < 16; row_3 += 128) {
          f32 square = f32();
          for (i32 part_3 = 0; part_3 < 2; part_3 += 1) {
            const vec4<f32> own = centres[row_3 * 2 + part_3];
            square += dot(own, own);
          }
          half_squares[row_3] = ((row_3 < centres_left) ? (0.5f * square) : (3.0000000054977558e+38f));
        }
        __syncthreads();
        if (token_2 < count) {
          const i32 key_row_start = key_rows + positions[token_2] * sizes->key_row;
          f32 product = f32();
          f32 product_2 = f32();
          f32 product_3 = f32();
          f32 product_4 = f32();
          f32 product_5 = f32();
          f32 product_6 = f32();
          f32 product_7 = f32();
          f32 product_8 = f32();
          f32 product_9 = f32();
          f32 product_10 = f32();
          f32 product_11 = f32();
          f32 product_12 = f32();
          f32 product_13 = f32();
          f32 product_14 = f32();
          f32 product_15 = f32();
          f32 product_16 = f32();
          for (i32 part_3 = 0; part_3 < 2; part_3 += 1) {
            const vec4<f32> own_2 = key_value_buffer[(sizes->key_offset + key_row_start + part_3 * 4) >> 2u];
            product += dot(own_2, centres[0 + part_3]);
            product_2 += dot(own_2, centres[2 + part_3]);
            product_3 += dot(own_2, centres[4 + part_3]);
            product_4 += dot(own_2, centres[6 + part_3]);
            product_5 += dot(own_2, centres[8 + part_3]);
            product_6 += dot(own_2, centres[10 + part_3]);
            product_7 += dot(own_2, centres[12 + part_3]);
            product_8 += dot(own_2, centres[14 + part_3]);
            product_9 += dot(own_2, centres[16 + part_3]);
            product_10 += dot(own_2, centres[18 + part_3]);
            product_11 += dot(own_2, centres[20 + part_3]);
            product_12 += dot(own_2, centres[22 + part_3]);
            product_13 += dot(own_2, centres[24 + part_3]);
            product_14 += dot(own_2, centres[26 + part_3]);
            product_15 += dot(own_2, centres[28 + part_3]);
            product_16 += dot(own_2, centres[30 + part_3]);
          }
          const f32 distance = half_squares[0] - product;
          if (distance < least) {
            least = distance;
            best = first_centre + 0;
          }
          const f32 distance_2 = half_squares[1] - product_2;
          if (distance_2 < least) {
            least = distance_2;
            best = first_centre + 1;
          }
          const f32 distance_3 = half_squares[2] - product_3;
          if (distance_3 < least) {
            least = distance_3;
            best = first_centre + 2;
          }
          const f32 distance_4 = half_squares[3] - product_4;
          if (distance_4 < least) {
            least = distance_4;
            best = first_centre + 3;
          }
          const f32 distance_5 = half_squares[4] - product_5;
          if (distance_5 < least) {
            least = distance_5;
            best = first_centre + 4;
          }
          const f32 distance_6 = half_squares[5] - product_6;
          if (distance_6 < least) {
            least = distance_6;
            best = first_centre + 5;
          }
          const f32 distance_7 = half_squares[6] - product_7;
          if (distance_7 < least) {
            least = distance_7;
            best = first_centre + 6;
          }
          const f32 distance_8 = half_squares[7] - product_8;
          if (distance_8 < least) {
            least = distance_8;
            best = first_centre + 7;
          }
          const f32 distance_9 = half_squares[8] - product_9;
          if (distance_9 < least) {
            least = distance_9;
            best = first_centre + 8;
          }
          const f32 distance_10 = half_squares[9] - product_10;
          if (distance_10 < least) {
            least = distance_10;
            best = first_centre + 9;
          }
          const f32 distance_11 = half_squares[10] - product_11;
          if (distance_11 < least) {
            least = distance_11;
            best = first_centre + 10;
          }
          const f32 distance_12 = half_squares[11] - product_12;
          if (distance_12 < least) {
            least = distance_12;
            best = first_centre + 11;
          }
          const f32 distance_13 = half_squares[12] - product_13;
          if (distance_13 < least) {
            least = distance_13;
            best = first_centre + 12;
          }
          const f32 distance_14 = half_squares[13] - product_14;
          if (distance_14 < least) {
            least = distance_14;
            best = first_centre + 13;
          }
          const f32 distance_15 = half_squares[14] - product_15;
          if (distance_15 < least) {
            least = distance_15;
            best = first_centre + 14;
          }
          const f32 distance_16 = half_squares[15] - product_16;
          if (distance_16 < least) {
            least = distance_16;
            best = first_centre + 15;
          }
        }
        __syncthreads();
      }
      if (token_2 < count) {
        assignment[token_2] = best;
      }
    }
    __syncthreads();
    // stable order by cluster
    for (i32 token_3 = thread; token_3 < count; token_3 += 128) {
      const i32 own_cluster = assignment[token_3];
      i32 place = i32();
      for (i32 other = 0; other < count; other += 1) {
        const i32 cluster = assignment[other];
        place += ((cluster < own_cluster || (cluster == own_cluster && other < token_3)) ? (1) : (0));
      }
      members[place] = token_3;
    }
    for (i32 cluster_2 = thread; cluster_2 < 33; cluster_2 += 128) {
      i32 before = i32();
      for (i32 other = 0; other < count; other += 1) {
        before += ((assignment[other] < cluster_2) ? (1) : (0));
      }
      starts[cluster_2] = before;
    }
    __syncthreads();
  }
  // means; zeros of the empty
  for (i32 slot = thread; slot < 32 * 2; slot += 128) {
    const i32 row_3 = slot / 2;
    const i32 part_3 = slot % 2;
    const i32 from_2 = starts[row_3];
    const i32 to_2 = starts[row_3 + 1];
    vec4<f32> sum_2 = vec4<f32>();
    for (i32 place_2 = from_2; place_2 < to_2; place_2 += 1) {
      sum_2 += key_value_buffer[(sizes->key_offset + key_rows + positions[members[place_2]] * sizes->key_row + part_3 * 4) >> 2u];
    }
    const vec4<f32> lanes_3 = sum_2 / f32(maximum(to_2 - from_2, 1));
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row_3) * 8 + part_3 * 4] = bits_as<u32>::of(lanes_3.x);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row_3) * 8 + part_3 * 4 + 1] = bits_as<u32>::of(lanes_3.y);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row_3) * 8 + part_3 * 4 + 2] = bits_as<u32>::of(lanes_3.z);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + (first_cluster + row_3) * 8 + part_3 * 4 + 3] = bits_as<u32>::of(lanes_3.w);
  }
  for (i32 slot = thread; slot < 32 * 2; slot += 128) {
    const i32 row_4 = slot / 2;
    const i32 part_4 = slot % 2;
    const i32 from_3 = starts[row_4];
    const i32 to_3 = starts[row_4 + 1];
    vec4<f32> sum_3 = vec4<f32>();
    for (i32 place_2 = from_3; place_2 < to_3; place_2 += 1) {
      sum_3 += key_value_buffer[(sizes->value_offset + value_rows + positions[members[place_2]] * sizes->value_row + part_4 * 4) >> 2u];
    }
    const vec4<f32> lanes_4 = sum_3 / f32(maximum(to_3 - from_3, 1));
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_value_offset + (first_cluster + row_4) * 8 + part_4 * 4] = bits_as<u32>::of(lanes_4.x);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_value_offset + (first_cluster + row_4) * 8 + part_4 * 4 + 1] = bits_as<u32>::of(lanes_4.y);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_value_offset + (first_cluster + row_4) * 8 + part_4 * 4 + 2] = bits_as<u32>::of(lanes_4.z);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_value_offset + (first_cluster + row_4) * 8 + part_4 * 4 + 3] = bits_as<u32>::of(lanes_4.w);
  }
  __syncthreads();
  for (i32 place_2 = thread; place_2 < count; place_2 += 128) {
    const i32 token_3 = members[place_2];
    const i32 key_row_start_2 = key_rows + positions[token_3] * sizes->key_row;
    const i32 centre = (first_cluster + assignment[token_3]) * 8;
    f32 sum_4 = f32();
    for (i32 part_5 = 0; part_5 < 2; part_5 += 1) {
      const vec4<f32> difference = key_value_buffer[(sizes->key_offset + key_row_start_2 + part_5 * 4) >> 2u] - vec4<f32>(bits_as<f32>::of(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + centre + part_5 * 4]), bits_as<f32>::of(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + centre + part_5 * 4 + 1]), bits_as<f32>::of(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + centre + part_5 * 4 + 2]), bits_as<f32>::of(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->mean_key_offset + centre + part_5 * 4 + 3]));
      sum_4 += dot(difference, difference);
    }
    distances[place_2] = sum_4;
  }
  __syncthreads();
  for (i32 cluster_2 = thread; cluster_2 < 32; cluster_2 += 128) {
    const i32 from_4 = starts[cluster_2];
    const i32 to_4 = starts[cluster_2 + 1];
    const f32 size = f32(maximum(to_4 - from_4, 1));
    f32 sum_5 = f32();
    for (i32 place_2 = from_4; place_2 < to_4; place_2 += 1) {
      sum_5 += distances[place_2];
    }
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->radius_offset + first_cluster + cluster_2] = bits_as<u32>::of(sum_5 / size);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->log_mass_offset + first_cluster + cluster_2] = bits_as<u32>::of(((to_4 > from_4) ? (logarithm(size)) : (f32_of_bits(0xff800000u))));
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->offsets_offset + first_offset + cluster_2] = bits_as<u32>::of(start + from_4);
  }
  for (i32 place_2 = thread; place_2 < count; place_2 += 128) {
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->order_offset + order_of_head + start + place_2] = bits_as<u32>::of(positions[members[place_2]]);
  }
  if (block == blocks - 1 && thread == 0) {
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes->offsets_offset + first_offset + 32] = bits_as<u32>::of(tokens);
  }
}
}

// === kernel maps_gather ===
// maps_gather
// One element a thread, of one of 2 loops.

namespace maps_gather_kernel {
struct Sizes {
  i32 items;
  i32 part_0_x0_offset;
  i32 part_0_x1_offset;
  i32 part_1_x0_offset;
  i32 part_1_x1_offset;
  i32 part_0_result_offset;
  i32 part_1_result_offset;
  i32 part_0_extent_0;
  i32 part_0_extent_1;
  i32 part_0_extent_2;
  i32 part_0_extent_3;
  i32 part_0_x0_stride_0;
  i32 part_0_x0_stride_1;
  i32 part_0_x0_stride_2;
  i32 part_0_x0_stride_3;
  i32 part_0_x1_stride_0;
  i32 part_0_x1_stride_1;
  i32 part_0_x1_stride_2;
  i32 part_0_x1_stride_3;
  i32 part_0_x1_stride_indirect;
  i32 part_0_result_stride_0;
  i32 part_0_result_stride_1;
  i32 part_0_result_stride_2;
  i32 part_0_result_stride_3;
  i32 part_1_extent_0;
  i32 part_1_extent_1;
  i32 part_1_extent_2;
  i32 part_1_extent_3;
  i32 part_1_x0_stride_0;
  i32 part_1_x0_stride_1;
  i32 part_1_x0_stride_2;
  i32 part_1_x0_stride_3;
  i32 part_1_x1_stride_0;
  i32 part_1_x1_stride_1;
  i32 part_1_x1_stride_2;
  i32 part_1_x1_stride_3;
  i32 part_1_x1_stride_indirect;
  i32 part_1_result_stride_0;
  i32 part_1_result_stride_1;
  i32 part_1_result_stride_2;
  i32 part_1_result_stride_3;
};

extern "C" __global__ void __launch_bounds__(64, 1) maps_gather(
  const Sizes *__restrict__ sizes,
  const i32 *__restrict__ part_0_x0_part_1_x0_buffer,
  const f32 *__restrict__ part_0_x1_part_1_x1_buffer,
  f32 *__restrict__ part_0_result_buffer,
  f32 *__restrict__ part_1_result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 part_0_end = (sizes->part_0_extent_0 * sizes->part_0_extent_1 * sizes->part_0_extent_2 * sizes->part_0_extent_3 + 63) / 64;
  if (item < part_0_end) {
    const i32 element = item * 64 + thread;
    const i32 index_3 = element % sizes->part_0_extent_3;
    const i32 rest = element / sizes->part_0_extent_3;
    const i32 index_2 = rest % sizes->part_0_extent_2;
    const i32 rest_2 = rest / sizes->part_0_extent_2;
    const i32 index_1 = rest_2 % sizes->part_0_extent_1;
    const i32 rest_3 = rest_2 / sizes->part_0_extent_1;
    const i32 index_0 = rest_3;
    if (index_0 < sizes->part_0_extent_0) {
      part_0_result_buffer[sizes->part_0_result_offset + index_0 * sizes->part_0_result_stride_0 + index_1 * sizes->part_0_result_stride_1 + index_2 * sizes->part_0_result_stride_2 + index_3] = part_0_x1_part_1_x1_buffer[sizes->part_0_x1_offset + index_0 * sizes->part_0_x1_stride_0 + index_1 * sizes->part_0_x1_stride_1 + index_2 * sizes->part_0_x1_stride_2 + index_3 + part_0_x0_part_1_x0_buffer[sizes->part_0_x0_offset + index_0 * sizes->part_0_x0_stride_0 + index_1 * sizes->part_0_x0_stride_1 + index_2 * sizes->part_0_x0_stride_2] * sizes->part_0_x1_stride_indirect];
    }
  }
  const i32 part_1_end = part_0_end + (sizes->part_1_extent_0 * sizes->part_1_extent_1 * sizes->part_1_extent_2 * sizes->part_1_extent_3 + 63) / 64;
  if (item >= part_0_end && item < part_1_end) {
    const i32 element_2 = (item - part_0_end) * 64 + thread;
    const i32 index_3_2 = element_2 % sizes->part_1_extent_3;
    const i32 rest_4 = element_2 / sizes->part_1_extent_3;
    const i32 index_2_2 = rest_4 % sizes->part_1_extent_2;
    const i32 rest_5 = rest_4 / sizes->part_1_extent_2;
    const i32 index_1_2 = rest_5 % sizes->part_1_extent_1;
    const i32 rest_6 = rest_5 / sizes->part_1_extent_1;
    const i32 index_0_2 = rest_6;
    if (index_0_2 < sizes->part_1_extent_0) {
      part_1_result_buffer[sizes->part_1_result_offset + index_0_2 * sizes->part_1_result_stride_0 + index_1_2 * sizes->part_1_result_stride_1 + index_2_2 * sizes->part_1_result_stride_2 + index_3_2] = part_0_x1_part_1_x1_buffer[sizes->part_1_x1_offset + index_0_2 * sizes->part_1_x1_stride_0 + index_1_2 * sizes->part_1_x1_stride_1 + index_2_2 * sizes->part_1_x1_stride_2 + index_3_2 + part_0_x0_part_1_x0_buffer[sizes->part_1_x0_offset + index_0_2 * sizes->part_1_x0_stride_0 + index_1_2 * sizes->part_1_x0_stride_1 + index_2_2 * sizes->part_1_x0_stride_2] * sizes->part_1_x1_stride_indirect];
    }
  }
}
}

// === kernel attention_keys_expand ===
// attention_keys_expand
// Attention of 64 queries of one head a workgroup, 64 keys at a time.

namespace attention_keys_expand_kernel {
struct Sizes {
  i32 items;
  i32 query_offset;
  i32 segment_0_key_offset;
  i32 segment_0_value_offset;
  i32 segment_0_mask_offset;
  i32 segment_0_tokens_offset;
  i32 segment_1_mean_key_offset;
  i32 segment_1_mean_value_offset;
  i32 segment_1_log_mass_offset;
  i32 segment_1_radius_offset;
  i32 segment_1_offsets_offset;
  i32 segment_1_sorted_key_offset;
  i32 segment_1_sorted_value_offset;
  i32 segment_1_tokens_offset;
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
  i32 segment_0_keys;
  i32 segment_0_key_batch;
  i32 segment_0_key_head;
  i32 segment_0_key_row;
  i32 segment_0_value_batch;
  i32 segment_0_value_head;
  i32 segment_0_value_row;
  i32 segment_1_clusters;
  i32 segment_1_capacity;
  i32 segment_1_keys;
};

static __device__ i32 floor_divide(i32 a, i32 b) {
  const i32 rest = a % b;
  return a / b - ((rest != 0 && (rest < 0) != (b < 0)) ? (1) : (0));
}

static __device__ i32 ordered_integer(f32 x) {
  const i32 bits = bits_as<i32>::of(x);
  return bits ^ ((bits >> 31u) & 2147483647);
}

static __device__ f32 ordered_float(i32 key) {
  return bits_as<f32>::of(key ^ ((key >> 31u) & 2147483647));
}

extern "C" __global__ void __launch_bounds__(128, 1) attention_keys_expand(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ query_segment_0_key_segment_0_value_buffer,
  const i32 *__restrict__ segment_0_mask_buffer,
  const i32 *__restrict__ segment_0_tokens_segment_1_tokens_buffer,
  const u32 *__restrict__ segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer,
  const vec4<f32> *__restrict__ segment_1_sorted_key_buffer,
  const vec4<f32> *__restrict__ segment_1_sorted_value_buffer,
  vec4<f32> *__restrict__ result_buffer,
  f32 *__restrict__ scratch
) {
  __shared__ vec4<u32> key_tile[128];
  __shared__ vec4<u32> value_tile[128];
  __shared__ f32 key_biases[64];
  __shared__ i32 broadcast[1];
  __shared__ vec4<f32> staged_queries[264];
  __shared__ vec4<f32> staged_keys[264];
  __shared__ vec4<f32> lane_values[128];
  __shared__ f32 group_rankings[1024];
  __shared__ f32 largest_rankings[128];
  __shared__ vec4<f32> block_values[8];
  __shared__ i32 pending[16];
  __shared__ f32 thresholds[1];
  __shared__ i32 ends_of_equals[1];
  __shared__ i32 flags[128];
  __shared__ i32 cluster_ends[128];
  __shared__ i32 cluster_shifts[128];
  __shared__ i32 cluster_numbers[128];
  __shared__ i32 token_rows[64];
  __shared__ i32 token_clusters[64];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 scratch_start = item * (sizes->segment_1_capacity * 2);
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
  // Segment 0: keys
  if (thread == 0) {
    broadcast[0] = segment_0_tokens_segment_1_tokens_buffer[sizes->segment_0_tokens_offset + batch];
  }
  const i32 tokens_here = uniform_load(broadcast[0]);
  if (tokens_here < 64) {
    const i32 first_stand = first_query + sizes->segment_0_keys - sizes->queries;
    const i32 own_stand = first_stand + own_row;
    const i32 segment_0_key_start = batch * sizes->segment_0_key_batch + key_head * sizes->segment_0_key_head;
    const i32 segment_0_value_start = batch * sizes->segment_0_value_batch + key_head * sizes->segment_0_value_head;
    u32 query_parts[1][4];
    const i32 query_row_start = opaque(query_start + (first_query + minimum((own_row + 0), rows - 1)) * sizes->query_row);
    const i32 query_row_start_2 = opaque(query_start + (first_query + minimum((own_row + 8), rows - 1)) * sizes->query_row);
    #pragma unroll
    for (i32 step = 0; step < 1; step += 1) {
      const i32 column = step * 16 + quad_lane * 2;
      query_parts[step][0] = pack_f16(((column < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start + minimum(column, 7)) >> 2u][(sizes->query_offset + query_row_start + minimum(column, 7)) & 3]) : (0.0f)), (((column + 1) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start + minimum((column + 1), 7)) >> 2u][(sizes->query_offset + query_row_start + minimum((column + 1), 7)) & 3]) : (0.0f)));
      query_parts[step][1] = pack_f16(((column < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_2 + minimum(column, 7)) >> 2u][(sizes->query_offset + query_row_start_2 + minimum(column, 7)) & 3]) : (0.0f)), (((column + 1) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_2 + minimum((column + 1), 7)) >> 2u][(sizes->query_offset + query_row_start_2 + minimum((column + 1), 7)) & 3]) : (0.0f)));
      query_parts[step][2] = pack_f16((((column + 8) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start + minimum((column + 8), 7)) >> 2u][(sizes->query_offset + query_row_start + minimum((column + 8), 7)) & 3]) : (0.0f)), (((column + 9) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start + minimum((column + 9), 7)) >> 2u][(sizes->query_offset + query_row_start + minimum((column + 9), 7)) & 3]) : (0.0f)));
      query_parts[step][3] = pack_f16((((column + 8) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_2 + minimum((column + 8), 7)) >> 2u][(sizes->query_offset + query_row_start_2 + minimum((column + 8), 7)) & 3]) : (0.0f)), (((column + 9) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_2 + minimum((column + 9), 7)) >> 2u][(sizes->query_offset + query_row_start_2 + minimum((column + 9), 7)) & 3]) : (0.0f)));
    }
    for (i32 tile = 0; tile < sizes->segment_0_keys; tile += 64) {
      const i32 count = minimum(64, sizes->segment_0_keys - tile);
      #pragma unroll 1
      for (i32 first_slot = 0; first_slot < 2; first_slot += 2) {
        const i32 first_row = thread / 4;
        const i32 part = thread % 4;
        #pragma unroll
        for (i32 slot = 0; slot < 2; slot += 1) {
          const i32 row = (first_slot + slot) * 32 + first_row;
          const i32 from = segment_0_key_start + (tile + minimum(row, count - 1)) * sizes->segment_0_key_row;
          key_parts[slot] = ((part * 4 < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->segment_0_key_offset + from + minimum(part * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
        }
        const i32 first_row_2 = thread / 4;
        const i32 part_2 = thread % 4;
        #pragma unroll
        for (i32 slot = 0; slot < 2; slot += 1) {
          const i32 row_2 = (first_slot + slot) * 32 + first_row_2;
          const i32 chunk = (row_2) * 2 + ((part_2 / 2) ^ (((row_2 & 7) / 4) & 1));
          key_tile[chunk][(part_2 & 1) * 2 + 0] = pack_f16(key_parts[slot].x, key_parts[slot].y);
          key_tile[chunk][(part_2 & 1) * 2 + 1] = pack_f16(key_parts[slot].z, key_parts[slot].w);
        }
      }
      if (thread < 64) {
        key_bias = ((thread < count) ? ((((segment_0_mask_buffer[sizes->segment_0_mask_offset + batch * sizes->segment_0_keys + (tile + minimum(thread, count - 1))] != 0) ? (0.0f) : ((-9.999999680285692e+37f)))) * 1.4426950216293335f) : ((-9.999999680285692e+37f)));
      }
      if (thread < 64) {
        key_biases[thread] = key_bias;
      }
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
      #pragma unroll 1
      for (i32 first_slot = 0; first_slot < 2; first_slot += 2) {
        const i32 first_row_3 = thread / 4;
        const i32 part_3 = thread % 4;
        #pragma unroll
        for (i32 slot = 0; slot < 2; slot += 1) {
          const i32 row_3 = (first_slot + slot) * 32 + first_row_3;
          const i32 from_2 = segment_0_value_start + (tile + minimum(row_3, count - 1)) * sizes->segment_0_value_row;
          value_parts[slot] = ((part_3 * 4 < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->segment_0_value_offset + from_2 + minimum(part_3 * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
        }
        const i32 first_row_4 = thread / 4;
        const i32 part_4 = thread % 4;
        #pragma unroll
        for (i32 slot = 0; slot < 2; slot += 1) {
          const i32 row_4 = (first_slot + slot) * 32 + first_row_4;
          const i32 chunk_2 = (row_4) * 2 + ((part_4 / 2) ^ (((row_4 & 7) / 4) & 1));
          value_tile[chunk_2][(part_4 & 1) * 2 + 0] = pack_f16(value_parts[slot].x, value_parts[slot].y);
          value_tile[chunk_2][(part_4 & 1) * 2 + 1] = pack_f16(value_parts[slot].z, value_parts[slot].w);
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
    }
  }
  // Segment 1: clusters
  if (sizes->segment_1_clusters > 0) {
    if (thread == 0) {
      broadcast[0] = segment_0_tokens_segment_1_tokens_buffer[sizes->segment_1_tokens_offset + batch];
    }
    const i32 tokens_here_2 = uniform_load(broadcast[0]);
    if (tokens_here_2 >= 64) {
      const i32 head_index = batch * sizes->key_heads + key_head;
      const i32 first_cluster = head_index * sizes->segment_1_capacity;
      const i32 unpadded = segment_0_tokens_segment_1_tokens_buffer[sizes->segment_1_tokens_offset + batch];
      if (thread == 0) {
        broadcast[0] = maximum(1, floor_divide(((unpadded * 2) + 8), 16));
      }
      const i32 wanted = uniform_load(broadcast[0]);
      if (wanted <= 0) {
        u32 query_parts_2[1][4];
        const i32 query_row_start_3 = opaque(query_start + (first_query + minimum((own_row + 0), rows - 1)) * sizes->query_row);
        const i32 query_row_start_4 = opaque(query_start + (first_query + minimum((own_row + 8), rows - 1)) * sizes->query_row);
        #pragma unroll
        for (i32 step = 0; step < 1; step += 1) {
          const i32 column_2 = step * 16 + quad_lane * 2;
          query_parts_2[step][0] = pack_f16(((column_2 < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_3 + minimum(column_2, 7)) >> 2u][(sizes->query_offset + query_row_start_3 + minimum(column_2, 7)) & 3]) : (0.0f)), (((column_2 + 1) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_3 + minimum((column_2 + 1), 7)) >> 2u][(sizes->query_offset + query_row_start_3 + minimum((column_2 + 1), 7)) & 3]) : (0.0f)));
          query_parts_2[step][1] = pack_f16(((column_2 < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_4 + minimum(column_2, 7)) >> 2u][(sizes->query_offset + query_row_start_4 + minimum(column_2, 7)) & 3]) : (0.0f)), (((column_2 + 1) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_4 + minimum((column_2 + 1), 7)) >> 2u][(sizes->query_offset + query_row_start_4 + minimum((column_2 + 1), 7)) & 3]) : (0.0f)));
          query_parts_2[step][2] = pack_f16((((column_2 + 8) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_3 + minimum((column_2 + 8), 7)) >> 2u][(sizes->query_offset + query_row_start_3 + minimum((column_2 + 8), 7)) & 3]) : (0.0f)), (((column_2 + 9) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_3 + minimum((column_2 + 9), 7)) >> 2u][(sizes->query_offset + query_row_start_3 + minimum((column_2 + 9), 7)) & 3]) : (0.0f)));
          query_parts_2[step][3] = pack_f16((((column_2 + 8) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_4 + minimum((column_2 + 8), 7)) >> 2u][(sizes->query_offset + query_row_start_4 + minimum((column_2 + 8), 7)) & 3]) : (0.0f)), (((column_2 + 9) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_4 + minimum((column_2 + 9), 7)) >> 2u][(sizes->query_offset + query_row_start_4 + minimum((column_2 + 9), 7)) & 3]) : (0.0f)));
        }
        for (i32 tile = 0; tile < sizes->segment_1_clusters; tile += 64) {
          const i32 count_2 = minimum(64, sizes->segment_1_clusters - tile);
          #pragma unroll 1
          for (i32 first_slot = 0; first_slot < 2; first_slot += 2) {
            const i32 first_row_5 = thread / 4;
            const i32 part_5 = thread % 4;
            #pragma unroll
            for (i32 slot = 0; slot < 2; slot += 1) {
              const i32 row_5 = (first_slot + slot) * 32 + first_row_5;
              const i32 from_3 = (first_cluster + (tile + minimum(row_5, count_2 - 1))) * 8;
              key_parts[slot] = ((part_5 * 4 < 8) ? (vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_3 + minimum(part_5 * 4, 4)]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_3 + minimum(part_5 * 4, 4) + 1]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_3 + minimum(part_5 * 4, 4) + 2]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_3 + minimum(part_5 * 4, 4) + 3]))) : (vec4<f32>(0.0f)));
            }
            const i32 first_row_6 = thread / 4;
            const i32 part_6 = thread % 4;
            #pragma unroll
            for (i32 slot = 0; slot < 2; slot += 1) {
              const i32 row_6 = (first_slot + slot) * 32 + first_row_6;
              const i32 chunk_3 = (row_6) * 2 + ((part_6 / 2) ^ (((row_6 & 7) / 4) & 1));
              key_tile[chunk_3][(part_6 & 1) * 2 + 0] = pack_f16(key_parts[slot].x, key_parts[slot].y);
              key_tile[chunk_3][(part_6 & 1) * 2 + 1] = pack_f16(key_parts[slot].z, key_parts[slot].w);
            }
          }
          if (thread < 64) {
            key_bias = ((thread < count_2) ? ((maximum(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + (tile + minimum(thread, count_2 - 1))]), (-9.999999680285692e+37f))) * 1.4426950216293335f) : ((-9.999999680285692e+37f)));
          }
          if (thread < 64) {
            key_biases[thread] = key_bias;
          }
          __syncthreads();
          f32 scores_2[8][4] = {};
          #pragma unroll
          for (i32 step = 0; step < 1; step += 1) {
            #pragma unroll
            for (i32 pair = 0; pair < 4; pair += 1) {
              u32 key_parts_3[4];
              load_4_matrices(key_parts_3, &key_tile[(key_row + pair * 16) * 2 + ((step * 2 + key_half) ^ (((low_row) / 4) & 1))]);
              const u32 right_5[2] = {key_parts_3[0], key_parts_3[1]};
              multiply_f16(scores_2[pair * 2 + 0], query_parts_2[step], right_5);
              const u32 right_6[2] = {key_parts_3[2], key_parts_3[3]};
              multiply_f16(scores_2[pair * 2 + 1], query_parts_2[step], right_6);
            }
          }
          #pragma unroll 1
          for (i32 first_slot = 0; first_slot < 2; first_slot += 2) {
            const i32 first_row_7 = thread / 4;
            const i32 part_7 = thread % 4;
            #pragma unroll
            for (i32 slot = 0; slot < 2; slot += 1) {
              const i32 row_7 = (first_slot + slot) * 32 + first_row_7;
              const i32 from_4 = (first_cluster + (tile + minimum(row_7, count_2 - 1))) * 8;
              value_parts[slot] = ((part_7 * 4 < 8) ? (vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_value_offset + from_4 + minimum(part_7 * 4, 4)]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_value_offset + from_4 + minimum(part_7 * 4, 4) + 1]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_value_offset + from_4 + minimum(part_7 * 4, 4) + 2]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_value_offset + from_4 + minimum(part_7 * 4, 4) + 3]))) : (vec4<f32>(0.0f)));
            }
            const i32 first_row_8 = thread / 4;
            const i32 part_8 = thread % 4;
            #pragma unroll
            for (i32 slot = 0; slot < 2; slot += 1) {
              const i32 row_8 = (first_slot + slot) * 32 + first_row_8;
              const i32 chunk_4 = (row_8) * 2 + ((part_8 / 2) ^ (((row_8 & 7) / 4) & 1));
              value_tile[chunk_4][(part_8 & 1) * 2 + 0] = pack_f16(value_parts[slot].x, value_parts[slot].y);
              value_tile[chunk_4][(part_8 & 1) * 2 + 1] = pack_f16(value_parts[slot].z, value_parts[slot].w);
            }
          }
          #pragma unroll
          for (i32 block = 0; block < 8; block += 1) {
            const i32 number_3 = block * 8 + quad_lane * 2 + 0;
            const f32 bias_3 = key_biases[number_3];
            scores_2[block][0] = fmaf(scores_2[block][0], 0.510069727897644f, bias_3);
            scores_2[block][2] = fmaf(scores_2[block][2], 0.510069727897644f, bias_3);
            const i32 number_4 = block * 8 + quad_lane * 2 + 1;
            const f32 bias_4 = key_biases[number_4];
            scores_2[block][1] = fmaf(scores_2[block][1], 0.510069727897644f, bias_4);
            scores_2[block][3] = fmaf(scores_2[block][3], 0.510069727897644f, bias_4);
          }
          f32 tile_maximum_3 = (-9.999999680285692e+37f);
          #pragma unroll
          for (i32 block = 0; block < 8; block += 1) {
            tile_maximum_3 = maximum(tile_maximum_3, maximum(scores_2[block][0], scores_2[block][1]));
          }
          tile_maximum_3 = maximum(tile_maximum_3, shuffle_xor(tile_maximum_3, 1u));
          tile_maximum_3 = maximum(tile_maximum_3, shuffle_xor(tile_maximum_3, 2u));
          const f32 raised_3 = maximum(maximum_0, tile_maximum_3);
          const f32 factor_3 = exp2_approximate(maximum_0 - raised_3);
          maximum_0 = raised_3;
          total_0 = total_0 * factor_3;
          #pragma unroll
          for (i32 block = 0; block < 2; block += 1) {
            sums[block][0] = sums[block][0] * factor_3;
            sums[block][1] = sums[block][1] * factor_3;
          }
          #pragma unroll
          for (i32 block = 0; block < 8; block += 1) {
            scores_2[block][0] = exp2_approximate(scores_2[block][0] - maximum_0);
            total_0 += scores_2[block][0];
            scores_2[block][1] = exp2_approximate(scores_2[block][1] - maximum_0);
            total_0 += scores_2[block][1];
          }
          f32 tile_maximum_4 = (-9.999999680285692e+37f);
          #pragma unroll
          for (i32 block = 0; block < 8; block += 1) {
            tile_maximum_4 = maximum(tile_maximum_4, maximum(scores_2[block][2], scores_2[block][3]));
          }
          tile_maximum_4 = maximum(tile_maximum_4, shuffle_xor(tile_maximum_4, 1u));
          tile_maximum_4 = maximum(tile_maximum_4, shuffle_xor(tile_maximum_4, 2u));
          const f32 raised_4 = maximum(maximum_1, tile_maximum_4);
          const f32 factor_4 = exp2_approximate(maximum_1 - raised_4);
          maximum_1 = raised_4;
          total_1 = total_1 * factor_4;
          #pragma unroll
          for (i32 block = 0; block < 2; block += 1) {
            sums[block][2] = sums[block][2] * factor_4;
            sums[block][3] = sums[block][3] * factor_4;
          }
          #pragma unroll
          for (i32 block = 0; block < 8; block += 1) {
            scores_2[block][2] = exp2_approximate(scores_2[block][2] - maximum_1);
            total_1 += scores_2[block][2];
            scores_2[block][3] = exp2_approximate(scores_2[block][3] - maximum_1);
            total_1 += scores_2[block][3];
          }
          __syncthreads();
          #pragma unroll
          for (i32 step = 0; step < 4; step += 1) {
            const u32 weight_parts_2[4] = {pack_f16(scores_2[step * 2 + 0][0], scores_2[step * 2 + 0][1]), pack_f16(scores_2[step * 2 + 0][2], scores_2[step * 2 + 0][3]), pack_f16(scores_2[step * 2 + 1][0], scores_2[step * 2 + 1][1]), pack_f16(scores_2[step * 2 + 1][2], scores_2[step * 2 + 1][3])};
            #pragma unroll
            for (i32 pair = 0; pair < 1; pair += 1) {
              u32 value_parts_3[4];
              load_4_matrices_transposed(value_parts_3, &value_tile[(value_row + step * 16) * 2 + ((pair * 2 + value_half) ^ (((low_row) / 4) & 1))]);
              const u32 right_7[2] = {value_parts_3[0], value_parts_3[1]};
              multiply_f16(sums[pair * 2 + 0], weight_parts_2, right_7);
              const u32 right_8[2] = {value_parts_3[2], value_parts_3[3]};
              multiply_f16(sums[pair * 2 + 1], weight_parts_2, right_8);
            }
          }
        }
      } else {
        vec4<f32> squares = vec4<f32>();
        const i32 query_start_2 = query_start + (first_query + minimum((row_group * 4 + 0), rows - 1)) * sizes->query_row;
        #pragma unroll 4
        for (i32 column_3 = 0; column_3 < 8; column_3 += 1) {
          const f32 element = query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_start_2 + column_3) >> 2u][(sizes->query_offset + query_start_2 + column_3) & 3];
          squares.x += element * element;
        }
        const i32 query_start_3 = query_start + (first_query + minimum((row_group * 4 + 1), rows - 1)) * sizes->query_row;
        #pragma unroll 4
        for (i32 column_3 = 0; column_3 < 8; column_3 += 1) {
          const f32 element_2 = query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_start_3 + column_3) >> 2u][(sizes->query_offset + query_start_3 + column_3) & 3];
          squares.y += element_2 * element_2;
        }
        const i32 query_start_4 = query_start + (first_query + minimum((row_group * 4 + 2), rows - 1)) * sizes->query_row;
        #pragma unroll 4
        for (i32 column_3 = 0; column_3 < 8; column_3 += 1) {
          const f32 element_3 = query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_start_4 + column_3) >> 2u][(sizes->query_offset + query_start_4 + column_3) & 3];
          squares.z += element_3 * element_3;
        }
        const i32 query_start_5 = query_start + (first_query + minimum((row_group * 4 + 3), rows - 1)) * sizes->query_row;
        #pragma unroll 4
        for (i32 column_3 = 0; column_3 < 8; column_3 += 1) {
          const f32 element_4 = query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_start_5 + column_3) >> 2u][(sizes->query_offset + query_start_5 + column_3) & 3];
          squares.w += element_4 * element_4;
        }
        vec4<f32> top = vec4<f32>((-3.0000000054977558e+38f));
        vec4<f32> own_sum = vec4<f32>();
        for (i32 tile = 0; tile < sizes->segment_1_clusters; tile += 64) {
          const i32 count_3 = minimum(64, sizes->segment_1_clusters - tile);
          vec4<f32> score_0 = vec4<f32>();
          vec4<f32> score_1 = vec4<f32>();
          vec4<f32> score_2 = vec4<f32>();
          vec4<f32> score_3 = vec4<f32>();
          vec4<f32> score_4 = vec4<f32>();
          vec4<f32> score_5 = vec4<f32>();
          vec4<f32> score_6 = vec4<f32>();
          vec4<f32> score_7 = vec4<f32>();
          #pragma unroll 1
          for (i32 column_3 = 0; column_3 < 8; column_3 += 8) {
            __syncthreads();
            for (i32 slot = thread; slot < 128; slot += 128) {
              const i32 row_9 = slot / 2;
              const i32 part_9 = slot % 2;
              const i32 from_5 = query_start + (first_query + minimum(row_9, rows - 1)) * sizes->query_row;
              const i32 own_column = column_3 + part_9 * 4;
              staged_queries[part_9 * 66 + row_9] = query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + from_5 + own_column) >> 2u];
            }
            for (i32 slot = thread; slot < 128; slot += 128) {
              const i32 row_10 = slot / 2;
              const i32 part_10 = slot % 2;
              const i32 from_6 = (first_cluster + (tile + minimum(row_10, count_3 - 1))) * 8;
              const i32 own_column_2 = column_3 + part_10 * 4;
              staged_keys[part_10 * 66 + row_10] = vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_6 + own_column_2]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_6 + own_column_2 + 1]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_6 + own_column_2 + 2]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_6 + own_column_2 + 3]));
            }
            __syncthreads();
            #pragma unroll 2
            for (i32 part_11 = 0; part_11 < 2; part_11 += 1) {
              const vec4<f32> query_0 = staged_queries[part_11 * 66 + row_group * 4 + 0];
              const vec4<f32> query_1 = staged_queries[part_11 * 66 + row_group * 4 + 1];
              const vec4<f32> query_2 = staged_queries[part_11 * 66 + row_group * 4 + 2];
              const vec4<f32> query_3 = staged_queries[part_11 * 66 + row_group * 4 + 3];
              const vec4<f32> key = staged_keys[part_11 * 66 + lane];
              score_0 += vec4<f32>(dot(query_0, key), dot(query_1, key), dot(query_2, key), dot(query_3, key));
              const vec4<f32> key_2 = staged_keys[part_11 * 66 + lane + 8];
              score_1 += vec4<f32>(dot(query_0, key_2), dot(query_1, key_2), dot(query_2, key_2), dot(query_3, key_2));
              const vec4<f32> key_3 = staged_keys[part_11 * 66 + lane + 16];
              score_2 += vec4<f32>(dot(query_0, key_3), dot(query_1, key_3), dot(query_2, key_3), dot(query_3, key_3));
              const vec4<f32> key_4 = staged_keys[part_11 * 66 + lane + 24];
              score_3 += vec4<f32>(dot(query_0, key_4), dot(query_1, key_4), dot(query_2, key_4), dot(query_3, key_4));
              const vec4<f32> key_5 = staged_keys[part_11 * 66 + lane + 32];
              score_4 += vec4<f32>(dot(query_0, key_5), dot(query_1, key_5), dot(query_2, key_5), dot(query_3, key_5));
              const vec4<f32> key_6 = staged_keys[part_11 * 66 + lane + 40];
              score_5 += vec4<f32>(dot(query_0, key_6), dot(query_1, key_6), dot(query_2, key_6), dot(query_3, key_6));
              const vec4<f32> key_7 = staged_keys[part_11 * 66 + lane + 48];
              score_6 += vec4<f32>(dot(query_0, key_7), dot(query_1, key_7), dot(query_2, key_7), dot(query_3, key_7));
              const vec4<f32> key_8 = staged_keys[part_11 * 66 + lane + 56];
              score_7 += vec4<f32>(dot(query_0, key_8), dot(query_1, key_8), dot(query_2, key_8), dot(query_3, key_8));
            }
          }
          if (lane < count_3) {
            const i32 cluster = tile + lane;
            const f32 spread = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster]);
            vec4<f32> estimate = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster]) < (-9.999999680285692e+37f))) {
              estimate = score_0 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster])) + squares * spread;
            }
            const vec4<f32> raised_5 = maximum(top, estimate);
            own_sum = own_sum * exponential(top - raised_5) + exponential(estimate - raised_5);
            top = raised_5;
          }
          if ((lane + 8) < count_3) {
            const i32 cluster_2 = tile + (lane + 8);
            const f32 spread_2 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_2]);
            vec4<f32> estimate_2 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_2]) < (-9.999999680285692e+37f))) {
              estimate_2 = score_1 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_2])) + squares * spread_2;
            }
            const vec4<f32> raised_6 = maximum(top, estimate_2);
            own_sum = own_sum * exponential(top - raised_6) + exponential(estimate_2 - raised_6);
            top = raised_6;
          }
          if ((lane + 16) < count_3) {
            const i32 cluster_3 = tile + (lane + 16);
            const f32 spread_3 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_3]);
            vec4<f32> estimate_3 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_3]) < (-9.999999680285692e+37f))) {
              estimate_3 = score_2 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_3])) + squares * spread_3;
            }
            const vec4<f32> raised_7 = maximum(top, estimate_3);
            own_sum = own_sum * exponential(top - raised_7) + exponential(estimate_3 - raised_7);
            top = raised_7;
          }
          if ((lane + 24) < count_3) {
            const i32 cluster_4 = tile + (lane + 24);
            const f32 spread_4 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_4]);
            vec4<f32> estimate_4 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_4]) < (-9.999999680285692e+37f))) {
              estimate_4 = score_3 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_4])) + squares * spread_4;
            }
            const vec4<f32> raised_8 = maximum(top, estimate_4);
            own_sum = own_sum * exponential(top - raised_8) + exponential(estimate_4 - raised_8);
            top = raised_8;
          }
          if ((lane + 32) < count_3) {
            const i32 cluster_5 = tile + (lane + 32);
            const f32 spread_5 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_5]);
            vec4<f32> estimate_5 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_5]) < (-9.999999680285692e+37f))) {
              estimate_5 = score_4 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_5])) + squares * spread_5;
            }
            const vec4<f32> raised_9 = maximum(top, estimate_5);
            own_sum = own_sum * exponential(top - raised_9) + exponential(estimate_5 - raised_9);
            top = raised_9;
          }
          if ((lane + 40) < count_3) {
            const i32 cluster_6 = tile + (lane + 40);
            const f32 spread_6 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_6]);
            vec4<f32> estimate_6 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_6]) < (-9.999999680285692e+37f))) {
              estimate_6 = score_5 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_6])) + squares * spread_6;
            }
            const vec4<f32> raised_10 = maximum(top, estimate_6);
            own_sum = own_sum * exponential(top - raised_10) + exponential(estimate_6 - raised_10);
            top = raised_10;
          }
          if ((lane + 48) < count_3) {
            const i32 cluster_7 = tile + (lane + 48);
            const f32 spread_7 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_7]);
            vec4<f32> estimate_7 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_7]) < (-9.999999680285692e+37f))) {
              estimate_7 = score_6 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_7])) + squares * spread_7;
            }
            const vec4<f32> raised_11 = maximum(top, estimate_7);
            own_sum = own_sum * exponential(top - raised_11) + exponential(estimate_7 - raised_11);
            top = raised_11;
          }
          if ((lane + 56) < count_3) {
            const i32 cluster_8 = tile + (lane + 56);
            const f32 spread_8 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_8]);
            vec4<f32> estimate_8 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_8]) < (-9.999999680285692e+37f))) {
              estimate_8 = score_7 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_8])) + squares * spread_8;
            }
            const vec4<f32> raised_12 = maximum(top, estimate_8);
            own_sum = own_sum * exponential(top - raised_12) + exponential(estimate_8 - raised_12);
            top = raised_12;
          }
        }
        __syncthreads();
        lane_values[thread] = top;
        __syncthreads();
        const i32 start = thread / 8 * 8;
        vec4<f32> largest = lane_values[start];
        for (i32 other = 1; other < 8; other += 1) {
          largest = maximum(largest, lane_values[start + other]);
        }
        __syncthreads();
        lane_values[thread] = own_sum * exponential(top - largest);
        __syncthreads();
        const i32 start_2 = thread / 8 * 8;
        vec4<f32> estimates_sum = lane_values[start_2];
        for (i32 other = 1; other < 8; other += 1) {
          estimates_sum = estimates_sum + lane_values[start_2 + other];
        }
        // padded queries have no say where there are others
        const vec4<f32> offset = vec4<f32>((((first_query >= unpadded || first_query + row_group * 4 + 0 < unpadded) && squares.x > 0.0f) ? (0.5f * logarithm(squares.x) - largest.x - logarithm(estimates_sum.x)) : ((((first_query >= unpadded || first_query + row_group * 4 + 0 < unpadded)) ? ((-9.999999933815813e+36f)) : ((-9.999999680285692e+37f))))), (((first_query >= unpadded || first_query + row_group * 4 + 1 < unpadded) && squares.y > 0.0f) ? (0.5f * logarithm(squares.y) - largest.y - logarithm(estimates_sum.y)) : ((((first_query >= unpadded || first_query + row_group * 4 + 1 < unpadded)) ? ((-9.999999933815813e+36f)) : ((-9.999999680285692e+37f))))), (((first_query >= unpadded || first_query + row_group * 4 + 2 < unpadded) && squares.z > 0.0f) ? (0.5f * logarithm(squares.z) - largest.z - logarithm(estimates_sum.z)) : ((((first_query >= unpadded || first_query + row_group * 4 + 2 < unpadded)) ? ((-9.999999933815813e+36f)) : ((-9.999999680285692e+37f))))), (((first_query >= unpadded || first_query + row_group * 4 + 3 < unpadded) && squares.w > 0.0f) ? (0.5f * logarithm(squares.w) - largest.w - logarithm(estimates_sum.w)) : ((((first_query >= unpadded || first_query + row_group * 4 + 3 < unpadded)) ? ((-9.999999933815813e+36f)) : ((-9.999999680285692e+37f))))));
        f32 largest_ranking = (-3.0000000054977558e+38f);
        for (i32 tile = 0; tile < sizes->segment_1_clusters; tile += 64) {
          const i32 count_4 = minimum(64, sizes->segment_1_clusters - tile);
          vec4<f32> score_0_2 = vec4<f32>();
          vec4<f32> score_1_2 = vec4<f32>();
          vec4<f32> score_2_2 = vec4<f32>();
          vec4<f32> score_3_2 = vec4<f32>();
          vec4<f32> score_4_2 = vec4<f32>();
          vec4<f32> score_5_2 = vec4<f32>();
          vec4<f32> score_6_2 = vec4<f32>();
          vec4<f32> score_7_2 = vec4<f32>();
          #pragma unroll 1
          for (i32 column_3 = 0; column_3 < 8; column_3 += 8) {
            __syncthreads();
            for (i32 slot = thread; slot < 128; slot += 128) {
              const i32 row_11 = slot / 2;
              const i32 part_11 = slot % 2;
              const i32 from_7 = query_start + (first_query + minimum(row_11, rows - 1)) * sizes->query_row;
              const i32 own_column_3 = column_3 + part_11 * 4;
              staged_queries[part_11 * 66 + row_11] = query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + from_7 + own_column_3) >> 2u];
            }
            for (i32 slot = thread; slot < 128; slot += 128) {
              const i32 row_12 = slot / 2;
              const i32 part_12 = slot % 2;
              const i32 from_8 = (first_cluster + (tile + minimum(row_12, count_4 - 1))) * 8;
              const i32 own_column_4 = column_3 + part_12 * 4;
              staged_keys[part_12 * 66 + row_12] = vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_8 + own_column_4]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_8 + own_column_4 + 1]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_8 + own_column_4 + 2]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_8 + own_column_4 + 3]));
            }
            __syncthreads();
            #pragma unroll 2
            for (i32 part_13 = 0; part_13 < 2; part_13 += 1) {
              const vec4<f32> query_0_2 = staged_queries[part_13 * 66 + row_group * 4 + 0];
              const vec4<f32> query_1_2 = staged_queries[part_13 * 66 + row_group * 4 + 1];
              const vec4<f32> query_2_2 = staged_queries[part_13 * 66 + row_group * 4 + 2];
              const vec4<f32> query_3_2 = staged_queries[part_13 * 66 + row_group * 4 + 3];
              const vec4<f32> key_9 = staged_keys[part_13 * 66 + lane];
              score_0_2 += vec4<f32>(dot(query_0_2, key_9), dot(query_1_2, key_9), dot(query_2_2, key_9), dot(query_3_2, key_9));
              const vec4<f32> key_10 = staged_keys[part_13 * 66 + lane + 8];
              score_1_2 += vec4<f32>(dot(query_0_2, key_10), dot(query_1_2, key_10), dot(query_2_2, key_10), dot(query_3_2, key_10));
              const vec4<f32> key_11 = staged_keys[part_13 * 66 + lane + 16];
              score_2_2 += vec4<f32>(dot(query_0_2, key_11), dot(query_1_2, key_11), dot(query_2_2, key_11), dot(query_3_2, key_11));
              const vec4<f32> key_12 = staged_keys[part_13 * 66 + lane + 24];
              score_3_2 += vec4<f32>(dot(query_0_2, key_12), dot(query_1_2, key_12), dot(query_2_2, key_12), dot(query_3_2, key_12));
              const vec4<f32> key_13 = staged_keys[part_13 * 66 + lane + 32];
              score_4_2 += vec4<f32>(dot(query_0_2, key_13), dot(query_1_2, key_13), dot(query_2_2, key_13), dot(query_3_2, key_13));
              const vec4<f32> key_14 = staged_keys[part_13 * 66 + lane + 40];
              score_5_2 += vec4<f32>(dot(query_0_2, key_14), dot(query_1_2, key_14), dot(query_2_2, key_14), dot(query_3_2, key_14));
              const vec4<f32> key_15 = staged_keys[part_13 * 66 + lane + 48];
              score_6_2 += vec4<f32>(dot(query_0_2, key_15), dot(query_1_2, key_15), dot(query_2_2, key_15), dot(query_3_2, key_15));
              const vec4<f32> key_16 = staged_keys[part_13 * 66 + lane + 56];
              score_7_2 += vec4<f32>(dot(query_0_2, key_16), dot(query_1_2, key_16), dot(query_2_2, key_16), dot(query_3_2, key_16));
            }
          }
          if (lane < count_4) {
            const i32 cluster_9 = tile + lane;
            const f32 spread_9 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_9]);
            vec4<f32> estimate_9 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_9]) < (-9.999999680285692e+37f))) {
              estimate_9 = score_0_2 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_9])) + squares * spread_9;
            }
            const vec4<f32> ranked = estimate_9 + offset;
            group_rankings[row_group * 64 + lane] = maximum(maximum(maximum(ranked.x, ranked.y), ranked.z), ranked.w);
          }
          if ((lane + 8) < count_4) {
            const i32 cluster_10 = tile + (lane + 8);
            const f32 spread_10 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_10]);
            vec4<f32> estimate_10 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_10]) < (-9.999999680285692e+37f))) {
              estimate_10 = score_1_2 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_10])) + squares * spread_10;
            }
            const vec4<f32> ranked_2 = estimate_10 + offset;
            group_rankings[row_group * 64 + (lane + 8)] = maximum(maximum(maximum(ranked_2.x, ranked_2.y), ranked_2.z), ranked_2.w);
          }
          if ((lane + 16) < count_4) {
            const i32 cluster_11 = tile + (lane + 16);
            const f32 spread_11 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_11]);
            vec4<f32> estimate_11 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_11]) < (-9.999999680285692e+37f))) {
              estimate_11 = score_2_2 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_11])) + squares * spread_11;
            }
            const vec4<f32> ranked_3 = estimate_11 + offset;
            group_rankings[row_group * 64 + (lane + 16)] = maximum(maximum(maximum(ranked_3.x, ranked_3.y), ranked_3.z), ranked_3.w);
          }
          if ((lane + 24) < count_4) {
            const i32 cluster_12 = tile + (lane + 24);
            const f32 spread_12 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_12]);
            vec4<f32> estimate_12 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_12]) < (-9.999999680285692e+37f))) {
              estimate_12 = score_3_2 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_12])) + squares * spread_12;
            }
            const vec4<f32> ranked_4 = estimate_12 + offset;
            group_rankings[row_group * 64 + (lane + 24)] = maximum(maximum(maximum(ranked_4.x, ranked_4.y), ranked_4.z), ranked_4.w);
          }
          if ((lane + 32) < count_4) {
            const i32 cluster_13 = tile + (lane + 32);
            const f32 spread_13 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_13]);
            vec4<f32> estimate_13 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_13]) < (-9.999999680285692e+37f))) {
              estimate_13 = score_4_2 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_13])) + squares * spread_13;
            }
            const vec4<f32> ranked_5 = estimate_13 + offset;
            group_rankings[row_group * 64 + (lane + 32)] = maximum(maximum(maximum(ranked_5.x, ranked_5.y), ranked_5.z), ranked_5.w);
          }
          if ((lane + 40) < count_4) {
            const i32 cluster_14 = tile + (lane + 40);
            const f32 spread_14 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_14]);
            vec4<f32> estimate_14 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_14]) < (-9.999999680285692e+37f))) {
              estimate_14 = score_5_2 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_14])) + squares * spread_14;
            }
            const vec4<f32> ranked_6 = estimate_14 + offset;
            group_rankings[row_group * 64 + (lane + 40)] = maximum(maximum(maximum(ranked_6.x, ranked_6.y), ranked_6.z), ranked_6.w);
          }
          if ((lane + 48) < count_4) {
            const i32 cluster_15 = tile + (lane + 48);
            const f32 spread_15 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_15]);
            vec4<f32> estimate_15 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_15]) < (-9.999999680285692e+37f))) {
              estimate_15 = score_6_2 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_15])) + squares * spread_15;
            }
            const vec4<f32> ranked_7 = estimate_15 + offset;
            group_rankings[row_group * 64 + (lane + 48)] = maximum(maximum(maximum(ranked_7.x, ranked_7.y), ranked_7.z), ranked_7.w);
          }
          if ((lane + 56) < count_4) {
            const i32 cluster_16 = tile + (lane + 56);
            const f32 spread_16 = 0.0078125f * bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_16]);
            vec4<f32> estimate_16 = vec4<f32>((-3.0000000054977558e+38f));
            if (!(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_16]) < (-9.999999680285692e+37f))) {
              estimate_16 = score_7_2 * 0.3535533845424652f + vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_16])) + squares * spread_16;
            }
            const vec4<f32> ranked_8 = estimate_16 + offset;
            group_rankings[row_group * 64 + (lane + 56)] = maximum(maximum(maximum(ranked_8.x, ranked_8.y), ranked_8.z), ranked_8.w);
          }
          __syncthreads();
          for (i32 number_5 = thread; number_5 < count_4; number_5 += 128) {
            const i32 cluster_17 = tile + number_5;
            const f32 radius = bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_radius_offset + first_cluster + cluster_17]);
            const f32 ranking = ((bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + cluster_17]) < (-9.999999680285692e+37f)) ? ((-3.0000000054977558e+38f)) : (maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(maximum(group_rankings[0 + number_5], group_rankings[64 + number_5]), group_rankings[128 + number_5]), group_rankings[192 + number_5]), group_rankings[256 + number_5]), group_rankings[320 + number_5]), group_rankings[384 + number_5]), group_rankings[448 + number_5]), group_rankings[512 + number_5]), group_rankings[576 + number_5]), group_rankings[640 + number_5]), group_rankings[704 + number_5]), group_rankings[768 + number_5]), group_rankings[832 + number_5]), group_rankings[896 + number_5]), group_rankings[960 + number_5]) + ((radius > 0.0f) ? (0.5f * logarithm(radius)) : ((-9.999999933815813e+36f)))));
            scratch[(scratch_start) + cluster_17 * 1] = ranking;
            largest_ranking = maximum(largest_ranking, ranking);
          }
        }
        __syncthreads();
        __syncthreads();
        largest_rankings[thread] = largest_ranking;
        __syncthreads();
        for (i32 other = 0; other < 128; other += 1) {
          largest_ranking = maximum(largest_ranking, largest_rankings[other]);
        }
        vec4<f32> own_count = vec4<f32>();
        for (i32 index_2 = thread; index_2 < sizes->segment_1_clusters; index_2 += 128) {
          const f32 ranked_9 = scratch[(scratch_start) + index_2 * 1];
          own_count.x += ((ranked_9 > (-3.0000000054977558e+38f)) ? (1.0f) : (0.0f));
        }
        __syncthreads();
        lane_values[thread] = own_count;
        __syncthreads();
        const i32 start_3 = thread / 16 * 16;
        vec4<f32> all_counts = lane_values[start_3];
        for (i32 other = 1; other < 16; other += 1) {
          all_counts = all_counts + lane_values[start_3 + other];
        }
        if (thread % 16 == 0) {
          block_values[thread / 16] = all_counts;
        }
        __syncthreads();
        const i32 start_4 = thread / 128 * 8;
        vec4<f32> all_counts_2 = block_values[start_4];
        for (i32 other = 1; other < 8; other += 1) {
          all_counts_2 = all_counts_2 + block_values[start_4 + other];
        }
        const i32 counted = i32(all_counts_2.x);
        f32 threshold = (-3.0000000054977558e+38f);
        i32 equals = i32();
        bool is_done = counted <= wanted;
        i32 low = ordered_integer((-3.0000000054977558e+38f));
        i32 high = ordered_integer(largest_ranking);
        i32 above = i32();
        if (thread == 0) {
          pending[thread / 128] = ((!is_done) ? (1) : (0));
        }
        __syncthreads();
        if (thread == 0) {
          broadcast[0] = pending[0];
        }
        const i32 how_many = uniform_load(broadcast[0]);
        i32 pending_choices = how_many;
        while (pending_choices > 0) {
          const i32 middle = (low & high) + ((low ^ high) >> 1u);
          const f32 middle_value = ordered_float(middle);
          vec4<f32> own_count_2 = vec4<f32>();
          for (i32 index_2 = thread; index_2 < sizes->segment_1_clusters; index_2 += 128) {
            const f32 ranked_10 = scratch[(scratch_start) + index_2 * 1];
            own_count_2.x += ((ranked_10 > middle_value) ? (1.0f) : (0.0f));
          }
          __syncthreads();
          lane_values[thread] = own_count_2;
          __syncthreads();
          const i32 start_5 = thread / 16 * 16;
          vec4<f32> all_counts_3 = lane_values[start_5];
          for (i32 other = 1; other < 16; other += 1) {
            all_counts_3 = all_counts_3 + lane_values[start_5 + other];
          }
          if (thread % 16 == 0) {
            block_values[thread / 16] = all_counts_3;
          }
          __syncthreads();
          const i32 start_6 = thread / 128 * 8;
          vec4<f32> all_counts_4 = block_values[start_6];
          for (i32 other = 1; other < 8; other += 1) {
            all_counts_4 = all_counts_4 + block_values[start_6 + other];
          }
          const i32 counted_2 = i32(all_counts_4.x);
          if (!is_done) {
            if (counted_2 > wanted) {
              low = middle;
            }
            if (counted_2 <= wanted) {
              high = middle;
              above = counted_2;
            }
            if (counted_2 == wanted || low + 1 >= high) {
              is_done = true;
              threshold = ordered_float(high);
              equals = wanted - above;
            }
          }
          if (thread == 0) {
            pending[thread / 128] = ((!is_done) ? (1) : (0));
          }
          __syncthreads();
          if (thread == 0) {
            broadcast[0] = pending[0];
          }
          const i32 how_many_2 = uniform_load(broadcast[0]);
          pending_choices = how_many_2;
        }
        i32 end_of_equals = i32();
        if (thread == 0) {
          pending[thread / 128] = ((equals > 0) ? (1) : (0));
        }
        __syncthreads();
        if (thread == 0) {
          broadcast[0] = pending[0];
        }
        const i32 how_many_3 = uniform_load(broadcast[0]);
        if (how_many_3 > 0) {
          // of those that equal the threshold, the first
          i32 first = i32();
          end_of_equals = sizes->segment_1_clusters;
          i32 width = sizes->segment_1_clusters;
          while (width > 1) {
            const i32 middle_2 = (first + end_of_equals) / 2;
            vec4<f32> own_count_3 = vec4<f32>();
            for (i32 index_2 = thread; index_2 < sizes->segment_1_clusters; index_2 += 128) {
              const f32 ranked_11 = scratch[(scratch_start) + index_2 * 1];
              own_count_3.x += ((ranked_11 == threshold && index_2 < middle_2) ? (1.0f) : (0.0f));
            }
            __syncthreads();
            lane_values[thread] = own_count_3;
            __syncthreads();
            const i32 start_7 = thread / 16 * 16;
            vec4<f32> all_counts_5 = lane_values[start_7];
            for (i32 other = 1; other < 16; other += 1) {
              all_counts_5 = all_counts_5 + lane_values[start_7 + other];
            }
            if (thread % 16 == 0) {
              block_values[thread / 16] = all_counts_5;
            }
            __syncthreads();
            const i32 start_8 = thread / 128 * 8;
            vec4<f32> all_counts_6 = block_values[start_8];
            for (i32 other = 1; other < 8; other += 1) {
              all_counts_6 = all_counts_6 + block_values[start_8 + other];
            }
            const i32 counted_3 = i32(all_counts_6.x);
            if (counted_3 >= equals) {
              end_of_equals = middle_2;
            } else {
              first = middle_2;
            }
            width = (width + 1) / 2;
          }
          end_of_equals = ((equals > 0) ? (end_of_equals) : (0));
        }
        u32 query_parts_3[1][4];
        const i32 query_row_start_5 = opaque(query_start + (first_query + minimum((own_row + 0), rows - 1)) * sizes->query_row);
        const i32 query_row_start_6 = opaque(query_start + (first_query + minimum((own_row + 8), rows - 1)) * sizes->query_row);
        #pragma unroll
        for (i32 step = 0; step < 1; step += 1) {
          const i32 column_3 = step * 16 + quad_lane * 2;
          query_parts_3[step][0] = pack_f16(((column_3 < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_5 + minimum(column_3, 7)) >> 2u][(sizes->query_offset + query_row_start_5 + minimum(column_3, 7)) & 3]) : (0.0f)), (((column_3 + 1) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_5 + minimum((column_3 + 1), 7)) >> 2u][(sizes->query_offset + query_row_start_5 + minimum((column_3 + 1), 7)) & 3]) : (0.0f)));
          query_parts_3[step][1] = pack_f16(((column_3 < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_6 + minimum(column_3, 7)) >> 2u][(sizes->query_offset + query_row_start_6 + minimum(column_3, 7)) & 3]) : (0.0f)), (((column_3 + 1) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_6 + minimum((column_3 + 1), 7)) >> 2u][(sizes->query_offset + query_row_start_6 + minimum((column_3 + 1), 7)) & 3]) : (0.0f)));
          query_parts_3[step][2] = pack_f16((((column_3 + 8) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_5 + minimum((column_3 + 8), 7)) >> 2u][(sizes->query_offset + query_row_start_5 + minimum((column_3 + 8), 7)) & 3]) : (0.0f)), (((column_3 + 9) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_5 + minimum((column_3 + 9), 7)) >> 2u][(sizes->query_offset + query_row_start_5 + minimum((column_3 + 9), 7)) & 3]) : (0.0f)));
          query_parts_3[step][3] = pack_f16((((column_3 + 8) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_6 + minimum((column_3 + 8), 7)) >> 2u][(sizes->query_offset + query_row_start_6 + minimum((column_3 + 8), 7)) & 3]) : (0.0f)), (((column_3 + 9) < 8) ? (query_segment_0_key_segment_0_value_buffer[(sizes->query_offset + query_row_start_6 + minimum((column_3 + 9), 7)) >> 2u][(sizes->query_offset + query_row_start_6 + minimum((column_3 + 9), 7)) & 3]) : (0.0f)));
        }
        for (i32 tile = 0; tile < sizes->segment_1_clusters; tile += 64) {
          const i32 count_5 = minimum(64, sizes->segment_1_clusters - tile);
          #pragma unroll 1
          for (i32 first_slot = 0; first_slot < 2; first_slot += 2) {
            const i32 first_row_9 = thread / 4;
            const i32 part_13 = thread % 4;
            #pragma unroll
            for (i32 slot = 0; slot < 2; slot += 1) {
              const i32 row_13 = (first_slot + slot) * 32 + first_row_9;
              const i32 from_9 = (first_cluster + (tile + minimum(row_13, count_5 - 1))) * 8;
              key_parts[slot] = ((part_13 * 4 < 8) ? (vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_9 + minimum(part_13 * 4, 4)]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_9 + minimum(part_13 * 4, 4) + 1]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_9 + minimum(part_13 * 4, 4) + 2]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_key_offset + from_9 + minimum(part_13 * 4, 4) + 3]))) : (vec4<f32>(0.0f)));
            }
            const i32 first_row_10 = thread / 4;
            const i32 part_14 = thread % 4;
            #pragma unroll
            for (i32 slot = 0; slot < 2; slot += 1) {
              const i32 row_14 = (first_slot + slot) * 32 + first_row_10;
              const i32 chunk_5 = (row_14) * 2 + ((part_14 / 2) ^ (((row_14 & 7) / 4) & 1));
              key_tile[chunk_5][(part_14 & 1) * 2 + 0] = pack_f16(key_parts[slot].x, key_parts[slot].y);
              key_tile[chunk_5][(part_14 & 1) * 2 + 1] = pack_f16(key_parts[slot].z, key_parts[slot].w);
            }
          }
          if (thread < 64) {
            key_bias = ((thread < count_5) ? ((((!(scratch[(scratch_start) + (tile + minimum(thread, count_5 - 1)) * 1] > threshold || (scratch[(scratch_start) + (tile + minimum(thread, count_5 - 1)) * 1] == threshold && (tile + minimum(thread, count_5 - 1)) < end_of_equals))) ? (maximum(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_log_mass_offset + first_cluster + (tile + minimum(thread, count_5 - 1))]), (-9.999999680285692e+37f))) : ((-9.999999680285692e+37f)))) * 1.4426950216293335f) : ((-9.999999680285692e+37f)));
          }
          if (thread < 64) {
            key_biases[thread] = key_bias;
          }
          __syncthreads();
          f32 scores_3[8][4] = {};
          #pragma unroll
          for (i32 step = 0; step < 1; step += 1) {
            #pragma unroll
            for (i32 pair = 0; pair < 4; pair += 1) {
              u32 key_parts_4[4];
              load_4_matrices(key_parts_4, &key_tile[(key_row + pair * 16) * 2 + ((step * 2 + key_half) ^ (((low_row) / 4) & 1))]);
              const u32 right_9[2] = {key_parts_4[0], key_parts_4[1]};
              multiply_f16(scores_3[pair * 2 + 0], query_parts_3[step], right_9);
              const u32 right_10[2] = {key_parts_4[2], key_parts_4[3]};
              multiply_f16(scores_3[pair * 2 + 1], query_parts_3[step], right_10);
            }
          }
          #pragma unroll 1
          for (i32 first_slot = 0; first_slot < 2; first_slot += 2) {
            const i32 first_row_11 = thread / 4;
            const i32 part_15 = thread % 4;
            #pragma unroll
            for (i32 slot = 0; slot < 2; slot += 1) {
              const i32 row_15 = (first_slot + slot) * 32 + first_row_11;
              const i32 from_10 = (first_cluster + (tile + minimum(row_15, count_5 - 1))) * 8;
              value_parts[slot] = ((part_15 * 4 < 8) ? (vec4<f32>(bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_value_offset + from_10 + minimum(part_15 * 4, 4)]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_value_offset + from_10 + minimum(part_15 * 4, 4) + 1]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_value_offset + from_10 + minimum(part_15 * 4, 4) + 2]), bits_as<f32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_mean_value_offset + from_10 + minimum(part_15 * 4, 4) + 3]))) : (vec4<f32>(0.0f)));
            }
            const i32 first_row_12 = thread / 4;
            const i32 part_16 = thread % 4;
            #pragma unroll
            for (i32 slot = 0; slot < 2; slot += 1) {
              const i32 row_16 = (first_slot + slot) * 32 + first_row_12;
              const i32 chunk_6 = (row_16) * 2 + ((part_16 / 2) ^ (((row_16 & 7) / 4) & 1));
              value_tile[chunk_6][(part_16 & 1) * 2 + 0] = pack_f16(value_parts[slot].x, value_parts[slot].y);
              value_tile[chunk_6][(part_16 & 1) * 2 + 1] = pack_f16(value_parts[slot].z, value_parts[slot].w);
            }
          }
          #pragma unroll
          for (i32 block = 0; block < 8; block += 1) {
            const i32 number_5 = block * 8 + quad_lane * 2 + 0;
            const f32 bias_5 = key_biases[number_5];
            scores_3[block][0] = fmaf(scores_3[block][0], 0.510069727897644f, bias_5);
            scores_3[block][2] = fmaf(scores_3[block][2], 0.510069727897644f, bias_5);
            const i32 number_6 = block * 8 + quad_lane * 2 + 1;
            const f32 bias_6 = key_biases[number_6];
            scores_3[block][1] = fmaf(scores_3[block][1], 0.510069727897644f, bias_6);
            scores_3[block][3] = fmaf(scores_3[block][3], 0.510069727897644f, bias_6);
          }
          f32 tile_maximum_5 = (-9.999999680285692e+37f);
          #pragma unroll
          for (i32 block = 0; block < 8; block += 1) {
            tile_maximum_5 = maximum(tile_maximum_5, maximum(scores_3[block][0], scores_3[block][1]));
          }
          tile_maximum_5 = maximum(tile_maximum_5, shuffle_xor(tile_maximum_5, 1u));
          tile_maximum_5 = maximum(tile_maximum_5, shuffle_xor(tile_maximum_5, 2u));
          const f32 raised_13 = maximum(maximum_0, tile_maximum_5);
          const f32 factor_5 = exp2_approximate(maximum_0 - raised_13);
          maximum_0 = raised_13;
          total_0 = total_0 * factor_5;
          #pragma unroll
          for (i32 block = 0; block < 2; block += 1) {
            sums[block][0] = sums[block][0] * factor_5;
            sums[block][1] = sums[block][1] * factor_5;
          }
          #pragma unroll
          for (i32 block = 0; block < 8; block += 1) {
            scores_3[block][0] = exp2_approximate(scores_3[block][0] - maximum_0);
            total_0 += scores_3[block][0];
            scores_3[block][1] = exp2_approximate(scores_3[block][1] - maximum_0);
            total_0 += scores_3[block][1];
          }
          f32 tile_maximum_6 = (-9.999999680285692e+37f);
          #pragma unroll
          for (i32 block = 0; block < 8; block += 1) {
            tile_maximum_6 = maximum(tile_maximum_6, maximum(scores_3[block][2], scores_3[block][3]));
          }
          tile_maximum_6 = maximum(tile_maximum_6, shuffle_xor(tile_maximum_6, 1u));
          tile_maximum_6 = maximum(tile_maximum_6, shuffle_xor(tile_maximum_6, 2u));
          const f32 raised_14 = maximum(maximum_1, tile_maximum_6);
          const f32 factor_6 = exp2_approximate(maximum_1 - raised_14);
          maximum_1 = raised_14;
          total_1 = total_1 * factor_6;
          #pragma unroll
          for (i32 block = 0; block < 2; block += 1) {
            sums[block][2] = sums[block][2] * factor_6;
            sums[block][3] = sums[block][3] * factor_6;
          }
          #pragma unroll
          for (i32 block = 0; block < 8; block += 1) {
            scores_3[block][2] = exp2_approximate(scores_3[block][2] - maximum_1);
            total_1 += scores_3[block][2];
            scores_3[block][3] = exp2_approximate(scores_3[block][3] - maximum_1);
            total_1 += scores_3[block][3];
          }
          __syncthreads();
          #pragma unroll
          for (i32 step = 0; step < 4; step += 1) {
            const u32 weight_parts_3[4] = {pack_f16(scores_3[step * 2 + 0][0], scores_3[step * 2 + 0][1]), pack_f16(scores_3[step * 2 + 0][2], scores_3[step * 2 + 0][3]), pack_f16(scores_3[step * 2 + 1][0], scores_3[step * 2 + 1][1]), pack_f16(scores_3[step * 2 + 1][2], scores_3[step * 2 + 1][3])};
            #pragma unroll
            for (i32 pair = 0; pair < 1; pair += 1) {
              u32 value_parts_4[4];
              load_4_matrices_transposed(value_parts_4, &value_tile[(value_row + step * 16) * 2 + ((pair * 2 + value_half) ^ (((low_row) / 4) & 1))]);
              const u32 right_11[2] = {value_parts_4[0], value_parts_4[1]};
              multiply_f16(sums[pair * 2 + 0], weight_parts_3, right_11);
              const u32 right_12[2] = {value_parts_4[2], value_parts_4[3]};
              multiply_f16(sums[pair * 2 + 1], weight_parts_3, right_12);
            }
          }
        }
        const i32 sorted_key_first = head_index * sizes->segment_1_keys;
        const i32 sorted_value_first = head_index * sizes->segment_1_keys;
        if (thread == 0) {
          thresholds[0] = threshold;
          ends_of_equals[0] = end_of_equals;
        }
        __syncthreads();
        __syncthreads();
        i32 listed = i32();
        for (i32 first_2 = 0; first_2 < sizes->segment_1_clusters; first_2 += 128) {
          const i32 cluster_18 = first_2 + thread;
          i32 flag = i32();
          if (cluster_18 < sizes->segment_1_clusters) {
            for (i32 chooser = 0; chooser < 1; chooser += 1) {
              const f32 ranking_2 = scratch[(scratch_start) + cluster_18 * 1 + chooser];
              if ((ranking_2 > thresholds[chooser] || (ranking_2 == thresholds[chooser] && cluster_18 < ends_of_equals[chooser]))) {
                flag = 1;
              }
            }
          }
          flags[thread] = flag;
          __syncthreads();
          i32 place = listed;
          for (i32 other = 0; other < 128; other += 1) {
            listed += flags[other];
            if (other < thread) {
              place += flags[other];
            }
          }
          if (flag == 1) {
            scratch[(scratch_start) + 1 * sizes->segment_1_capacity + place] = f32(cluster_18);
          }
          __syncthreads();
        }
        __syncthreads();
        if (thread == 0) {
          broadcast[0] = listed;
        }
        const i32 chosen_clusters = uniform_load(broadcast[0]);
        for (i32 run = 0; run < chosen_clusters; run += 128) {
          // as many clusters as there are threads: how many tokens they have, one behind the other
          i32 size = i32();
          i32 first_token = i32();
          __syncthreads();
          if (run + thread < chosen_clusters) {
            const i32 cluster_19 = i32(scratch[(scratch_start) + 1 * sizes->segment_1_capacity + run + thread]);
            cluster_numbers[thread] = cluster_19;
            first_token = bits_as<i32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_offsets_offset + head_index * (sizes->segment_1_capacity + 1) + cluster_19]);
            size = bits_as<i32>::of(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes->segment_1_offsets_offset + head_index * (sizes->segment_1_capacity + 1) + cluster_19 + 1]) - first_token;
          }
          cluster_ends[thread] = size;
          __syncthreads();
          i32 before = i32();
          for (i32 other = 0; other < thread; other += 1) {
            before += cluster_ends[other];
          }
          __syncthreads();
          cluster_ends[thread] = before + size;
          cluster_shifts[thread] = first_token - before;
          const i32 total = uniform_load(cluster_ends[127]);
          for (i32 tile = 0; tile < total; tile += 64) {
            const i32 count_6 = minimum(64, total - tile);
            for (i32 slot = thread; slot < count_6; slot += 128) {
              const i32 token = tile + slot;
              i32 place_2 = i32();
              if (cluster_ends[place_2 + 63] <= token) {
                place_2 += 64;
              }
              if (cluster_ends[place_2 + 31] <= token) {
                place_2 += 32;
              }
              if (cluster_ends[place_2 + 15] <= token) {
                place_2 += 16;
              }
              if (cluster_ends[place_2 + 7] <= token) {
                place_2 += 8;
              }
              if (cluster_ends[place_2 + 3] <= token) {
                place_2 += 4;
              }
              if (cluster_ends[place_2 + 1] <= token) {
                place_2 += 2;
              }
              if (cluster_ends[place_2 + 0] <= token) {
                place_2 += 1;
              }
              token_rows[slot] = cluster_shifts[place_2] + token;
              token_clusters[slot] = cluster_numbers[place_2];
            }
            __syncthreads();
            #pragma unroll 1
            for (i32 first_slot = 0; first_slot < 2; first_slot += 2) {
              const i32 first_row_13 = thread / 4;
              const i32 part_17 = thread % 4;
              #pragma unroll
              for (i32 slot = 0; slot < 2; slot += 1) {
                const i32 row_17 = (first_slot + slot) * 32 + first_row_13;
                const i32 from_11 = (sorted_key_first + token_rows[minimum(row_17, count_6 - 1)]) * 8;
                key_parts[slot] = ((part_17 * 4 < 8) ? (segment_1_sorted_key_buffer[(sizes->segment_1_sorted_key_offset + from_11 + minimum(part_17 * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
              }
              const i32 first_row_14 = thread / 4;
              const i32 part_18 = thread % 4;
              #pragma unroll
              for (i32 slot = 0; slot < 2; slot += 1) {
                const i32 row_18 = (first_slot + slot) * 32 + first_row_14;
                const i32 chunk_7 = (row_18) * 2 + ((part_18 / 2) ^ (((row_18 & 7) / 4) & 1));
                key_tile[chunk_7][(part_18 & 1) * 2 + 0] = pack_f16(key_parts[slot].x, key_parts[slot].y);
                key_tile[chunk_7][(part_18 & 1) * 2 + 1] = pack_f16(key_parts[slot].z, key_parts[slot].w);
              }
            }
            if (thread < 64) {
              key_bias = ((thread < count_6) ? (0.0f) : ((-9.999999680285692e+37f)));
            }
            if (thread < 64) {
              key_biases[thread] = key_bias;
            }
            __syncthreads();
            f32 scores_4[8][4] = {};
            #pragma unroll
            for (i32 step = 0; step < 1; step += 1) {
              #pragma unroll
              for (i32 pair = 0; pair < 4; pair += 1) {
                u32 key_parts_5[4];
                load_4_matrices(key_parts_5, &key_tile[(key_row + pair * 16) * 2 + ((step * 2 + key_half) ^ (((low_row) / 4) & 1))]);
                const u32 right_13[2] = {key_parts_5[0], key_parts_5[1]};
                multiply_f16(scores_4[pair * 2 + 0], query_parts_3[step], right_13);
                const u32 right_14[2] = {key_parts_5[2], key_parts_5[3]};
                multiply_f16(scores_4[pair * 2 + 1], query_parts_3[step], right_14);
              }
            }
            #pragma unroll 1
            for (i32 first_slot = 0; first_slot < 2; first_slot += 2) {
              const i32 first_row_15 = thread / 4;
              const i32 part_19 = thread % 4;
              #pragma unroll
              for (i32 slot = 0; slot < 2; slot += 1) {
                const i32 row_19 = (first_slot + slot) * 32 + first_row_15;
                const i32 from_12 = (sorted_value_first + token_rows[minimum(row_19, count_6 - 1)]) * 8;
                value_parts[slot] = ((part_19 * 4 < 8) ? (segment_1_sorted_value_buffer[(sizes->segment_1_sorted_value_offset + from_12 + minimum(part_19 * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
              }
              const i32 first_row_16 = thread / 4;
              const i32 part_20 = thread % 4;
              #pragma unroll
              for (i32 slot = 0; slot < 2; slot += 1) {
                const i32 row_20 = (first_slot + slot) * 32 + first_row_16;
                const i32 chunk_8 = (row_20) * 2 + ((part_20 / 2) ^ (((row_20 & 7) / 4) & 1));
                value_tile[chunk_8][(part_20 & 1) * 2 + 0] = pack_f16(value_parts[slot].x, value_parts[slot].y);
                value_tile[chunk_8][(part_20 & 1) * 2 + 1] = pack_f16(value_parts[slot].z, value_parts[slot].w);
              }
            }
            #pragma unroll
            for (i32 block = 0; block < 8; block += 1) {
              const i32 number_7 = block * 8 + quad_lane * 2 + 0;
              const f32 bias_7 = key_biases[number_7];
              scores_4[block][0] = fmaf(scores_4[block][0], 0.510069727897644f, bias_7);
              scores_4[block][2] = fmaf(scores_4[block][2], 0.510069727897644f, bias_7);
              const i32 number_8 = block * 8 + quad_lane * 2 + 1;
              const f32 bias_8 = key_biases[number_8];
              scores_4[block][1] = fmaf(scores_4[block][1], 0.510069727897644f, bias_8);
              scores_4[block][3] = fmaf(scores_4[block][3], 0.510069727897644f, bias_8);
            }
            f32 tile_maximum_7 = (-9.999999680285692e+37f);
            #pragma unroll
            for (i32 block = 0; block < 8; block += 1) {
              tile_maximum_7 = maximum(tile_maximum_7, maximum(scores_4[block][0], scores_4[block][1]));
            }
            tile_maximum_7 = maximum(tile_maximum_7, shuffle_xor(tile_maximum_7, 1u));
            tile_maximum_7 = maximum(tile_maximum_7, shuffle_xor(tile_maximum_7, 2u));
            const f32 raised_15 = maximum(maximum_0, tile_maximum_7);
            const f32 factor_7 = exp2_approximate(maximum_0 - raised_15);
            maximum_0 = raised_15;
            total_0 = total_0 * factor_7;
            #pragma unroll
            for (i32 block = 0; block < 2; block += 1) {
              sums[block][0] = sums[block][0] * factor_7;
              sums[block][1] = sums[block][1] * factor_7;
            }
            #pragma unroll
            for (i32 block = 0; block < 8; block += 1) {
              scores_4[block][0] = exp2_approximate(scores_4[block][0] - maximum_0);
              total_0 += scores_4[block][0];
              scores_4[block][1] = exp2_approximate(scores_4[block][1] - maximum_0);
              total_0 += scores_4[block][1];
            }
            f32 tile_maximum_8 = (-9.999999680285692e+37f);
            #pragma unroll
            for (i32 block = 0; block < 8; block += 1) {
              tile_maximum_8 = maximum(tile_maximum_8, maximum(scores_4[block][2], scores_4[block][3]));
            }
            tile_maximum_8 = maximum(tile_maximum_8, shuffle_xor(tile_maximum_8, 1u));
            tile_maximum_8 = maximum(tile_maximum_8, shuffle_xor(tile_maximum_8, 2u));
            const f32 raised_16 = maximum(maximum_1, tile_maximum_8);
            const f32 factor_8 = exp2_approximate(maximum_1 - raised_16);
            maximum_1 = raised_16;
            total_1 = total_1 * factor_8;
            #pragma unroll
            for (i32 block = 0; block < 2; block += 1) {
              sums[block][2] = sums[block][2] * factor_8;
              sums[block][3] = sums[block][3] * factor_8;
            }
            #pragma unroll
            for (i32 block = 0; block < 8; block += 1) {
              scores_4[block][2] = exp2_approximate(scores_4[block][2] - maximum_1);
              total_1 += scores_4[block][2];
              scores_4[block][3] = exp2_approximate(scores_4[block][3] - maximum_1);
              total_1 += scores_4[block][3];
            }
            __syncthreads();
            #pragma unroll
            for (i32 step = 0; step < 4; step += 1) {
              const u32 weight_parts_4[4] = {pack_f16(scores_4[step * 2 + 0][0], scores_4[step * 2 + 0][1]), pack_f16(scores_4[step * 2 + 0][2], scores_4[step * 2 + 0][3]), pack_f16(scores_4[step * 2 + 1][0], scores_4[step * 2 + 1][1]), pack_f16(scores_4[step * 2 + 1][2], scores_4[step * 2 + 1][3])};
              #pragma unroll
              for (i32 pair = 0; pair < 1; pair += 1) {
                u32 value_parts_5[4];
                load_4_matrices_transposed(value_parts_5, &value_tile[(value_row + step * 16) * 2 + ((pair * 2 + value_half) ^ (((low_row) / 4) & 1))]);
                const u32 right_15[2] = {value_parts_5[0], value_parts_5[1]};
                multiply_f16(sums[pair * 2 + 0], weight_parts_4, right_15);
                const u32 right_16[2] = {value_parts_5[2], value_parts_5[3]};
                multiply_f16(sums[pair * 2 + 1], weight_parts_4, right_16);
              }
            }
            __syncthreads();
          }
        }
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
  const f32 factor_9 = inverse;
  #pragma unroll
  for (i32 block = 0; block < 2; block += 1) {
    sums[block][0] = sums[block][0] * factor_9;
    sums[block][1] = sums[block][1] * factor_9;
  }
  const f32 inverse_2 = ((row_total_2 > 0.0f) ? (1.0f / row_total_2) : (0.0f));
  const f32 factor_10 = inverse_2;
  #pragma unroll
  for (i32 block = 0; block < 2; block += 1) {
    sums[block][2] = sums[block][2] * factor_10;
    sums[block][3] = sums[block][3] * factor_10;
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
    const i32 column_4 = block * 8 + (warp_lane & 2) * 2;
    if (stored_row < rows && column_4 < 8) {
      const i32 place_3 = result_start + (first_query + stored_row) * sizes->result_row + column_4;
      result_buffer[(sizes->result_offset + place_3) >> 2u] = row_part;
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
