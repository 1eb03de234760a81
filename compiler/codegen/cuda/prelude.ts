/** Types and functions that all kernels of a file of CUDA C++ use: plain C++ over the intrinsics (intrinsics.ts). */
export const prelude = `#pragma nv_diag_suppress 177, 550 /* declared or set, and not used by every file */

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
`;
