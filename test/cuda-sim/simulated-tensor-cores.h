/*
 * The C++ twin of compiler/codegen/cuda/tensor-core-intrinsics.ts: the same functions by their definition in the PTX ISA, for the
 * simulated device. It needs the types and the warp exchange of simulated-device.h:
 *   template <class T> const T *warp_exchange(const T &own);  // what all 32 lanes of the warp gave, in order, once all have come
 * What lanes get does not depend on the order in which they run. A sum runs over K in order in f32 with fused multiply-adds; a
 * tensor core adds in an order of its own, with at least the precision of f32 (PTX ISA 9.7.14.5.14).
 */
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace simulated_tensor_cores {
[[noreturn]] inline void fault(const char *what) {
  std::fprintf(stderr, "simulated tensor cores: %s\n", what);
  std::abort();
}
inline void check_place(const void *place, const char *what) {
  if (reinterpret_cast<std::uintptr_t>(place) % 16 != 0) fault(what);
}
inline u32 bits_of(f32 value) {
  u32 bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
inline f32 of_bits(u32 bits) {
  f32 value;
  std::memcpy(&value, &bits, 4);
  return value;
}

/* To the nearest, ties to even; beyond the largest, infinity. */
inline u32 f16_bits(f32 value) {
  const u32 bits = bits_of(value);
  const u32 sign = bits >> 16 & 0x8000u;
  const u32 size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return 0x7fffu;
  // 65520 lies half-way between the largest, 65504, and the next power of two, which is even.
  if (size >= 0x477ff000u) return sign | 0x7c00u;
  if (size < 0x38800000u) {
    // Below 2^-14 they are multiples of 2^-24; the addition of 0.5 rounds to one.
    return sign | (bits_of(of_bits(size) + 0.5f) - bits_of(0.5f));
  }
  return sign | ((size - 0x38000000u + 0xfffu + (size >> 13 & 1u)) >> 13);
}
inline u32 bf16_bits(f32 value) {
  const u32 bits = bits_of(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
inline f32 f16_value(u32 bits) {
  const u32 exponent = bits >> 10 & 31u, fraction = bits & 1023u;
  const f32 size = exponent == 31u  ? (fraction != 0u ? NAN : INFINITY)
                   : exponent == 0u ? std::ldexp(f32(fraction), -24)
                                    : std::ldexp(f32(fraction | 1024u), int(exponent) - 25);
  return (bits & 0x8000u) != 0u ? -size : size;
}
inline f32 bf16_value(u32 bits) { return of_bits(bits << 16); }

inline int lane_of_thread() { return int(threadIdx.x % 32u); }
inline u32 element_at(const void *row, int column) {
  std::uint16_t bits;
  std::memcpy(&bits, static_cast<const char *>(row) + 2 * column, 2);
  return bits;
}
template <int count, bool transposed> void load_matrices(u32 *words, const void *row) {
  const void *const *rows = warp_exchange<const void *>(row);
  for (int lane = 0; lane < 8 * count; lane += 1) check_place(rows[lane], "a row of ldmatrix is not at a multiple of 16 bytes");
  const int major = lane_of_thread() / 4, minor = lane_of_thread() % 4 * 2;
  for (int matrix = 0; matrix < count; matrix += 1) {
    const void *const *own = rows + 8 * matrix;
    const u32 low = transposed ? element_at(own[minor], major) : element_at(own[major], minor);
    const u32 high = transposed ? element_at(own[minor + 1], major) : element_at(own[major], minor + 1);
    words[matrix] = low | high << 16;
  }
}

struct Operands {
  u32 left[4], right[2];
};
template <f32 (*value_of)(u32)> void multiply(f32 *sums, const u32 *left, const u32 *right) {
  Operands own;
  std::memcpy(own.left, left, sizeof own.left);
  std::memcpy(own.right, right, sizeof own.right);
  const Operands *lanes = warp_exchange(own);
  const auto element = [](u32 word, int k) { return value_of(k % 2 == 0 ? word & 0xffffu : word >> 16); };
  for (int index = 0; index < 4; index += 1) {
    const int row = lane_of_thread() / 4 + index / 2 * 8, column = lane_of_thread() % 4 * 2 + index % 2;
    for (int k = 0; k < 16; k += 1) {
      const int pair = k % 8 / 2, beyond = k / 8;
      const f32 a = element(lanes[row % 8 * 4 + pair].left[row / 8 + 2 * beyond], k);
      const f32 b = element(lanes[column * 4 + pair].right[beyond], k);
      sums[index] = std::fma(a, b, sums[index]);
    }
  }
}

/* Copies that nobody has waited for yet have not happened: who reads too early finds what was there before. */
struct Copy {
  void *to;
  const void *from;
};
struct ThreadCopies {
  std::vector<Copy> open;
  std::vector<std::vector<Copy>> groups;
};
/* Of the threads of the block that this thread of the processor runs. */
inline ThreadCopies &copies_of_thread() {
  static thread_local std::vector<ThreadCopies> threads(1024);
  return threads[threadIdx.x];
}
} // namespace simulated_tensor_cores

inline u32 pack_f16(f32 low, f32 high) {
  return simulated_tensor_cores::f16_bits(low) | simulated_tensor_cores::f16_bits(high) << 16;
}
inline u32 pack_bf16(f32 low, f32 high) {
  return simulated_tensor_cores::bf16_bits(low) | simulated_tensor_cores::bf16_bits(high) << 16;
}
inline void load_1_matrices(u32 *words, const void *row) { simulated_tensor_cores::load_matrices<1, false>(words, row); }
inline void load_1_matrices_transposed(u32 *words, const void *row) { simulated_tensor_cores::load_matrices<1, true>(words, row); }
inline void load_2_matrices(u32 *words, const void *row) { simulated_tensor_cores::load_matrices<2, false>(words, row); }
inline void load_2_matrices_transposed(u32 *words, const void *row) { simulated_tensor_cores::load_matrices<2, true>(words, row); }
inline void load_4_matrices(u32 *words, const void *row) { simulated_tensor_cores::load_matrices<4, false>(words, row); }
inline void load_4_matrices_transposed(u32 *words, const void *row) { simulated_tensor_cores::load_matrices<4, true>(words, row); }
inline void multiply_f16(f32 *sums, const u32 *left, const u32 *right) {
  simulated_tensor_cores::multiply<simulated_tensor_cores::f16_value>(sums, left, right);
}
inline void multiply_bf16(f32 *sums, const u32 *left, const u32 *right) {
  simulated_tensor_cores::multiply<simulated_tensor_cores::bf16_value>(sums, left, right);
}

inline void copy_async(void *to, const void *from, bool zeros) {
  simulated_tensor_cores::check_place(to, "cp.async writes to what is not a multiple of 16 bytes");
  simulated_tensor_cores::check_place(from, "cp.async reads from what is not a multiple of 16 bytes");
  simulated_tensor_cores::copies_of_thread().open.push_back({to, zeros ? nullptr : from});
}
inline void close_copies() {
  auto &[open, groups] = simulated_tensor_cores::copies_of_thread();
  groups.push_back(std::move(open));
  open.clear();
}
template <int open> void wait_for_copies() {
  auto &groups = simulated_tensor_cores::copies_of_thread().groups;
  if (groups.size() <= open) return;
  const auto done = groups.end() - open;
  for (auto group = groups.begin(); group != done; ++group)
    for (const auto &[to, from] : *group) {
      if (from == nullptr) std::memset(to, 0, 16);
      else std::memcpy(to, from, 16);
    }
  groups.erase(groups.begin(), done);
}
