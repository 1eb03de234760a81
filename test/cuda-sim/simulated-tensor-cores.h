/**
 * The C++ twin of compiler/codegen/cuda/tensor-core-intrinsics.ts: the same functions by their definition in the PTX ISA, for the
 * simulated device. What lanes get does not depend on the order in which they run. A sum runs over K in order, in f32 with fused
 * multiply-adds; a tensor core adds in an order of its own, with at least the precision of f32 (PTX ISA 9.7.14.5.14).
 */
#ifndef ATPC_SIMULATED_TENSOR_CORES
#define ATPC_SIMULATED_TENSOR_CORES

namespace simulated_tensor_cores {
constexpr int code_of_misaligned_address = 716;
inline void check_place(const void *place, const char *sentence) {
  if (reinterpret_cast<unsigned long>(place) % 16 != 0) ATPC_SIMULATED_DEVICE_VARIABLE.fail(code_of_misaligned_address, sentence);
}

/** To the nearest, ties to even; beyond the largest, infinity. */
inline unsigned f16_bits(float value) {
  const unsigned bits = __builtin_bit_cast(unsigned, value);
  const unsigned sign = (bits >> 16) & 0x8000u, size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return 0x7fffu;
  // 65520 lies half-way between the largest, 65504, and the next power of two, which is even.
  if (size >= 0x477ff000u) return sign | 0x7c00u;
  // Below 2^-14 they are multiples of 2^-24, which the addition of 0.5 rounds to.
  if (size < 0x38800000u) return sign | (__builtin_bit_cast(unsigned, __builtin_bit_cast(float, size) + 0.5f) - 0x3f000000u);
  return sign | ((size - 0x38000000u + 0xfffu + ((size >> 13) & 1u)) >> 13);
}
inline unsigned bf16_bits(float value) {
  const unsigned bits = __builtin_bit_cast(unsigned, value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;
  return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}
inline float f16_value(unsigned bits) {
  const unsigned exponent = (bits >> 10) & 31u, fraction = bits & 1023u;
  const float size = exponent == 31u  ? (fraction != 0u ? __builtin_nanf("") : __builtin_inff())
                     : exponent == 0u ? float(fraction) * 0x1p-24f
                                      : __builtin_bit_cast(float, ((exponent + 112u) << 23) | (fraction << 13));
  return (bits & 0x8000u) != 0u ? -size : size;
}
inline float bf16_value(unsigned bits) { return __builtin_bit_cast(float, bits << 16); }

/** A lane of ldmatrix: the row it names, and the rows that all lanes named. */
struct MatrixRows {
  const void *own;
  const void *all[32];
};
inline void exchange_rows(void *const *lanes) {
  for (int to = 0; to < 32; to += 1)
    for (int from = 0; from < 32; from += 1)
      static_cast<MatrixRows *>(lanes[to])->all[from] = static_cast<MatrixRows *>(lanes[from])->own;
}
typedef unsigned short __attribute__((may_alias)) Element;
inline unsigned element_at(const void *row, unsigned column) { return static_cast<const Element *>(row)[column]; }
template <int count, bool transposed> inline void load_matrices(unsigned *words, const void *row, int line) {
  MatrixRows rows{row, {}};
  simulated_warp_collective(line, &rows, exchange_rows);
  for (int lane = 0; lane < 8 * count; lane += 1) check_place(rows.all[lane], "a row of ldmatrix is not at a multiple of 16 bytes");
  const unsigned major = simulated_lane() / 4, minor = simulated_lane() % 4 * 2;
  for (int matrix = 0; matrix < count; matrix += 1) {
    const void *const *own = rows.all + 8 * matrix;
    const unsigned low = transposed ? element_at(own[minor], major) : element_at(own[major], minor);
    const unsigned high = transposed ? element_at(own[minor + 1], major) : element_at(own[major], minor + 1);
    words[matrix] = low | (high << 16);
  }
}

/** A lane of mma: its fragments. */
struct Fragments {
  const unsigned *left, *right;
  float *sums;
};
template <float (*value_of)(unsigned)> inline void multiply_fragments(void *const *lanes) {
  const auto of_lane = [&](int lane) { return *static_cast<const Fragments *>(lanes[lane]); };
  const auto element = [](unsigned word, int k) { return value_of(k % 2 == 0 ? word & 0xffffu : word >> 16); };
  float left[16][16], right[8][16];
  for (int k = 0; k < 16; k += 1) {
    const int pair = k % 8 / 2, beyond = k / 8;
    for (int row = 0; row < 16; row += 1) left[row][k] = element(of_lane(row % 8 * 4 + pair).left[row / 8 + 2 * beyond], k);
    for (int column = 0; column < 8; column += 1) right[column][k] = element(of_lane(column * 4 + pair).right[beyond], k);
  }
  for (int lane = 0; lane < 32; lane += 1)
    for (int index = 0; index < 4; index += 1) {
      const int row = lane / 4 + index / 2 * 8, column = lane % 4 * 2 + index % 2;
      float &sum = of_lane(lane).sums[index];
      for (int k = 0; k < 16; k += 1) sum = __builtin_fmaf(left[row][k], right[column][k], sum);
    }
}
template <float (*value_of)(unsigned)>
inline void multiply(float *sums, const unsigned *left, const unsigned *right, int line) {
  Fragments own{left, right, sums};
  simulated_warp_collective(line, &own, multiply_fragments<value_of>);
}

/** Copies that nobody has waited for yet have not happened: who reads too early finds what was there before. */
struct Copy {
  void *to;
  /** Null for zeros. */
  const void *from;
};
struct Copies {
  static constexpr int most = 256, most_groups = 16;
  Copy copies[most];
  /** Where each group that was closed ends. */
  int ends[most_groups];
  int count, groups;
};
inline Copies &copies_of_thread() {
  void *storage = ATPC_SIMULATED_THREAD_VARIABLE->storage;
  return *static_cast<Copies *>(storage == nullptr ? ATPC_SIMULATED_DEVICE_VARIABLE.storage(sizeof(Copies)) : storage);
}
struct __attribute__((may_alias)) SixteenBytes {
  unsigned long halves[2];
};
} // namespace simulated_tensor_cores

static inline unsigned pack_f16(float low, float high) {
  return simulated_tensor_cores::f16_bits(low) | (simulated_tensor_cores::f16_bits(high) << 16);
}
static inline unsigned pack_bf16(float low, float high) {
  return simulated_tensor_cores::bf16_bits(low) | (simulated_tensor_cores::bf16_bits(high) << 16);
}

static inline int opaque(int number) { return number; }
static inline float exp2_approximate(float x) {
  const float power = __builtin_exp2f(x);
  return power < 0x1p-126f ? 0.0f : power;
}

#define ATPC_SIMULATED_MATRICES(count)                                                                                        \
  static inline void load_##count##_matrices(unsigned *words, const void *row, int line = __builtin_LINE()) {                \
    simulated_tensor_cores::load_matrices<count, false>(words, row, line);                                                   \
  }                                                                                                                          \
  static inline void load_##count##_matrices_transposed(unsigned *words, const void *row, int line = __builtin_LINE()) {     \
    simulated_tensor_cores::load_matrices<count, true>(words, row, line);                                                    \
  }
ATPC_SIMULATED_MATRICES(1)
ATPC_SIMULATED_MATRICES(2)
ATPC_SIMULATED_MATRICES(4)
#undef ATPC_SIMULATED_MATRICES

static inline void multiply_f16(float *sums, const unsigned *left, const unsigned *right, int line = __builtin_LINE()) {
  simulated_tensor_cores::multiply<simulated_tensor_cores::f16_value>(sums, left, right, line);
}
static inline void multiply_bf16(float *sums, const unsigned *left, const unsigned *right, int line = __builtin_LINE()) {
  simulated_tensor_cores::multiply<simulated_tensor_cores::bf16_value>(sums, left, right, line);
}

static inline void copy_async(void *to, const void *from, bool zeros) {
  using namespace simulated_tensor_cores;
  check_place(to, "cp.async writes to what is not a multiple of 16 bytes");
  check_place(from, "cp.async reads from what is not a multiple of 16 bytes");
  Copies &copies = copies_of_thread();
  if (copies.count == Copies::most) ATPC_SIMULATED_DEVICE_VARIABLE.fail(719, "has more copies under way than the simulation holds");
  copies.copies[copies.count++] = {to, zeros ? nullptr : from};
  // It may be written from now on.
  simulated_note_access(to, 16, simulated_write);
}
static inline void close_copies() {
  using namespace simulated_tensor_cores;
  Copies &copies = copies_of_thread();
  if (copies.groups == Copies::most_groups)
    ATPC_SIMULATED_DEVICE_VARIABLE.fail(719, "has more groups of copies under way than the simulation holds");
  copies.ends[copies.groups++] = copies.count;
}
template <int open> static inline void wait_for_copies() {
  using namespace simulated_tensor_cores;
  Copies &copies = copies_of_thread();
  const int done = copies.groups - open;
  if (done <= 0) return;
  const int end = copies.ends[done - 1];
  for (int index = 0; index < end; index += 1) {
    const auto [to, from] = copies.copies[index];
    *static_cast<SixteenBytes *>(to) = from == nullptr ? SixteenBytes{} : *static_cast<const SixteenBytes *>(from);
  }
  for (int index = end; index < copies.count; index += 1) copies.copies[index - end] = copies.copies[index];
  copies.count -= end;
  for (int group = 0; group < open; group += 1) copies.ends[group] = copies.ends[group + done] - end;
  copies.groups = open;
}

#endif
