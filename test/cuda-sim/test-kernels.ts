/** Small kernels for the tests of the simulated device, some of them wrong on purpose. */
import type { PtxEntry } from './driver-calls.ts';

const threads = 128;
/** Each takes `sizes` (items, elements), what it reads, and what it writes. */
export const testKernels = `#ifndef ATPC_SIMULATED_DEVICE
using f32 = float;
using i32 = int;
using u32 = unsigned int;
static __device__ inline f32 shuffle_xor(f32 value, u32 mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
#endif
struct alignas(16) four { f32 x, y, z, w; };
#define KERNEL(name) extern "C" __global__ void __launch_bounds__(${threads}) name(const i32 *sizes, const f32 *left, f32 *result)

KERNEL(scale_and_add) {
  const i32 index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= sizes[1]) return;
  result[index] = 2.0f * left[index] + result[index];
}
KERNEL(sum_by_barriers) {
  __shared__ f32 part[${threads}];
  const i32 thread = threadIdx.x;
  part[thread] = left[blockIdx.x * ${threads} + thread];
  for (i32 stride = ${threads / 2}; stride > 0; stride /= 2) {
    __syncthreads();
    if (thread < stride) part[thread] += part[thread + stride];
  }
  if (thread == 0) result[blockIdx.x] = part[0];
}
KERNEL(sum_by_shuffles) {
  __shared__ f32 warps[4];
  f32 sum = left[blockIdx.x * ${threads} + threadIdx.x];
  for (u32 mask = 16; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) result[blockIdx.x] = warps[0] + warps[1] + warps[2] + warps[3];
}
KERNEL(count_by_atomics) {
  __shared__ u32 count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  if (left[blockIdx.x * ${threads} + threadIdx.x] > 0) atomicAdd(&count, 1u);
  __syncthreads();
  if (threadIdx.x == 0) result[blockIdx.x] = f32(count);
}
/* The thread's own lane, by way of each shuffle; groups of 8 lanes. */
KERNEL(lanes_of_shuffles) {
  const i32 lane = threadIdx.x % 32;
  f32 *own = result + (blockIdx.x * ${threads} + threadIdx.x) * 4;
  own[0] = __shfl_sync(0xffffffffu, f32(lane), 3);
  own[1] = __shfl_sync(0xffffffffu, f32(lane), lane + 1, 8);
  own[2] = __shfl_down_sync(0xffffffffu, f32(lane), 1, 8);
  own[3] = __shfl_up_sync(0xffffffffu, f32(lane), 1, 8);
}
KERNEL(unwritten_shared_memory) {
  __shared__ f32 held[${threads}];
  result[threadIdx.x] = held[threadIdx.x];
  held[threadIdx.x] = 1.0f;
}

/* Wrong: the neighbour's value may not be there yet. */
KERNEL(race) {
  __shared__ f32 held[${threads}];
  const i32 thread = threadIdx.x;
  held[thread] = left[thread];
  result[thread] = held[(thread + 1) % ${threads}];
}
/* Wrong beyond what sizes[1] allows for. */
KERNEL(write_at_size) { if (threadIdx.x == 5 && blockIdx.x == 2) result[sizes[1]] = 1.0f; }
KERNEL(read_at_size) { if (threadIdx.x == 5 && blockIdx.x == 2) result[0] = left[sizes[1]]; }
KERNEL(shared_at_size) {
  __shared__ f32 held[${threads}];
  held[sizes[1]] = 1.0f;
  __syncthreads();
  result[0] = held[0];
}
KERNEL(vector_at_size) { if (threadIdx.x == 0) *(four *)result = *(const four *)(left + sizes[1]); }
KERNEL(barrier_of_some) {
  if (threadIdx.x >= 40) return;
  __syncthreads();
  result[0] = 1.0f;
}
KERNEL(barriers_of_two_branches) {
  if (threadIdx.x < 64) {
    __syncthreads();
  } else {
    result[1] = 1.0f;
    __syncthreads();
  }
  result[0] = 1.0f;
}
KERNEL(shuffle_of_some) {
  f32 sum = 1.0f;
  if (threadIdx.x != 7) sum += shuffle_xor(sum, 1);
  result[threadIdx.x] = sum;
}
/* More than a thread has. */
KERNEL(deep_stack) {
  volatile f32 held[65536];
  for (i32 index = 0; index < 65536; index++) held[index] = left[0];
  __syncthreads();
  result[0] = held[sizes[1]];
}
`;
const names = [...testKernels.matchAll(/^KERNEL\((\w+)\)/gm)].map(([, name]) => name ?? '');
export const testEntries: readonly PtxEntry[] = names.map((name) => ({ name, parameters: 3, threads }));
