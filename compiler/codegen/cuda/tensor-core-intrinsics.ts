/**
 * Tensor cores, and copies into shared memory that run beside arithmetic, as functions: the inline PTX of products and of attention.
 * Its twin for the simulated device, by the definitions of the PTX ISA, is test/cuda-sim/simulated-tensor-cores.h.
 *
 * Fragments of m16n8k16 (PTX ISA 9.7.14.5.8, "Matrix Fragments for mma.m16n8k16 with floating point type"), g = lane / 4 and
 * t = lane % 4, two elements of K to a word:
 * left: rows g, g + 8, g, g + 8 at K = 2 t, 2 t, 2 t + 8, 2 t + 8; right: column g at K = 2 t, 2 t + 8;
 * sums: row g, columns 2 t and 2 t + 1; row g + 8, the same columns.
 */
const matrixCounts = [1, 2, 4] as const;

function loadMatrices(count: (typeof matrixCounts)[number], transposed: boolean): string {
  const places = Array.from({ length: count }, (_, index) => index);
  return `static __device__ inline void load_${count}_matrices${transposed ? '_transposed' : ''}(u32 *words, const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x${count}${transposed ? '.trans' : ''}.shared.b16 {${places.map((place) => `%${place}`).join(', ')}}, [%${count}];"
    : ${places.map((place) => `"=r"(words[${place}])`).join(', ')} : "r"(shared_address(row)) : "memory");
}`;
}
function multiplyMatrices(type: 'f16' | 'bf16'): string {
  return `static __device__ inline void multiply_${type}(f32 *sums, const u32 *left, const u32 *right) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.${type}.${type}.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
    : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
    : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
}`;
}
function packPair(type: 'f16' | 'bf16'): string {
  return `static __device__ inline u32 pack_${type}(f32 low, f32 high) {
  u32 word;
  asm("cvt.rn.${type}x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
}`;
}

export const tensorCoreIntrinsics = `/* Where a place in shared memory lies in it. */
static __device__ inline u32 shared_address(const void *place) { return (u32)__cvta_generic_to_shared(place); }
/* Two floats as 16-bit ones in a word, rounded to the nearest, ties to even (PTX ISA 9.7.9.21, cvt). */
${(['f16', 'bf16'] as const).map(packPair).join('\n')}
/* 8 x 8 matrices of 16 bits from shared memory: lanes 8 i to 8 i + 7 say where the rows of matrix i begin, at multiples of 16
   bytes; words[i] is row lane / 4, columns 2 (lane % 4) and the next, of it (PTX ISA 9.7.14.5.15, ldmatrix), or of its transpose. */
${matrixCounts.flatMap((count) => [loadMatrices(count, false), loadMatrices(count, true)]).join('\n')}
/* sums[16, 8] += left[16, 16] x right[8, 16]^T by the lanes of a warp (PTX ISA 9.7.14.5.14, mma). */
${(['f16', 'bf16'] as const).map(multiplyMatrices).join('\n')}
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
/* Waits for the copies of this thread but for those of its last \`open\` groups. */
template <int open> static __device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" :: "n"(open) : "memory");
}
`;
