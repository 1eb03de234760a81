// Kernels for CUDA, compute capability 8.0 and up; products of f32, summed in f32.

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
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// A tile of 64 x 64 a workgroup.

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

static __device__ f32 multiply_add(vec4<f32> a, vec4<f32> b, f32 sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

extern "C" __global__ void __launch_bounds__(128, 1) gemm_bias(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_buffer,
  const vec4<f32> *__restrict__ right_buffer,
  const f32 *__restrict__ bias_buffer,
  f32 *__restrict__ result_buffer
) {
  __shared__ vec4<f32> left_tile[320];
  __shared__ vec4<f32> right_tile[320];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row_tiles = ((sizes->rows + 63) / 64);
  const i32 first_row = item % row_tiles * 64;
  const i32 first_column = item / row_tiles * 64;
  const i32 thread_row = thread / 16;
  const i32 thread_column = thread % 16;
  f32 sum_0_0 = f32();
  f32 sum_0_1 = f32();
  f32 sum_0_2 = f32();
  f32 sum_0_3 = f32();
  f32 sum_1_0 = f32();
  f32 sum_1_1 = f32();
  f32 sum_1_2 = f32();
  f32 sum_1_3 = f32();
  f32 sum_2_0 = f32();
  f32 sum_2_1 = f32();
  f32 sum_2_2 = f32();
  f32 sum_2_3 = f32();
  f32 sum_3_0 = f32();
  f32 sum_3_1 = f32();
  f32 sum_3_2 = f32();
  f32 sum_3_3 = f32();
  f32 sum_4_0 = f32();
  f32 sum_4_1 = f32();
  f32 sum_4_2 = f32();
  f32 sum_4_3 = f32();
  f32 sum_5_0 = f32();
  f32 sum_5_1 = f32();
  f32 sum_5_2 = f32();
  f32 sum_5_3 = f32();
  f32 sum_6_0 = f32();
  f32 sum_6_1 = f32();
  f32 sum_6_2 = f32();
  f32 sum_6_3 = f32();
  f32 sum_7_0 = f32();
  f32 sum_7_1 = f32();
  f32 sum_7_2 = f32();
  f32 sum_7_3 = f32();
  for (i32 depth_start = 0; depth_start < sizes->depth; depth_start += 16) {
    for (i32 run = thread; run < 256; run += 128) {
      const i32 tile_row = run / 4;
      const i32 within = run % 4 * 4;
      const i32 place = depth_start + within;
      const i32 at = tile_row * 5 + within / 4;
      if (place < sizes->depth) {
        const i32 row = minimum(first_row + tile_row, sizes->rows - 1);
        const i32 start = row * sizes->left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes->left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0f);
      }
    }
    for (i32 run = thread; run < 256; run += 128) {
      const i32 tile_row_2 = run / 4;
      const i32 within_2 = run % 4 * 4;
      const i32 place_2 = depth_start + within_2;
      const i32 at_2 = tile_row_2 * 5 + within_2 / 4;
      if (place_2 < sizes->depth) {
        const i32 row_2 = minimum(first_column + tile_row_2, sizes->columns - 1);
        const i32 start_2 = row_2 * sizes->depth + place_2;
        right_tile[at_2 + 0] = right_buffer[(sizes->right_offset + start_2) >> 2u];
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0f);
      }
    }
    __syncthreads();
    for (i32 quad = 0; quad < 4; quad += 1) {
      const i32 left_at = thread_row * 5 + quad;
      const i32 right_at = thread_column * 5 + quad;
      const vec4<f32> right_0 = right_tile[right_at + 0];
      const vec4<f32> right_1 = right_tile[right_at + 80];
      const vec4<f32> right_2 = right_tile[right_at + 160];
      const vec4<f32> right_3 = right_tile[right_at + 240];
      const vec4<f32> left_0 = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      const vec4<f32> left_1 = left_tile[left_at + 40];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      const vec4<f32> left_2 = left_tile[left_at + 80];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      const vec4<f32> left_3 = left_tile[left_at + 120];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
      const vec4<f32> left_4 = left_tile[left_at + 160];
      sum_4_0 = multiply_add(left_4, right_0, sum_4_0);
      sum_4_1 = multiply_add(left_4, right_1, sum_4_1);
      sum_4_2 = multiply_add(left_4, right_2, sum_4_2);
      sum_4_3 = multiply_add(left_4, right_3, sum_4_3);
      const vec4<f32> left_5 = left_tile[left_at + 200];
      sum_5_0 = multiply_add(left_5, right_0, sum_5_0);
      sum_5_1 = multiply_add(left_5, right_1, sum_5_1);
      sum_5_2 = multiply_add(left_5, right_2, sum_5_2);
      sum_5_3 = multiply_add(left_5, right_3, sum_5_3);
      const vec4<f32> left_6 = left_tile[left_at + 240];
      sum_6_0 = multiply_add(left_6, right_0, sum_6_0);
      sum_6_1 = multiply_add(left_6, right_1, sum_6_1);
      sum_6_2 = multiply_add(left_6, right_2, sum_6_2);
      sum_6_3 = multiply_add(left_6, right_3, sum_6_3);
      const vec4<f32> left_7 = left_tile[left_at + 280];
      sum_7_0 = multiply_add(left_7, right_0, sum_7_0);
      sum_7_1 = multiply_add(left_7, right_1, sum_7_1);
      sum_7_2 = multiply_add(left_7, right_2, sum_7_2);
      sum_7_3 = multiply_add(left_7, right_3, sum_7_3);
    }
    __syncthreads();
  }
  const i32 column = first_column + thread_column + 0;
  if (column < sizes->columns) {
    const f32 bias_2 = bias_buffer[sizes->bias_offset + column];
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column] = sum_0_0 + bias_2;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column] = sum_1_0 + bias_2;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column] = sum_2_0 + bias_2;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column] = sum_3_0 + bias_2;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column] = sum_4_0 + bias_2;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column] = sum_5_0 + bias_2;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column] = sum_6_0 + bias_2;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column] = sum_7_0 + bias_2;
    }
  }
  const i32 column_2 = first_column + thread_column + 16;
  if (column_2 < sizes->columns) {
    const f32 bias_3 = bias_buffer[sizes->bias_offset + column_2];
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_2] = sum_0_1 + bias_3;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_2] = sum_1_1 + bias_3;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_2] = sum_2_1 + bias_3;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_2] = sum_3_1 + bias_3;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_2] = sum_4_1 + bias_3;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_2] = sum_5_1 + bias_3;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_2] = sum_6_1 + bias_3;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_2] = sum_7_1 + bias_3;
    }
  }
  const i32 column_3 = first_column + thread_column + 32;
  if (column_3 < sizes->columns) {
    const f32 bias_4 = bias_buffer[sizes->bias_offset + column_3];
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_3] = sum_0_2 + bias_4;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_3] = sum_1_2 + bias_4;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_3] = sum_2_2 + bias_4;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_3] = sum_3_2 + bias_4;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_3] = sum_4_2 + bias_4;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_3] = sum_5_2 + bias_4;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_3] = sum_6_2 + bias_4;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_3] = sum_7_2 + bias_4;
    }
  }
  const i32 column_4 = first_column + thread_column + 48;
  if (column_4 < sizes->columns) {
    const f32 bias_5 = bias_buffer[sizes->bias_offset + column_4];
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_4] = sum_0_3 + bias_5;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_4] = sum_1_3 + bias_5;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_4] = sum_2_3 + bias_5;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_4] = sum_3_3 + bias_5;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_4] = sum_4_3 + bias_5;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_4] = sum_5_3 + bias_5;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_4] = sum_6_3 + bias_5;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_4] = sum_7_3 + bias_5;
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
// Attention of 16 queries of one head a workgroup, 64 keys at a time.

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

extern "C" __global__ void __launch_bounds__(64, 1) attention_keys(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ query_key_value_buffer,
  const i32 *__restrict__ mask_buffer,
  vec4<f32> *__restrict__ result_buffer
) {
  __shared__ vec4<f32> weights[256];
  __shared__ vec4<f32> staged_queries[72];
  __shared__ vec4<f32> staged_keys[264];
  __shared__ vec4<f32> lane_values[64];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 tiles = ((sizes->queries + 15) / 16);
  const i32 batch = item / tiles / sizes->heads;
  const i32 head = item / tiles % sizes->heads;
  const i32 key_head = head / (sizes->heads / sizes->key_heads);
  const i32 first_query = item % tiles * 16;
  const i32 rows = minimum(16, sizes->queries - first_query);
  const i32 row_group = thread / 16;
  const i32 lane = thread % 16;
  const i32 column_lane = lane % 2;
  const i32 split = lane / 2;
  const i32 query_start = batch * sizes->query_batch + head * sizes->query_head;
  vec4<f32> maximum_2 = vec4<f32>((-4.999999840142846e+37f));
  vec4<f32> total = vec4<f32>();
  vec4<f32> sum_0_0 = vec4<f32>();
  vec4<f32> sum_1_0 = vec4<f32>();
  vec4<f32> sum_2_0 = vec4<f32>();
  vec4<f32> sum_3_0 = vec4<f32>();
  // Segment of keys
  const i32 first_stand = first_query + sizes->keys - sizes->queries;
  const i32 own_stand = first_stand + row_group * 4;
  const i32 key_start = batch * sizes->key_batch + key_head * sizes->key_head;
  const i32 value_start = batch * sizes->value_batch + key_head * sizes->value_head;
  for (i32 tile = 0; tile < sizes->keys; tile += 64) {
    const i32 count = minimum(64, sizes->keys - tile);
    vec4<f32> score_0 = vec4<f32>();
    vec4<f32> score_1 = vec4<f32>();
    vec4<f32> score_2 = vec4<f32>();
    vec4<f32> score_3 = vec4<f32>();
    #pragma unroll 1
    for (i32 column = 0; column < 8; column += 8) {
      __syncthreads();
      for (i32 slot = thread; slot < 32; slot += 64) {
        const i32 row = slot / 2;
        const i32 part = slot % 2;
        const i32 from = query_start + (first_query + minimum(row, rows - 1)) * sizes->query_row;
        const i32 own_column = column + part * 4;
        staged_queries[part * 18 + row] = query_key_value_buffer[(sizes->query_offset + from + own_column) >> 2u];
      }
      for (i32 slot = thread; slot < 128; slot += 64) {
        const i32 row_2 = slot / 2;
        const i32 part_2 = slot % 2;
        const i32 from_2 = key_start + (tile + minimum(row_2, count - 1)) * sizes->key_row;
        const i32 own_column_2 = column + part_2 * 4;
        staged_keys[part_2 * 66 + row_2] = query_key_value_buffer[(sizes->key_offset + from_2 + own_column_2) >> 2u];
      }
      __syncthreads();
      #pragma unroll 2
      for (i32 part_3 = 0; part_3 < 2; part_3 += 1) {
        const vec4<f32> query_0 = staged_queries[part_3 * 18 + row_group * 4 + 0];
        const vec4<f32> query_1 = staged_queries[part_3 * 18 + row_group * 4 + 1];
        const vec4<f32> query_2 = staged_queries[part_3 * 18 + row_group * 4 + 2];
        const vec4<f32> query_3 = staged_queries[part_3 * 18 + row_group * 4 + 3];
        const vec4<f32> key_2 = staged_keys[part_3 * 66 + lane];
        score_0 += vec4<f32>(dot(query_0, key_2), dot(query_1, key_2), dot(query_2, key_2), dot(query_3, key_2));
        const vec4<f32> key_3 = staged_keys[part_3 * 66 + lane + 16];
        score_1 += vec4<f32>(dot(query_0, key_3), dot(query_1, key_3), dot(query_2, key_3), dot(query_3, key_3));
        const vec4<f32> key_4 = staged_keys[part_3 * 66 + lane + 32];
        score_2 += vec4<f32>(dot(query_0, key_4), dot(query_1, key_4), dot(query_2, key_4), dot(query_3, key_4));
        const vec4<f32> key_5 = staged_keys[part_3 * 66 + lane + 48];
        score_3 += vec4<f32>(dot(query_0, key_5), dot(query_1, key_5), dot(query_2, key_5), dot(query_3, key_5));
      }
    }
    const i32 key_6 = tile + minimum(lane, count - 1);
    score_0 = score_0 * 0.3535533845424652f;
    score_0 = (((lane < count) & (mask_buffer[sizes->mask_offset + batch * sizes->keys + key_6] != 0)) ? (score_0) : (vec4<f32>((-9.999999680285692e+37f))));
    const i32 key_7 = tile + minimum((lane + 16), count - 1);
    score_1 = score_1 * 0.3535533845424652f;
    score_1 = ((((lane + 16) < count) & (mask_buffer[sizes->mask_offset + batch * sizes->keys + key_7] != 0)) ? (score_1) : (vec4<f32>((-9.999999680285692e+37f))));
    const i32 key_8 = tile + minimum((lane + 32), count - 1);
    score_2 = score_2 * 0.3535533845424652f;
    score_2 = ((((lane + 32) < count) & (mask_buffer[sizes->mask_offset + batch * sizes->keys + key_8] != 0)) ? (score_2) : (vec4<f32>((-9.999999680285692e+37f))));
    const i32 key_9 = tile + minimum((lane + 48), count - 1);
    score_3 = score_3 * 0.3535533845424652f;
    score_3 = ((((lane + 48) < count) & (mask_buffer[sizes->mask_offset + batch * sizes->keys + key_9] != 0)) ? (score_3) : (vec4<f32>((-9.999999680285692e+37f))));
    vec4<f32> tile_maximum = maximum(maximum(maximum(score_0, score_1), score_2), score_3);
    lane_values[thread] = tile_maximum;
    __syncthreads();
    const i32 start = thread / 16 * 16;
    vec4<f32> group_maximum = lane_values[start];
    for (i32 other = 1; other < 16; other += 1) {
      group_maximum = maximum(group_maximum, lane_values[start + other]);
    }
    const vec4<f32> raised = maximum(maximum_2, group_maximum);
    const vec4<f32> factor = exponential(maximum_2 - raised);
    maximum_2 = raised;
    total = total * factor;
    sum_0_0 = sum_0_0 * factor.x;
    sum_1_0 = sum_1_0 * factor.y;
    sum_2_0 = sum_2_0 * factor.z;
    sum_3_0 = sum_3_0 * factor.w;
    const vec4<f32> weight = exponential(score_0 - maximum_2);
    total += weight;
    weights[row_group * 64 + lane] = weight;
    const vec4<f32> weight_2 = exponential(score_1 - maximum_2);
    total += weight_2;
    weights[row_group * 64 + (lane + 16)] = weight_2;
    const vec4<f32> weight_3 = exponential(score_2 - maximum_2);
    total += weight_3;
    weights[row_group * 64 + (lane + 32)] = weight_3;
    const vec4<f32> weight_4 = exponential(score_3 - maximum_2);
    total += weight_4;
    weights[row_group * 64 + (lane + 48)] = weight_4;
    __syncthreads();
    for (i32 number = split; number < count; number += 8) {
      const vec4<f32> weight_5 = weights[row_group * 64 + number];
      const i32 from_3 = value_start + (tile + number) * sizes->value_row;
      const vec4<f32> value_0 = query_key_value_buffer[(sizes->value_offset + from_3 + column_lane * 4) >> 2u];
      sum_0_0 += weight_5.x * value_0;
      sum_1_0 += weight_5.y * value_0;
      sum_2_0 += weight_5.z * value_0;
      sum_3_0 += weight_5.w * value_0;
    }
  }
  __syncthreads();
  lane_values[thread] = total;
  __syncthreads();
  const i32 start_2 = thread / 16 * 16;
  vec4<f32> row_total = lane_values[start_2];
  for (i32 other = 1; other < 16; other += 1) {
    row_total = row_total + lane_values[start_2 + other];
  }
  // a query that sees no key has a total of 0: zeros
  const vec4<f32> inverse = vec4<f32>(((row_total.x > 0.0f) ? (1.0f / row_total.x) : (0.0f)), ((row_total.y > 0.0f) ? (1.0f / row_total.y) : (0.0f)), ((row_total.z > 0.0f) ? (1.0f / row_total.z) : (0.0f)), ((row_total.w > 0.0f) ? (1.0f / row_total.w) : (0.0f)));
  const i32 result_start = batch * sizes->result_batch + head * sizes->result_head;
  __syncthreads();
  lane_values[thread] = sum_0_0;
  __syncthreads();
  if (split == 0 && row_group * 4 + 0 < rows && column_lane * 4 < 8) {
    for (i32 other = 1; other < 8; other += 1) {
      sum_0_0 += lane_values[thread + other * 2];
    }
    const i32 place = result_start + (first_query + row_group * 4 + 0) * sizes->result_row + column_lane * 4;
    result_buffer[(sizes->result_offset + place) >> 2u] = sum_0_0 * inverse.x;
  }
  __syncthreads();
  lane_values[thread] = sum_1_0;
  __syncthreads();
  if (split == 0 && row_group * 4 + 1 < rows && column_lane * 4 < 8) {
    for (i32 other = 1; other < 8; other += 1) {
      sum_1_0 += lane_values[thread + other * 2];
    }
    const i32 place_2 = result_start + (first_query + row_group * 4 + 1) * sizes->result_row + column_lane * 4;
    result_buffer[(sizes->result_offset + place_2) >> 2u] = sum_1_0 * inverse.y;
  }
  __syncthreads();
  lane_values[thread] = sum_2_0;
  __syncthreads();
  if (split == 0 && row_group * 4 + 2 < rows && column_lane * 4 < 8) {
    for (i32 other = 1; other < 8; other += 1) {
      sum_2_0 += lane_values[thread + other * 2];
    }
    const i32 place_3 = result_start + (first_query + row_group * 4 + 2) * sizes->result_row + column_lane * 4;
    result_buffer[(sizes->result_offset + place_3) >> 2u] = sum_2_0 * inverse.z;
  }
  __syncthreads();
  lane_values[thread] = sum_3_0;
  __syncthreads();
  if (split == 0 && row_group * 4 + 3 < rows && column_lane * 4 < 8) {
    for (i32 other = 1; other < 8; other += 1) {
      sum_3_0 += lane_values[thread + other * 2];
    }
    const i32 place_4 = result_start + (first_query + row_group * 4 + 3) * sizes->result_row + column_lane * 4;
    result_buffer[(sizes->result_offset + place_4) >> 2u] = sum_3_0 * inverse.w;
  }
}
}

// === kernel gemm_bias_residual ===
// gemm_bias_residual
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// A tile of 64 x 64 a workgroup.

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

static __device__ f32 multiply_add(vec4<f32> a, vec4<f32> b, f32 sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

extern "C" __global__ void __launch_bounds__(128, 1) gemm_bias_residual(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_buffer,
  const vec4<f32> *__restrict__ right_buffer,
  const f32 *__restrict__ bias_buffer,
  const f32 *__restrict__ residual_buffer,
  f32 *__restrict__ result_result_statistics_buffer
) {
  __shared__ vec4<f32> left_tile[320];
  __shared__ vec4<f32> right_tile[320];
  __shared__ f32 exchanged[128];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row_tiles = ((sizes->rows + 63) / 64);
  const i32 first_row = item % row_tiles * 64;
  const i32 first_column = item / row_tiles * 64;
  const i32 thread_row = thread / 16;
  const i32 thread_column = thread % 16;
  f32 sum_0_0 = f32();
  f32 sum_0_1 = f32();
  f32 sum_0_2 = f32();
  f32 sum_0_3 = f32();
  f32 sum_1_0 = f32();
  f32 sum_1_1 = f32();
  f32 sum_1_2 = f32();
  f32 sum_1_3 = f32();
  f32 sum_2_0 = f32();
  f32 sum_2_1 = f32();
  f32 sum_2_2 = f32();
  f32 sum_2_3 = f32();
  f32 sum_3_0 = f32();
  f32 sum_3_1 = f32();
  f32 sum_3_2 = f32();
  f32 sum_3_3 = f32();
  f32 sum_4_0 = f32();
  f32 sum_4_1 = f32();
  f32 sum_4_2 = f32();
  f32 sum_4_3 = f32();
  f32 sum_5_0 = f32();
  f32 sum_5_1 = f32();
  f32 sum_5_2 = f32();
  f32 sum_5_3 = f32();
  f32 sum_6_0 = f32();
  f32 sum_6_1 = f32();
  f32 sum_6_2 = f32();
  f32 sum_6_3 = f32();
  f32 sum_7_0 = f32();
  f32 sum_7_1 = f32();
  f32 sum_7_2 = f32();
  f32 sum_7_3 = f32();
  for (i32 depth_start = 0; depth_start < sizes->depth; depth_start += 16) {
    for (i32 run = thread; run < 256; run += 128) {
      const i32 tile_row = run / 4;
      const i32 within = run % 4 * 4;
      const i32 place = depth_start + within;
      const i32 at = tile_row * 5 + within / 4;
      if (place < sizes->depth) {
        const i32 row = minimum(first_row + tile_row, sizes->rows - 1);
        const i32 start = row * sizes->left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes->left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0f);
      }
    }
    for (i32 run = thread; run < 256; run += 128) {
      const i32 tile_row_2 = run / 4;
      const i32 within_2 = run % 4 * 4;
      const i32 place_2 = depth_start + within_2;
      const i32 at_2 = tile_row_2 * 5 + within_2 / 4;
      if (place_2 < sizes->depth) {
        const i32 row_2 = minimum(first_column + tile_row_2, sizes->columns - 1);
        const i32 start_2 = row_2 * sizes->depth + place_2;
        right_tile[at_2 + 0] = right_buffer[(sizes->right_offset + start_2) >> 2u];
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0f);
      }
    }
    __syncthreads();
    for (i32 quad = 0; quad < 4; quad += 1) {
      const i32 left_at = thread_row * 5 + quad;
      const i32 right_at = thread_column * 5 + quad;
      const vec4<f32> right_0 = right_tile[right_at + 0];
      const vec4<f32> right_1 = right_tile[right_at + 80];
      const vec4<f32> right_2 = right_tile[right_at + 160];
      const vec4<f32> right_3 = right_tile[right_at + 240];
      const vec4<f32> left_0 = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      const vec4<f32> left_1 = left_tile[left_at + 40];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      const vec4<f32> left_2 = left_tile[left_at + 80];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      const vec4<f32> left_3 = left_tile[left_at + 120];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
      const vec4<f32> left_4 = left_tile[left_at + 160];
      sum_4_0 = multiply_add(left_4, right_0, sum_4_0);
      sum_4_1 = multiply_add(left_4, right_1, sum_4_1);
      sum_4_2 = multiply_add(left_4, right_2, sum_4_2);
      sum_4_3 = multiply_add(left_4, right_3, sum_4_3);
      const vec4<f32> left_5 = left_tile[left_at + 200];
      sum_5_0 = multiply_add(left_5, right_0, sum_5_0);
      sum_5_1 = multiply_add(left_5, right_1, sum_5_1);
      sum_5_2 = multiply_add(left_5, right_2, sum_5_2);
      sum_5_3 = multiply_add(left_5, right_3, sum_5_3);
      const vec4<f32> left_6 = left_tile[left_at + 240];
      sum_6_0 = multiply_add(left_6, right_0, sum_6_0);
      sum_6_1 = multiply_add(left_6, right_1, sum_6_1);
      sum_6_2 = multiply_add(left_6, right_2, sum_6_2);
      sum_6_3 = multiply_add(left_6, right_3, sum_6_3);
      const vec4<f32> left_7 = left_tile[left_at + 280];
      sum_7_0 = multiply_add(left_7, right_0, sum_7_0);
      sum_7_1 = multiply_add(left_7, right_1, sum_7_1);
      sum_7_2 = multiply_add(left_7, right_2, sum_7_2);
      sum_7_3 = multiply_add(left_7, right_3, sum_7_3);
    }
    __syncthreads();
  }
  const i32 column = first_column + thread_column + 0;
  if (column < sizes->columns) {
    const f32 bias_2 = bias_buffer[sizes->bias_offset + column];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept = sum_0_0 + bias_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column] = kept;
      sum_0_0 = kept;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_2 = sum_1_0 + bias_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column] = kept_2;
      sum_1_0 = kept_2;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_3 = sum_2_0 + bias_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column] = kept_3;
      sum_2_0 = kept_3;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_4 = sum_3_0 + bias_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column] = kept_4;
      sum_3_0 = kept_4;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_5 = sum_4_0 + bias_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column] = kept_5;
      sum_4_0 = kept_5;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_6 = sum_5_0 + bias_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column] = kept_6;
      sum_5_0 = kept_6;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_7 = sum_6_0 + bias_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column] = kept_7;
      sum_6_0 = kept_7;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_8 = sum_7_0 + bias_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column] = kept_8;
      sum_7_0 = kept_8;
    }
  }
  const i32 column_2 = first_column + thread_column + 16;
  if (column_2 < sizes->columns) {
    const f32 bias_3 = bias_buffer[sizes->bias_offset + column_2];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept_9 = sum_0_1 + bias_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_2] = kept_9;
      sum_0_1 = kept_9;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_10 = sum_1_1 + bias_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_2] = kept_10;
      sum_1_1 = kept_10;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_11 = sum_2_1 + bias_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_2] = kept_11;
      sum_2_1 = kept_11;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_12 = sum_3_1 + bias_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_2] = kept_12;
      sum_3_1 = kept_12;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_13 = sum_4_1 + bias_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_2] = kept_13;
      sum_4_1 = kept_13;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_14 = sum_5_1 + bias_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_2] = kept_14;
      sum_5_1 = kept_14;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_15 = sum_6_1 + bias_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_2] = kept_15;
      sum_6_1 = kept_15;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_16 = sum_7_1 + bias_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_2] = kept_16;
      sum_7_1 = kept_16;
    }
  }
  const i32 column_3 = first_column + thread_column + 32;
  if (column_3 < sizes->columns) {
    const f32 bias_4 = bias_buffer[sizes->bias_offset + column_3];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept_17 = sum_0_2 + bias_4 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_3] = kept_17;
      sum_0_2 = kept_17;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_18 = sum_1_2 + bias_4 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_3] = kept_18;
      sum_1_2 = kept_18;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_19 = sum_2_2 + bias_4 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_3] = kept_19;
      sum_2_2 = kept_19;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_20 = sum_3_2 + bias_4 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_3] = kept_20;
      sum_3_2 = kept_20;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_21 = sum_4_2 + bias_4 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_3] = kept_21;
      sum_4_2 = kept_21;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_22 = sum_5_2 + bias_4 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_3] = kept_22;
      sum_5_2 = kept_22;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_23 = sum_6_2 + bias_4 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_3] = kept_23;
      sum_6_2 = kept_23;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_24 = sum_7_2 + bias_4 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_3] = kept_24;
      sum_7_2 = kept_24;
    }
  }
  const i32 column_4 = first_column + thread_column + 48;
  if (column_4 < sizes->columns) {
    const f32 bias_5 = bias_buffer[sizes->bias_offset + column_4];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept_25 = sum_0_3 + bias_5 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_4] = kept_25;
      sum_0_3 = kept_25;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_26 = sum_1_3 + bias_5 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_4] = kept_26;
      sum_1_3 = kept_26;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_27 = sum_2_3 + bias_5 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_4] = kept_27;
      sum_2_3 = kept_27;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_28 = sum_3_3 + bias_5 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_4] = kept_28;
      sum_3_3 = kept_28;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_29 = sum_4_3 + bias_5 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_4] = kept_29;
      sum_4_3 = kept_29;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_30 = sum_5_3 + bias_5 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_4] = kept_30;
      sum_5_3 = kept_30;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_31 = sum_6_3 + bias_5 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_4] = kept_31;
      sum_6_3 = kept_31;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_32 = sum_7_3 + bias_5 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_4] = kept_32;
      sum_7_3 = kept_32;
    }
  }
  const i32 row_3 = first_row + thread_row + 0;
  f32 total = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total += sum_0_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total += sum_0_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total += sum_0_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total += sum_0_3;
  }
  i32 mask = 1;
  const i32 lanes = i32(32);
  while (mask < minimum(lanes, 16)) {
    total = total + shuffle_xor(total, u32(mask));
    mask = mask * 2;
  }
  while (mask < 16) {
    exchanged[thread] = total;
    __syncthreads();
    total = total + exchanged[(thread ^ mask)];
    __syncthreads();
    mask = mask * 2;
  }
  const f32 mean = total / f32(minimum(64, sizes->columns - first_column));
  f32 squares = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares += (sum_0_0 - mean) * (sum_0_0 - mean);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares += (sum_0_1 - mean) * (sum_0_1 - mean);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares += (sum_0_2 - mean) * (sum_0_2 - mean);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares += (sum_0_3 - mean) * (sum_0_3 - mean);
  }
  i32 mask_2 = 1;
  const i32 lanes_2 = i32(32);
  while (mask_2 < minimum(lanes_2, 16)) {
    squares = squares + shuffle_xor(squares, u32(mask_2));
    mask_2 = mask_2 * 2;
  }
  while (mask_2 < 16) {
    exchanged[thread] = squares;
    __syncthreads();
    squares = squares + exchanged[(thread ^ mask_2)];
    __syncthreads();
    mask_2 = mask_2 * 2;
  }
  if (thread_column == 0 && row_3 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at = row_3 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at * 2 + 0] = total;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at * 2 + 1] = squares;
  }
  const i32 row_4 = first_row + thread_row + 8;
  f32 total_2 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_2 += sum_1_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_2 += sum_1_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_2 += sum_1_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_2 += sum_1_3;
  }
  i32 mask_3 = 1;
  const i32 lanes_3 = i32(32);
  while (mask_3 < minimum(lanes_3, 16)) {
    total_2 = total_2 + shuffle_xor(total_2, u32(mask_3));
    mask_3 = mask_3 * 2;
  }
  while (mask_3 < 16) {
    exchanged[thread] = total_2;
    __syncthreads();
    total_2 = total_2 + exchanged[(thread ^ mask_3)];
    __syncthreads();
    mask_3 = mask_3 * 2;
  }
  const f32 mean_2 = total_2 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_2 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_2 += (sum_1_0 - mean_2) * (sum_1_0 - mean_2);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_2 += (sum_1_1 - mean_2) * (sum_1_1 - mean_2);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_2 += (sum_1_2 - mean_2) * (sum_1_2 - mean_2);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_2 += (sum_1_3 - mean_2) * (sum_1_3 - mean_2);
  }
  i32 mask_4 = 1;
  const i32 lanes_4 = i32(32);
  while (mask_4 < minimum(lanes_4, 16)) {
    squares_2 = squares_2 + shuffle_xor(squares_2, u32(mask_4));
    mask_4 = mask_4 * 2;
  }
  while (mask_4 < 16) {
    exchanged[thread] = squares_2;
    __syncthreads();
    squares_2 = squares_2 + exchanged[(thread ^ mask_4)];
    __syncthreads();
    mask_4 = mask_4 * 2;
  }
  if (thread_column == 0 && row_4 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_2 = row_4 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_2 * 2 + 0] = total_2;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_2 * 2 + 1] = squares_2;
  }
  const i32 row_5 = first_row + thread_row + 16;
  f32 total_3 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_3 += sum_2_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_3 += sum_2_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_3 += sum_2_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_3 += sum_2_3;
  }
  i32 mask_5 = 1;
  const i32 lanes_5 = i32(32);
  while (mask_5 < minimum(lanes_5, 16)) {
    total_3 = total_3 + shuffle_xor(total_3, u32(mask_5));
    mask_5 = mask_5 * 2;
  }
  while (mask_5 < 16) {
    exchanged[thread] = total_3;
    __syncthreads();
    total_3 = total_3 + exchanged[(thread ^ mask_5)];
    __syncthreads();
    mask_5 = mask_5 * 2;
  }
  const f32 mean_3 = total_3 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_3 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_3 += (sum_2_0 - mean_3) * (sum_2_0 - mean_3);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_3 += (sum_2_1 - mean_3) * (sum_2_1 - mean_3);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_3 += (sum_2_2 - mean_3) * (sum_2_2 - mean_3);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_3 += (sum_2_3 - mean_3) * (sum_2_3 - mean_3);
  }
  i32 mask_6 = 1;
  const i32 lanes_6 = i32(32);
  while (mask_6 < minimum(lanes_6, 16)) {
    squares_3 = squares_3 + shuffle_xor(squares_3, u32(mask_6));
    mask_6 = mask_6 * 2;
  }
  while (mask_6 < 16) {
    exchanged[thread] = squares_3;
    __syncthreads();
    squares_3 = squares_3 + exchanged[(thread ^ mask_6)];
    __syncthreads();
    mask_6 = mask_6 * 2;
  }
  if (thread_column == 0 && row_5 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_3 = row_5 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_3 * 2 + 0] = total_3;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_3 * 2 + 1] = squares_3;
  }
  const i32 row_6 = first_row + thread_row + 24;
  f32 total_4 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_4 += sum_3_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_4 += sum_3_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_4 += sum_3_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_4 += sum_3_3;
  }
  i32 mask_7 = 1;
  const i32 lanes_7 = i32(32);
  while (mask_7 < minimum(lanes_7, 16)) {
    total_4 = total_4 + shuffle_xor(total_4, u32(mask_7));
    mask_7 = mask_7 * 2;
  }
  while (mask_7 < 16) {
    exchanged[thread] = total_4;
    __syncthreads();
    total_4 = total_4 + exchanged[(thread ^ mask_7)];
    __syncthreads();
    mask_7 = mask_7 * 2;
  }
  const f32 mean_4 = total_4 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_4 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_4 += (sum_3_0 - mean_4) * (sum_3_0 - mean_4);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_4 += (sum_3_1 - mean_4) * (sum_3_1 - mean_4);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_4 += (sum_3_2 - mean_4) * (sum_3_2 - mean_4);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_4 += (sum_3_3 - mean_4) * (sum_3_3 - mean_4);
  }
  i32 mask_8 = 1;
  const i32 lanes_8 = i32(32);
  while (mask_8 < minimum(lanes_8, 16)) {
    squares_4 = squares_4 + shuffle_xor(squares_4, u32(mask_8));
    mask_8 = mask_8 * 2;
  }
  while (mask_8 < 16) {
    exchanged[thread] = squares_4;
    __syncthreads();
    squares_4 = squares_4 + exchanged[(thread ^ mask_8)];
    __syncthreads();
    mask_8 = mask_8 * 2;
  }
  if (thread_column == 0 && row_6 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_4 = row_6 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_4 * 2 + 0] = total_4;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_4 * 2 + 1] = squares_4;
  }
  const i32 row_7 = first_row + thread_row + 32;
  f32 total_5 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_5 += sum_4_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_5 += sum_4_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_5 += sum_4_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_5 += sum_4_3;
  }
  i32 mask_9 = 1;
  const i32 lanes_9 = i32(32);
  while (mask_9 < minimum(lanes_9, 16)) {
    total_5 = total_5 + shuffle_xor(total_5, u32(mask_9));
    mask_9 = mask_9 * 2;
  }
  while (mask_9 < 16) {
    exchanged[thread] = total_5;
    __syncthreads();
    total_5 = total_5 + exchanged[(thread ^ mask_9)];
    __syncthreads();
    mask_9 = mask_9 * 2;
  }
  const f32 mean_5 = total_5 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_5 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_5 += (sum_4_0 - mean_5) * (sum_4_0 - mean_5);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_5 += (sum_4_1 - mean_5) * (sum_4_1 - mean_5);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_5 += (sum_4_2 - mean_5) * (sum_4_2 - mean_5);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_5 += (sum_4_3 - mean_5) * (sum_4_3 - mean_5);
  }
  i32 mask_10 = 1;
  const i32 lanes_10 = i32(32);
  while (mask_10 < minimum(lanes_10, 16)) {
    squares_5 = squares_5 + shuffle_xor(squares_5, u32(mask_10));
    mask_10 = mask_10 * 2;
  }
  while (mask_10 < 16) {
    exchanged[thread] = squares_5;
    __syncthreads();
    squares_5 = squares_5 + exchanged[(thread ^ mask_10)];
    __syncthreads();
    mask_10 = mask_10 * 2;
  }
  if (thread_column == 0 && row_7 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_5 = row_7 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_5 * 2 + 0] = total_5;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_5 * 2 + 1] = squares_5;
  }
  const i32 row_8 = first_row + thread_row + 40;
  f32 total_6 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_6 += sum_5_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_6 += sum_5_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_6 += sum_5_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_6 += sum_5_3;
  }
  i32 mask_11 = 1;
  const i32 lanes_11 = i32(32);
  while (mask_11 < minimum(lanes_11, 16)) {
    total_6 = total_6 + shuffle_xor(total_6, u32(mask_11));
    mask_11 = mask_11 * 2;
  }
  while (mask_11 < 16) {
    exchanged[thread] = total_6;
    __syncthreads();
    total_6 = total_6 + exchanged[(thread ^ mask_11)];
    __syncthreads();
    mask_11 = mask_11 * 2;
  }
  const f32 mean_6 = total_6 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_6 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_6 += (sum_5_0 - mean_6) * (sum_5_0 - mean_6);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_6 += (sum_5_1 - mean_6) * (sum_5_1 - mean_6);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_6 += (sum_5_2 - mean_6) * (sum_5_2 - mean_6);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_6 += (sum_5_3 - mean_6) * (sum_5_3 - mean_6);
  }
  i32 mask_12 = 1;
  const i32 lanes_12 = i32(32);
  while (mask_12 < minimum(lanes_12, 16)) {
    squares_6 = squares_6 + shuffle_xor(squares_6, u32(mask_12));
    mask_12 = mask_12 * 2;
  }
  while (mask_12 < 16) {
    exchanged[thread] = squares_6;
    __syncthreads();
    squares_6 = squares_6 + exchanged[(thread ^ mask_12)];
    __syncthreads();
    mask_12 = mask_12 * 2;
  }
  if (thread_column == 0 && row_8 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_6 = row_8 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_6 * 2 + 0] = total_6;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_6 * 2 + 1] = squares_6;
  }
  const i32 row_9 = first_row + thread_row + 48;
  f32 total_7 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_7 += sum_6_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_7 += sum_6_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_7 += sum_6_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_7 += sum_6_3;
  }
  i32 mask_13 = 1;
  const i32 lanes_13 = i32(32);
  while (mask_13 < minimum(lanes_13, 16)) {
    total_7 = total_7 + shuffle_xor(total_7, u32(mask_13));
    mask_13 = mask_13 * 2;
  }
  while (mask_13 < 16) {
    exchanged[thread] = total_7;
    __syncthreads();
    total_7 = total_7 + exchanged[(thread ^ mask_13)];
    __syncthreads();
    mask_13 = mask_13 * 2;
  }
  const f32 mean_7 = total_7 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_7 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_7 += (sum_6_0 - mean_7) * (sum_6_0 - mean_7);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_7 += (sum_6_1 - mean_7) * (sum_6_1 - mean_7);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_7 += (sum_6_2 - mean_7) * (sum_6_2 - mean_7);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_7 += (sum_6_3 - mean_7) * (sum_6_3 - mean_7);
  }
  i32 mask_14 = 1;
  const i32 lanes_14 = i32(32);
  while (mask_14 < minimum(lanes_14, 16)) {
    squares_7 = squares_7 + shuffle_xor(squares_7, u32(mask_14));
    mask_14 = mask_14 * 2;
  }
  while (mask_14 < 16) {
    exchanged[thread] = squares_7;
    __syncthreads();
    squares_7 = squares_7 + exchanged[(thread ^ mask_14)];
    __syncthreads();
    mask_14 = mask_14 * 2;
  }
  if (thread_column == 0 && row_9 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_7 = row_9 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_7 * 2 + 0] = total_7;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_7 * 2 + 1] = squares_7;
  }
  const i32 row_10 = first_row + thread_row + 56;
  f32 total_8 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_8 += sum_7_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_8 += sum_7_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_8 += sum_7_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_8 += sum_7_3;
  }
  i32 mask_15 = 1;
  const i32 lanes_15 = i32(32);
  while (mask_15 < minimum(lanes_15, 16)) {
    total_8 = total_8 + shuffle_xor(total_8, u32(mask_15));
    mask_15 = mask_15 * 2;
  }
  while (mask_15 < 16) {
    exchanged[thread] = total_8;
    __syncthreads();
    total_8 = total_8 + exchanged[(thread ^ mask_15)];
    __syncthreads();
    mask_15 = mask_15 * 2;
  }
  const f32 mean_8 = total_8 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_8 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_8 += (sum_7_0 - mean_8) * (sum_7_0 - mean_8);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_8 += (sum_7_1 - mean_8) * (sum_7_1 - mean_8);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_8 += (sum_7_2 - mean_8) * (sum_7_2 - mean_8);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_8 += (sum_7_3 - mean_8) * (sum_7_3 - mean_8);
  }
  i32 mask_16 = 1;
  const i32 lanes_16 = i32(32);
  while (mask_16 < minimum(lanes_16, 16)) {
    squares_8 = squares_8 + shuffle_xor(squares_8, u32(mask_16));
    mask_16 = mask_16 * 2;
  }
  while (mask_16 < 16) {
    exchanged[thread] = squares_8;
    __syncthreads();
    squares_8 = squares_8 + exchanged[(thread ^ mask_16)];
    __syncthreads();
    mask_16 = mask_16 * 2;
  }
  if (thread_column == 0 && row_10 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_8 = row_10 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_8 * 2 + 0] = total_8;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_8 * 2 + 1] = squares_8;
  }
}
}

// === kernel gemm_bias_gelu ===
// gemm_bias_gelu
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// A tile of 64 x 64 a workgroup.

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

static __device__ f32 multiply_add(vec4<f32> a, vec4<f32> b, f32 sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

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
  const f32 *__restrict__ bias_buffer,
  const vec4<f32> *__restrict__ norm_weight_buffer,
  const vec4<f32> *__restrict__ norm_bias_buffer,
  f32 *__restrict__ result_buffer
) {
  __shared__ vec4<f32> left_tile[320];
  __shared__ vec4<f32> right_tile[320];
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
  const i32 thread_row = thread / 16;
  const i32 thread_column = thread % 16;
  f32 sum_0_0 = f32();
  f32 sum_0_1 = f32();
  f32 sum_0_2 = f32();
  f32 sum_0_3 = f32();
  f32 sum_1_0 = f32();
  f32 sum_1_1 = f32();
  f32 sum_1_2 = f32();
  f32 sum_1_3 = f32();
  f32 sum_2_0 = f32();
  f32 sum_2_1 = f32();
  f32 sum_2_2 = f32();
  f32 sum_2_3 = f32();
  f32 sum_3_0 = f32();
  f32 sum_3_1 = f32();
  f32 sum_3_2 = f32();
  f32 sum_3_3 = f32();
  f32 sum_4_0 = f32();
  f32 sum_4_1 = f32();
  f32 sum_4_2 = f32();
  f32 sum_4_3 = f32();
  f32 sum_5_0 = f32();
  f32 sum_5_1 = f32();
  f32 sum_5_2 = f32();
  f32 sum_5_3 = f32();
  f32 sum_6_0 = f32();
  f32 sum_6_1 = f32();
  f32 sum_6_2 = f32();
  f32 sum_6_3 = f32();
  f32 sum_7_0 = f32();
  f32 sum_7_1 = f32();
  f32 sum_7_2 = f32();
  f32 sum_7_3 = f32();
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
  for (i32 depth_start = 0; depth_start < sizes->depth; depth_start += 16) {
    for (i32 run = thread; run < 256; run += 128) {
      const i32 tile_row = run / 4;
      const i32 within = run % 4 * 4;
      const i32 place = depth_start + within;
      const i32 at = tile_row * 5 + within / 4;
      if (place < sizes->depth) {
        const i32 row_2 = minimum(first_row + tile_row, sizes->rows - 1);
        const i32 start = row_2 * sizes->left_stride + place;
        left_tile[at + 0] = (left_statistics_buffer[(sizes->left_offset + start) >> 2u] - row_mean[tile_row]) * row_scale[tile_row] * norm_weight_buffer[(sizes->norm_weight_offset + place) >> 2u] + norm_bias_buffer[(sizes->norm_bias_offset + place) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0f);
      }
    }
    for (i32 run = thread; run < 256; run += 128) {
      const i32 tile_row_2 = run / 4;
      const i32 within_2 = run % 4 * 4;
      const i32 place_2 = depth_start + within_2;
      const i32 at_2 = tile_row_2 * 5 + within_2 / 4;
      if (place_2 < sizes->depth) {
        const i32 row_3 = minimum(first_column + tile_row_2, sizes->columns - 1);
        const i32 start_2 = row_3 * sizes->depth + place_2;
        right_tile[at_2 + 0] = right_buffer[(sizes->right_offset + start_2) >> 2u];
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0f);
      }
    }
    __syncthreads();
    for (i32 quad = 0; quad < 4; quad += 1) {
      const i32 left_at = thread_row * 5 + quad;
      const i32 right_at = thread_column * 5 + quad;
      const vec4<f32> right_0 = right_tile[right_at + 0];
      const vec4<f32> right_1 = right_tile[right_at + 80];
      const vec4<f32> right_2 = right_tile[right_at + 160];
      const vec4<f32> right_3 = right_tile[right_at + 240];
      const vec4<f32> left_0 = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      const vec4<f32> left_1 = left_tile[left_at + 40];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      const vec4<f32> left_2 = left_tile[left_at + 80];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      const vec4<f32> left_3 = left_tile[left_at + 120];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
      const vec4<f32> left_4 = left_tile[left_at + 160];
      sum_4_0 = multiply_add(left_4, right_0, sum_4_0);
      sum_4_1 = multiply_add(left_4, right_1, sum_4_1);
      sum_4_2 = multiply_add(left_4, right_2, sum_4_2);
      sum_4_3 = multiply_add(left_4, right_3, sum_4_3);
      const vec4<f32> left_5 = left_tile[left_at + 200];
      sum_5_0 = multiply_add(left_5, right_0, sum_5_0);
      sum_5_1 = multiply_add(left_5, right_1, sum_5_1);
      sum_5_2 = multiply_add(left_5, right_2, sum_5_2);
      sum_5_3 = multiply_add(left_5, right_3, sum_5_3);
      const vec4<f32> left_6 = left_tile[left_at + 240];
      sum_6_0 = multiply_add(left_6, right_0, sum_6_0);
      sum_6_1 = multiply_add(left_6, right_1, sum_6_1);
      sum_6_2 = multiply_add(left_6, right_2, sum_6_2);
      sum_6_3 = multiply_add(left_6, right_3, sum_6_3);
      const vec4<f32> left_7 = left_tile[left_at + 280];
      sum_7_0 = multiply_add(left_7, right_0, sum_7_0);
      sum_7_1 = multiply_add(left_7, right_1, sum_7_1);
      sum_7_2 = multiply_add(left_7, right_2, sum_7_2);
      sum_7_3 = multiply_add(left_7, right_3, sum_7_3);
    }
    __syncthreads();
  }
  const i32 column = first_column + thread_column + 0;
  if (column < sizes->columns) {
    const f32 bias_2 = bias_buffer[sizes->bias_offset + column];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 value = sum_0_0 + bias_2;
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column] = gelu_f32(value);
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 value_2 = sum_1_0 + bias_2;
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column] = gelu_f32(value_2);
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 value_3 = sum_2_0 + bias_2;
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column] = gelu_f32(value_3);
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 value_4 = sum_3_0 + bias_2;
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column] = gelu_f32(value_4);
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 value_5 = sum_4_0 + bias_2;
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column] = gelu_f32(value_5);
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 value_6 = sum_5_0 + bias_2;
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column] = gelu_f32(value_6);
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 value_7 = sum_6_0 + bias_2;
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column] = gelu_f32(value_7);
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 value_8 = sum_7_0 + bias_2;
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column] = gelu_f32(value_8);
    }
  }
  const i32 column_2 = first_column + thread_column + 16;
  if (column_2 < sizes->columns) {
    const f32 bias_3 = bias_buffer[sizes->bias_offset + column_2];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 value_9 = sum_0_1 + bias_3;
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_2] = gelu_f32(value_9);
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 value_10 = sum_1_1 + bias_3;
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_2] = gelu_f32(value_10);
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 value_11 = sum_2_1 + bias_3;
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_2] = gelu_f32(value_11);
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 value_12 = sum_3_1 + bias_3;
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_2] = gelu_f32(value_12);
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 value_13 = sum_4_1 + bias_3;
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_2] = gelu_f32(value_13);
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 value_14 = sum_5_1 + bias_3;
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_2] = gelu_f32(value_14);
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 value_15 = sum_6_1 + bias_3;
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_2] = gelu_f32(value_15);
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 value_16 = sum_7_1 + bias_3;
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_2] = gelu_f32(value_16);
    }
  }
  const i32 column_3 = first_column + thread_column + 32;
  if (column_3 < sizes->columns) {
    const f32 bias_4 = bias_buffer[sizes->bias_offset + column_3];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 value_17 = sum_0_2 + bias_4;
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_3] = gelu_f32(value_17);
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 value_18 = sum_1_2 + bias_4;
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_3] = gelu_f32(value_18);
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 value_19 = sum_2_2 + bias_4;
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_3] = gelu_f32(value_19);
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 value_20 = sum_3_2 + bias_4;
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_3] = gelu_f32(value_20);
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 value_21 = sum_4_2 + bias_4;
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_3] = gelu_f32(value_21);
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 value_22 = sum_5_2 + bias_4;
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_3] = gelu_f32(value_22);
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 value_23 = sum_6_2 + bias_4;
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_3] = gelu_f32(value_23);
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 value_24 = sum_7_2 + bias_4;
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_3] = gelu_f32(value_24);
    }
  }
  const i32 column_4 = first_column + thread_column + 48;
  if (column_4 < sizes->columns) {
    const f32 bias_5 = bias_buffer[sizes->bias_offset + column_4];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 value_25 = sum_0_3 + bias_5;
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_4] = gelu_f32(value_25);
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 value_26 = sum_1_3 + bias_5;
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_4] = gelu_f32(value_26);
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 value_27 = sum_2_3 + bias_5;
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_4] = gelu_f32(value_27);
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 value_28 = sum_3_3 + bias_5;
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_4] = gelu_f32(value_28);
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 value_29 = sum_4_3 + bias_5;
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_4] = gelu_f32(value_29);
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 value_30 = sum_5_3 + bias_5;
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_4] = gelu_f32(value_30);
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 value_31 = sum_6_3 + bias_5;
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_4] = gelu_f32(value_31);
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 value_32 = sum_7_3 + bias_5;
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_4] = gelu_f32(value_32);
    }
  }
}
}

// === kernel gemm_bias_residual_2 ===
// gemm_bias_residual_2
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// A tile of 64 x 64 a workgroup.

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

static __device__ f32 multiply_add(vec4<f32> a, vec4<f32> b, f32 sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

extern "C" __global__ void __launch_bounds__(128, 1) gemm_bias_residual_2(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_buffer,
  const vec4<f32> *__restrict__ right_buffer,
  const f32 *__restrict__ bias_buffer,
  const f32 *__restrict__ residual_residual_statistics_buffer,
  const f32 *__restrict__ residual_weight_buffer,
  const f32 *__restrict__ residual_bias_buffer,
  f32 *__restrict__ result_result_statistics_buffer
) {
  __shared__ vec4<f32> left_tile[320];
  __shared__ vec4<f32> right_tile[320];
  __shared__ f32 row_scale[64];
  __shared__ f32 row_mean[64];
  __shared__ f32 exchanged[128];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row_tiles = ((sizes->rows + 63) / 64);
  const i32 first_row = item % row_tiles * 64;
  const i32 first_column = item / row_tiles * 64;
  const i32 thread_row = thread / 16;
  const i32 thread_column = thread % 16;
  f32 sum_0_0 = f32();
  f32 sum_0_1 = f32();
  f32 sum_0_2 = f32();
  f32 sum_0_3 = f32();
  f32 sum_1_0 = f32();
  f32 sum_1_1 = f32();
  f32 sum_1_2 = f32();
  f32 sum_1_3 = f32();
  f32 sum_2_0 = f32();
  f32 sum_2_1 = f32();
  f32 sum_2_2 = f32();
  f32 sum_2_3 = f32();
  f32 sum_3_0 = f32();
  f32 sum_3_1 = f32();
  f32 sum_3_2 = f32();
  f32 sum_3_3 = f32();
  f32 sum_4_0 = f32();
  f32 sum_4_1 = f32();
  f32 sum_4_2 = f32();
  f32 sum_4_3 = f32();
  f32 sum_5_0 = f32();
  f32 sum_5_1 = f32();
  f32 sum_5_2 = f32();
  f32 sum_5_3 = f32();
  f32 sum_6_0 = f32();
  f32 sum_6_1 = f32();
  f32 sum_6_2 = f32();
  f32 sum_6_3 = f32();
  f32 sum_7_0 = f32();
  f32 sum_7_1 = f32();
  f32 sum_7_2 = f32();
  f32 sum_7_3 = f32();
  for (i32 tile_row = thread; tile_row < 64; tile_row += 128) {
    const i32 row = minimum(first_row + tile_row, sizes->rows - 1);
    const i32 parts = ((sizes->columns + sizes->residual_part_columns - 1) / sizes->residual_part_columns);
    const i32 first_part = row * parts;
    f32 squares = f32();
    f32 total = f32();
    #pragma unroll 16
    for (i32 part = 0; part < parts; part += 1) {
      total += residual_residual_statistics_buffer[sizes->residual_statistics_offset + (first_part + part) * 2];
    }
    const f32 mean = total / f32(sizes->columns);
    #pragma unroll 16
    for (i32 part = 0; part < parts; part += 1) {
      const f32 count = f32(minimum(sizes->residual_part_columns, sizes->columns - part * sizes->residual_part_columns));
      const f32 distance = residual_residual_statistics_buffer[sizes->residual_statistics_offset + (first_part + part) * 2] / count - mean;
      squares += residual_residual_statistics_buffer[sizes->residual_statistics_offset + (first_part + part) * 2 + 1] + count * distance * distance;
    }
    const f32 scale = 1.0f / sqrtf(squares / f32(sizes->columns) + 9.999999960041972e-13f);
    row_mean[tile_row] = mean;
    row_scale[tile_row] = scale;
  }
  __syncthreads();
  for (i32 depth_start = 0; depth_start < sizes->depth; depth_start += 16) {
    for (i32 run = thread; run < 256; run += 128) {
      const i32 tile_row = run / 4;
      const i32 within = run % 4 * 4;
      const i32 place = depth_start + within;
      const i32 at = tile_row * 5 + within / 4;
      if (place < sizes->depth) {
        const i32 row_2 = minimum(first_row + tile_row, sizes->rows - 1);
        const i32 start = row_2 * sizes->left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes->left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0f);
      }
    }
    for (i32 run = thread; run < 256; run += 128) {
      const i32 tile_row_2 = run / 4;
      const i32 within_2 = run % 4 * 4;
      const i32 place_2 = depth_start + within_2;
      const i32 at_2 = tile_row_2 * 5 + within_2 / 4;
      if (place_2 < sizes->depth) {
        const i32 row_3 = minimum(first_column + tile_row_2, sizes->columns - 1);
        const i32 start_2 = row_3 * sizes->depth + place_2;
        right_tile[at_2 + 0] = right_buffer[(sizes->right_offset + start_2) >> 2u];
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0f);
      }
    }
    __syncthreads();
    for (i32 quad = 0; quad < 4; quad += 1) {
      const i32 left_at = thread_row * 5 + quad;
      const i32 right_at = thread_column * 5 + quad;
      const vec4<f32> right_0 = right_tile[right_at + 0];
      const vec4<f32> right_1 = right_tile[right_at + 80];
      const vec4<f32> right_2 = right_tile[right_at + 160];
      const vec4<f32> right_3 = right_tile[right_at + 240];
      const vec4<f32> left_0 = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      const vec4<f32> left_1 = left_tile[left_at + 40];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      const vec4<f32> left_2 = left_tile[left_at + 80];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      const vec4<f32> left_3 = left_tile[left_at + 120];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
      const vec4<f32> left_4 = left_tile[left_at + 160];
      sum_4_0 = multiply_add(left_4, right_0, sum_4_0);
      sum_4_1 = multiply_add(left_4, right_1, sum_4_1);
      sum_4_2 = multiply_add(left_4, right_2, sum_4_2);
      sum_4_3 = multiply_add(left_4, right_3, sum_4_3);
      const vec4<f32> left_5 = left_tile[left_at + 200];
      sum_5_0 = multiply_add(left_5, right_0, sum_5_0);
      sum_5_1 = multiply_add(left_5, right_1, sum_5_1);
      sum_5_2 = multiply_add(left_5, right_2, sum_5_2);
      sum_5_3 = multiply_add(left_5, right_3, sum_5_3);
      const vec4<f32> left_6 = left_tile[left_at + 240];
      sum_6_0 = multiply_add(left_6, right_0, sum_6_0);
      sum_6_1 = multiply_add(left_6, right_1, sum_6_1);
      sum_6_2 = multiply_add(left_6, right_2, sum_6_2);
      sum_6_3 = multiply_add(left_6, right_3, sum_6_3);
      const vec4<f32> left_7 = left_tile[left_at + 280];
      sum_7_0 = multiply_add(left_7, right_0, sum_7_0);
      sum_7_1 = multiply_add(left_7, right_1, sum_7_1);
      sum_7_2 = multiply_add(left_7, right_2, sum_7_2);
      sum_7_3 = multiply_add(left_7, right_3, sum_7_3);
    }
    __syncthreads();
  }
  const i32 column = first_column + thread_column + 0;
  if (column < sizes->columns) {
    const f32 bias_2 = bias_buffer[sizes->bias_offset + column];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept = sum_0_0 + bias_2 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column] - row_mean[(first_row + thread_row + 0) - first_row]) * row_scale[(first_row + thread_row + 0) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column] + residual_bias_buffer[sizes->residual_bias_offset + column]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column] = kept;
      sum_0_0 = kept;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_2 = sum_1_0 + bias_2 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column] - row_mean[(first_row + thread_row + 8) - first_row]) * row_scale[(first_row + thread_row + 8) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column] + residual_bias_buffer[sizes->residual_bias_offset + column]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column] = kept_2;
      sum_1_0 = kept_2;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_3 = sum_2_0 + bias_2 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column] - row_mean[(first_row + thread_row + 16) - first_row]) * row_scale[(first_row + thread_row + 16) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column] + residual_bias_buffer[sizes->residual_bias_offset + column]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column] = kept_3;
      sum_2_0 = kept_3;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_4 = sum_3_0 + bias_2 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column] - row_mean[(first_row + thread_row + 24) - first_row]) * row_scale[(first_row + thread_row + 24) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column] + residual_bias_buffer[sizes->residual_bias_offset + column]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column] = kept_4;
      sum_3_0 = kept_4;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_5 = sum_4_0 + bias_2 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column] - row_mean[(first_row + thread_row + 32) - first_row]) * row_scale[(first_row + thread_row + 32) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column] + residual_bias_buffer[sizes->residual_bias_offset + column]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column] = kept_5;
      sum_4_0 = kept_5;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_6 = sum_5_0 + bias_2 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column] - row_mean[(first_row + thread_row + 40) - first_row]) * row_scale[(first_row + thread_row + 40) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column] + residual_bias_buffer[sizes->residual_bias_offset + column]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column] = kept_6;
      sum_5_0 = kept_6;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_7 = sum_6_0 + bias_2 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column] - row_mean[(first_row + thread_row + 48) - first_row]) * row_scale[(first_row + thread_row + 48) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column] + residual_bias_buffer[sizes->residual_bias_offset + column]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column] = kept_7;
      sum_6_0 = kept_7;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_8 = sum_7_0 + bias_2 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column] - row_mean[(first_row + thread_row + 56) - first_row]) * row_scale[(first_row + thread_row + 56) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column] + residual_bias_buffer[sizes->residual_bias_offset + column]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column] = kept_8;
      sum_7_0 = kept_8;
    }
  }
  const i32 column_2 = first_column + thread_column + 16;
  if (column_2 < sizes->columns) {
    const f32 bias_3 = bias_buffer[sizes->bias_offset + column_2];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept_9 = sum_0_1 + bias_3 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column_2] - row_mean[(first_row + thread_row + 0) - first_row]) * row_scale[(first_row + thread_row + 0) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_2] + residual_bias_buffer[sizes->residual_bias_offset + column_2]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_2] = kept_9;
      sum_0_1 = kept_9;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_10 = sum_1_1 + bias_3 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column_2] - row_mean[(first_row + thread_row + 8) - first_row]) * row_scale[(first_row + thread_row + 8) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_2] + residual_bias_buffer[sizes->residual_bias_offset + column_2]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_2] = kept_10;
      sum_1_1 = kept_10;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_11 = sum_2_1 + bias_3 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column_2] - row_mean[(first_row + thread_row + 16) - first_row]) * row_scale[(first_row + thread_row + 16) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_2] + residual_bias_buffer[sizes->residual_bias_offset + column_2]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_2] = kept_11;
      sum_2_1 = kept_11;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_12 = sum_3_1 + bias_3 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column_2] - row_mean[(first_row + thread_row + 24) - first_row]) * row_scale[(first_row + thread_row + 24) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_2] + residual_bias_buffer[sizes->residual_bias_offset + column_2]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_2] = kept_12;
      sum_3_1 = kept_12;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_13 = sum_4_1 + bias_3 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column_2] - row_mean[(first_row + thread_row + 32) - first_row]) * row_scale[(first_row + thread_row + 32) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_2] + residual_bias_buffer[sizes->residual_bias_offset + column_2]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_2] = kept_13;
      sum_4_1 = kept_13;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_14 = sum_5_1 + bias_3 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column_2] - row_mean[(first_row + thread_row + 40) - first_row]) * row_scale[(first_row + thread_row + 40) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_2] + residual_bias_buffer[sizes->residual_bias_offset + column_2]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_2] = kept_14;
      sum_5_1 = kept_14;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_15 = sum_6_1 + bias_3 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column_2] - row_mean[(first_row + thread_row + 48) - first_row]) * row_scale[(first_row + thread_row + 48) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_2] + residual_bias_buffer[sizes->residual_bias_offset + column_2]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_2] = kept_15;
      sum_6_1 = kept_15;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_16 = sum_7_1 + bias_3 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column_2] - row_mean[(first_row + thread_row + 56) - first_row]) * row_scale[(first_row + thread_row + 56) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_2] + residual_bias_buffer[sizes->residual_bias_offset + column_2]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_2] = kept_16;
      sum_7_1 = kept_16;
    }
  }
  const i32 column_3 = first_column + thread_column + 32;
  if (column_3 < sizes->columns) {
    const f32 bias_4 = bias_buffer[sizes->bias_offset + column_3];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept_17 = sum_0_2 + bias_4 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column_3] - row_mean[(first_row + thread_row + 0) - first_row]) * row_scale[(first_row + thread_row + 0) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_3] + residual_bias_buffer[sizes->residual_bias_offset + column_3]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_3] = kept_17;
      sum_0_2 = kept_17;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_18 = sum_1_2 + bias_4 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column_3] - row_mean[(first_row + thread_row + 8) - first_row]) * row_scale[(first_row + thread_row + 8) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_3] + residual_bias_buffer[sizes->residual_bias_offset + column_3]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_3] = kept_18;
      sum_1_2 = kept_18;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_19 = sum_2_2 + bias_4 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column_3] - row_mean[(first_row + thread_row + 16) - first_row]) * row_scale[(first_row + thread_row + 16) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_3] + residual_bias_buffer[sizes->residual_bias_offset + column_3]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_3] = kept_19;
      sum_2_2 = kept_19;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_20 = sum_3_2 + bias_4 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column_3] - row_mean[(first_row + thread_row + 24) - first_row]) * row_scale[(first_row + thread_row + 24) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_3] + residual_bias_buffer[sizes->residual_bias_offset + column_3]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_3] = kept_20;
      sum_3_2 = kept_20;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_21 = sum_4_2 + bias_4 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column_3] - row_mean[(first_row + thread_row + 32) - first_row]) * row_scale[(first_row + thread_row + 32) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_3] + residual_bias_buffer[sizes->residual_bias_offset + column_3]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_3] = kept_21;
      sum_4_2 = kept_21;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_22 = sum_5_2 + bias_4 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column_3] - row_mean[(first_row + thread_row + 40) - first_row]) * row_scale[(first_row + thread_row + 40) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_3] + residual_bias_buffer[sizes->residual_bias_offset + column_3]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_3] = kept_22;
      sum_5_2 = kept_22;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_23 = sum_6_2 + bias_4 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column_3] - row_mean[(first_row + thread_row + 48) - first_row]) * row_scale[(first_row + thread_row + 48) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_3] + residual_bias_buffer[sizes->residual_bias_offset + column_3]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_3] = kept_23;
      sum_6_2 = kept_23;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_24 = sum_7_2 + bias_4 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column_3] - row_mean[(first_row + thread_row + 56) - first_row]) * row_scale[(first_row + thread_row + 56) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_3] + residual_bias_buffer[sizes->residual_bias_offset + column_3]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_3] = kept_24;
      sum_7_2 = kept_24;
    }
  }
  const i32 column_4 = first_column + thread_column + 48;
  if (column_4 < sizes->columns) {
    const f32 bias_5 = bias_buffer[sizes->bias_offset + column_4];
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept_25 = sum_0_3 + bias_5 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column_4] - row_mean[(first_row + thread_row + 0) - first_row]) * row_scale[(first_row + thread_row + 0) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_4] + residual_bias_buffer[sizes->residual_bias_offset + column_4]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_4] = kept_25;
      sum_0_3 = kept_25;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_26 = sum_1_3 + bias_5 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column_4] - row_mean[(first_row + thread_row + 8) - first_row]) * row_scale[(first_row + thread_row + 8) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_4] + residual_bias_buffer[sizes->residual_bias_offset + column_4]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_4] = kept_26;
      sum_1_3 = kept_26;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_27 = sum_2_3 + bias_5 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column_4] - row_mean[(first_row + thread_row + 16) - first_row]) * row_scale[(first_row + thread_row + 16) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_4] + residual_bias_buffer[sizes->residual_bias_offset + column_4]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_4] = kept_27;
      sum_2_3 = kept_27;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_28 = sum_3_3 + bias_5 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column_4] - row_mean[(first_row + thread_row + 24) - first_row]) * row_scale[(first_row + thread_row + 24) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_4] + residual_bias_buffer[sizes->residual_bias_offset + column_4]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_4] = kept_28;
      sum_3_3 = kept_28;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_29 = sum_4_3 + bias_5 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column_4] - row_mean[(first_row + thread_row + 32) - first_row]) * row_scale[(first_row + thread_row + 32) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_4] + residual_bias_buffer[sizes->residual_bias_offset + column_4]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_4] = kept_29;
      sum_4_3 = kept_29;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_30 = sum_5_3 + bias_5 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column_4] - row_mean[(first_row + thread_row + 40) - first_row]) * row_scale[(first_row + thread_row + 40) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_4] + residual_bias_buffer[sizes->residual_bias_offset + column_4]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_4] = kept_30;
      sum_5_3 = kept_30;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_31 = sum_6_3 + bias_5 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column_4] - row_mean[(first_row + thread_row + 48) - first_row]) * row_scale[(first_row + thread_row + 48) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_4] + residual_bias_buffer[sizes->residual_bias_offset + column_4]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_4] = kept_31;
      sum_6_3 = kept_31;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_32 = sum_7_3 + bias_5 + ((residual_residual_statistics_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column_4] - row_mean[(first_row + thread_row + 56) - first_row]) * row_scale[(first_row + thread_row + 56) - first_row] * residual_weight_buffer[sizes->residual_weight_offset + column_4] + residual_bias_buffer[sizes->residual_bias_offset + column_4]);
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_4] = kept_32;
      sum_7_3 = kept_32;
    }
  }
  const i32 row_4 = first_row + thread_row + 0;
  f32 total_2 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_2 += sum_0_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_2 += sum_0_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_2 += sum_0_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_2 += sum_0_3;
  }
  i32 mask = 1;
  const i32 lanes = i32(32);
  while (mask < minimum(lanes, 16)) {
    total_2 = total_2 + shuffle_xor(total_2, u32(mask));
    mask = mask * 2;
  }
  while (mask < 16) {
    exchanged[thread] = total_2;
    __syncthreads();
    total_2 = total_2 + exchanged[(thread ^ mask)];
    __syncthreads();
    mask = mask * 2;
  }
  const f32 mean_2 = total_2 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_2 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_2 += (sum_0_0 - mean_2) * (sum_0_0 - mean_2);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_2 += (sum_0_1 - mean_2) * (sum_0_1 - mean_2);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_2 += (sum_0_2 - mean_2) * (sum_0_2 - mean_2);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_2 += (sum_0_3 - mean_2) * (sum_0_3 - mean_2);
  }
  i32 mask_2 = 1;
  const i32 lanes_2 = i32(32);
  while (mask_2 < minimum(lanes_2, 16)) {
    squares_2 = squares_2 + shuffle_xor(squares_2, u32(mask_2));
    mask_2 = mask_2 * 2;
  }
  while (mask_2 < 16) {
    exchanged[thread] = squares_2;
    __syncthreads();
    squares_2 = squares_2 + exchanged[(thread ^ mask_2)];
    __syncthreads();
    mask_2 = mask_2 * 2;
  }
  if (thread_column == 0 && row_4 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at = row_4 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at * 2 + 0] = total_2;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at * 2 + 1] = squares_2;
  }
  const i32 row_5 = first_row + thread_row + 8;
  f32 total_3 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_3 += sum_1_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_3 += sum_1_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_3 += sum_1_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_3 += sum_1_3;
  }
  i32 mask_3 = 1;
  const i32 lanes_3 = i32(32);
  while (mask_3 < minimum(lanes_3, 16)) {
    total_3 = total_3 + shuffle_xor(total_3, u32(mask_3));
    mask_3 = mask_3 * 2;
  }
  while (mask_3 < 16) {
    exchanged[thread] = total_3;
    __syncthreads();
    total_3 = total_3 + exchanged[(thread ^ mask_3)];
    __syncthreads();
    mask_3 = mask_3 * 2;
  }
  const f32 mean_3 = total_3 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_3 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_3 += (sum_1_0 - mean_3) * (sum_1_0 - mean_3);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_3 += (sum_1_1 - mean_3) * (sum_1_1 - mean_3);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_3 += (sum_1_2 - mean_3) * (sum_1_2 - mean_3);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_3 += (sum_1_3 - mean_3) * (sum_1_3 - mean_3);
  }
  i32 mask_4 = 1;
  const i32 lanes_4 = i32(32);
  while (mask_4 < minimum(lanes_4, 16)) {
    squares_3 = squares_3 + shuffle_xor(squares_3, u32(mask_4));
    mask_4 = mask_4 * 2;
  }
  while (mask_4 < 16) {
    exchanged[thread] = squares_3;
    __syncthreads();
    squares_3 = squares_3 + exchanged[(thread ^ mask_4)];
    __syncthreads();
    mask_4 = mask_4 * 2;
  }
  if (thread_column == 0 && row_5 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_2 = row_5 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_2 * 2 + 0] = total_3;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_2 * 2 + 1] = squares_3;
  }
  const i32 row_6 = first_row + thread_row + 16;
  f32 total_4 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_4 += sum_2_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_4 += sum_2_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_4 += sum_2_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_4 += sum_2_3;
  }
  i32 mask_5 = 1;
  const i32 lanes_5 = i32(32);
  while (mask_5 < minimum(lanes_5, 16)) {
    total_4 = total_4 + shuffle_xor(total_4, u32(mask_5));
    mask_5 = mask_5 * 2;
  }
  while (mask_5 < 16) {
    exchanged[thread] = total_4;
    __syncthreads();
    total_4 = total_4 + exchanged[(thread ^ mask_5)];
    __syncthreads();
    mask_5 = mask_5 * 2;
  }
  const f32 mean_4 = total_4 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_4 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_4 += (sum_2_0 - mean_4) * (sum_2_0 - mean_4);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_4 += (sum_2_1 - mean_4) * (sum_2_1 - mean_4);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_4 += (sum_2_2 - mean_4) * (sum_2_2 - mean_4);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_4 += (sum_2_3 - mean_4) * (sum_2_3 - mean_4);
  }
  i32 mask_6 = 1;
  const i32 lanes_6 = i32(32);
  while (mask_6 < minimum(lanes_6, 16)) {
    squares_4 = squares_4 + shuffle_xor(squares_4, u32(mask_6));
    mask_6 = mask_6 * 2;
  }
  while (mask_6 < 16) {
    exchanged[thread] = squares_4;
    __syncthreads();
    squares_4 = squares_4 + exchanged[(thread ^ mask_6)];
    __syncthreads();
    mask_6 = mask_6 * 2;
  }
  if (thread_column == 0 && row_6 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_3 = row_6 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_3 * 2 + 0] = total_4;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_3 * 2 + 1] = squares_4;
  }
  const i32 row_7 = first_row + thread_row + 24;
  f32 total_5 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_5 += sum_3_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_5 += sum_3_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_5 += sum_3_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_5 += sum_3_3;
  }
  i32 mask_7 = 1;
  const i32 lanes_7 = i32(32);
  while (mask_7 < minimum(lanes_7, 16)) {
    total_5 = total_5 + shuffle_xor(total_5, u32(mask_7));
    mask_7 = mask_7 * 2;
  }
  while (mask_7 < 16) {
    exchanged[thread] = total_5;
    __syncthreads();
    total_5 = total_5 + exchanged[(thread ^ mask_7)];
    __syncthreads();
    mask_7 = mask_7 * 2;
  }
  const f32 mean_5 = total_5 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_5 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_5 += (sum_3_0 - mean_5) * (sum_3_0 - mean_5);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_5 += (sum_3_1 - mean_5) * (sum_3_1 - mean_5);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_5 += (sum_3_2 - mean_5) * (sum_3_2 - mean_5);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_5 += (sum_3_3 - mean_5) * (sum_3_3 - mean_5);
  }
  i32 mask_8 = 1;
  const i32 lanes_8 = i32(32);
  while (mask_8 < minimum(lanes_8, 16)) {
    squares_5 = squares_5 + shuffle_xor(squares_5, u32(mask_8));
    mask_8 = mask_8 * 2;
  }
  while (mask_8 < 16) {
    exchanged[thread] = squares_5;
    __syncthreads();
    squares_5 = squares_5 + exchanged[(thread ^ mask_8)];
    __syncthreads();
    mask_8 = mask_8 * 2;
  }
  if (thread_column == 0 && row_7 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_4 = row_7 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_4 * 2 + 0] = total_5;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_4 * 2 + 1] = squares_5;
  }
  const i32 row_8 = first_row + thread_row + 32;
  f32 total_6 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_6 += sum_4_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_6 += sum_4_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_6 += sum_4_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_6 += sum_4_3;
  }
  i32 mask_9 = 1;
  const i32 lanes_9 = i32(32);
  while (mask_9 < minimum(lanes_9, 16)) {
    total_6 = total_6 + shuffle_xor(total_6, u32(mask_9));
    mask_9 = mask_9 * 2;
  }
  while (mask_9 < 16) {
    exchanged[thread] = total_6;
    __syncthreads();
    total_6 = total_6 + exchanged[(thread ^ mask_9)];
    __syncthreads();
    mask_9 = mask_9 * 2;
  }
  const f32 mean_6 = total_6 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_6 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_6 += (sum_4_0 - mean_6) * (sum_4_0 - mean_6);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_6 += (sum_4_1 - mean_6) * (sum_4_1 - mean_6);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_6 += (sum_4_2 - mean_6) * (sum_4_2 - mean_6);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_6 += (sum_4_3 - mean_6) * (sum_4_3 - mean_6);
  }
  i32 mask_10 = 1;
  const i32 lanes_10 = i32(32);
  while (mask_10 < minimum(lanes_10, 16)) {
    squares_6 = squares_6 + shuffle_xor(squares_6, u32(mask_10));
    mask_10 = mask_10 * 2;
  }
  while (mask_10 < 16) {
    exchanged[thread] = squares_6;
    __syncthreads();
    squares_6 = squares_6 + exchanged[(thread ^ mask_10)];
    __syncthreads();
    mask_10 = mask_10 * 2;
  }
  if (thread_column == 0 && row_8 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_5 = row_8 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_5 * 2 + 0] = total_6;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_5 * 2 + 1] = squares_6;
  }
  const i32 row_9 = first_row + thread_row + 40;
  f32 total_7 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_7 += sum_5_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_7 += sum_5_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_7 += sum_5_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_7 += sum_5_3;
  }
  i32 mask_11 = 1;
  const i32 lanes_11 = i32(32);
  while (mask_11 < minimum(lanes_11, 16)) {
    total_7 = total_7 + shuffle_xor(total_7, u32(mask_11));
    mask_11 = mask_11 * 2;
  }
  while (mask_11 < 16) {
    exchanged[thread] = total_7;
    __syncthreads();
    total_7 = total_7 + exchanged[(thread ^ mask_11)];
    __syncthreads();
    mask_11 = mask_11 * 2;
  }
  const f32 mean_7 = total_7 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_7 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_7 += (sum_5_0 - mean_7) * (sum_5_0 - mean_7);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_7 += (sum_5_1 - mean_7) * (sum_5_1 - mean_7);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_7 += (sum_5_2 - mean_7) * (sum_5_2 - mean_7);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_7 += (sum_5_3 - mean_7) * (sum_5_3 - mean_7);
  }
  i32 mask_12 = 1;
  const i32 lanes_12 = i32(32);
  while (mask_12 < minimum(lanes_12, 16)) {
    squares_7 = squares_7 + shuffle_xor(squares_7, u32(mask_12));
    mask_12 = mask_12 * 2;
  }
  while (mask_12 < 16) {
    exchanged[thread] = squares_7;
    __syncthreads();
    squares_7 = squares_7 + exchanged[(thread ^ mask_12)];
    __syncthreads();
    mask_12 = mask_12 * 2;
  }
  if (thread_column == 0 && row_9 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_6 = row_9 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_6 * 2 + 0] = total_7;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_6 * 2 + 1] = squares_7;
  }
  const i32 row_10 = first_row + thread_row + 48;
  f32 total_8 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_8 += sum_6_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_8 += sum_6_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_8 += sum_6_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_8 += sum_6_3;
  }
  i32 mask_13 = 1;
  const i32 lanes_13 = i32(32);
  while (mask_13 < minimum(lanes_13, 16)) {
    total_8 = total_8 + shuffle_xor(total_8, u32(mask_13));
    mask_13 = mask_13 * 2;
  }
  while (mask_13 < 16) {
    exchanged[thread] = total_8;
    __syncthreads();
    total_8 = total_8 + exchanged[(thread ^ mask_13)];
    __syncthreads();
    mask_13 = mask_13 * 2;
  }
  const f32 mean_8 = total_8 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_8 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_8 += (sum_6_0 - mean_8) * (sum_6_0 - mean_8);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_8 += (sum_6_1 - mean_8) * (sum_6_1 - mean_8);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_8 += (sum_6_2 - mean_8) * (sum_6_2 - mean_8);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_8 += (sum_6_3 - mean_8) * (sum_6_3 - mean_8);
  }
  i32 mask_14 = 1;
  const i32 lanes_14 = i32(32);
  while (mask_14 < minimum(lanes_14, 16)) {
    squares_8 = squares_8 + shuffle_xor(squares_8, u32(mask_14));
    mask_14 = mask_14 * 2;
  }
  while (mask_14 < 16) {
    exchanged[thread] = squares_8;
    __syncthreads();
    squares_8 = squares_8 + exchanged[(thread ^ mask_14)];
    __syncthreads();
    mask_14 = mask_14 * 2;
  }
  if (thread_column == 0 && row_10 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_7 = row_10 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_7 * 2 + 0] = total_8;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_7 * 2 + 1] = squares_8;
  }
  const i32 row_11 = first_row + thread_row + 56;
  f32 total_9 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    total_9 += sum_7_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    total_9 += sum_7_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    total_9 += sum_7_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    total_9 += sum_7_3;
  }
  i32 mask_15 = 1;
  const i32 lanes_15 = i32(32);
  while (mask_15 < minimum(lanes_15, 16)) {
    total_9 = total_9 + shuffle_xor(total_9, u32(mask_15));
    mask_15 = mask_15 * 2;
  }
  while (mask_15 < 16) {
    exchanged[thread] = total_9;
    __syncthreads();
    total_9 = total_9 + exchanged[(thread ^ mask_15)];
    __syncthreads();
    mask_15 = mask_15 * 2;
  }
  const f32 mean_9 = total_9 / f32(minimum(64, sizes->columns - first_column));
  f32 squares_9 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_9 += (sum_7_0 - mean_9) * (sum_7_0 - mean_9);
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_9 += (sum_7_1 - mean_9) * (sum_7_1 - mean_9);
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_9 += (sum_7_2 - mean_9) * (sum_7_2 - mean_9);
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_9 += (sum_7_3 - mean_9) * (sum_7_3 - mean_9);
  }
  i32 mask_16 = 1;
  const i32 lanes_16 = i32(32);
  while (mask_16 < minimum(lanes_16, 16)) {
    squares_9 = squares_9 + shuffle_xor(squares_9, u32(mask_16));
    mask_16 = mask_16 * 2;
  }
  while (mask_16 < 16) {
    exchanged[thread] = squares_9;
    __syncthreads();
    squares_9 = squares_9 + exchanged[(thread ^ mask_16)];
    __syncthreads();
    mask_16 = mask_16 * 2;
  }
  if (thread_column == 0 && row_11 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_8 = row_11 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_8 * 2 + 0] = total_9;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_8 * 2 + 1] = squares_9;
  }
}
}

// === kernel gemm_bias_2 ===
// gemm_bias_2
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// A tile of 64 x 64 a workgroup.

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

static __device__ f32 multiply_add(vec4<f32> a, vec4<f32> b, f32 sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

extern "C" __global__ void __launch_bounds__(128, 1) gemm_bias_2(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_statistics_buffer,
  const vec4<f32> *__restrict__ right_buffer,
  const f32 *__restrict__ bias_buffer,
  const vec4<f32> *__restrict__ norm_weight_buffer,
  const vec4<f32> *__restrict__ norm_bias_buffer,
  f32 *__restrict__ result_buffer
) {
  __shared__ vec4<f32> left_tile[320];
  __shared__ vec4<f32> right_tile[320];
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
  const i32 thread_row = thread / 16;
  const i32 thread_column = thread % 16;
  f32 sum_0_0 = f32();
  f32 sum_0_1 = f32();
  f32 sum_0_2 = f32();
  f32 sum_0_3 = f32();
  f32 sum_1_0 = f32();
  f32 sum_1_1 = f32();
  f32 sum_1_2 = f32();
  f32 sum_1_3 = f32();
  f32 sum_2_0 = f32();
  f32 sum_2_1 = f32();
  f32 sum_2_2 = f32();
  f32 sum_2_3 = f32();
  f32 sum_3_0 = f32();
  f32 sum_3_1 = f32();
  f32 sum_3_2 = f32();
  f32 sum_3_3 = f32();
  f32 sum_4_0 = f32();
  f32 sum_4_1 = f32();
  f32 sum_4_2 = f32();
  f32 sum_4_3 = f32();
  f32 sum_5_0 = f32();
  f32 sum_5_1 = f32();
  f32 sum_5_2 = f32();
  f32 sum_5_3 = f32();
  f32 sum_6_0 = f32();
  f32 sum_6_1 = f32();
  f32 sum_6_2 = f32();
  f32 sum_6_3 = f32();
  f32 sum_7_0 = f32();
  f32 sum_7_1 = f32();
  f32 sum_7_2 = f32();
  f32 sum_7_3 = f32();
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
  for (i32 depth_start = 0; depth_start < sizes->depth; depth_start += 16) {
    for (i32 run = thread; run < 256; run += 128) {
      const i32 tile_row = run / 4;
      const i32 within = run % 4 * 4;
      const i32 place = depth_start + within;
      const i32 at = tile_row * 5 + within / 4;
      if (place < sizes->depth) {
        const i32 row_2 = minimum(first_row + tile_row, sizes->rows - 1);
        const i32 start = row_2 * sizes->left_stride + place;
        left_tile[at + 0] = (left_statistics_buffer[(sizes->left_offset + start) >> 2u] - row_mean[tile_row]) * row_scale[tile_row] * norm_weight_buffer[(sizes->norm_weight_offset + place) >> 2u] + norm_bias_buffer[(sizes->norm_bias_offset + place) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0f);
      }
    }
    for (i32 run = thread; run < 256; run += 128) {
      const i32 tile_row_2 = run / 4;
      const i32 within_2 = run % 4 * 4;
      const i32 place_2 = depth_start + within_2;
      const i32 at_2 = tile_row_2 * 5 + within_2 / 4;
      if (place_2 < sizes->depth) {
        const i32 row_3 = minimum(first_column + tile_row_2, sizes->columns - 1);
        const i32 start_2 = row_3 * sizes->depth + place_2;
        right_tile[at_2 + 0] = right_buffer[(sizes->right_offset + start_2) >> 2u];
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0f);
      }
    }
    __syncthreads();
    for (i32 quad = 0; quad < 4; quad += 1) {
      const i32 left_at = thread_row * 5 + quad;
      const i32 right_at = thread_column * 5 + quad;
      const vec4<f32> right_0 = right_tile[right_at + 0];
      const vec4<f32> right_1 = right_tile[right_at + 80];
      const vec4<f32> right_2 = right_tile[right_at + 160];
      const vec4<f32> right_3 = right_tile[right_at + 240];
      const vec4<f32> left_0 = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      const vec4<f32> left_1 = left_tile[left_at + 40];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      const vec4<f32> left_2 = left_tile[left_at + 80];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      const vec4<f32> left_3 = left_tile[left_at + 120];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
      const vec4<f32> left_4 = left_tile[left_at + 160];
      sum_4_0 = multiply_add(left_4, right_0, sum_4_0);
      sum_4_1 = multiply_add(left_4, right_1, sum_4_1);
      sum_4_2 = multiply_add(left_4, right_2, sum_4_2);
      sum_4_3 = multiply_add(left_4, right_3, sum_4_3);
      const vec4<f32> left_5 = left_tile[left_at + 200];
      sum_5_0 = multiply_add(left_5, right_0, sum_5_0);
      sum_5_1 = multiply_add(left_5, right_1, sum_5_1);
      sum_5_2 = multiply_add(left_5, right_2, sum_5_2);
      sum_5_3 = multiply_add(left_5, right_3, sum_5_3);
      const vec4<f32> left_6 = left_tile[left_at + 240];
      sum_6_0 = multiply_add(left_6, right_0, sum_6_0);
      sum_6_1 = multiply_add(left_6, right_1, sum_6_1);
      sum_6_2 = multiply_add(left_6, right_2, sum_6_2);
      sum_6_3 = multiply_add(left_6, right_3, sum_6_3);
      const vec4<f32> left_7 = left_tile[left_at + 280];
      sum_7_0 = multiply_add(left_7, right_0, sum_7_0);
      sum_7_1 = multiply_add(left_7, right_1, sum_7_1);
      sum_7_2 = multiply_add(left_7, right_2, sum_7_2);
      sum_7_3 = multiply_add(left_7, right_3, sum_7_3);
    }
    __syncthreads();
  }
  const i32 column = first_column + thread_column + 0;
  if (column < sizes->columns) {
    const f32 bias_2 = bias_buffer[sizes->bias_offset + column];
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column] = sum_0_0 + bias_2;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column] = sum_1_0 + bias_2;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column] = sum_2_0 + bias_2;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column] = sum_3_0 + bias_2;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column] = sum_4_0 + bias_2;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column] = sum_5_0 + bias_2;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column] = sum_6_0 + bias_2;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column] = sum_7_0 + bias_2;
    }
  }
  const i32 column_2 = first_column + thread_column + 16;
  if (column_2 < sizes->columns) {
    const f32 bias_3 = bias_buffer[sizes->bias_offset + column_2];
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_2] = sum_0_1 + bias_3;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_2] = sum_1_1 + bias_3;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_2] = sum_2_1 + bias_3;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_2] = sum_3_1 + bias_3;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_2] = sum_4_1 + bias_3;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_2] = sum_5_1 + bias_3;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_2] = sum_6_1 + bias_3;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_2] = sum_7_1 + bias_3;
    }
  }
  const i32 column_3 = first_column + thread_column + 32;
  if (column_3 < sizes->columns) {
    const f32 bias_4 = bias_buffer[sizes->bias_offset + column_3];
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_3] = sum_0_2 + bias_4;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_3] = sum_1_2 + bias_4;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_3] = sum_2_2 + bias_4;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_3] = sum_3_2 + bias_4;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_3] = sum_4_2 + bias_4;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_3] = sum_5_2 + bias_4;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_3] = sum_6_2 + bias_4;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_3] = sum_7_2 + bias_4;
    }
  }
  const i32 column_4 = first_column + thread_column + 48;
  if (column_4 < sizes->columns) {
    const f32 bias_5 = bias_buffer[sizes->bias_offset + column_4];
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_4] = sum_0_3 + bias_5;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_4] = sum_1_3 + bias_5;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_4] = sum_2_3 + bias_5;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_4] = sum_3_3 + bias_5;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_4] = sum_4_3 + bias_5;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_4] = sum_5_3 + bias_5;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_4] = sum_6_3 + bias_5;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_4] = sum_7_3 + bias_5;
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
