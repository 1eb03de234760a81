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

// === kernel lookup_q4 ===
// lookup_q4
// One row of a table of q4 in blocks of 32 with minima a workgroup.

namespace lookup_q4_kernel {
struct Sizes {
  i32 items;
  i32 ids_offset;
  i32 quants_offset;
  i32 scales_offset;
  i32 minima_offset;
  i32 result_offset;
  i32 count;
  i32 depth;
};

static __device__ vec4<f32> unpack_low_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 0u) & 15u);
  const f32 quant_1 = f32((word >> 8u) & 15u);
  const f32 quant_2 = f32((word >> 16u) & 15u);
  const f32 quant_3 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ vec4<f32> unpack_high_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 4u) & 15u);
  const f32 quant_1 = f32((word >> 12u) & 15u);
  const f32 quant_2 = f32((word >> 20u) & 15u);
  const f32 quant_3 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

extern "C" __global__ void __launch_bounds__(64, 1) lookup_q4(
  const Sizes *__restrict__ sizes,
  const i32 *__restrict__ ids_buffer,
  const vec4<u32> *__restrict__ quants_buffer,
  const f32 *__restrict__ scales_buffer,
  const f32 *__restrict__ minima_buffer,
  vec4<f32> *__restrict__ result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row = ids_buffer[sizes->ids_offset + item];
  for (i32 place = thread * 32; place < sizes->depth; place += 2048) {
    const vec4<u32> words = quants_buffer[(sizes->quants_offset + (row * sizes->depth + place) / 8) >> 2u];
    const i32 block = (row * sizes->depth + place) / 32;
    const f32 scale = scales_buffer[sizes->scales_offset + block];
    const f32 minimum_2 = minima_buffer[sizes->minima_offset + block];
    result_buffer[(sizes->result_offset + item * sizes->depth + place + 0) >> 2u] = unpack_low_nibbles(words.x, scale, minimum_2);
    result_buffer[(sizes->result_offset + item * sizes->depth + place + 4) >> 2u] = unpack_low_nibbles(words.y, scale, minimum_2);
    result_buffer[(sizes->result_offset + item * sizes->depth + place + 8) >> 2u] = unpack_low_nibbles(words.z, scale, minimum_2);
    result_buffer[(sizes->result_offset + item * sizes->depth + place + 12) >> 2u] = unpack_low_nibbles(words.w, scale, minimum_2);
    result_buffer[(sizes->result_offset + item * sizes->depth + place + 16) >> 2u] = unpack_high_nibbles(words.x, scale, minimum_2);
    result_buffer[(sizes->result_offset + item * sizes->depth + place + 20) >> 2u] = unpack_high_nibbles(words.y, scale, minimum_2);
    result_buffer[(sizes->result_offset + item * sizes->depth + place + 24) >> 2u] = unpack_high_nibbles(words.z, scale, minimum_2);
    result_buffer[(sizes->result_offset + item * sizes->depth + place + 28) >> 2u] = unpack_high_nibbles(words.w, scale, minimum_2);
  }
}
}

// === kernel rms_norm ===
// rms_norm
// rms_norm of one row a workgroup.

namespace rms_norm_kernel {
struct Sizes {
  i32 items;
  i32 x0_offset;
  i32 weight_offset;
  i32 result_offset;
  i32 extent_0;
  i32 extent_1;
  i32 extent_2;
  i32 x0_stride_0;
  i32 x0_stride_1;
  i32 x0_stride_2;
};

extern "C" __global__ void __launch_bounds__(64, 1) rms_norm(
  const Sizes *__restrict__ sizes,
  const f32 *__restrict__ x0_buffer,
  const f32 *__restrict__ weight_buffer,
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
    const f32 value = x0_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + index_1 * sizes->x0_stride_1 + column];
    result_buffer[sizes->result_offset + row + column] = value;
    partial += value * value;
  }
  f32 squares = partial;
  i32 mask = 1;
  const i32 lanes = i32(32);
  while (mask < minimum(lanes, 64)) {
    squares = squares + shuffle_xor(squares, u32(mask));
    mask = mask * 2;
  }
  while (mask < 64) {
    exchanged[thread] = squares;
    __syncthreads();
    squares = squares + exchanged[(thread ^ mask)];
    __syncthreads();
    mask = mask * 2;
  }
  const f32 scale = 1.0f / sqrtf(squares / f32(sizes->extent_2) + 0.000009999999747378752f);
  for (i32 column = thread; column < sizes->extent_2; column += 64) {
    result_buffer[sizes->result_offset + row + column] = result_buffer[sizes->result_offset + row + column] * scale * weight_buffer[sizes->weight_offset + column];
  }
}
}

// === kernel gemm_q4 ===
// gemm_q4
// left [rows, depth] x right [columns, depth]^T, the right side of q4 in blocks of 32 with minima.
// A tile of 64 x 64 a workgroup.

namespace gemm_q4_kernel {
struct Sizes {
  i32 items;
  i32 left_offset;
  i32 quants_offset;
  i32 scales_offset;
  i32 minima_offset;
  i32 result_offset;
  i32 rows;
  i32 columns;
  i32 depth;
  i32 left_stride;
  i32 result_stride;
};

static __device__ vec4<f32> unpack_low_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 0u) & 15u);
  const f32 quant_1 = f32((word >> 8u) & 15u);
  const f32 quant_2 = f32((word >> 16u) & 15u);
  const f32 quant_3 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ vec4<f32> unpack_high_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 4u) & 15u);
  const f32 quant_1 = f32((word >> 12u) & 15u);
  const f32 quant_2 = f32((word >> 20u) & 15u);
  const f32 quant_3 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ f32 multiply_add(vec4<f32> a, vec4<f32> b, f32 sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

extern "C" __global__ void __launch_bounds__(128, 1) gemm_q4(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_buffer,
  const vec4<u32> *__restrict__ quants_buffer,
  const f32 *__restrict__ scales_buffer,
  const f32 *__restrict__ minima_buffer,
  f32 *__restrict__ result_buffer
) {
  __shared__ vec4<f32> left_tile[576];
  __shared__ vec4<f32> right_tile[576];
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
  for (i32 depth_start = 0; depth_start < sizes->depth; depth_start += 32) {
    for (i32 run = thread; run < 512; run += 128) {
      const i32 tile_row = run / 8;
      const i32 within = run % 8 * 4;
      const i32 place = depth_start + within;
      const i32 at = tile_row * 9 + within / 4;
      if (place < sizes->depth) {
        const i32 row = minimum(first_row + tile_row, sizes->rows - 1);
        const i32 start = row * sizes->left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes->left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0f);
      }
    }
    for (i32 run = thread; run < 64; run += 128) {
      const i32 tile_row_2 = run / 1;
      const i32 within_2 = run % 1 * 32;
      const i32 place_2 = depth_start + within_2;
      const i32 at_2 = tile_row_2 * 9 + within_2 / 4;
      if (place_2 < sizes->depth) {
        const i32 row_2 = minimum(first_column + tile_row_2, sizes->columns - 1);
        const vec4<u32> words = quants_buffer[(sizes->quants_offset + (row_2 * sizes->depth + place_2) / 8) >> 2u];
        const i32 block = (row_2 * sizes->depth + place_2) / 32;
        const f32 scale = scales_buffer[sizes->scales_offset + block];
        const f32 minimum_2 = minima_buffer[sizes->minima_offset + block];
        right_tile[at_2 + 0] = unpack_low_nibbles(words.x, scale, minimum_2);
        right_tile[at_2 + 1] = unpack_low_nibbles(words.y, scale, minimum_2);
        right_tile[at_2 + 2] = unpack_low_nibbles(words.z, scale, minimum_2);
        right_tile[at_2 + 3] = unpack_low_nibbles(words.w, scale, minimum_2);
        right_tile[at_2 + 4] = unpack_high_nibbles(words.x, scale, minimum_2);
        right_tile[at_2 + 5] = unpack_high_nibbles(words.y, scale, minimum_2);
        right_tile[at_2 + 6] = unpack_high_nibbles(words.z, scale, minimum_2);
        right_tile[at_2 + 7] = unpack_high_nibbles(words.w, scale, minimum_2);
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0f);
        right_tile[at_2 + 1] = vec4<f32>(0.0f);
        right_tile[at_2 + 2] = vec4<f32>(0.0f);
        right_tile[at_2 + 3] = vec4<f32>(0.0f);
        right_tile[at_2 + 4] = vec4<f32>(0.0f);
        right_tile[at_2 + 5] = vec4<f32>(0.0f);
        right_tile[at_2 + 6] = vec4<f32>(0.0f);
        right_tile[at_2 + 7] = vec4<f32>(0.0f);
      }
    }
    __syncthreads();
    for (i32 quad = 0; quad < 8; quad += 1) {
      const i32 left_at = thread_row * 9 + quad;
      const i32 right_at = thread_column * 9 + quad;
      const vec4<f32> right_0 = right_tile[right_at + 0];
      const vec4<f32> right_1 = right_tile[right_at + 144];
      const vec4<f32> right_2 = right_tile[right_at + 288];
      const vec4<f32> right_3 = right_tile[right_at + 432];
      const vec4<f32> left_0 = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      const vec4<f32> left_1 = left_tile[left_at + 72];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      const vec4<f32> left_2 = left_tile[left_at + 144];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      const vec4<f32> left_3 = left_tile[left_at + 216];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
      const vec4<f32> left_4 = left_tile[left_at + 288];
      sum_4_0 = multiply_add(left_4, right_0, sum_4_0);
      sum_4_1 = multiply_add(left_4, right_1, sum_4_1);
      sum_4_2 = multiply_add(left_4, right_2, sum_4_2);
      sum_4_3 = multiply_add(left_4, right_3, sum_4_3);
      const vec4<f32> left_5 = left_tile[left_at + 360];
      sum_5_0 = multiply_add(left_5, right_0, sum_5_0);
      sum_5_1 = multiply_add(left_5, right_1, sum_5_1);
      sum_5_2 = multiply_add(left_5, right_2, sum_5_2);
      sum_5_3 = multiply_add(left_5, right_3, sum_5_3);
      const vec4<f32> left_6 = left_tile[left_at + 432];
      sum_6_0 = multiply_add(left_6, right_0, sum_6_0);
      sum_6_1 = multiply_add(left_6, right_1, sum_6_1);
      sum_6_2 = multiply_add(left_6, right_2, sum_6_2);
      sum_6_3 = multiply_add(left_6, right_3, sum_6_3);
      const vec4<f32> left_7 = left_tile[left_at + 504];
      sum_7_0 = multiply_add(left_7, right_0, sum_7_0);
      sum_7_1 = multiply_add(left_7, right_1, sum_7_1);
      sum_7_2 = multiply_add(left_7, right_2, sum_7_2);
      sum_7_3 = multiply_add(left_7, right_3, sum_7_3);
    }
    __syncthreads();
  }
  const i32 column = first_column + thread_column + 0;
  if (column < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column] = sum_0_0;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column] = sum_1_0;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column] = sum_2_0;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column] = sum_3_0;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column] = sum_4_0;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column] = sum_5_0;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column] = sum_6_0;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column] = sum_7_0;
    }
  }
  const i32 column_2 = first_column + thread_column + 16;
  if (column_2 < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_2] = sum_0_1;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_2] = sum_1_1;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_2] = sum_2_1;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_2] = sum_3_1;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_2] = sum_4_1;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_2] = sum_5_1;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_2] = sum_6_1;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_2] = sum_7_1;
    }
  }
  const i32 column_3 = first_column + thread_column + 32;
  if (column_3 < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_3] = sum_0_2;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_3] = sum_1_2;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_3] = sum_2_2;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_3] = sum_3_2;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_3] = sum_4_2;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_3] = sum_5_2;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_3] = sum_6_2;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_3] = sum_7_2;
    }
  }
  const i32 column_4 = first_column + thread_column + 48;
  if (column_4 < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_4] = sum_0_3;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_4] = sum_1_3;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_4] = sum_2_3;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_4] = sum_3_3;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_4] = sum_4_3;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_4] = sum_5_3;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_4] = sum_6_3;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_4] = sum_7_3;
    }
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
  i32 part_0_x0_stride_0;
  i32 part_0_x0_stride_1;
  i32 part_0_x1_stride_0;
  i32 part_0_x1_stride_1;
  i32 part_0_x1_stride_indirect;
  i32 part_0_result_stride_0;
  i32 part_0_result_stride_1;
  i32 part_1_extent_0;
  i32 part_1_extent_1;
  i32 part_1_x0_stride_0;
  i32 part_1_x0_stride_1;
  i32 part_1_x1_stride_0;
  i32 part_1_x1_stride_1;
  i32 part_1_x1_stride_indirect;
  i32 part_1_result_stride_0;
  i32 part_1_result_stride_1;
};

extern "C" __global__ void __launch_bounds__(64, 1) maps_gather(
  const Sizes *__restrict__ sizes,
  const i32 *__restrict__ part_0_x0_part_1_x0_buffer,
  const f32 *__restrict__ part_0_x1_buffer,
  const f32 *__restrict__ part_1_x1_buffer,
  f32 *__restrict__ part_0_result_buffer,
  f32 *__restrict__ part_1_result_buffer
) {
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 part_0_end = (sizes->part_0_extent_0 * sizes->part_0_extent_1 + 63) / 64;
  if (item < part_0_end) {
    const i32 element = item * 64 + thread;
    const i32 index_1 = element % sizes->part_0_extent_1;
    const i32 rest = element / sizes->part_0_extent_1;
    const i32 index_0 = rest;
    if (index_0 < sizes->part_0_extent_0) {
      part_0_result_buffer[sizes->part_0_result_offset + index_0 * sizes->part_0_result_stride_0 + index_1] = part_0_x1_buffer[sizes->part_0_x1_offset + index_0 * sizes->part_0_x1_stride_0 + index_1 + part_0_x0_part_1_x0_buffer[sizes->part_0_x0_offset + index_0 * sizes->part_0_x0_stride_0] * sizes->part_0_x1_stride_indirect];
    }
  }
  const i32 part_1_end = part_0_end + (sizes->part_1_extent_0 * sizes->part_1_extent_1 + 63) / 64;
  if (item >= part_0_end && item < part_1_end) {
    const i32 element_2 = (item - part_0_end) * 64 + thread;
    const i32 index_1_2 = element_2 % sizes->part_1_extent_1;
    const i32 rest_2 = element_2 / sizes->part_1_extent_1;
    const i32 index_0_2 = rest_2;
    if (index_0_2 < sizes->part_1_extent_0) {
      part_1_result_buffer[sizes->part_1_result_offset + index_0_2 * sizes->part_1_result_stride_0 + index_1_2] = part_1_x1_buffer[sizes->part_1_x1_offset + index_0_2 * sizes->part_1_x1_stride_0 + index_1_2 + part_0_x0_part_1_x0_buffer[sizes->part_1_x0_offset + index_0_2 * sizes->part_1_x0_stride_0] * sizes->part_1_x1_stride_indirect];
    }
  }
}
}

// === kernel maps_subtract_add_copy ===
// maps_subtract_add_copy
// One element a thread, of one of 5 loops.

namespace maps_subtract_add_copy_kernel {
struct Sizes {
  i32 items;
  i32 part_0_x0_offset;
  i32 part_0_x1_offset;
  i32 part_0_x2_offset;
  i32 part_0_x3_offset;
  i32 part_1_x0_offset;
  i32 part_1_x1_offset;
  i32 part_1_x2_offset;
  i32 part_1_x3_offset;
  i32 part_2_x0_offset;
  i32 part_2_x1_offset;
  i32 part_2_x2_offset;
  i32 part_2_x3_offset;
  i32 part_3_x0_offset;
  i32 part_3_x1_offset;
  i32 part_3_x2_offset;
  i32 part_3_x3_offset;
  i32 part_4_x0_offset;
  i32 part_0_result_offset;
  i32 part_1_result_offset;
  i32 part_2_result_offset;
  i32 part_3_result_offset;
  i32 part_4_result_offset;
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
  i32 part_0_x2_stride_0;
  i32 part_0_x2_stride_1;
  i32 part_0_x2_stride_2;
  i32 part_0_x2_stride_3;
  i32 part_0_x3_stride_0;
  i32 part_0_x3_stride_1;
  i32 part_0_x3_stride_2;
  i32 part_0_x3_stride_3;
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
  i32 part_1_x2_stride_0;
  i32 part_1_x2_stride_1;
  i32 part_1_x2_stride_2;
  i32 part_1_x2_stride_3;
  i32 part_1_x3_stride_0;
  i32 part_1_x3_stride_1;
  i32 part_1_x3_stride_2;
  i32 part_1_x3_stride_3;
  i32 part_1_result_stride_0;
  i32 part_1_result_stride_1;
  i32 part_1_result_stride_2;
  i32 part_1_result_stride_3;
  i32 part_2_extent_0;
  i32 part_2_extent_1;
  i32 part_2_extent_2;
  i32 part_2_extent_3;
  i32 part_2_x0_stride_0;
  i32 part_2_x0_stride_1;
  i32 part_2_x0_stride_2;
  i32 part_2_x0_stride_3;
  i32 part_2_x1_stride_0;
  i32 part_2_x1_stride_1;
  i32 part_2_x1_stride_2;
  i32 part_2_x1_stride_3;
  i32 part_2_x2_stride_0;
  i32 part_2_x2_stride_1;
  i32 part_2_x2_stride_2;
  i32 part_2_x2_stride_3;
  i32 part_2_x3_stride_0;
  i32 part_2_x3_stride_1;
  i32 part_2_x3_stride_2;
  i32 part_2_x3_stride_3;
  i32 part_2_result_stride_0;
  i32 part_2_result_stride_1;
  i32 part_2_result_stride_2;
  i32 part_2_result_stride_3;
  i32 part_3_extent_0;
  i32 part_3_extent_1;
  i32 part_3_extent_2;
  i32 part_3_extent_3;
  i32 part_3_x0_stride_0;
  i32 part_3_x0_stride_1;
  i32 part_3_x0_stride_2;
  i32 part_3_x0_stride_3;
  i32 part_3_x1_stride_0;
  i32 part_3_x1_stride_1;
  i32 part_3_x1_stride_2;
  i32 part_3_x1_stride_3;
  i32 part_3_x2_stride_0;
  i32 part_3_x2_stride_1;
  i32 part_3_x2_stride_2;
  i32 part_3_x2_stride_3;
  i32 part_3_x3_stride_0;
  i32 part_3_x3_stride_1;
  i32 part_3_x3_stride_2;
  i32 part_3_x3_stride_3;
  i32 part_3_result_stride_0;
  i32 part_3_result_stride_1;
  i32 part_3_result_stride_2;
  i32 part_3_result_stride_3;
  i32 part_4_extent_0;
  i32 part_4_extent_1;
  i32 part_4_extent_2;
  i32 part_4_extent_3;
  i32 part_4_x0_stride_0;
  i32 part_4_x0_stride_1;
  i32 part_4_x0_stride_2;
  i32 part_4_x0_stride_3;
  i32 part_4_result_stride_0;
  i32 part_4_result_stride_1;
  i32 part_4_result_stride_2;
  i32 part_4_result_stride_3;
};

extern "C" __global__ void __launch_bounds__(64, 1) maps_subtract_add_copy(
  const Sizes *__restrict__ sizes,
  const f32 *__restrict__ part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer,
  const f32 *__restrict__ part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer,
  const f32 *__restrict__ part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer,
  f32 *__restrict__ part_0_result_part_1_result_buffer,
  f32 *__restrict__ part_2_result_part_3_result_buffer,
  f32 *__restrict__ part_4_result_buffer
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
      part_0_result_part_1_result_buffer[sizes->part_0_result_offset + index_0 * sizes->part_0_result_stride_0 + index_1 * sizes->part_0_result_stride_1 + index_2 * sizes->part_0_result_stride_2 + index_3] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes->part_0_x0_offset + index_0 * sizes->part_0_x0_stride_0 + index_1 * sizes->part_0_x0_stride_1 + index_2 * sizes->part_0_x0_stride_2 + index_3] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes->part_0_x1_offset + index_0 * sizes->part_0_x1_stride_0 + index_1 * sizes->part_0_x1_stride_1 + index_2 * sizes->part_0_x1_stride_2 + index_3]) - (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes->part_0_x2_offset + index_0 * sizes->part_0_x2_stride_0 + index_1 * sizes->part_0_x2_stride_1 + index_2 * sizes->part_0_x2_stride_2 + index_3] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes->part_0_x3_offset + index_0 * sizes->part_0_x3_stride_0 + index_1 * sizes->part_0_x3_stride_1 + index_2 * sizes->part_0_x3_stride_2 + index_3]));
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
      part_0_result_part_1_result_buffer[sizes->part_1_result_offset + index_0_2 * sizes->part_1_result_stride_0 + index_1_2 * sizes->part_1_result_stride_1 + index_2_2 * sizes->part_1_result_stride_2 + index_3_2] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes->part_1_x0_offset + index_0_2 * sizes->part_1_x0_stride_0 + index_1_2 * sizes->part_1_x0_stride_1 + index_2_2 * sizes->part_1_x0_stride_2 + index_3_2] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes->part_1_x1_offset + index_0_2 * sizes->part_1_x1_stride_0 + index_1_2 * sizes->part_1_x1_stride_1 + index_2_2 * sizes->part_1_x1_stride_2 + index_3_2]) + (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes->part_1_x2_offset + index_0_2 * sizes->part_1_x2_stride_0 + index_1_2 * sizes->part_1_x2_stride_1 + index_2_2 * sizes->part_1_x2_stride_2 + index_3_2] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes->part_1_x3_offset + index_0_2 * sizes->part_1_x3_stride_0 + index_1_2 * sizes->part_1_x3_stride_1 + index_2_2 * sizes->part_1_x3_stride_2 + index_3_2]));
    }
  }
  const i32 part_2_end = part_1_end + (sizes->part_2_extent_0 * sizes->part_2_extent_1 * sizes->part_2_extent_2 * sizes->part_2_extent_3 + 63) / 64;
  if (item >= part_1_end && item < part_2_end) {
    const i32 element_3 = (item - part_1_end) * 64 + thread;
    const i32 index_3_3 = element_3 % sizes->part_2_extent_3;
    const i32 rest_7 = element_3 / sizes->part_2_extent_3;
    const i32 index_2_3 = rest_7 % sizes->part_2_extent_2;
    const i32 rest_8 = rest_7 / sizes->part_2_extent_2;
    const i32 index_1_3 = rest_8 % sizes->part_2_extent_1;
    const i32 rest_9 = rest_8 / sizes->part_2_extent_1;
    const i32 index_0_3 = rest_9;
    if (index_0_3 < sizes->part_2_extent_0) {
      part_2_result_part_3_result_buffer[sizes->part_2_result_offset + index_0_3 * sizes->part_2_result_stride_0 + index_1_3 * sizes->part_2_result_stride_1 + index_2_3 * sizes->part_2_result_stride_2 + index_3_3] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes->part_2_x0_offset + index_0_3 * sizes->part_2_x0_stride_0 + index_1_3 * sizes->part_2_x0_stride_1 + index_2_3 * sizes->part_2_x0_stride_2 + index_3_3] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes->part_2_x1_offset + index_0_3 * sizes->part_2_x1_stride_0 + index_1_3 * sizes->part_2_x1_stride_1 + index_2_3 * sizes->part_2_x1_stride_2 + index_3_3]) - (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes->part_2_x2_offset + index_0_3 * sizes->part_2_x2_stride_0 + index_1_3 * sizes->part_2_x2_stride_1 + index_2_3 * sizes->part_2_x2_stride_2 + index_3_3] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes->part_2_x3_offset + index_0_3 * sizes->part_2_x3_stride_0 + index_1_3 * sizes->part_2_x3_stride_1 + index_2_3 * sizes->part_2_x3_stride_2 + index_3_3]));
    }
  }
  const i32 part_3_end = part_2_end + (sizes->part_3_extent_0 * sizes->part_3_extent_1 * sizes->part_3_extent_2 * sizes->part_3_extent_3 + 63) / 64;
  if (item >= part_2_end && item < part_3_end) {
    const i32 element_4 = (item - part_2_end) * 64 + thread;
    const i32 index_3_4 = element_4 % sizes->part_3_extent_3;
    const i32 rest_10 = element_4 / sizes->part_3_extent_3;
    const i32 index_2_4 = rest_10 % sizes->part_3_extent_2;
    const i32 rest_11 = rest_10 / sizes->part_3_extent_2;
    const i32 index_1_4 = rest_11 % sizes->part_3_extent_1;
    const i32 rest_12 = rest_11 / sizes->part_3_extent_1;
    const i32 index_0_4 = rest_12;
    if (index_0_4 < sizes->part_3_extent_0) {
      part_2_result_part_3_result_buffer[sizes->part_3_result_offset + index_0_4 * sizes->part_3_result_stride_0 + index_1_4 * sizes->part_3_result_stride_1 + index_2_4 * sizes->part_3_result_stride_2 + index_3_4] = ((part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes->part_3_x0_offset + index_0_4 * sizes->part_3_x0_stride_0 + index_1_4 * sizes->part_3_x0_stride_1 + index_2_4 * sizes->part_3_x0_stride_2 + index_3_4] * part_0_x1_part_1_x1_part_2_x1_part_3_x1_buffer[sizes->part_3_x1_offset + index_0_4 * sizes->part_3_x1_stride_0 + index_1_4 * sizes->part_3_x1_stride_1 + index_2_4 * sizes->part_3_x1_stride_2 + index_3_4]) + (part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes->part_3_x2_offset + index_0_4 * sizes->part_3_x2_stride_0 + index_1_4 * sizes->part_3_x2_stride_1 + index_2_4 * sizes->part_3_x2_stride_2 + index_3_4] * part_0_x3_part_1_x3_part_2_x3_part_3_x3_buffer[sizes->part_3_x3_offset + index_0_4 * sizes->part_3_x3_stride_0 + index_1_4 * sizes->part_3_x3_stride_1 + index_2_4 * sizes->part_3_x3_stride_2 + index_3_4]));
    }
  }
  const i32 part_4_end = part_3_end + (sizes->part_4_extent_0 * sizes->part_4_extent_1 * sizes->part_4_extent_2 * sizes->part_4_extent_3 + 63) / 64;
  if (item >= part_3_end && item < part_4_end) {
    const i32 element_5 = (item - part_3_end) * 64 + thread;
    const i32 index_3_5 = element_5 % sizes->part_4_extent_3;
    const i32 rest_13 = element_5 / sizes->part_4_extent_3;
    const i32 index_2_5 = rest_13 % sizes->part_4_extent_2;
    const i32 rest_14 = rest_13 / sizes->part_4_extent_2;
    const i32 index_1_5 = rest_14 % sizes->part_4_extent_1;
    const i32 rest_15 = rest_14 / sizes->part_4_extent_1;
    const i32 index_0_5 = rest_15;
    if (index_0_5 < sizes->part_4_extent_0) {
      part_4_result_buffer[sizes->part_4_result_offset + index_0_5 * sizes->part_4_result_stride_0 + index_1_5 * sizes->part_4_result_stride_1 + index_2_5 * sizes->part_4_result_stride_2 + index_3_5] = part_0_x0_part_0_x2_part_1_x0_part_1_x2_part_2_x0_part_2_x2_part_3_x0_part_3_x2_part_4_x0_buffer[sizes->part_4_x0_offset + index_0_5 * sizes->part_4_x0_stride_0 + index_1_5 * sizes->part_4_x0_stride_1 + index_2_5 * sizes->part_4_x0_stride_2 + index_3_5];
    }
  }
}
}

// === kernel attention_keys_causal ===
// attention_keys_causal
// Attention of 16 queries of one head a workgroup, 64 keys at a time.

namespace attention_keys_causal_kernel {
struct Sizes {
  i32 items;
  i32 query_offset;
  i32 key_offset;
  i32 value_offset;
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

extern "C" __global__ void __launch_bounds__(64, 1) attention_keys_causal(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ query_buffer,
  const vec4<f32> *__restrict__ key_buffer,
  const vec4<f32> *__restrict__ value_buffer,
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
  const i32 end_key = minimum(sizes->keys, first_stand + rows);
  const i32 key_start = batch * sizes->key_batch + key_head * sizes->key_head;
  const i32 value_start = batch * sizes->value_batch + key_head * sizes->value_head;
  for (i32 tile = 0; tile < end_key; tile += 64) {
    const i32 count = minimum(64, end_key - tile);
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
        staged_queries[part * 18 + row] = query_buffer[(sizes->query_offset + from + own_column) >> 2u];
      }
      for (i32 slot = thread; slot < 128; slot += 64) {
        const i32 row_2 = slot / 2;
        const i32 part_2 = slot % 2;
        const i32 from_2 = key_start + (tile + minimum(row_2, count - 1)) * sizes->key_row;
        const i32 own_column_2 = column + part_2 * 4;
        staged_keys[part_2 * 66 + row_2] = key_buffer[(sizes->key_offset + from_2 + own_column_2) >> 2u];
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
    const i32 key_6 = tile + lane;
    score_0 = score_0 * 0.3535533845424652f;
    const bool seen = lane < count;
    score_0 = vec4<f32>(((seen & (key_6 <= own_stand)) ? (score_0.x) : ((-9.999999680285692e+37f))), ((seen & (key_6 <= own_stand + 1)) ? (score_0.y) : ((-9.999999680285692e+37f))), ((seen & (key_6 <= own_stand + 2)) ? (score_0.z) : ((-9.999999680285692e+37f))), ((seen & (key_6 <= own_stand + 3)) ? (score_0.w) : ((-9.999999680285692e+37f))));
    const i32 key_7 = tile + (lane + 16);
    score_1 = score_1 * 0.3535533845424652f;
    const bool seen_2 = (lane + 16) < count;
    score_1 = vec4<f32>(((seen_2 & (key_7 <= own_stand)) ? (score_1.x) : ((-9.999999680285692e+37f))), ((seen_2 & (key_7 <= own_stand + 1)) ? (score_1.y) : ((-9.999999680285692e+37f))), ((seen_2 & (key_7 <= own_stand + 2)) ? (score_1.z) : ((-9.999999680285692e+37f))), ((seen_2 & (key_7 <= own_stand + 3)) ? (score_1.w) : ((-9.999999680285692e+37f))));
    const i32 key_8 = tile + (lane + 32);
    score_2 = score_2 * 0.3535533845424652f;
    const bool seen_3 = (lane + 32) < count;
    score_2 = vec4<f32>(((seen_3 & (key_8 <= own_stand)) ? (score_2.x) : ((-9.999999680285692e+37f))), ((seen_3 & (key_8 <= own_stand + 1)) ? (score_2.y) : ((-9.999999680285692e+37f))), ((seen_3 & (key_8 <= own_stand + 2)) ? (score_2.z) : ((-9.999999680285692e+37f))), ((seen_3 & (key_8 <= own_stand + 3)) ? (score_2.w) : ((-9.999999680285692e+37f))));
    const i32 key_9 = tile + (lane + 48);
    score_3 = score_3 * 0.3535533845424652f;
    const bool seen_4 = (lane + 48) < count;
    score_3 = vec4<f32>(((seen_4 & (key_9 <= own_stand)) ? (score_3.x) : ((-9.999999680285692e+37f))), ((seen_4 & (key_9 <= own_stand + 1)) ? (score_3.y) : ((-9.999999680285692e+37f))), ((seen_4 & (key_9 <= own_stand + 2)) ? (score_3.z) : ((-9.999999680285692e+37f))), ((seen_4 & (key_9 <= own_stand + 3)) ? (score_3.w) : ((-9.999999680285692e+37f))));
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
      const vec4<f32> value_0 = value_buffer[(sizes->value_offset + from_3 + column_lane * 4) >> 2u];
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

// === kernel gemm_q4_residual ===
// gemm_q4_residual
// left [rows, depth] x right [columns, depth]^T, the right side of q4 in blocks of 32 with minima.
// A tile of 64 x 64 a workgroup.

namespace gemm_q4_residual_kernel {
struct Sizes {
  i32 items;
  i32 left_offset;
  i32 quants_offset;
  i32 scales_offset;
  i32 minima_offset;
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

static __device__ vec4<f32> unpack_low_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 0u) & 15u);
  const f32 quant_1 = f32((word >> 8u) & 15u);
  const f32 quant_2 = f32((word >> 16u) & 15u);
  const f32 quant_3 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ vec4<f32> unpack_high_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 4u) & 15u);
  const f32 quant_1 = f32((word >> 12u) & 15u);
  const f32 quant_2 = f32((word >> 20u) & 15u);
  const f32 quant_3 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ f32 multiply_add(vec4<f32> a, vec4<f32> b, f32 sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

extern "C" __global__ void __launch_bounds__(128, 1) gemm_q4_residual(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_buffer,
  const vec4<u32> *__restrict__ quants_buffer,
  const f32 *__restrict__ scales_buffer,
  const f32 *__restrict__ minima_buffer,
  const f32 *__restrict__ residual_buffer,
  f32 *__restrict__ result_result_statistics_buffer
) {
  __shared__ vec4<f32> left_tile[576];
  __shared__ vec4<f32> right_tile[576];
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
  for (i32 depth_start = 0; depth_start < sizes->depth; depth_start += 32) {
    for (i32 run = thread; run < 512; run += 128) {
      const i32 tile_row = run / 8;
      const i32 within = run % 8 * 4;
      const i32 place = depth_start + within;
      const i32 at = tile_row * 9 + within / 4;
      if (place < sizes->depth) {
        const i32 row = minimum(first_row + tile_row, sizes->rows - 1);
        const i32 start = row * sizes->left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes->left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0f);
      }
    }
    for (i32 run = thread; run < 64; run += 128) {
      const i32 tile_row_2 = run / 1;
      const i32 within_2 = run % 1 * 32;
      const i32 place_2 = depth_start + within_2;
      const i32 at_2 = tile_row_2 * 9 + within_2 / 4;
      if (place_2 < sizes->depth) {
        const i32 row_2 = minimum(first_column + tile_row_2, sizes->columns - 1);
        const vec4<u32> words = quants_buffer[(sizes->quants_offset + (row_2 * sizes->depth + place_2) / 8) >> 2u];
        const i32 block = (row_2 * sizes->depth + place_2) / 32;
        const f32 scale = scales_buffer[sizes->scales_offset + block];
        const f32 minimum_2 = minima_buffer[sizes->minima_offset + block];
        right_tile[at_2 + 0] = unpack_low_nibbles(words.x, scale, minimum_2);
        right_tile[at_2 + 1] = unpack_low_nibbles(words.y, scale, minimum_2);
        right_tile[at_2 + 2] = unpack_low_nibbles(words.z, scale, minimum_2);
        right_tile[at_2 + 3] = unpack_low_nibbles(words.w, scale, minimum_2);
        right_tile[at_2 + 4] = unpack_high_nibbles(words.x, scale, minimum_2);
        right_tile[at_2 + 5] = unpack_high_nibbles(words.y, scale, minimum_2);
        right_tile[at_2 + 6] = unpack_high_nibbles(words.z, scale, minimum_2);
        right_tile[at_2 + 7] = unpack_high_nibbles(words.w, scale, minimum_2);
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0f);
        right_tile[at_2 + 1] = vec4<f32>(0.0f);
        right_tile[at_2 + 2] = vec4<f32>(0.0f);
        right_tile[at_2 + 3] = vec4<f32>(0.0f);
        right_tile[at_2 + 4] = vec4<f32>(0.0f);
        right_tile[at_2 + 5] = vec4<f32>(0.0f);
        right_tile[at_2 + 6] = vec4<f32>(0.0f);
        right_tile[at_2 + 7] = vec4<f32>(0.0f);
      }
    }
    __syncthreads();
    for (i32 quad = 0; quad < 8; quad += 1) {
      const i32 left_at = thread_row * 9 + quad;
      const i32 right_at = thread_column * 9 + quad;
      const vec4<f32> right_0 = right_tile[right_at + 0];
      const vec4<f32> right_1 = right_tile[right_at + 144];
      const vec4<f32> right_2 = right_tile[right_at + 288];
      const vec4<f32> right_3 = right_tile[right_at + 432];
      const vec4<f32> left_0 = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      const vec4<f32> left_1 = left_tile[left_at + 72];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      const vec4<f32> left_2 = left_tile[left_at + 144];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      const vec4<f32> left_3 = left_tile[left_at + 216];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
      const vec4<f32> left_4 = left_tile[left_at + 288];
      sum_4_0 = multiply_add(left_4, right_0, sum_4_0);
      sum_4_1 = multiply_add(left_4, right_1, sum_4_1);
      sum_4_2 = multiply_add(left_4, right_2, sum_4_2);
      sum_4_3 = multiply_add(left_4, right_3, sum_4_3);
      const vec4<f32> left_5 = left_tile[left_at + 360];
      sum_5_0 = multiply_add(left_5, right_0, sum_5_0);
      sum_5_1 = multiply_add(left_5, right_1, sum_5_1);
      sum_5_2 = multiply_add(left_5, right_2, sum_5_2);
      sum_5_3 = multiply_add(left_5, right_3, sum_5_3);
      const vec4<f32> left_6 = left_tile[left_at + 432];
      sum_6_0 = multiply_add(left_6, right_0, sum_6_0);
      sum_6_1 = multiply_add(left_6, right_1, sum_6_1);
      sum_6_2 = multiply_add(left_6, right_2, sum_6_2);
      sum_6_3 = multiply_add(left_6, right_3, sum_6_3);
      const vec4<f32> left_7 = left_tile[left_at + 504];
      sum_7_0 = multiply_add(left_7, right_0, sum_7_0);
      sum_7_1 = multiply_add(left_7, right_1, sum_7_1);
      sum_7_2 = multiply_add(left_7, right_2, sum_7_2);
      sum_7_3 = multiply_add(left_7, right_3, sum_7_3);
    }
    __syncthreads();
  }
  const i32 column = first_column + thread_column + 0;
  if (column < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept = sum_0_0 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column] = kept;
      sum_0_0 = kept;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_2 = sum_1_0 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column] = kept_2;
      sum_1_0 = kept_2;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_3 = sum_2_0 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column] = kept_3;
      sum_2_0 = kept_3;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_4 = sum_3_0 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column] = kept_4;
      sum_3_0 = kept_4;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_5 = sum_4_0 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column] = kept_5;
      sum_4_0 = kept_5;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_6 = sum_5_0 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column] = kept_6;
      sum_5_0 = kept_6;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_7 = sum_6_0 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column] = kept_7;
      sum_6_0 = kept_7;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_8 = sum_7_0 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column] = kept_8;
      sum_7_0 = kept_8;
    }
  }
  const i32 column_2 = first_column + thread_column + 16;
  if (column_2 < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept_9 = sum_0_1 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_2] = kept_9;
      sum_0_1 = kept_9;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_10 = sum_1_1 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_2] = kept_10;
      sum_1_1 = kept_10;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_11 = sum_2_1 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_2] = kept_11;
      sum_2_1 = kept_11;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_12 = sum_3_1 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_2] = kept_12;
      sum_3_1 = kept_12;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_13 = sum_4_1 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_2] = kept_13;
      sum_4_1 = kept_13;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_14 = sum_5_1 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_2] = kept_14;
      sum_5_1 = kept_14;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_15 = sum_6_1 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_2] = kept_15;
      sum_6_1 = kept_15;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_16 = sum_7_1 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column_2];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_2] = kept_16;
      sum_7_1 = kept_16;
    }
  }
  const i32 column_3 = first_column + thread_column + 32;
  if (column_3 < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept_17 = sum_0_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_3] = kept_17;
      sum_0_2 = kept_17;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_18 = sum_1_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_3] = kept_18;
      sum_1_2 = kept_18;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_19 = sum_2_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_3] = kept_19;
      sum_2_2 = kept_19;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_20 = sum_3_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_3] = kept_20;
      sum_3_2 = kept_20;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_21 = sum_4_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_3] = kept_21;
      sum_4_2 = kept_21;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_22 = sum_5_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_3] = kept_22;
      sum_5_2 = kept_22;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_23 = sum_6_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_3] = kept_23;
      sum_6_2 = kept_23;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_24 = sum_7_2 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column_3];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_3] = kept_24;
      sum_7_2 = kept_24;
    }
  }
  const i32 column_4 = first_column + thread_column + 48;
  if (column_4 < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      const f32 kept_25 = sum_0_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 0) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_4] = kept_25;
      sum_0_3 = kept_25;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      const f32 kept_26 = sum_1_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 8) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_4] = kept_26;
      sum_1_3 = kept_26;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      const f32 kept_27 = sum_2_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 16) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_4] = kept_27;
      sum_2_3 = kept_27;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      const f32 kept_28 = sum_3_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 24) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_4] = kept_28;
      sum_3_3 = kept_28;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      const f32 kept_29 = sum_4_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 32) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_4] = kept_29;
      sum_4_3 = kept_29;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      const f32 kept_30 = sum_5_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 40) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_4] = kept_30;
      sum_5_3 = kept_30;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      const f32 kept_31 = sum_6_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 48) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_4] = kept_31;
      sum_6_3 = kept_31;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      const f32 kept_32 = sum_7_3 + residual_buffer[sizes->residual_offset + (first_row + thread_row + 56) * sizes->residual_stride + column_4];
      result_result_statistics_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_4] = kept_32;
      sum_7_3 = kept_32;
    }
  }
  const i32 row_3 = first_row + thread_row + 0;
  f32 squares = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares += sum_0_0 * sum_0_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares += sum_0_1 * sum_0_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares += sum_0_2 * sum_0_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares += sum_0_3 * sum_0_3;
  }
  i32 mask = 1;
  const i32 lanes = i32(32);
  while (mask < minimum(lanes, 16)) {
    squares = squares + shuffle_xor(squares, u32(mask));
    mask = mask * 2;
  }
  while (mask < 16) {
    exchanged[thread] = squares;
    __syncthreads();
    squares = squares + exchanged[(thread ^ mask)];
    __syncthreads();
    mask = mask * 2;
  }
  if (thread_column == 0 && row_3 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at = row_3 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at] = squares;
  }
  const i32 row_4 = first_row + thread_row + 8;
  f32 squares_2 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_2 += sum_1_0 * sum_1_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_2 += sum_1_1 * sum_1_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_2 += sum_1_2 * sum_1_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_2 += sum_1_3 * sum_1_3;
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
    const i32 part_at_2 = row_4 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_2] = squares_2;
  }
  const i32 row_5 = first_row + thread_row + 16;
  f32 squares_3 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_3 += sum_2_0 * sum_2_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_3 += sum_2_1 * sum_2_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_3 += sum_2_2 * sum_2_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_3 += sum_2_3 * sum_2_3;
  }
  i32 mask_3 = 1;
  const i32 lanes_3 = i32(32);
  while (mask_3 < minimum(lanes_3, 16)) {
    squares_3 = squares_3 + shuffle_xor(squares_3, u32(mask_3));
    mask_3 = mask_3 * 2;
  }
  while (mask_3 < 16) {
    exchanged[thread] = squares_3;
    __syncthreads();
    squares_3 = squares_3 + exchanged[(thread ^ mask_3)];
    __syncthreads();
    mask_3 = mask_3 * 2;
  }
  if (thread_column == 0 && row_5 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_3 = row_5 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_3] = squares_3;
  }
  const i32 row_6 = first_row + thread_row + 24;
  f32 squares_4 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_4 += sum_3_0 * sum_3_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_4 += sum_3_1 * sum_3_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_4 += sum_3_2 * sum_3_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_4 += sum_3_3 * sum_3_3;
  }
  i32 mask_4 = 1;
  const i32 lanes_4 = i32(32);
  while (mask_4 < minimum(lanes_4, 16)) {
    squares_4 = squares_4 + shuffle_xor(squares_4, u32(mask_4));
    mask_4 = mask_4 * 2;
  }
  while (mask_4 < 16) {
    exchanged[thread] = squares_4;
    __syncthreads();
    squares_4 = squares_4 + exchanged[(thread ^ mask_4)];
    __syncthreads();
    mask_4 = mask_4 * 2;
  }
  if (thread_column == 0 && row_6 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_4 = row_6 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_4] = squares_4;
  }
  const i32 row_7 = first_row + thread_row + 32;
  f32 squares_5 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_5 += sum_4_0 * sum_4_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_5 += sum_4_1 * sum_4_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_5 += sum_4_2 * sum_4_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_5 += sum_4_3 * sum_4_3;
  }
  i32 mask_5 = 1;
  const i32 lanes_5 = i32(32);
  while (mask_5 < minimum(lanes_5, 16)) {
    squares_5 = squares_5 + shuffle_xor(squares_5, u32(mask_5));
    mask_5 = mask_5 * 2;
  }
  while (mask_5 < 16) {
    exchanged[thread] = squares_5;
    __syncthreads();
    squares_5 = squares_5 + exchanged[(thread ^ mask_5)];
    __syncthreads();
    mask_5 = mask_5 * 2;
  }
  if (thread_column == 0 && row_7 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_5 = row_7 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_5] = squares_5;
  }
  const i32 row_8 = first_row + thread_row + 40;
  f32 squares_6 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_6 += sum_5_0 * sum_5_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_6 += sum_5_1 * sum_5_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_6 += sum_5_2 * sum_5_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_6 += sum_5_3 * sum_5_3;
  }
  i32 mask_6 = 1;
  const i32 lanes_6 = i32(32);
  while (mask_6 < minimum(lanes_6, 16)) {
    squares_6 = squares_6 + shuffle_xor(squares_6, u32(mask_6));
    mask_6 = mask_6 * 2;
  }
  while (mask_6 < 16) {
    exchanged[thread] = squares_6;
    __syncthreads();
    squares_6 = squares_6 + exchanged[(thread ^ mask_6)];
    __syncthreads();
    mask_6 = mask_6 * 2;
  }
  if (thread_column == 0 && row_8 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_6 = row_8 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_6] = squares_6;
  }
  const i32 row_9 = first_row + thread_row + 48;
  f32 squares_7 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_7 += sum_6_0 * sum_6_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_7 += sum_6_1 * sum_6_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_7 += sum_6_2 * sum_6_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_7 += sum_6_3 * sum_6_3;
  }
  i32 mask_7 = 1;
  const i32 lanes_7 = i32(32);
  while (mask_7 < minimum(lanes_7, 16)) {
    squares_7 = squares_7 + shuffle_xor(squares_7, u32(mask_7));
    mask_7 = mask_7 * 2;
  }
  while (mask_7 < 16) {
    exchanged[thread] = squares_7;
    __syncthreads();
    squares_7 = squares_7 + exchanged[(thread ^ mask_7)];
    __syncthreads();
    mask_7 = mask_7 * 2;
  }
  if (thread_column == 0 && row_9 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_7 = row_9 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_7] = squares_7;
  }
  const i32 row_10 = first_row + thread_row + 56;
  f32 squares_8 = f32();
  if (first_column + thread_column + 0 < sizes->columns) {
    squares_8 += sum_7_0 * sum_7_0;
  }
  if (first_column + thread_column + 16 < sizes->columns) {
    squares_8 += sum_7_1 * sum_7_1;
  }
  if (first_column + thread_column + 32 < sizes->columns) {
    squares_8 += sum_7_2 * sum_7_2;
  }
  if (first_column + thread_column + 48 < sizes->columns) {
    squares_8 += sum_7_3 * sum_7_3;
  }
  i32 mask_8 = 1;
  const i32 lanes_8 = i32(32);
  while (mask_8 < minimum(lanes_8, 16)) {
    squares_8 = squares_8 + shuffle_xor(squares_8, u32(mask_8));
    mask_8 = mask_8 * 2;
  }
  while (mask_8 < 16) {
    exchanged[thread] = squares_8;
    __syncthreads();
    squares_8 = squares_8 + exchanged[(thread ^ mask_8)];
    __syncthreads();
    mask_8 = mask_8 * 2;
  }
  if (thread_column == 0 && row_10 < sizes->rows && first_column < sizes->columns) {
    const i32 part_at_8 = row_10 * ((sizes->columns + 63) / 64) + first_column / 64;
    result_result_statistics_buffer[sizes->result_statistics_offset + part_at_8] = squares_8;
  }
}
}

// === kernel gemm_q4_2 ===
// gemm_q4_2
// left [rows, depth] x right [columns, depth]^T, the right side of q4 in blocks of 32 with minima.
// A tile of 64 x 64 a workgroup.

namespace gemm_q4_2_kernel {
struct Sizes {
  i32 items;
  i32 left_offset;
  i32 quants_offset;
  i32 scales_offset;
  i32 minima_offset;
  i32 norm_weight_offset;
  i32 statistics_offset;
  i32 result_offset;
  i32 rows;
  i32 columns;
  i32 depth;
  i32 left_stride;
  i32 result_stride;
  i32 part_columns;
};

static __device__ vec4<f32> unpack_low_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 0u) & 15u);
  const f32 quant_1 = f32((word >> 8u) & 15u);
  const f32 quant_2 = f32((word >> 16u) & 15u);
  const f32 quant_3 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ vec4<f32> unpack_high_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 4u) & 15u);
  const f32 quant_1 = f32((word >> 12u) & 15u);
  const f32 quant_2 = f32((word >> 20u) & 15u);
  const f32 quant_3 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ f32 multiply_add(vec4<f32> a, vec4<f32> b, f32 sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

extern "C" __global__ void __launch_bounds__(128, 1) gemm_q4_2(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_statistics_buffer,
  const vec4<u32> *__restrict__ quants_buffer,
  const f32 *__restrict__ scales_buffer,
  const f32 *__restrict__ minima_buffer,
  const vec4<f32> *__restrict__ norm_weight_buffer,
  f32 *__restrict__ result_buffer
) {
  __shared__ vec4<f32> left_tile[576];
  __shared__ vec4<f32> right_tile[576];
  __shared__ f32 row_scale[64];
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
    #pragma unroll 16
    for (i32 part = 0; part < parts; part += 1) {
      squares += left_statistics_buffer[(sizes->statistics_offset + first_part + part) >> 2u][(sizes->statistics_offset + first_part + part) & 3];
    }
    const f32 scale = 1.0f / sqrtf(squares / f32(sizes->depth) + 0.000009999999747378752f);
    row_scale[tile_row] = scale;
  }
  __syncthreads();
  for (i32 depth_start = 0; depth_start < sizes->depth; depth_start += 32) {
    for (i32 run = thread; run < 512; run += 128) {
      const i32 tile_row = run / 8;
      const i32 within = run % 8 * 4;
      const i32 place = depth_start + within;
      const i32 at = tile_row * 9 + within / 4;
      if (place < sizes->depth) {
        const i32 row_2 = minimum(first_row + tile_row, sizes->rows - 1);
        const i32 start = row_2 * sizes->left_stride + place;
        left_tile[at + 0] = left_statistics_buffer[(sizes->left_offset + start) >> 2u] * row_scale[tile_row] * norm_weight_buffer[(sizes->norm_weight_offset + place) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0f);
      }
    }
    for (i32 run = thread; run < 64; run += 128) {
      const i32 tile_row_2 = run / 1;
      const i32 within_2 = run % 1 * 32;
      const i32 place_2 = depth_start + within_2;
      const i32 at_2 = tile_row_2 * 9 + within_2 / 4;
      if (place_2 < sizes->depth) {
        const i32 row_3 = minimum(first_column + tile_row_2, sizes->columns - 1);
        const vec4<u32> words = quants_buffer[(sizes->quants_offset + (row_3 * sizes->depth + place_2) / 8) >> 2u];
        const i32 block = (row_3 * sizes->depth + place_2) / 32;
        const f32 scale_2 = scales_buffer[sizes->scales_offset + block];
        const f32 minimum_2 = minima_buffer[sizes->minima_offset + block];
        right_tile[at_2 + 0] = unpack_low_nibbles(words.x, scale_2, minimum_2);
        right_tile[at_2 + 1] = unpack_low_nibbles(words.y, scale_2, minimum_2);
        right_tile[at_2 + 2] = unpack_low_nibbles(words.z, scale_2, minimum_2);
        right_tile[at_2 + 3] = unpack_low_nibbles(words.w, scale_2, minimum_2);
        right_tile[at_2 + 4] = unpack_high_nibbles(words.x, scale_2, minimum_2);
        right_tile[at_2 + 5] = unpack_high_nibbles(words.y, scale_2, minimum_2);
        right_tile[at_2 + 6] = unpack_high_nibbles(words.z, scale_2, minimum_2);
        right_tile[at_2 + 7] = unpack_high_nibbles(words.w, scale_2, minimum_2);
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0f);
        right_tile[at_2 + 1] = vec4<f32>(0.0f);
        right_tile[at_2 + 2] = vec4<f32>(0.0f);
        right_tile[at_2 + 3] = vec4<f32>(0.0f);
        right_tile[at_2 + 4] = vec4<f32>(0.0f);
        right_tile[at_2 + 5] = vec4<f32>(0.0f);
        right_tile[at_2 + 6] = vec4<f32>(0.0f);
        right_tile[at_2 + 7] = vec4<f32>(0.0f);
      }
    }
    __syncthreads();
    for (i32 quad = 0; quad < 8; quad += 1) {
      const i32 left_at = thread_row * 9 + quad;
      const i32 right_at = thread_column * 9 + quad;
      const vec4<f32> right_0 = right_tile[right_at + 0];
      const vec4<f32> right_1 = right_tile[right_at + 144];
      const vec4<f32> right_2 = right_tile[right_at + 288];
      const vec4<f32> right_3 = right_tile[right_at + 432];
      const vec4<f32> left_0 = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      const vec4<f32> left_1 = left_tile[left_at + 72];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      const vec4<f32> left_2 = left_tile[left_at + 144];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      const vec4<f32> left_3 = left_tile[left_at + 216];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
      const vec4<f32> left_4 = left_tile[left_at + 288];
      sum_4_0 = multiply_add(left_4, right_0, sum_4_0);
      sum_4_1 = multiply_add(left_4, right_1, sum_4_1);
      sum_4_2 = multiply_add(left_4, right_2, sum_4_2);
      sum_4_3 = multiply_add(left_4, right_3, sum_4_3);
      const vec4<f32> left_5 = left_tile[left_at + 360];
      sum_5_0 = multiply_add(left_5, right_0, sum_5_0);
      sum_5_1 = multiply_add(left_5, right_1, sum_5_1);
      sum_5_2 = multiply_add(left_5, right_2, sum_5_2);
      sum_5_3 = multiply_add(left_5, right_3, sum_5_3);
      const vec4<f32> left_6 = left_tile[left_at + 432];
      sum_6_0 = multiply_add(left_6, right_0, sum_6_0);
      sum_6_1 = multiply_add(left_6, right_1, sum_6_1);
      sum_6_2 = multiply_add(left_6, right_2, sum_6_2);
      sum_6_3 = multiply_add(left_6, right_3, sum_6_3);
      const vec4<f32> left_7 = left_tile[left_at + 504];
      sum_7_0 = multiply_add(left_7, right_0, sum_7_0);
      sum_7_1 = multiply_add(left_7, right_1, sum_7_1);
      sum_7_2 = multiply_add(left_7, right_2, sum_7_2);
      sum_7_3 = multiply_add(left_7, right_3, sum_7_3);
    }
    __syncthreads();
  }
  const i32 column = first_column + thread_column + 0;
  if (column < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column] = sum_0_0;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column] = sum_1_0;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column] = sum_2_0;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column] = sum_3_0;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column] = sum_4_0;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column] = sum_5_0;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column] = sum_6_0;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column] = sum_7_0;
    }
  }
  const i32 column_2 = first_column + thread_column + 16;
  if (column_2 < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_2] = sum_0_1;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_2] = sum_1_1;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_2] = sum_2_1;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_2] = sum_3_1;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_2] = sum_4_1;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_2] = sum_5_1;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_2] = sum_6_1;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_2] = sum_7_1;
    }
  }
  const i32 column_3 = first_column + thread_column + 32;
  if (column_3 < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_3] = sum_0_2;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_3] = sum_1_2;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_3] = sum_2_2;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_3] = sum_3_2;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_3] = sum_4_2;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_3] = sum_5_2;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_3] = sum_6_2;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_3] = sum_7_2;
    }
  }
  const i32 column_4 = first_column + thread_column + 48;
  if (column_4 < sizes->columns) {
    if ((first_row + thread_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 0) * sizes->result_stride + column_4] = sum_0_3;
    }
    if ((first_row + thread_row + 8) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 8) * sizes->result_stride + column_4] = sum_1_3;
    }
    if ((first_row + thread_row + 16) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 16) * sizes->result_stride + column_4] = sum_2_3;
    }
    if ((first_row + thread_row + 24) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 24) * sizes->result_stride + column_4] = sum_3_3;
    }
    if ((first_row + thread_row + 32) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 32) * sizes->result_stride + column_4] = sum_4_3;
    }
    if ((first_row + thread_row + 40) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 40) * sizes->result_stride + column_4] = sum_5_3;
    }
    if ((first_row + thread_row + 48) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 48) * sizes->result_stride + column_4] = sum_6_3;
    }
    if ((first_row + thread_row + 56) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + thread_row + 56) * sizes->result_stride + column_4] = sum_7_3;
    }
  }
}
}

// === kernel map_silu_multiply ===
// map_silu_multiply
// One element a thread.

namespace map_silu_multiply_kernel {
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

static __device__ f32 silu_f32(f32 x) {
  return x / (1.0f + exponential(-x));
}

extern "C" __global__ void __launch_bounds__(64, 1) map_silu_multiply(
  const Sizes *__restrict__ sizes,
  const f32 *__restrict__ x0_x1_buffer,
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
    result_buffer[sizes->result_offset + index_0 * sizes->result_stride_0 + index_1 * sizes->result_stride_1 + index_2] = (silu_f32(x0_x1_buffer[sizes->x0_offset + index_0 * sizes->x0_stride_0 + index_1 * sizes->x0_stride_1 + index_2]) * x0_x1_buffer[sizes->x1_offset + index_0 * sizes->x1_stride_0 + index_1 * sizes->x1_stride_1 + index_2]);
  }
}
}

// === kernel gemm_q4_residual_2 ===
// gemm_q4_residual_2
// left [rows, depth] x right [columns, depth]^T, the right side of q4 in blocks of 32 with minima.
// 16 columns a workgroup, 32 threads side by side share the depth of each.

namespace gemm_q4_residual_2_kernel {
struct Sizes {
  i32 items;
  i32 left_offset;
  i32 quants_offset;
  i32 scales_offset;
  i32 minima_offset;
  i32 residual_offset;
  i32 result_offset;
  i32 rows;
  i32 columns;
  i32 depth;
  i32 left_stride;
  i32 result_stride;
  i32 residual_stride;
};

static __device__ vec4<f32> unpack_low_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 0u) & 15u);
  const f32 quant_1 = f32((word >> 8u) & 15u);
  const f32 quant_2 = f32((word >> 16u) & 15u);
  const f32 quant_3 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ vec4<f32> unpack_high_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 4u) & 15u);
  const f32 quant_1 = f32((word >> 12u) & 15u);
  const f32 quant_2 = f32((word >> 20u) & 15u);
  const f32 quant_3 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ f32 multiply_add(vec4<f32> a, vec4<f32> b, f32 sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

extern "C" __global__ void __launch_bounds__(128, 1) gemm_q4_residual_2(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_buffer,
  const vec4<u32> *__restrict__ quants_buffer,
  const f32 *__restrict__ scales_buffer,
  const f32 *__restrict__ minima_buffer,
  const f32 *__restrict__ residual_buffer,
  f32 *__restrict__ result_buffer
) {
  __shared__ f32 exchanged_values[512];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row_tiles = ((sizes->rows + 0) / 1);
  const i32 first_row = item % row_tiles * 1;
  const i32 first_column = item / row_tiles * 16 + thread / 32 * 4;
  const i32 share = thread % 32;
  f32 sum_0_0 = f32();
  f32 sum_0_1 = f32();
  f32 sum_0_2 = f32();
  f32 sum_0_3 = f32();
  const i32 row_0 = minimum(first_row + 0, sizes->rows - 1);
  const i32 column_0 = minimum(first_column + 0, sizes->columns - 1);
  const i32 column_1 = minimum(first_column + 1, sizes->columns - 1);
  const i32 column_2 = minimum(first_column + 2, sizes->columns - 1);
  const i32 column_3 = minimum(first_column + 3, sizes->columns - 1);
  for (i32 place = share * 32; place < sizes->depth; place += 1024) {
    const vec4<u32> words = quants_buffer[(sizes->quants_offset + (column_0 * sizes->depth + place) / 8) >> 2u];
    const i32 block = (column_0 * sizes->depth + place) / 32;
    const f32 scale = scales_buffer[sizes->scales_offset + block];
    const f32 minimum_2 = minima_buffer[sizes->minima_offset + block];
    const vec4<u32> words_2 = quants_buffer[(sizes->quants_offset + (column_1 * sizes->depth + place) / 8) >> 2u];
    const i32 block_2 = (column_1 * sizes->depth + place) / 32;
    const f32 scale_2 = scales_buffer[sizes->scales_offset + block_2];
    const f32 minimum_3 = minima_buffer[sizes->minima_offset + block_2];
    const vec4<u32> words_3 = quants_buffer[(sizes->quants_offset + (column_2 * sizes->depth + place) / 8) >> 2u];
    const i32 block_3 = (column_2 * sizes->depth + place) / 32;
    const f32 scale_3 = scales_buffer[sizes->scales_offset + block_3];
    const f32 minimum_4 = minima_buffer[sizes->minima_offset + block_3];
    const vec4<u32> words_4 = quants_buffer[(sizes->quants_offset + (column_3 * sizes->depth + place) / 8) >> 2u];
    const i32 block_4 = (column_3 * sizes->depth + place) / 32;
    const f32 scale_4 = scales_buffer[sizes->scales_offset + block_4];
    const f32 minimum_5 = minima_buffer[sizes->minima_offset + block_4];
    const i32 start = row_0 * sizes->left_stride + place;
    const vec4<f32> left_0 = left_buffer[(sizes->left_offset + start) >> 2u];
    const vec4<f32> right_0 = unpack_low_nibbles(words.x, scale, minimum_2);
    sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
    const vec4<f32> right_1 = unpack_low_nibbles(words_2.x, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
    const vec4<f32> right_2 = unpack_low_nibbles(words_3.x, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
    const vec4<f32> right_3 = unpack_low_nibbles(words_4.x, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
    const i32 start_2 = row_0 * sizes->left_stride + (place + 4);
    const vec4<f32> left_0_2 = left_buffer[(sizes->left_offset + start_2) >> 2u];
    const vec4<f32> right_0_2 = unpack_low_nibbles(words.y, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_2, right_0_2, sum_0_0);
    const vec4<f32> right_1_2 = unpack_low_nibbles(words_2.y, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_2, right_1_2, sum_0_1);
    const vec4<f32> right_2_2 = unpack_low_nibbles(words_3.y, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_2, right_2_2, sum_0_2);
    const vec4<f32> right_3_2 = unpack_low_nibbles(words_4.y, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_2, right_3_2, sum_0_3);
    const i32 start_3 = row_0 * sizes->left_stride + (place + 8);
    const vec4<f32> left_0_3 = left_buffer[(sizes->left_offset + start_3) >> 2u];
    const vec4<f32> right_0_3 = unpack_low_nibbles(words.z, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_3, right_0_3, sum_0_0);
    const vec4<f32> right_1_3 = unpack_low_nibbles(words_2.z, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_3, right_1_3, sum_0_1);
    const vec4<f32> right_2_3 = unpack_low_nibbles(words_3.z, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_3, right_2_3, sum_0_2);
    const vec4<f32> right_3_3 = unpack_low_nibbles(words_4.z, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_3, right_3_3, sum_0_3);
    const i32 start_4 = row_0 * sizes->left_stride + (place + 12);
    const vec4<f32> left_0_4 = left_buffer[(sizes->left_offset + start_4) >> 2u];
    const vec4<f32> right_0_4 = unpack_low_nibbles(words.w, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_4, right_0_4, sum_0_0);
    const vec4<f32> right_1_4 = unpack_low_nibbles(words_2.w, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_4, right_1_4, sum_0_1);
    const vec4<f32> right_2_4 = unpack_low_nibbles(words_3.w, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_4, right_2_4, sum_0_2);
    const vec4<f32> right_3_4 = unpack_low_nibbles(words_4.w, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_4, right_3_4, sum_0_3);
    const i32 start_5 = row_0 * sizes->left_stride + (place + 16);
    const vec4<f32> left_0_5 = left_buffer[(sizes->left_offset + start_5) >> 2u];
    const vec4<f32> right_0_5 = unpack_high_nibbles(words.x, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_5, right_0_5, sum_0_0);
    const vec4<f32> right_1_5 = unpack_high_nibbles(words_2.x, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_5, right_1_5, sum_0_1);
    const vec4<f32> right_2_5 = unpack_high_nibbles(words_3.x, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_5, right_2_5, sum_0_2);
    const vec4<f32> right_3_5 = unpack_high_nibbles(words_4.x, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_5, right_3_5, sum_0_3);
    const i32 start_6 = row_0 * sizes->left_stride + (place + 20);
    const vec4<f32> left_0_6 = left_buffer[(sizes->left_offset + start_6) >> 2u];
    const vec4<f32> right_0_6 = unpack_high_nibbles(words.y, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_6, right_0_6, sum_0_0);
    const vec4<f32> right_1_6 = unpack_high_nibbles(words_2.y, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_6, right_1_6, sum_0_1);
    const vec4<f32> right_2_6 = unpack_high_nibbles(words_3.y, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_6, right_2_6, sum_0_2);
    const vec4<f32> right_3_6 = unpack_high_nibbles(words_4.y, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_6, right_3_6, sum_0_3);
    const i32 start_7 = row_0 * sizes->left_stride + (place + 24);
    const vec4<f32> left_0_7 = left_buffer[(sizes->left_offset + start_7) >> 2u];
    const vec4<f32> right_0_7 = unpack_high_nibbles(words.z, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_7, right_0_7, sum_0_0);
    const vec4<f32> right_1_7 = unpack_high_nibbles(words_2.z, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_7, right_1_7, sum_0_1);
    const vec4<f32> right_2_7 = unpack_high_nibbles(words_3.z, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_7, right_2_7, sum_0_2);
    const vec4<f32> right_3_7 = unpack_high_nibbles(words_4.z, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_7, right_3_7, sum_0_3);
    const i32 start_8 = row_0 * sizes->left_stride + (place + 28);
    const vec4<f32> left_0_8 = left_buffer[(sizes->left_offset + start_8) >> 2u];
    const vec4<f32> right_0_8 = unpack_high_nibbles(words.w, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_8, right_0_8, sum_0_0);
    const vec4<f32> right_1_8 = unpack_high_nibbles(words_2.w, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_8, right_1_8, sum_0_1);
    const vec4<f32> right_2_8 = unpack_high_nibbles(words_3.w, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_8, right_2_8, sum_0_2);
    const vec4<f32> right_3_8 = unpack_high_nibbles(words_4.w, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_8, right_3_8, sum_0_3);
  }
  i32 mask = 1;
  const i32 lanes = i32(32);
  while (mask < minimum(lanes, 32)) {
    sum_0_0 = sum_0_0 + shuffle_xor(sum_0_0, u32(mask));
    sum_0_1 = sum_0_1 + shuffle_xor(sum_0_1, u32(mask));
    sum_0_2 = sum_0_2 + shuffle_xor(sum_0_2, u32(mask));
    sum_0_3 = sum_0_3 + shuffle_xor(sum_0_3, u32(mask));
    mask = mask * 2;
  }
  while (mask < 32) {
    exchanged_values[thread] = sum_0_0;
    exchanged_values[128 + thread] = sum_0_1;
    exchanged_values[256 + thread] = sum_0_2;
    exchanged_values[384 + thread] = sum_0_3;
    __syncthreads();
    sum_0_0 = sum_0_0 + exchanged_values[(thread ^ mask)];
    sum_0_1 = sum_0_1 + exchanged_values[128 + (thread ^ mask)];
    sum_0_2 = sum_0_2 + exchanged_values[256 + (thread ^ mask)];
    sum_0_3 = sum_0_3 + exchanged_values[384 + (thread ^ mask)];
    __syncthreads();
    mask = mask * 2;
  }
  const i32 column = first_column + 0;
  if (share == 0 && column < sizes->columns) {
    if ((first_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + 0) * sizes->result_stride + column] = sum_0_0 + residual_buffer[sizes->residual_offset + (first_row + 0) * sizes->residual_stride + column];
    }
  }
  const i32 column_4 = first_column + 1;
  if (share == 1 && column_4 < sizes->columns) {
    if ((first_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + 0) * sizes->result_stride + column_4] = sum_0_1 + residual_buffer[sizes->residual_offset + (first_row + 0) * sizes->residual_stride + column_4];
    }
  }
  const i32 column_5 = first_column + 2;
  if (share == 2 && column_5 < sizes->columns) {
    if ((first_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + 0) * sizes->result_stride + column_5] = sum_0_2 + residual_buffer[sizes->residual_offset + (first_row + 0) * sizes->residual_stride + column_5];
    }
  }
  const i32 column_6 = first_column + 3;
  if (share == 3 && column_6 < sizes->columns) {
    if ((first_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + 0) * sizes->result_stride + column_6] = sum_0_3 + residual_buffer[sizes->residual_offset + (first_row + 0) * sizes->residual_stride + column_6];
    }
  }
}
}

// === kernel gemm_q4_3 ===
// gemm_q4_3
// left [rows, depth] x right [columns, depth]^T, the right side of q4 in blocks of 32 with minima.
// 16 columns a workgroup, 32 threads side by side share the depth of each.

namespace gemm_q4_3_kernel {
struct Sizes {
  i32 items;
  i32 left_offset;
  i32 quants_offset;
  i32 scales_offset;
  i32 minima_offset;
  i32 norm_weight_offset;
  i32 result_offset;
  i32 rows;
  i32 columns;
  i32 depth;
  i32 left_stride;
  i32 result_stride;
};

static __device__ vec4<f32> unpack_low_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 0u) & 15u);
  const f32 quant_1 = f32((word >> 8u) & 15u);
  const f32 quant_2 = f32((word >> 16u) & 15u);
  const f32 quant_3 = f32((word >> 24u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ vec4<f32> unpack_high_nibbles(u32 word, f32 scale, f32 minimum) {
  const f32 quant_0 = f32((word >> 4u) & 15u);
  const f32 quant_1 = f32((word >> 12u) & 15u);
  const f32 quant_2 = f32((word >> 20u) & 15u);
  const f32 quant_3 = f32((word >> 28u) & 15u);
  return vec4<f32>(scale * quant_0 + minimum, scale * quant_1 + minimum, scale * quant_2 + minimum, scale * quant_3 + minimum);
}

static __device__ f32 multiply_add(vec4<f32> a, vec4<f32> b, f32 sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

extern "C" __global__ void __launch_bounds__(128, 1) gemm_q4_3(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ left_buffer,
  const vec4<u32> *__restrict__ quants_buffer,
  const f32 *__restrict__ scales_buffer,
  const f32 *__restrict__ minima_buffer,
  const vec4<f32> *__restrict__ norm_weight_buffer,
  f32 *__restrict__ result_buffer
) {
  __shared__ f32 exchanged_values[640];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 row_tiles = ((sizes->rows + 0) / 1);
  const i32 first_row = item % row_tiles * 1;
  const i32 first_column = item / row_tiles * 16 + thread / 32 * 4;
  const i32 share = thread % 32;
  f32 sum_0_0 = f32();
  f32 sum_0_1 = f32();
  f32 sum_0_2 = f32();
  f32 sum_0_3 = f32();
  const i32 row_0 = minimum(first_row + 0, sizes->rows - 1);
  const i32 column_0 = minimum(first_column + 0, sizes->columns - 1);
  const i32 column_1 = minimum(first_column + 1, sizes->columns - 1);
  const i32 column_2 = minimum(first_column + 2, sizes->columns - 1);
  const i32 column_3 = minimum(first_column + 3, sizes->columns - 1);
  f32 squares_0 = f32();
  for (i32 place = share * 32; place < sizes->depth; place += 1024) {
    const vec4<u32> words = quants_buffer[(sizes->quants_offset + (column_0 * sizes->depth + place) / 8) >> 2u];
    const i32 block = (column_0 * sizes->depth + place) / 32;
    const f32 scale = scales_buffer[sizes->scales_offset + block];
    const f32 minimum_2 = minima_buffer[sizes->minima_offset + block];
    const vec4<u32> words_2 = quants_buffer[(sizes->quants_offset + (column_1 * sizes->depth + place) / 8) >> 2u];
    const i32 block_2 = (column_1 * sizes->depth + place) / 32;
    const f32 scale_2 = scales_buffer[sizes->scales_offset + block_2];
    const f32 minimum_3 = minima_buffer[sizes->minima_offset + block_2];
    const vec4<u32> words_3 = quants_buffer[(sizes->quants_offset + (column_2 * sizes->depth + place) / 8) >> 2u];
    const i32 block_3 = (column_2 * sizes->depth + place) / 32;
    const f32 scale_3 = scales_buffer[sizes->scales_offset + block_3];
    const f32 minimum_4 = minima_buffer[sizes->minima_offset + block_3];
    const vec4<u32> words_4 = quants_buffer[(sizes->quants_offset + (column_3 * sizes->depth + place) / 8) >> 2u];
    const i32 block_4 = (column_3 * sizes->depth + place) / 32;
    const f32 scale_4 = scales_buffer[sizes->scales_offset + block_4];
    const f32 minimum_5 = minima_buffer[sizes->minima_offset + block_4];
    const vec4<f32> weight = norm_weight_buffer[(sizes->norm_weight_offset + place) >> 2u];
    const i32 start = row_0 * sizes->left_stride + place;
    const vec4<f32> read_0 = left_buffer[(sizes->left_offset + start) >> 2u];
    squares_0 = multiply_add(read_0, read_0, squares_0);
    const vec4<f32> left_0 = read_0 * weight;
    const vec4<f32> right_0 = unpack_low_nibbles(words.x, scale, minimum_2);
    sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
    const vec4<f32> right_1 = unpack_low_nibbles(words_2.x, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
    const vec4<f32> right_2 = unpack_low_nibbles(words_3.x, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
    const vec4<f32> right_3 = unpack_low_nibbles(words_4.x, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
    const vec4<f32> weight_2 = norm_weight_buffer[(sizes->norm_weight_offset + (place + 4)) >> 2u];
    const i32 start_2 = row_0 * sizes->left_stride + (place + 4);
    const vec4<f32> read_0_2 = left_buffer[(sizes->left_offset + start_2) >> 2u];
    squares_0 = multiply_add(read_0_2, read_0_2, squares_0);
    const vec4<f32> left_0_2 = read_0_2 * weight_2;
    const vec4<f32> right_0_2 = unpack_low_nibbles(words.y, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_2, right_0_2, sum_0_0);
    const vec4<f32> right_1_2 = unpack_low_nibbles(words_2.y, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_2, right_1_2, sum_0_1);
    const vec4<f32> right_2_2 = unpack_low_nibbles(words_3.y, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_2, right_2_2, sum_0_2);
    const vec4<f32> right_3_2 = unpack_low_nibbles(words_4.y, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_2, right_3_2, sum_0_3);
    const vec4<f32> weight_3 = norm_weight_buffer[(sizes->norm_weight_offset + (place + 8)) >> 2u];
    const i32 start_3 = row_0 * sizes->left_stride + (place + 8);
    const vec4<f32> read_0_3 = left_buffer[(sizes->left_offset + start_3) >> 2u];
    squares_0 = multiply_add(read_0_3, read_0_3, squares_0);
    const vec4<f32> left_0_3 = read_0_3 * weight_3;
    const vec4<f32> right_0_3 = unpack_low_nibbles(words.z, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_3, right_0_3, sum_0_0);
    const vec4<f32> right_1_3 = unpack_low_nibbles(words_2.z, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_3, right_1_3, sum_0_1);
    const vec4<f32> right_2_3 = unpack_low_nibbles(words_3.z, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_3, right_2_3, sum_0_2);
    const vec4<f32> right_3_3 = unpack_low_nibbles(words_4.z, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_3, right_3_3, sum_0_3);
    const vec4<f32> weight_4 = norm_weight_buffer[(sizes->norm_weight_offset + (place + 12)) >> 2u];
    const i32 start_4 = row_0 * sizes->left_stride + (place + 12);
    const vec4<f32> read_0_4 = left_buffer[(sizes->left_offset + start_4) >> 2u];
    squares_0 = multiply_add(read_0_4, read_0_4, squares_0);
    const vec4<f32> left_0_4 = read_0_4 * weight_4;
    const vec4<f32> right_0_4 = unpack_low_nibbles(words.w, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_4, right_0_4, sum_0_0);
    const vec4<f32> right_1_4 = unpack_low_nibbles(words_2.w, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_4, right_1_4, sum_0_1);
    const vec4<f32> right_2_4 = unpack_low_nibbles(words_3.w, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_4, right_2_4, sum_0_2);
    const vec4<f32> right_3_4 = unpack_low_nibbles(words_4.w, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_4, right_3_4, sum_0_3);
    const vec4<f32> weight_5 = norm_weight_buffer[(sizes->norm_weight_offset + (place + 16)) >> 2u];
    const i32 start_5 = row_0 * sizes->left_stride + (place + 16);
    const vec4<f32> read_0_5 = left_buffer[(sizes->left_offset + start_5) >> 2u];
    squares_0 = multiply_add(read_0_5, read_0_5, squares_0);
    const vec4<f32> left_0_5 = read_0_5 * weight_5;
    const vec4<f32> right_0_5 = unpack_high_nibbles(words.x, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_5, right_0_5, sum_0_0);
    const vec4<f32> right_1_5 = unpack_high_nibbles(words_2.x, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_5, right_1_5, sum_0_1);
    const vec4<f32> right_2_5 = unpack_high_nibbles(words_3.x, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_5, right_2_5, sum_0_2);
    const vec4<f32> right_3_5 = unpack_high_nibbles(words_4.x, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_5, right_3_5, sum_0_3);
    const vec4<f32> weight_6 = norm_weight_buffer[(sizes->norm_weight_offset + (place + 20)) >> 2u];
    const i32 start_6 = row_0 * sizes->left_stride + (place + 20);
    const vec4<f32> read_0_6 = left_buffer[(sizes->left_offset + start_6) >> 2u];
    squares_0 = multiply_add(read_0_6, read_0_6, squares_0);
    const vec4<f32> left_0_6 = read_0_6 * weight_6;
    const vec4<f32> right_0_6 = unpack_high_nibbles(words.y, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_6, right_0_6, sum_0_0);
    const vec4<f32> right_1_6 = unpack_high_nibbles(words_2.y, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_6, right_1_6, sum_0_1);
    const vec4<f32> right_2_6 = unpack_high_nibbles(words_3.y, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_6, right_2_6, sum_0_2);
    const vec4<f32> right_3_6 = unpack_high_nibbles(words_4.y, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_6, right_3_6, sum_0_3);
    const vec4<f32> weight_7 = norm_weight_buffer[(sizes->norm_weight_offset + (place + 24)) >> 2u];
    const i32 start_7 = row_0 * sizes->left_stride + (place + 24);
    const vec4<f32> read_0_7 = left_buffer[(sizes->left_offset + start_7) >> 2u];
    squares_0 = multiply_add(read_0_7, read_0_7, squares_0);
    const vec4<f32> left_0_7 = read_0_7 * weight_7;
    const vec4<f32> right_0_7 = unpack_high_nibbles(words.z, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_7, right_0_7, sum_0_0);
    const vec4<f32> right_1_7 = unpack_high_nibbles(words_2.z, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_7, right_1_7, sum_0_1);
    const vec4<f32> right_2_7 = unpack_high_nibbles(words_3.z, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_7, right_2_7, sum_0_2);
    const vec4<f32> right_3_7 = unpack_high_nibbles(words_4.z, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_7, right_3_7, sum_0_3);
    const vec4<f32> weight_8 = norm_weight_buffer[(sizes->norm_weight_offset + (place + 28)) >> 2u];
    const i32 start_8 = row_0 * sizes->left_stride + (place + 28);
    const vec4<f32> read_0_8 = left_buffer[(sizes->left_offset + start_8) >> 2u];
    squares_0 = multiply_add(read_0_8, read_0_8, squares_0);
    const vec4<f32> left_0_8 = read_0_8 * weight_8;
    const vec4<f32> right_0_8 = unpack_high_nibbles(words.w, scale, minimum_2);
    sum_0_0 = multiply_add(left_0_8, right_0_8, sum_0_0);
    const vec4<f32> right_1_8 = unpack_high_nibbles(words_2.w, scale_2, minimum_3);
    sum_0_1 = multiply_add(left_0_8, right_1_8, sum_0_1);
    const vec4<f32> right_2_8 = unpack_high_nibbles(words_3.w, scale_3, minimum_4);
    sum_0_2 = multiply_add(left_0_8, right_2_8, sum_0_2);
    const vec4<f32> right_3_8 = unpack_high_nibbles(words_4.w, scale_4, minimum_5);
    sum_0_3 = multiply_add(left_0_8, right_3_8, sum_0_3);
  }
  i32 mask = 1;
  const i32 lanes = i32(32);
  while (mask < minimum(lanes, 32)) {
    sum_0_0 = sum_0_0 + shuffle_xor(sum_0_0, u32(mask));
    sum_0_1 = sum_0_1 + shuffle_xor(sum_0_1, u32(mask));
    sum_0_2 = sum_0_2 + shuffle_xor(sum_0_2, u32(mask));
    sum_0_3 = sum_0_3 + shuffle_xor(sum_0_3, u32(mask));
    squares_0 = squares_0 + shuffle_xor(squares_0, u32(mask));
    mask = mask * 2;
  }
  while (mask < 32) {
    exchanged_values[thread] = sum_0_0;
    exchanged_values[128 + thread] = sum_0_1;
    exchanged_values[256 + thread] = sum_0_2;
    exchanged_values[384 + thread] = sum_0_3;
    exchanged_values[512 + thread] = squares_0;
    __syncthreads();
    sum_0_0 = sum_0_0 + exchanged_values[(thread ^ mask)];
    sum_0_1 = sum_0_1 + exchanged_values[128 + (thread ^ mask)];
    sum_0_2 = sum_0_2 + exchanged_values[256 + (thread ^ mask)];
    sum_0_3 = sum_0_3 + exchanged_values[384 + (thread ^ mask)];
    squares_0 = squares_0 + exchanged_values[512 + (thread ^ mask)];
    __syncthreads();
    mask = mask * 2;
  }
  const f32 scale_0 = 1.0f / sqrtf(squares_0 / f32(sizes->depth) + 0.000009999999747378752f);
  const i32 column = first_column + 0;
  if (share == 0 && column < sizes->columns) {
    if ((first_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + 0) * sizes->result_stride + column] = sum_0_0 * scale_0;
    }
  }
  const i32 column_4 = first_column + 1;
  if (share == 1 && column_4 < sizes->columns) {
    if ((first_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + 0) * sizes->result_stride + column_4] = sum_0_1 * scale_0;
    }
  }
  const i32 column_5 = first_column + 2;
  if (share == 2 && column_5 < sizes->columns) {
    if ((first_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + 0) * sizes->result_stride + column_5] = sum_0_2 * scale_0;
    }
  }
  const i32 column_6 = first_column + 3;
  if (share == 3 && column_6 < sizes->columns) {
    if ((first_row + 0) < sizes->rows) {
      result_buffer[sizes->result_offset + (first_row + 0) * sizes->result_stride + column_6] = sum_0_3 * scale_0;
    }
  }
}
}

// === kernel attention_keys ===
// attention_keys
// Attention of 4 queries of one head a workgroup, 256 keys at a time.

namespace attention_keys_kernel {
struct Sizes {
  i32 items;
  i32 query_offset;
  i32 key_offset;
  i32 value_offset;
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

extern "C" __global__ void __launch_bounds__(256, 1) attention_keys(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ query_buffer,
  const vec4<f32> *__restrict__ key_buffer,
  const vec4<f32> *__restrict__ value_buffer,
  vec4<f32> *__restrict__ result_buffer
) {
  __shared__ vec4<f32> warp_maxima[8];
  __shared__ vec4<f32> warp_totals[8];
  __shared__ vec4<f32> warp_sums[256];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 tiles = ((sizes->queries + 3) / 4);
  const i32 batch = item / tiles / sizes->heads;
  const i32 head = item / tiles % sizes->heads;
  const i32 key_head = head / (sizes->heads / sizes->key_heads);
  const i32 first_query = item % tiles * 4;
  const i32 rows = minimum(4, sizes->queries - first_query);
  const i32 row_group = thread / 256;
  const i32 lane = thread % 256;
  const i32 query_start = batch * sizes->query_batch + head * sizes->query_head;
  const i32 row_lane = thread % 8;
  const i32 split = thread / 8;
  vec4<f32> maximum_2 = vec4<f32>((-4.999999840142846e+37f));
  vec4<f32> total = vec4<f32>();
  vec4<f32> sum_0_0 = vec4<f32>();
  vec4<f32> sum_1_0 = vec4<f32>();
  vec4<f32> sum_2_0 = vec4<f32>();
  vec4<f32> sum_3_0 = vec4<f32>();
  // Segment of keys
  const i32 first_stand = first_query + sizes->keys - sizes->queries;
  const i32 own_stand = first_stand + 0;
  const i32 key_start = batch * sizes->key_batch + key_head * sizes->key_head;
  const i32 value_start = batch * sizes->value_batch + key_head * sizes->value_head;
  const i32 query_row_start = opaque(query_start + (first_query + minimum(0, rows - 1)) * sizes->query_row);
  const vec4<f32> query_0_0 = (((row_lane + 0) * 4 < 8) ? (query_buffer[(sizes->query_offset + query_row_start + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
  const i32 query_row_start_2 = opaque(query_start + (first_query + minimum(1, rows - 1)) * sizes->query_row);
  const vec4<f32> query_1_0 = (((row_lane + 0) * 4 < 8) ? (query_buffer[(sizes->query_offset + query_row_start_2 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
  const i32 query_row_start_3 = opaque(query_start + (first_query + minimum(2, rows - 1)) * sizes->query_row);
  const vec4<f32> query_2_0 = (((row_lane + 0) * 4 < 8) ? (query_buffer[(sizes->query_offset + query_row_start_3 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
  const i32 query_row_start_4 = opaque(query_start + (first_query + minimum(3, rows - 1)) * sizes->query_row);
  const vec4<f32> query_3_0 = (((row_lane + 0) * 4 < 8) ? (query_buffer[(sizes->query_offset + query_row_start_4 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
  #pragma unroll 1
  for (i32 tile = 0; tile < sizes->keys; tile += 128) {
    const i32 wanted_key = tile + 0 + split;
    const i32 key_2 = minimum(wanted_key, sizes->keys - 1);
    const i32 key_from = key_start + key_2 * sizes->key_row;
    const vec4<f32> key_part = (((row_lane + 0) * 4 < 8) ? (key_buffer[(sizes->key_offset + key_from + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    const i32 wanted_key_2 = tile + 32 + split;
    const i32 key_3 = minimum(wanted_key_2, sizes->keys - 1);
    const i32 key_from_2 = key_start + key_3 * sizes->key_row;
    const vec4<f32> key_part_2 = (((row_lane + 0) * 4 < 8) ? (key_buffer[(sizes->key_offset + key_from_2 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    const i32 wanted_key_3 = tile + 64 + split;
    const i32 key_4 = minimum(wanted_key_3, sizes->keys - 1);
    const i32 key_from_3 = key_start + key_4 * sizes->key_row;
    const vec4<f32> key_part_3 = (((row_lane + 0) * 4 < 8) ? (key_buffer[(sizes->key_offset + key_from_3 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    const i32 wanted_key_4 = tile + 96 + split;
    const i32 key_5 = minimum(wanted_key_4, sizes->keys - 1);
    const i32 key_from_4 = key_start + key_5 * sizes->key_row;
    const vec4<f32> key_part_4 = (((row_lane + 0) * 4 < 8) ? (key_buffer[(sizes->key_offset + key_from_4 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    vec4<f32> score = vec4<f32>(dot(query_0_0, key_part), dot(query_1_0, key_part), dot(query_2_0, key_part), dot(query_3_0, key_part));
    score.x += shuffle_xor(score.x, 1u);
    score.y += shuffle_xor(score.y, 1u);
    score.z += shuffle_xor(score.z, 1u);
    score.w += shuffle_xor(score.w, 1u);
    score.x += shuffle_xor(score.x, 2u);
    score.y += shuffle_xor(score.y, 2u);
    score.z += shuffle_xor(score.z, 2u);
    score.w += shuffle_xor(score.w, 2u);
    score.x += shuffle_xor(score.x, 4u);
    score.y += shuffle_xor(score.y, 4u);
    score.z += shuffle_xor(score.z, 4u);
    score.w += shuffle_xor(score.w, 4u);
    score = score * 0.3535533845424652f;
    score = vec4<f32>((((wanted_key < sizes->keys)) ? (score.x) : ((-9.999999680285692e+37f))), (((wanted_key < sizes->keys)) ? (score.y) : ((-9.999999680285692e+37f))), (((wanted_key < sizes->keys)) ? (score.z) : ((-9.999999680285692e+37f))), (((wanted_key < sizes->keys)) ? (score.w) : ((-9.999999680285692e+37f))));
    vec4<f32> score_2 = vec4<f32>(dot(query_0_0, key_part_2), dot(query_1_0, key_part_2), dot(query_2_0, key_part_2), dot(query_3_0, key_part_2));
    score_2.x += shuffle_xor(score_2.x, 1u);
    score_2.y += shuffle_xor(score_2.y, 1u);
    score_2.z += shuffle_xor(score_2.z, 1u);
    score_2.w += shuffle_xor(score_2.w, 1u);
    score_2.x += shuffle_xor(score_2.x, 2u);
    score_2.y += shuffle_xor(score_2.y, 2u);
    score_2.z += shuffle_xor(score_2.z, 2u);
    score_2.w += shuffle_xor(score_2.w, 2u);
    score_2.x += shuffle_xor(score_2.x, 4u);
    score_2.y += shuffle_xor(score_2.y, 4u);
    score_2.z += shuffle_xor(score_2.z, 4u);
    score_2.w += shuffle_xor(score_2.w, 4u);
    score_2 = score_2 * 0.3535533845424652f;
    score_2 = vec4<f32>((((wanted_key_2 < sizes->keys)) ? (score_2.x) : ((-9.999999680285692e+37f))), (((wanted_key_2 < sizes->keys)) ? (score_2.y) : ((-9.999999680285692e+37f))), (((wanted_key_2 < sizes->keys)) ? (score_2.z) : ((-9.999999680285692e+37f))), (((wanted_key_2 < sizes->keys)) ? (score_2.w) : ((-9.999999680285692e+37f))));
    vec4<f32> score_3 = vec4<f32>(dot(query_0_0, key_part_3), dot(query_1_0, key_part_3), dot(query_2_0, key_part_3), dot(query_3_0, key_part_3));
    score_3.x += shuffle_xor(score_3.x, 1u);
    score_3.y += shuffle_xor(score_3.y, 1u);
    score_3.z += shuffle_xor(score_3.z, 1u);
    score_3.w += shuffle_xor(score_3.w, 1u);
    score_3.x += shuffle_xor(score_3.x, 2u);
    score_3.y += shuffle_xor(score_3.y, 2u);
    score_3.z += shuffle_xor(score_3.z, 2u);
    score_3.w += shuffle_xor(score_3.w, 2u);
    score_3.x += shuffle_xor(score_3.x, 4u);
    score_3.y += shuffle_xor(score_3.y, 4u);
    score_3.z += shuffle_xor(score_3.z, 4u);
    score_3.w += shuffle_xor(score_3.w, 4u);
    score_3 = score_3 * 0.3535533845424652f;
    score_3 = vec4<f32>((((wanted_key_3 < sizes->keys)) ? (score_3.x) : ((-9.999999680285692e+37f))), (((wanted_key_3 < sizes->keys)) ? (score_3.y) : ((-9.999999680285692e+37f))), (((wanted_key_3 < sizes->keys)) ? (score_3.z) : ((-9.999999680285692e+37f))), (((wanted_key_3 < sizes->keys)) ? (score_3.w) : ((-9.999999680285692e+37f))));
    vec4<f32> score_4 = vec4<f32>(dot(query_0_0, key_part_4), dot(query_1_0, key_part_4), dot(query_2_0, key_part_4), dot(query_3_0, key_part_4));
    score_4.x += shuffle_xor(score_4.x, 1u);
    score_4.y += shuffle_xor(score_4.y, 1u);
    score_4.z += shuffle_xor(score_4.z, 1u);
    score_4.w += shuffle_xor(score_4.w, 1u);
    score_4.x += shuffle_xor(score_4.x, 2u);
    score_4.y += shuffle_xor(score_4.y, 2u);
    score_4.z += shuffle_xor(score_4.z, 2u);
    score_4.w += shuffle_xor(score_4.w, 2u);
    score_4.x += shuffle_xor(score_4.x, 4u);
    score_4.y += shuffle_xor(score_4.y, 4u);
    score_4.z += shuffle_xor(score_4.z, 4u);
    score_4.w += shuffle_xor(score_4.w, 4u);
    score_4 = score_4 * 0.3535533845424652f;
    score_4 = vec4<f32>((((wanted_key_4 < sizes->keys)) ? (score_4.x) : ((-9.999999680285692e+37f))), (((wanted_key_4 < sizes->keys)) ? (score_4.y) : ((-9.999999680285692e+37f))), (((wanted_key_4 < sizes->keys)) ? (score_4.z) : ((-9.999999680285692e+37f))), (((wanted_key_4 < sizes->keys)) ? (score_4.w) : ((-9.999999680285692e+37f))));
    const vec4<f32> raised = maximum(maximum_2, maximum(maximum(maximum(score, score_2), score_3), score_4));
    const vec4<f32> factor = exponential(maximum_2 - raised);
    maximum_2 = raised;
    total = total * factor;
    sum_0_0 = sum_0_0 * factor.x;
    sum_1_0 = sum_1_0 * factor.y;
    sum_2_0 = sum_2_0 * factor.z;
    sum_3_0 = sum_3_0 * factor.w;
    const vec4<f32> weight = exponential(score - maximum_2);
    const i32 value_from = value_start + key_2 * sizes->value_row;
    total += weight;
    const vec4<f32> value_part = (((row_lane + 0) * 4 < 8) ? (value_buffer[(sizes->value_offset + value_from + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    sum_0_0 += weight.x * value_part;
    sum_1_0 += weight.y * value_part;
    sum_2_0 += weight.z * value_part;
    sum_3_0 += weight.w * value_part;
    const vec4<f32> weight_2 = exponential(score_2 - maximum_2);
    const i32 value_from_2 = value_start + key_3 * sizes->value_row;
    total += weight_2;
    const vec4<f32> value_part_2 = (((row_lane + 0) * 4 < 8) ? (value_buffer[(sizes->value_offset + value_from_2 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    sum_0_0 += weight_2.x * value_part_2;
    sum_1_0 += weight_2.y * value_part_2;
    sum_2_0 += weight_2.z * value_part_2;
    sum_3_0 += weight_2.w * value_part_2;
    const vec4<f32> weight_3 = exponential(score_3 - maximum_2);
    const i32 value_from_3 = value_start + key_4 * sizes->value_row;
    total += weight_3;
    const vec4<f32> value_part_3 = (((row_lane + 0) * 4 < 8) ? (value_buffer[(sizes->value_offset + value_from_3 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    sum_0_0 += weight_3.x * value_part_3;
    sum_1_0 += weight_3.y * value_part_3;
    sum_2_0 += weight_3.z * value_part_3;
    sum_3_0 += weight_3.w * value_part_3;
    const vec4<f32> weight_4 = exponential(score_4 - maximum_2);
    const i32 value_from_4 = value_start + key_5 * sizes->value_row;
    total += weight_4;
    const vec4<f32> value_part_4 = (((row_lane + 0) * 4 < 8) ? (value_buffer[(sizes->value_offset + value_from_4 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    sum_0_0 += weight_4.x * value_part_4;
    sum_1_0 += weight_4.y * value_part_4;
    sum_2_0 += weight_4.z * value_part_4;
    sum_3_0 += weight_4.w * value_part_4;
  }
  __syncthreads();
  vec4<f32> warp_maximum = maximum_2;
  warp_maximum = maximum(warp_maximum, vec4<f32>(shuffle_xor(warp_maximum.x, 8u), shuffle_xor(warp_maximum.y, 8u), shuffle_xor(warp_maximum.z, 8u), shuffle_xor(warp_maximum.w, 8u)));
  warp_maximum = maximum(warp_maximum, vec4<f32>(shuffle_xor(warp_maximum.x, 16u), shuffle_xor(warp_maximum.y, 16u), shuffle_xor(warp_maximum.z, 16u), shuffle_xor(warp_maximum.w, 16u)));
  vec4<f32> warp_total = total * exponential(maximum_2 - warp_maximum);
  warp_total.x += shuffle_xor(warp_total.x, 8u);
  warp_total.y += shuffle_xor(warp_total.y, 8u);
  warp_total.z += shuffle_xor(warp_total.z, 8u);
  warp_total.w += shuffle_xor(warp_total.w, 8u);
  warp_total.x += shuffle_xor(warp_total.x, 16u);
  warp_total.y += shuffle_xor(warp_total.y, 16u);
  warp_total.z += shuffle_xor(warp_total.z, 16u);
  warp_total.w += shuffle_xor(warp_total.w, 16u);
  if (thread % 32 == 0) {
    warp_maxima[thread / 32] = warp_maximum;
    warp_totals[thread / 32] = warp_total;
  }
  __syncthreads();
  const vec4<f32> maximum_so_far = maximum(maximum(maximum(maximum(maximum(maximum(maximum(warp_maxima[0], warp_maxima[1]), warp_maxima[2]), warp_maxima[3]), warp_maxima[4]), warp_maxima[5]), warp_maxima[6]), warp_maxima[7]);
  const vec4<f32> total_so_far = warp_totals[0] * exponential(warp_maxima[0] - maximum_so_far) + warp_totals[1] * exponential(warp_maxima[1] - maximum_so_far) + warp_totals[2] * exponential(warp_maxima[2] - maximum_so_far) + warp_totals[3] * exponential(warp_maxima[3] - maximum_so_far) + warp_totals[4] * exponential(warp_maxima[4] - maximum_so_far) + warp_totals[5] * exponential(warp_maxima[5] - maximum_so_far) + warp_totals[6] * exponential(warp_maxima[6] - maximum_so_far) + warp_totals[7] * exponential(warp_maxima[7] - maximum_so_far);
  // a query that sees no key has a total of 0: zeros
  const vec4<f32> inverse = vec4<f32>(((total_so_far.x > 0.0f) ? (1.0f / total_so_far.x) : (0.0f)), ((total_so_far.y > 0.0f) ? (1.0f / total_so_far.y) : (0.0f)), ((total_so_far.z > 0.0f) ? (1.0f / total_so_far.z) : (0.0f)), ((total_so_far.w > 0.0f) ? (1.0f / total_so_far.w) : (0.0f)));
  const vec4<f32> factor_2 = inverse * exponential(maximum_2 - maximum_so_far);
  sum_0_0 = sum_0_0 * factor_2.x;
  sum_1_0 = sum_1_0 * factor_2.y;
  sum_2_0 = sum_2_0 * factor_2.z;
  sum_3_0 = sum_3_0 * factor_2.w;
  sum_0_0.x += shuffle_xor(sum_0_0.x, 8u);
  sum_0_0.y += shuffle_xor(sum_0_0.y, 8u);
  sum_0_0.z += shuffle_xor(sum_0_0.z, 8u);
  sum_0_0.w += shuffle_xor(sum_0_0.w, 8u);
  sum_0_0.x += shuffle_xor(sum_0_0.x, 16u);
  sum_0_0.y += shuffle_xor(sum_0_0.y, 16u);
  sum_0_0.z += shuffle_xor(sum_0_0.z, 16u);
  sum_0_0.w += shuffle_xor(sum_0_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 0) * 8 + row_lane + 0] = sum_0_0;
  }
  sum_1_0.x += shuffle_xor(sum_1_0.x, 8u);
  sum_1_0.y += shuffle_xor(sum_1_0.y, 8u);
  sum_1_0.z += shuffle_xor(sum_1_0.z, 8u);
  sum_1_0.w += shuffle_xor(sum_1_0.w, 8u);
  sum_1_0.x += shuffle_xor(sum_1_0.x, 16u);
  sum_1_0.y += shuffle_xor(sum_1_0.y, 16u);
  sum_1_0.z += shuffle_xor(sum_1_0.z, 16u);
  sum_1_0.w += shuffle_xor(sum_1_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 1) * 8 + row_lane + 0] = sum_1_0;
  }
  sum_2_0.x += shuffle_xor(sum_2_0.x, 8u);
  sum_2_0.y += shuffle_xor(sum_2_0.y, 8u);
  sum_2_0.z += shuffle_xor(sum_2_0.z, 8u);
  sum_2_0.w += shuffle_xor(sum_2_0.w, 8u);
  sum_2_0.x += shuffle_xor(sum_2_0.x, 16u);
  sum_2_0.y += shuffle_xor(sum_2_0.y, 16u);
  sum_2_0.z += shuffle_xor(sum_2_0.z, 16u);
  sum_2_0.w += shuffle_xor(sum_2_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 2) * 8 + row_lane + 0] = sum_2_0;
  }
  sum_3_0.x += shuffle_xor(sum_3_0.x, 8u);
  sum_3_0.y += shuffle_xor(sum_3_0.y, 8u);
  sum_3_0.z += shuffle_xor(sum_3_0.z, 8u);
  sum_3_0.w += shuffle_xor(sum_3_0.w, 8u);
  sum_3_0.x += shuffle_xor(sum_3_0.x, 16u);
  sum_3_0.y += shuffle_xor(sum_3_0.y, 16u);
  sum_3_0.z += shuffle_xor(sum_3_0.z, 16u);
  sum_3_0.w += shuffle_xor(sum_3_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 3) * 8 + row_lane + 0] = sum_3_0;
  }
  __syncthreads();
  const i32 result_start = batch * sizes->result_batch + head * sizes->result_head;
  for (i32 slot = thread; slot < 32; slot += 256) {
    const i32 row = slot / 8;
    const i32 column = slot % 8 * 4;
    const vec4<f32> row_part = warp_sums[slot + 0] + warp_sums[slot + 32] + warp_sums[slot + 64] + warp_sums[slot + 96] + warp_sums[slot + 128] + warp_sums[slot + 160] + warp_sums[slot + 192] + warp_sums[slot + 224];
    if (row < rows && column < 8) {
      const i32 place = result_start + (first_query + row) * sizes->result_row + column;
      result_buffer[(sizes->result_offset + place) >> 2u] = row_part;
    }
  }
}
}

// === kernel attention_keys_parts ===
// attention_keys_parts
// Attention of 4 queries of one head a workgroup, 256 keys at a time.

namespace attention_keys_parts_kernel {
struct Sizes {
  i32 items;
  i32 query_offset;
  i32 key_offset;
  i32 value_offset;
  i32 result_offset;
  i32 log_sum_exp_offset;
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
  i32 log_sum_exp_batch;
  i32 log_sum_exp_head;
  i32 keys;
  i32 key_batch;
  i32 key_head;
  i32 key_row;
  i32 value_batch;
  i32 value_head;
  i32 value_row;
};

extern "C" __global__ void __launch_bounds__(256, 1) attention_keys_parts(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ query_buffer,
  const vec4<f32> *__restrict__ key_buffer,
  const vec4<f32> *__restrict__ value_buffer,
  f32 *__restrict__ result_log_sum_exp_buffer
) {
  __shared__ vec4<f32> warp_maxima[8];
  __shared__ vec4<f32> warp_totals[8];
  __shared__ vec4<f32> warp_sums[256];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 tiles = ((sizes->queries + 3) / 4);
  const i32 batch = item / tiles / sizes->heads;
  const i32 head = item / tiles % sizes->heads;
  const i32 key_head = head / (sizes->heads / sizes->key_heads);
  const i32 first_query = item % tiles * 4;
  const i32 rows = minimum(4, sizes->queries - first_query);
  const i32 row_group = thread / 256;
  const i32 lane = thread % 256;
  const i32 query_start = batch * sizes->query_batch + head * sizes->query_head;
  const i32 row_lane = thread % 8;
  const i32 split = thread / 8;
  vec4<f32> maximum_2 = vec4<f32>((-4.999999840142846e+37f));
  vec4<f32> total = vec4<f32>();
  vec4<f32> sum_0_0 = vec4<f32>();
  vec4<f32> sum_1_0 = vec4<f32>();
  vec4<f32> sum_2_0 = vec4<f32>();
  vec4<f32> sum_3_0 = vec4<f32>();
  // Segment of keys
  const i32 first_stand = first_query + sizes->keys - sizes->queries;
  const i32 own_stand = first_stand + 0;
  const i32 span = (sizes->keys + sizes->batches - 1) / sizes->batches;
  const i32 first_of_part = maximum(0, batch * span);
  const i32 end_of_part = minimum(sizes->keys, (batch + 1) * span);
  const i32 key_start = batch * sizes->key_batch + key_head * sizes->key_head;
  const i32 value_start = batch * sizes->value_batch + key_head * sizes->value_head;
  const i32 query_row_start = opaque(query_start + (first_query + minimum(0, rows - 1)) * sizes->query_row);
  const vec4<f32> query_0_0 = (((row_lane + 0) * 4 < 8) ? (query_buffer[(sizes->query_offset + query_row_start + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
  const i32 query_row_start_2 = opaque(query_start + (first_query + minimum(1, rows - 1)) * sizes->query_row);
  const vec4<f32> query_1_0 = (((row_lane + 0) * 4 < 8) ? (query_buffer[(sizes->query_offset + query_row_start_2 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
  const i32 query_row_start_3 = opaque(query_start + (first_query + minimum(2, rows - 1)) * sizes->query_row);
  const vec4<f32> query_2_0 = (((row_lane + 0) * 4 < 8) ? (query_buffer[(sizes->query_offset + query_row_start_3 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
  const i32 query_row_start_4 = opaque(query_start + (first_query + minimum(3, rows - 1)) * sizes->query_row);
  const vec4<f32> query_3_0 = (((row_lane + 0) * 4 < 8) ? (query_buffer[(sizes->query_offset + query_row_start_4 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
  #pragma unroll 1
  for (i32 tile = first_of_part; tile < end_of_part; tile += 128) {
    const i32 wanted_key = tile + 0 + split;
    const i32 key_2 = minimum(wanted_key, end_of_part - 1);
    const i32 key_from = key_start + key_2 * sizes->key_row;
    const vec4<f32> key_part = (((row_lane + 0) * 4 < 8) ? (key_buffer[(sizes->key_offset + key_from + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    const i32 wanted_key_2 = tile + 32 + split;
    const i32 key_3 = minimum(wanted_key_2, end_of_part - 1);
    const i32 key_from_2 = key_start + key_3 * sizes->key_row;
    const vec4<f32> key_part_2 = (((row_lane + 0) * 4 < 8) ? (key_buffer[(sizes->key_offset + key_from_2 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    const i32 wanted_key_3 = tile + 64 + split;
    const i32 key_4 = minimum(wanted_key_3, end_of_part - 1);
    const i32 key_from_3 = key_start + key_4 * sizes->key_row;
    const vec4<f32> key_part_3 = (((row_lane + 0) * 4 < 8) ? (key_buffer[(sizes->key_offset + key_from_3 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    const i32 wanted_key_4 = tile + 96 + split;
    const i32 key_5 = minimum(wanted_key_4, end_of_part - 1);
    const i32 key_from_4 = key_start + key_5 * sizes->key_row;
    const vec4<f32> key_part_4 = (((row_lane + 0) * 4 < 8) ? (key_buffer[(sizes->key_offset + key_from_4 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    vec4<f32> score = vec4<f32>(dot(query_0_0, key_part), dot(query_1_0, key_part), dot(query_2_0, key_part), dot(query_3_0, key_part));
    score.x += shuffle_xor(score.x, 1u);
    score.y += shuffle_xor(score.y, 1u);
    score.z += shuffle_xor(score.z, 1u);
    score.w += shuffle_xor(score.w, 1u);
    score.x += shuffle_xor(score.x, 2u);
    score.y += shuffle_xor(score.y, 2u);
    score.z += shuffle_xor(score.z, 2u);
    score.w += shuffle_xor(score.w, 2u);
    score.x += shuffle_xor(score.x, 4u);
    score.y += shuffle_xor(score.y, 4u);
    score.z += shuffle_xor(score.z, 4u);
    score.w += shuffle_xor(score.w, 4u);
    score = score * 0.3535533845424652f;
    score = vec4<f32>((((wanted_key < end_of_part)) ? (score.x) : ((-9.999999680285692e+37f))), (((wanted_key < end_of_part)) ? (score.y) : ((-9.999999680285692e+37f))), (((wanted_key < end_of_part)) ? (score.z) : ((-9.999999680285692e+37f))), (((wanted_key < end_of_part)) ? (score.w) : ((-9.999999680285692e+37f))));
    vec4<f32> score_2 = vec4<f32>(dot(query_0_0, key_part_2), dot(query_1_0, key_part_2), dot(query_2_0, key_part_2), dot(query_3_0, key_part_2));
    score_2.x += shuffle_xor(score_2.x, 1u);
    score_2.y += shuffle_xor(score_2.y, 1u);
    score_2.z += shuffle_xor(score_2.z, 1u);
    score_2.w += shuffle_xor(score_2.w, 1u);
    score_2.x += shuffle_xor(score_2.x, 2u);
    score_2.y += shuffle_xor(score_2.y, 2u);
    score_2.z += shuffle_xor(score_2.z, 2u);
    score_2.w += shuffle_xor(score_2.w, 2u);
    score_2.x += shuffle_xor(score_2.x, 4u);
    score_2.y += shuffle_xor(score_2.y, 4u);
    score_2.z += shuffle_xor(score_2.z, 4u);
    score_2.w += shuffle_xor(score_2.w, 4u);
    score_2 = score_2 * 0.3535533845424652f;
    score_2 = vec4<f32>((((wanted_key_2 < end_of_part)) ? (score_2.x) : ((-9.999999680285692e+37f))), (((wanted_key_2 < end_of_part)) ? (score_2.y) : ((-9.999999680285692e+37f))), (((wanted_key_2 < end_of_part)) ? (score_2.z) : ((-9.999999680285692e+37f))), (((wanted_key_2 < end_of_part)) ? (score_2.w) : ((-9.999999680285692e+37f))));
    vec4<f32> score_3 = vec4<f32>(dot(query_0_0, key_part_3), dot(query_1_0, key_part_3), dot(query_2_0, key_part_3), dot(query_3_0, key_part_3));
    score_3.x += shuffle_xor(score_3.x, 1u);
    score_3.y += shuffle_xor(score_3.y, 1u);
    score_3.z += shuffle_xor(score_3.z, 1u);
    score_3.w += shuffle_xor(score_3.w, 1u);
    score_3.x += shuffle_xor(score_3.x, 2u);
    score_3.y += shuffle_xor(score_3.y, 2u);
    score_3.z += shuffle_xor(score_3.z, 2u);
    score_3.w += shuffle_xor(score_3.w, 2u);
    score_3.x += shuffle_xor(score_3.x, 4u);
    score_3.y += shuffle_xor(score_3.y, 4u);
    score_3.z += shuffle_xor(score_3.z, 4u);
    score_3.w += shuffle_xor(score_3.w, 4u);
    score_3 = score_3 * 0.3535533845424652f;
    score_3 = vec4<f32>((((wanted_key_3 < end_of_part)) ? (score_3.x) : ((-9.999999680285692e+37f))), (((wanted_key_3 < end_of_part)) ? (score_3.y) : ((-9.999999680285692e+37f))), (((wanted_key_3 < end_of_part)) ? (score_3.z) : ((-9.999999680285692e+37f))), (((wanted_key_3 < end_of_part)) ? (score_3.w) : ((-9.999999680285692e+37f))));
    vec4<f32> score_4 = vec4<f32>(dot(query_0_0, key_part_4), dot(query_1_0, key_part_4), dot(query_2_0, key_part_4), dot(query_3_0, key_part_4));
    score_4.x += shuffle_xor(score_4.x, 1u);
    score_4.y += shuffle_xor(score_4.y, 1u);
    score_4.z += shuffle_xor(score_4.z, 1u);
    score_4.w += shuffle_xor(score_4.w, 1u);
    score_4.x += shuffle_xor(score_4.x, 2u);
    score_4.y += shuffle_xor(score_4.y, 2u);
    score_4.z += shuffle_xor(score_4.z, 2u);
    score_4.w += shuffle_xor(score_4.w, 2u);
    score_4.x += shuffle_xor(score_4.x, 4u);
    score_4.y += shuffle_xor(score_4.y, 4u);
    score_4.z += shuffle_xor(score_4.z, 4u);
    score_4.w += shuffle_xor(score_4.w, 4u);
    score_4 = score_4 * 0.3535533845424652f;
    score_4 = vec4<f32>((((wanted_key_4 < end_of_part)) ? (score_4.x) : ((-9.999999680285692e+37f))), (((wanted_key_4 < end_of_part)) ? (score_4.y) : ((-9.999999680285692e+37f))), (((wanted_key_4 < end_of_part)) ? (score_4.z) : ((-9.999999680285692e+37f))), (((wanted_key_4 < end_of_part)) ? (score_4.w) : ((-9.999999680285692e+37f))));
    const vec4<f32> raised = maximum(maximum_2, maximum(maximum(maximum(score, score_2), score_3), score_4));
    const vec4<f32> factor = exponential(maximum_2 - raised);
    maximum_2 = raised;
    total = total * factor;
    sum_0_0 = sum_0_0 * factor.x;
    sum_1_0 = sum_1_0 * factor.y;
    sum_2_0 = sum_2_0 * factor.z;
    sum_3_0 = sum_3_0 * factor.w;
    const vec4<f32> weight = exponential(score - maximum_2);
    const i32 value_from = value_start + key_2 * sizes->value_row;
    total += weight;
    const vec4<f32> value_part = (((row_lane + 0) * 4 < 8) ? (value_buffer[(sizes->value_offset + value_from + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    sum_0_0 += weight.x * value_part;
    sum_1_0 += weight.y * value_part;
    sum_2_0 += weight.z * value_part;
    sum_3_0 += weight.w * value_part;
    const vec4<f32> weight_2 = exponential(score_2 - maximum_2);
    const i32 value_from_2 = value_start + key_3 * sizes->value_row;
    total += weight_2;
    const vec4<f32> value_part_2 = (((row_lane + 0) * 4 < 8) ? (value_buffer[(sizes->value_offset + value_from_2 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    sum_0_0 += weight_2.x * value_part_2;
    sum_1_0 += weight_2.y * value_part_2;
    sum_2_0 += weight_2.z * value_part_2;
    sum_3_0 += weight_2.w * value_part_2;
    const vec4<f32> weight_3 = exponential(score_3 - maximum_2);
    const i32 value_from_3 = value_start + key_4 * sizes->value_row;
    total += weight_3;
    const vec4<f32> value_part_3 = (((row_lane + 0) * 4 < 8) ? (value_buffer[(sizes->value_offset + value_from_3 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    sum_0_0 += weight_3.x * value_part_3;
    sum_1_0 += weight_3.y * value_part_3;
    sum_2_0 += weight_3.z * value_part_3;
    sum_3_0 += weight_3.w * value_part_3;
    const vec4<f32> weight_4 = exponential(score_4 - maximum_2);
    const i32 value_from_4 = value_start + key_5 * sizes->value_row;
    total += weight_4;
    const vec4<f32> value_part_4 = (((row_lane + 0) * 4 < 8) ? (value_buffer[(sizes->value_offset + value_from_4 + minimum((row_lane + 0) * 4, 4)) >> 2u]) : (vec4<f32>(0.0f)));
    sum_0_0 += weight_4.x * value_part_4;
    sum_1_0 += weight_4.y * value_part_4;
    sum_2_0 += weight_4.z * value_part_4;
    sum_3_0 += weight_4.w * value_part_4;
  }
  __syncthreads();
  vec4<f32> warp_maximum = maximum_2;
  warp_maximum = maximum(warp_maximum, vec4<f32>(shuffle_xor(warp_maximum.x, 8u), shuffle_xor(warp_maximum.y, 8u), shuffle_xor(warp_maximum.z, 8u), shuffle_xor(warp_maximum.w, 8u)));
  warp_maximum = maximum(warp_maximum, vec4<f32>(shuffle_xor(warp_maximum.x, 16u), shuffle_xor(warp_maximum.y, 16u), shuffle_xor(warp_maximum.z, 16u), shuffle_xor(warp_maximum.w, 16u)));
  vec4<f32> warp_total = total * exponential(maximum_2 - warp_maximum);
  warp_total.x += shuffle_xor(warp_total.x, 8u);
  warp_total.y += shuffle_xor(warp_total.y, 8u);
  warp_total.z += shuffle_xor(warp_total.z, 8u);
  warp_total.w += shuffle_xor(warp_total.w, 8u);
  warp_total.x += shuffle_xor(warp_total.x, 16u);
  warp_total.y += shuffle_xor(warp_total.y, 16u);
  warp_total.z += shuffle_xor(warp_total.z, 16u);
  warp_total.w += shuffle_xor(warp_total.w, 16u);
  if (thread % 32 == 0) {
    warp_maxima[thread / 32] = warp_maximum;
    warp_totals[thread / 32] = warp_total;
  }
  __syncthreads();
  const vec4<f32> maximum_so_far = maximum(maximum(maximum(maximum(maximum(maximum(maximum(warp_maxima[0], warp_maxima[1]), warp_maxima[2]), warp_maxima[3]), warp_maxima[4]), warp_maxima[5]), warp_maxima[6]), warp_maxima[7]);
  const vec4<f32> total_so_far = warp_totals[0] * exponential(warp_maxima[0] - maximum_so_far) + warp_totals[1] * exponential(warp_maxima[1] - maximum_so_far) + warp_totals[2] * exponential(warp_maxima[2] - maximum_so_far) + warp_totals[3] * exponential(warp_maxima[3] - maximum_so_far) + warp_totals[4] * exponential(warp_maxima[4] - maximum_so_far) + warp_totals[5] * exponential(warp_maxima[5] - maximum_so_far) + warp_totals[6] * exponential(warp_maxima[6] - maximum_so_far) + warp_totals[7] * exponential(warp_maxima[7] - maximum_so_far);
  // a query that sees no key has a total of 0: zeros
  const vec4<f32> inverse = vec4<f32>(((total_so_far.x > 0.0f) ? (1.0f / total_so_far.x) : (0.0f)), ((total_so_far.y > 0.0f) ? (1.0f / total_so_far.y) : (0.0f)), ((total_so_far.z > 0.0f) ? (1.0f / total_so_far.z) : (0.0f)), ((total_so_far.w > 0.0f) ? (1.0f / total_so_far.w) : (0.0f)));
  const vec4<f32> factor_2 = inverse * exponential(maximum_2 - maximum_so_far);
  sum_0_0 = sum_0_0 * factor_2.x;
  sum_1_0 = sum_1_0 * factor_2.y;
  sum_2_0 = sum_2_0 * factor_2.z;
  sum_3_0 = sum_3_0 * factor_2.w;
  sum_0_0.x += shuffle_xor(sum_0_0.x, 8u);
  sum_0_0.y += shuffle_xor(sum_0_0.y, 8u);
  sum_0_0.z += shuffle_xor(sum_0_0.z, 8u);
  sum_0_0.w += shuffle_xor(sum_0_0.w, 8u);
  sum_0_0.x += shuffle_xor(sum_0_0.x, 16u);
  sum_0_0.y += shuffle_xor(sum_0_0.y, 16u);
  sum_0_0.z += shuffle_xor(sum_0_0.z, 16u);
  sum_0_0.w += shuffle_xor(sum_0_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 0) * 8 + row_lane + 0] = sum_0_0;
  }
  sum_1_0.x += shuffle_xor(sum_1_0.x, 8u);
  sum_1_0.y += shuffle_xor(sum_1_0.y, 8u);
  sum_1_0.z += shuffle_xor(sum_1_0.z, 8u);
  sum_1_0.w += shuffle_xor(sum_1_0.w, 8u);
  sum_1_0.x += shuffle_xor(sum_1_0.x, 16u);
  sum_1_0.y += shuffle_xor(sum_1_0.y, 16u);
  sum_1_0.z += shuffle_xor(sum_1_0.z, 16u);
  sum_1_0.w += shuffle_xor(sum_1_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 1) * 8 + row_lane + 0] = sum_1_0;
  }
  sum_2_0.x += shuffle_xor(sum_2_0.x, 8u);
  sum_2_0.y += shuffle_xor(sum_2_0.y, 8u);
  sum_2_0.z += shuffle_xor(sum_2_0.z, 8u);
  sum_2_0.w += shuffle_xor(sum_2_0.w, 8u);
  sum_2_0.x += shuffle_xor(sum_2_0.x, 16u);
  sum_2_0.y += shuffle_xor(sum_2_0.y, 16u);
  sum_2_0.z += shuffle_xor(sum_2_0.z, 16u);
  sum_2_0.w += shuffle_xor(sum_2_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 2) * 8 + row_lane + 0] = sum_2_0;
  }
  sum_3_0.x += shuffle_xor(sum_3_0.x, 8u);
  sum_3_0.y += shuffle_xor(sum_3_0.y, 8u);
  sum_3_0.z += shuffle_xor(sum_3_0.z, 8u);
  sum_3_0.w += shuffle_xor(sum_3_0.w, 8u);
  sum_3_0.x += shuffle_xor(sum_3_0.x, 16u);
  sum_3_0.y += shuffle_xor(sum_3_0.y, 16u);
  sum_3_0.z += shuffle_xor(sum_3_0.z, 16u);
  sum_3_0.w += shuffle_xor(sum_3_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 3) * 8 + row_lane + 0] = sum_3_0;
  }
  __syncthreads();
  const i32 result_start = batch * sizes->result_batch + head * sizes->result_head;
  for (i32 slot = thread; slot < 32; slot += 256) {
    const i32 row = slot / 8;
    const i32 column = slot % 8 * 4;
    const vec4<f32> row_part = warp_sums[slot + 0] + warp_sums[slot + 32] + warp_sums[slot + 64] + warp_sums[slot + 96] + warp_sums[slot + 128] + warp_sums[slot + 160] + warp_sums[slot + 192] + warp_sums[slot + 224];
    if (row < rows && column < 8) {
      const i32 place = result_start + (first_query + row) * sizes->result_row + column;
      const vec4<f32> lanes = row_part;
      result_log_sum_exp_buffer[sizes->result_offset + place] = lanes.x;
      result_log_sum_exp_buffer[sizes->result_offset + place + 1] = lanes.y;
      result_log_sum_exp_buffer[sizes->result_offset + place + 2] = lanes.z;
      result_log_sum_exp_buffer[sizes->result_offset + place + 3] = lanes.w;
    }
  }
  const i32 log_sum_exp_start = batch * sizes->log_sum_exp_batch + head * sizes->log_sum_exp_head;
  if (thread == 0) {
    if (0 < rows) {
      result_log_sum_exp_buffer[sizes->log_sum_exp_offset + log_sum_exp_start + first_query + 0] = ((total_so_far.x > 0.0f) ? (maximum_so_far.x + logarithm(total_so_far.x)) : (f32_of_bits(0xff800000u)));
    }
    if (1 < rows) {
      result_log_sum_exp_buffer[sizes->log_sum_exp_offset + log_sum_exp_start + first_query + 1] = ((total_so_far.y > 0.0f) ? (maximum_so_far.y + logarithm(total_so_far.y)) : (f32_of_bits(0xff800000u)));
    }
    if (2 < rows) {
      result_log_sum_exp_buffer[sizes->log_sum_exp_offset + log_sum_exp_start + first_query + 2] = ((total_so_far.z > 0.0f) ? (maximum_so_far.z + logarithm(total_so_far.z)) : (f32_of_bits(0xff800000u)));
    }
    if (3 < rows) {
      result_log_sum_exp_buffer[sizes->log_sum_exp_offset + log_sum_exp_start + first_query + 3] = ((total_so_far.w > 0.0f) ? (maximum_so_far.w + logarithm(total_so_far.w)) : (f32_of_bits(0xff800000u)));
    }
  }
}
}

// === kernel attention_keys_merged ===
// attention_keys_merged
// Attention of 4 queries of one head a workgroup, 256 keys at a time.

namespace attention_keys_merged_kernel {
struct Sizes {
  i32 items;
  i32 query_offset;
  i32 key_offset;
  i32 value_offset;
  i32 bias_offset;
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
  i32 bias_batch;
  i32 bias_head;
  i32 bias_row;
};

extern "C" __global__ void __launch_bounds__(256, 1) attention_keys_merged(
  const Sizes *__restrict__ sizes,
  const vec4<f32> *__restrict__ query_buffer,
  const f32 *__restrict__ key_value_bias_buffer,
  vec4<f32> *__restrict__ result_buffer
) {
  __shared__ vec4<f32> warp_maxima[8];
  __shared__ vec4<f32> warp_totals[8];
  __shared__ vec4<f32> warp_sums[256];
  const i32 thread = threadIdx.x;
  const i32 item = blockIdx.x;
  if (item >= sizes->items) {
    return;
  }
  const i32 tiles = ((sizes->queries + 3) / 4);
  const i32 batch = item / tiles / sizes->heads;
  const i32 head = item / tiles % sizes->heads;
  const i32 key_head = head / (sizes->heads / sizes->key_heads);
  const i32 first_query = item % tiles * 4;
  const i32 rows = minimum(4, sizes->queries - first_query);
  const i32 row_group = thread / 256;
  const i32 lane = thread % 256;
  const i32 query_start = batch * sizes->query_batch + head * sizes->query_head;
  const i32 row_lane = thread % 8;
  const i32 split = thread / 8;
  vec4<f32> maximum_2 = vec4<f32>((-4.999999840142846e+37f));
  vec4<f32> total = vec4<f32>();
  vec4<f32> sum_0_0 = vec4<f32>();
  vec4<f32> sum_1_0 = vec4<f32>();
  vec4<f32> sum_2_0 = vec4<f32>();
  vec4<f32> sum_3_0 = vec4<f32>();
  // Segment of keys
  const i32 first_stand = first_query + sizes->keys - sizes->queries;
  const i32 own_stand = first_stand + 0;
  const i32 bias_start = batch * sizes->bias_batch + key_head * sizes->bias_head;
  const i32 key_start = batch * sizes->key_batch + key_head * sizes->key_head;
  const i32 value_start = batch * sizes->value_batch + key_head * sizes->value_head;
  const i32 query_row_start = opaque(query_start + (first_query + minimum(0, rows - 1)) * sizes->query_row);
  const vec4<f32> query_0_0 = (((row_lane + 0) * 4 < 4) ? (query_buffer[(sizes->query_offset + query_row_start + minimum((row_lane + 0) * 4, 0)) >> 2u]) : (vec4<f32>(0.0f)));
  const i32 query_row_start_2 = opaque(query_start + (first_query + minimum(1, rows - 1)) * sizes->query_row);
  const vec4<f32> query_1_0 = (((row_lane + 0) * 4 < 4) ? (query_buffer[(sizes->query_offset + query_row_start_2 + minimum((row_lane + 0) * 4, 0)) >> 2u]) : (vec4<f32>(0.0f)));
  const i32 query_row_start_3 = opaque(query_start + (first_query + minimum(2, rows - 1)) * sizes->query_row);
  const vec4<f32> query_2_0 = (((row_lane + 0) * 4 < 4) ? (query_buffer[(sizes->query_offset + query_row_start_3 + minimum((row_lane + 0) * 4, 0)) >> 2u]) : (vec4<f32>(0.0f)));
  const i32 query_row_start_4 = opaque(query_start + (first_query + minimum(3, rows - 1)) * sizes->query_row);
  const vec4<f32> query_3_0 = (((row_lane + 0) * 4 < 4) ? (query_buffer[(sizes->query_offset + query_row_start_4 + minimum((row_lane + 0) * 4, 0)) >> 2u]) : (vec4<f32>(0.0f)));
  #pragma unroll 1
  for (i32 tile = 0; tile < sizes->keys; tile += 128) {
    const i32 wanted_key = tile + 0 + split;
    const i32 key_2 = minimum(wanted_key, sizes->keys - 1);
    const i32 key_from = key_start + key_2 * sizes->key_row;
    const vec4<f32> key_part = (((row_lane + 0) * 4 < 4) ? (vec4<f32>(key_value_bias_buffer[sizes->key_offset + key_from + minimum((row_lane + 0) * 4, 0)], key_value_bias_buffer[sizes->key_offset + key_from + minimum((row_lane + 0) * 4, 0) + 1], key_value_bias_buffer[sizes->key_offset + key_from + minimum((row_lane + 0) * 4, 0) + 2], key_value_bias_buffer[sizes->key_offset + key_from + minimum((row_lane + 0) * 4, 0) + 3])) : (vec4<f32>(0.0f)));
    const i32 wanted_key_2 = tile + 32 + split;
    const i32 key_3 = minimum(wanted_key_2, sizes->keys - 1);
    const i32 key_from_2 = key_start + key_3 * sizes->key_row;
    const vec4<f32> key_part_2 = (((row_lane + 0) * 4 < 4) ? (vec4<f32>(key_value_bias_buffer[sizes->key_offset + key_from_2 + minimum((row_lane + 0) * 4, 0)], key_value_bias_buffer[sizes->key_offset + key_from_2 + minimum((row_lane + 0) * 4, 0) + 1], key_value_bias_buffer[sizes->key_offset + key_from_2 + minimum((row_lane + 0) * 4, 0) + 2], key_value_bias_buffer[sizes->key_offset + key_from_2 + minimum((row_lane + 0) * 4, 0) + 3])) : (vec4<f32>(0.0f)));
    const i32 wanted_key_3 = tile + 64 + split;
    const i32 key_4 = minimum(wanted_key_3, sizes->keys - 1);
    const i32 key_from_3 = key_start + key_4 * sizes->key_row;
    const vec4<f32> key_part_3 = (((row_lane + 0) * 4 < 4) ? (vec4<f32>(key_value_bias_buffer[sizes->key_offset + key_from_3 + minimum((row_lane + 0) * 4, 0)], key_value_bias_buffer[sizes->key_offset + key_from_3 + minimum((row_lane + 0) * 4, 0) + 1], key_value_bias_buffer[sizes->key_offset + key_from_3 + minimum((row_lane + 0) * 4, 0) + 2], key_value_bias_buffer[sizes->key_offset + key_from_3 + minimum((row_lane + 0) * 4, 0) + 3])) : (vec4<f32>(0.0f)));
    const i32 wanted_key_4 = tile + 96 + split;
    const i32 key_5 = minimum(wanted_key_4, sizes->keys - 1);
    const i32 key_from_4 = key_start + key_5 * sizes->key_row;
    const vec4<f32> key_part_4 = (((row_lane + 0) * 4 < 4) ? (vec4<f32>(key_value_bias_buffer[sizes->key_offset + key_from_4 + minimum((row_lane + 0) * 4, 0)], key_value_bias_buffer[sizes->key_offset + key_from_4 + minimum((row_lane + 0) * 4, 0) + 1], key_value_bias_buffer[sizes->key_offset + key_from_4 + minimum((row_lane + 0) * 4, 0) + 2], key_value_bias_buffer[sizes->key_offset + key_from_4 + minimum((row_lane + 0) * 4, 0) + 3])) : (vec4<f32>(0.0f)));
    vec4<f32> score = vec4<f32>(dot(query_0_0, key_part), dot(query_1_0, key_part), dot(query_2_0, key_part), dot(query_3_0, key_part));
    score.x += shuffle_xor(score.x, 1u);
    score.y += shuffle_xor(score.y, 1u);
    score.z += shuffle_xor(score.z, 1u);
    score.w += shuffle_xor(score.w, 1u);
    score.x += shuffle_xor(score.x, 2u);
    score.y += shuffle_xor(score.y, 2u);
    score.z += shuffle_xor(score.z, 2u);
    score.w += shuffle_xor(score.w, 2u);
    score.x += shuffle_xor(score.x, 4u);
    score.y += shuffle_xor(score.y, 4u);
    score.z += shuffle_xor(score.z, 4u);
    score.w += shuffle_xor(score.w, 4u);
    score = score * 0.0f + vec4<f32>(maximum(key_value_bias_buffer[sizes->bias_offset + bias_start + key_2 * sizes->bias_row], (-9.999999680285692e+37f)));
    score = vec4<f32>((((wanted_key < sizes->keys)) ? (score.x) : ((-9.999999680285692e+37f))), (((wanted_key < sizes->keys)) ? (score.y) : ((-9.999999680285692e+37f))), (((wanted_key < sizes->keys)) ? (score.z) : ((-9.999999680285692e+37f))), (((wanted_key < sizes->keys)) ? (score.w) : ((-9.999999680285692e+37f))));
    vec4<f32> score_2 = vec4<f32>(dot(query_0_0, key_part_2), dot(query_1_0, key_part_2), dot(query_2_0, key_part_2), dot(query_3_0, key_part_2));
    score_2.x += shuffle_xor(score_2.x, 1u);
    score_2.y += shuffle_xor(score_2.y, 1u);
    score_2.z += shuffle_xor(score_2.z, 1u);
    score_2.w += shuffle_xor(score_2.w, 1u);
    score_2.x += shuffle_xor(score_2.x, 2u);
    score_2.y += shuffle_xor(score_2.y, 2u);
    score_2.z += shuffle_xor(score_2.z, 2u);
    score_2.w += shuffle_xor(score_2.w, 2u);
    score_2.x += shuffle_xor(score_2.x, 4u);
    score_2.y += shuffle_xor(score_2.y, 4u);
    score_2.z += shuffle_xor(score_2.z, 4u);
    score_2.w += shuffle_xor(score_2.w, 4u);
    score_2 = score_2 * 0.0f + vec4<f32>(maximum(key_value_bias_buffer[sizes->bias_offset + bias_start + key_3 * sizes->bias_row], (-9.999999680285692e+37f)));
    score_2 = vec4<f32>((((wanted_key_2 < sizes->keys)) ? (score_2.x) : ((-9.999999680285692e+37f))), (((wanted_key_2 < sizes->keys)) ? (score_2.y) : ((-9.999999680285692e+37f))), (((wanted_key_2 < sizes->keys)) ? (score_2.z) : ((-9.999999680285692e+37f))), (((wanted_key_2 < sizes->keys)) ? (score_2.w) : ((-9.999999680285692e+37f))));
    vec4<f32> score_3 = vec4<f32>(dot(query_0_0, key_part_3), dot(query_1_0, key_part_3), dot(query_2_0, key_part_3), dot(query_3_0, key_part_3));
    score_3.x += shuffle_xor(score_3.x, 1u);
    score_3.y += shuffle_xor(score_3.y, 1u);
    score_3.z += shuffle_xor(score_3.z, 1u);
    score_3.w += shuffle_xor(score_3.w, 1u);
    score_3.x += shuffle_xor(score_3.x, 2u);
    score_3.y += shuffle_xor(score_3.y, 2u);
    score_3.z += shuffle_xor(score_3.z, 2u);
    score_3.w += shuffle_xor(score_3.w, 2u);
    score_3.x += shuffle_xor(score_3.x, 4u);
    score_3.y += shuffle_xor(score_3.y, 4u);
    score_3.z += shuffle_xor(score_3.z, 4u);
    score_3.w += shuffle_xor(score_3.w, 4u);
    score_3 = score_3 * 0.0f + vec4<f32>(maximum(key_value_bias_buffer[sizes->bias_offset + bias_start + key_4 * sizes->bias_row], (-9.999999680285692e+37f)));
    score_3 = vec4<f32>((((wanted_key_3 < sizes->keys)) ? (score_3.x) : ((-9.999999680285692e+37f))), (((wanted_key_3 < sizes->keys)) ? (score_3.y) : ((-9.999999680285692e+37f))), (((wanted_key_3 < sizes->keys)) ? (score_3.z) : ((-9.999999680285692e+37f))), (((wanted_key_3 < sizes->keys)) ? (score_3.w) : ((-9.999999680285692e+37f))));
    vec4<f32> score_4 = vec4<f32>(dot(query_0_0, key_part_4), dot(query_1_0, key_part_4), dot(query_2_0, key_part_4), dot(query_3_0, key_part_4));
    score_4.x += shuffle_xor(score_4.x, 1u);
    score_4.y += shuffle_xor(score_4.y, 1u);
    score_4.z += shuffle_xor(score_4.z, 1u);
    score_4.w += shuffle_xor(score_4.w, 1u);
    score_4.x += shuffle_xor(score_4.x, 2u);
    score_4.y += shuffle_xor(score_4.y, 2u);
    score_4.z += shuffle_xor(score_4.z, 2u);
    score_4.w += shuffle_xor(score_4.w, 2u);
    score_4.x += shuffle_xor(score_4.x, 4u);
    score_4.y += shuffle_xor(score_4.y, 4u);
    score_4.z += shuffle_xor(score_4.z, 4u);
    score_4.w += shuffle_xor(score_4.w, 4u);
    score_4 = score_4 * 0.0f + vec4<f32>(maximum(key_value_bias_buffer[sizes->bias_offset + bias_start + key_5 * sizes->bias_row], (-9.999999680285692e+37f)));
    score_4 = vec4<f32>((((wanted_key_4 < sizes->keys)) ? (score_4.x) : ((-9.999999680285692e+37f))), (((wanted_key_4 < sizes->keys)) ? (score_4.y) : ((-9.999999680285692e+37f))), (((wanted_key_4 < sizes->keys)) ? (score_4.z) : ((-9.999999680285692e+37f))), (((wanted_key_4 < sizes->keys)) ? (score_4.w) : ((-9.999999680285692e+37f))));
    const vec4<f32> raised = maximum(maximum_2, maximum(maximum(maximum(score, score_2), score_3), score_4));
    const vec4<f32> factor = exponential(maximum_2 - raised);
    maximum_2 = raised;
    total = total * factor;
    sum_0_0 = sum_0_0 * factor.x;
    sum_1_0 = sum_1_0 * factor.y;
    sum_2_0 = sum_2_0 * factor.z;
    sum_3_0 = sum_3_0 * factor.w;
    const vec4<f32> weight = exponential(score - maximum_2);
    const i32 value_from = value_start + key_2 * sizes->value_row;
    total += weight;
    const vec4<f32> value_part = (((row_lane + 0) * 4 < 8) ? (vec4<f32>(key_value_bias_buffer[sizes->value_offset + value_from + minimum((row_lane + 0) * 4, 4)], key_value_bias_buffer[sizes->value_offset + value_from + minimum((row_lane + 0) * 4, 4) + 1], key_value_bias_buffer[sizes->value_offset + value_from + minimum((row_lane + 0) * 4, 4) + 2], key_value_bias_buffer[sizes->value_offset + value_from + minimum((row_lane + 0) * 4, 4) + 3])) : (vec4<f32>(0.0f)));
    sum_0_0 += weight.x * value_part;
    sum_1_0 += weight.y * value_part;
    sum_2_0 += weight.z * value_part;
    sum_3_0 += weight.w * value_part;
    const vec4<f32> weight_2 = exponential(score_2 - maximum_2);
    const i32 value_from_2 = value_start + key_3 * sizes->value_row;
    total += weight_2;
    const vec4<f32> value_part_2 = (((row_lane + 0) * 4 < 8) ? (vec4<f32>(key_value_bias_buffer[sizes->value_offset + value_from_2 + minimum((row_lane + 0) * 4, 4)], key_value_bias_buffer[sizes->value_offset + value_from_2 + minimum((row_lane + 0) * 4, 4) + 1], key_value_bias_buffer[sizes->value_offset + value_from_2 + minimum((row_lane + 0) * 4, 4) + 2], key_value_bias_buffer[sizes->value_offset + value_from_2 + minimum((row_lane + 0) * 4, 4) + 3])) : (vec4<f32>(0.0f)));
    sum_0_0 += weight_2.x * value_part_2;
    sum_1_0 += weight_2.y * value_part_2;
    sum_2_0 += weight_2.z * value_part_2;
    sum_3_0 += weight_2.w * value_part_2;
    const vec4<f32> weight_3 = exponential(score_3 - maximum_2);
    const i32 value_from_3 = value_start + key_4 * sizes->value_row;
    total += weight_3;
    const vec4<f32> value_part_3 = (((row_lane + 0) * 4 < 8) ? (vec4<f32>(key_value_bias_buffer[sizes->value_offset + value_from_3 + minimum((row_lane + 0) * 4, 4)], key_value_bias_buffer[sizes->value_offset + value_from_3 + minimum((row_lane + 0) * 4, 4) + 1], key_value_bias_buffer[sizes->value_offset + value_from_3 + minimum((row_lane + 0) * 4, 4) + 2], key_value_bias_buffer[sizes->value_offset + value_from_3 + minimum((row_lane + 0) * 4, 4) + 3])) : (vec4<f32>(0.0f)));
    sum_0_0 += weight_3.x * value_part_3;
    sum_1_0 += weight_3.y * value_part_3;
    sum_2_0 += weight_3.z * value_part_3;
    sum_3_0 += weight_3.w * value_part_3;
    const vec4<f32> weight_4 = exponential(score_4 - maximum_2);
    const i32 value_from_4 = value_start + key_5 * sizes->value_row;
    total += weight_4;
    const vec4<f32> value_part_4 = (((row_lane + 0) * 4 < 8) ? (vec4<f32>(key_value_bias_buffer[sizes->value_offset + value_from_4 + minimum((row_lane + 0) * 4, 4)], key_value_bias_buffer[sizes->value_offset + value_from_4 + minimum((row_lane + 0) * 4, 4) + 1], key_value_bias_buffer[sizes->value_offset + value_from_4 + minimum((row_lane + 0) * 4, 4) + 2], key_value_bias_buffer[sizes->value_offset + value_from_4 + minimum((row_lane + 0) * 4, 4) + 3])) : (vec4<f32>(0.0f)));
    sum_0_0 += weight_4.x * value_part_4;
    sum_1_0 += weight_4.y * value_part_4;
    sum_2_0 += weight_4.z * value_part_4;
    sum_3_0 += weight_4.w * value_part_4;
  }
  __syncthreads();
  vec4<f32> warp_maximum = maximum_2;
  warp_maximum = maximum(warp_maximum, vec4<f32>(shuffle_xor(warp_maximum.x, 8u), shuffle_xor(warp_maximum.y, 8u), shuffle_xor(warp_maximum.z, 8u), shuffle_xor(warp_maximum.w, 8u)));
  warp_maximum = maximum(warp_maximum, vec4<f32>(shuffle_xor(warp_maximum.x, 16u), shuffle_xor(warp_maximum.y, 16u), shuffle_xor(warp_maximum.z, 16u), shuffle_xor(warp_maximum.w, 16u)));
  vec4<f32> warp_total = total * exponential(maximum_2 - warp_maximum);
  warp_total.x += shuffle_xor(warp_total.x, 8u);
  warp_total.y += shuffle_xor(warp_total.y, 8u);
  warp_total.z += shuffle_xor(warp_total.z, 8u);
  warp_total.w += shuffle_xor(warp_total.w, 8u);
  warp_total.x += shuffle_xor(warp_total.x, 16u);
  warp_total.y += shuffle_xor(warp_total.y, 16u);
  warp_total.z += shuffle_xor(warp_total.z, 16u);
  warp_total.w += shuffle_xor(warp_total.w, 16u);
  if (thread % 32 == 0) {
    warp_maxima[thread / 32] = warp_maximum;
    warp_totals[thread / 32] = warp_total;
  }
  __syncthreads();
  const vec4<f32> maximum_so_far = maximum(maximum(maximum(maximum(maximum(maximum(maximum(warp_maxima[0], warp_maxima[1]), warp_maxima[2]), warp_maxima[3]), warp_maxima[4]), warp_maxima[5]), warp_maxima[6]), warp_maxima[7]);
  const vec4<f32> total_so_far = warp_totals[0] * exponential(warp_maxima[0] - maximum_so_far) + warp_totals[1] * exponential(warp_maxima[1] - maximum_so_far) + warp_totals[2] * exponential(warp_maxima[2] - maximum_so_far) + warp_totals[3] * exponential(warp_maxima[3] - maximum_so_far) + warp_totals[4] * exponential(warp_maxima[4] - maximum_so_far) + warp_totals[5] * exponential(warp_maxima[5] - maximum_so_far) + warp_totals[6] * exponential(warp_maxima[6] - maximum_so_far) + warp_totals[7] * exponential(warp_maxima[7] - maximum_so_far);
  // a query that sees no key has a total of 0: zeros
  const vec4<f32> inverse = vec4<f32>(((total_so_far.x > 0.0f) ? (1.0f / total_so_far.x) : (0.0f)), ((total_so_far.y > 0.0f) ? (1.0f / total_so_far.y) : (0.0f)), ((total_so_far.z > 0.0f) ? (1.0f / total_so_far.z) : (0.0f)), ((total_so_far.w > 0.0f) ? (1.0f / total_so_far.w) : (0.0f)));
  const vec4<f32> factor_2 = inverse * exponential(maximum_2 - maximum_so_far);
  sum_0_0 = sum_0_0 * factor_2.x;
  sum_1_0 = sum_1_0 * factor_2.y;
  sum_2_0 = sum_2_0 * factor_2.z;
  sum_3_0 = sum_3_0 * factor_2.w;
  sum_0_0.x += shuffle_xor(sum_0_0.x, 8u);
  sum_0_0.y += shuffle_xor(sum_0_0.y, 8u);
  sum_0_0.z += shuffle_xor(sum_0_0.z, 8u);
  sum_0_0.w += shuffle_xor(sum_0_0.w, 8u);
  sum_0_0.x += shuffle_xor(sum_0_0.x, 16u);
  sum_0_0.y += shuffle_xor(sum_0_0.y, 16u);
  sum_0_0.z += shuffle_xor(sum_0_0.z, 16u);
  sum_0_0.w += shuffle_xor(sum_0_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 0) * 8 + row_lane + 0] = sum_0_0;
  }
  sum_1_0.x += shuffle_xor(sum_1_0.x, 8u);
  sum_1_0.y += shuffle_xor(sum_1_0.y, 8u);
  sum_1_0.z += shuffle_xor(sum_1_0.z, 8u);
  sum_1_0.w += shuffle_xor(sum_1_0.w, 8u);
  sum_1_0.x += shuffle_xor(sum_1_0.x, 16u);
  sum_1_0.y += shuffle_xor(sum_1_0.y, 16u);
  sum_1_0.z += shuffle_xor(sum_1_0.z, 16u);
  sum_1_0.w += shuffle_xor(sum_1_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 1) * 8 + row_lane + 0] = sum_1_0;
  }
  sum_2_0.x += shuffle_xor(sum_2_0.x, 8u);
  sum_2_0.y += shuffle_xor(sum_2_0.y, 8u);
  sum_2_0.z += shuffle_xor(sum_2_0.z, 8u);
  sum_2_0.w += shuffle_xor(sum_2_0.w, 8u);
  sum_2_0.x += shuffle_xor(sum_2_0.x, 16u);
  sum_2_0.y += shuffle_xor(sum_2_0.y, 16u);
  sum_2_0.z += shuffle_xor(sum_2_0.z, 16u);
  sum_2_0.w += shuffle_xor(sum_2_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 2) * 8 + row_lane + 0] = sum_2_0;
  }
  sum_3_0.x += shuffle_xor(sum_3_0.x, 8u);
  sum_3_0.y += shuffle_xor(sum_3_0.y, 8u);
  sum_3_0.z += shuffle_xor(sum_3_0.z, 8u);
  sum_3_0.w += shuffle_xor(sum_3_0.w, 8u);
  sum_3_0.x += shuffle_xor(sum_3_0.x, 16u);
  sum_3_0.y += shuffle_xor(sum_3_0.y, 16u);
  sum_3_0.z += shuffle_xor(sum_3_0.z, 16u);
  sum_3_0.w += shuffle_xor(sum_3_0.w, 16u);
  if (thread % 32 < 8) {
    warp_sums[(thread / 32 * 4 + 3) * 8 + row_lane + 0] = sum_3_0;
  }
  __syncthreads();
  const i32 result_start = batch * sizes->result_batch + head * sizes->result_head;
  for (i32 slot = thread; slot < 32; slot += 256) {
    const i32 row = slot / 8;
    const i32 column = slot % 8 * 4;
    const vec4<f32> row_part = warp_sums[slot + 0] + warp_sums[slot + 32] + warp_sums[slot + 64] + warp_sums[slot + 96] + warp_sums[slot + 128] + warp_sums[slot + 160] + warp_sums[slot + 192] + warp_sums[slot + 224];
    if (row < rows && column < 8) {
      const i32 place = result_start + (first_query + row) * sizes->result_row + column;
      result_buffer[(sizes->result_offset + place) >> 2u] = row_part;
    }
  }
}
}
