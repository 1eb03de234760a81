/**
 * CUDA C++ on the CPU. A kernels.cu is compiled with this file included first:
 *
 *   g++ -std=c++20 -DATPC_SIMULATED_DEVICE -include simulated-device.h -shared -fPIC -x c++ kernels.cu
 *
 * and run by the simulated driver (libcuda.so, beside this file), which makes each thread of a block a fiber. What stands here is
 * what CUDA has without any include, as far as kernels use it; simulated-intrinsics.h and simulated-tensor-cores.h hold the twins of
 * the functions that have inline PTX in kernels.cu. Nothing of the C++ library is included, so that no names clash.
 */
#ifndef ATPC_SIMULATED_DEVICE_HEADER
#define ATPC_SIMULATED_DEVICE_HEADER

#include "module-interface.h"

extern "C" {
__attribute__((visibility("default"))) SimulatedDevice ATPC_SIMULATED_DEVICE_VARIABLE = {};
__attribute__((visibility("default"))) SimulatedThread *ATPC_SIMULATED_THREAD_VARIABLE = nullptr;
}

/** Calls of the driver run other threads of the block: what memory holds is unknown after them. */
#define ATPC_SIMULATED_CALL(call)       \
  do {                                  \
    asm volatile("" ::: "memory");      \
    ATPC_SIMULATED_DEVICE_VARIABLE.call; \
    asm volatile("" ::: "memory");      \
  } while (0)

// Qualifiers (CUDA C++ Programming Guide, C++ Language Extensions).
#define __global__ __attribute__((visibility("default")))
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// One for all blocks that a host thread runs one after the other: each host thread has a module of its own loaded (code.cpp).
// Of constants at first: g++ would else ask at each entry whether vectors have been made yet.
#define __shared__ static constinit

#define threadIdx (atpc_simulated_thread->thread_index)
#define blockIdx (atpc_simulated_thread->block_index)
#define blockDim (atpc_simulated_thread->block_size)
#define gridDim (atpc_simulated_thread->grid_size)
#define warpSize 32

// Barriers and warps. `line` stands for the place in the program: threads that meet at different ones are an error.
static inline void simulated_barrier(int line) { ATPC_SIMULATED_CALL(barrier(line)); }
static inline void simulated_warp_barrier(int line, unsigned mask = 0xffffffffu) {
  ATPC_SIMULATED_CALL(warp(mask, line, nullptr, nullptr, true));
}
/**
 * An operation of the whole warp: each lane deposits a pointer to what is its own (operands, and where its results go), and once all
 * have, `collective` runs once, for all of them. The twins of ldmatrix and mma.sync are made of this.
 */
static inline void simulated_warp_collective(int line, void *deposit, SimulatedCollective collective, unsigned mask = 0xffffffffu) {
  ATPC_SIMULATED_CALL(warp(mask, line, deposit, collective, false));
}
#define __syncthreads() simulated_barrier(__LINE__)
#define __syncwarp(...) simulated_warp_barrier(__LINE__ __VA_OPT__(, ) __VA_ARGS__)

/** A lane of a shuffle: its value, the lane it reads, and what it read. */
template <typename T>
struct SimulatedShuffle {
  T value;
  unsigned source;
  T result;
};
template <typename T>
static void simulated_shuffle_all(void *const *lanes) {
  for (unsigned lane = 0; lane < 32; lane++) {
    if (lanes[lane] == nullptr) continue;
    auto *mine = static_cast<SimulatedShuffle<T> *>(lanes[lane]);
    auto *other = static_cast<SimulatedShuffle<T> *>(lanes[mine->source & 31u]);
    if (other == nullptr) ATPC_SIMULATED_DEVICE_VARIABLE.fail(719, "a shuffle reads a lane that is not in its mask");
    mine->result = other->value;
  }
}
template <typename T>
static inline T simulated_shuffle(int line, unsigned mask, T value, unsigned source) {
  SimulatedShuffle<T> mine{value, source, value};
  simulated_warp_collective(line, &mine, simulated_shuffle_all<T>, mask);
  return mine.result;
}
/** The lane that `source` names among the `width` lanes of the caller's group (PTX ISA, shfl.sync). */
static inline unsigned simulated_lane() { return atpc_simulated_thread->lane; }
static inline unsigned simulated_group(int width) { return simulated_lane() & ~(unsigned(width) - 1u); }
template <typename T>
static inline T simulated_shuffle_xor(int line, unsigned mask, T value, int lane_mask, int width = 32) {
  const unsigned source = simulated_lane() ^ unsigned(lane_mask);
  // A lane beyond the caller's group gives the caller its own value.
  return simulated_shuffle(line, mask, value, source < simulated_group(width) + unsigned(width) ? source : simulated_lane());
}
template <typename T>
static inline T simulated_shuffle_index(int line, unsigned mask, T value, int source, int width = 32) {
  return simulated_shuffle(line, mask, value, simulated_group(width) + (unsigned(source) & (unsigned(width) - 1u)));
}
template <typename T>
static inline T simulated_shuffle_down(int line, unsigned mask, T value, unsigned delta, int width = 32) {
  const unsigned source = simulated_lane() + delta;
  return simulated_shuffle(line, mask, value, source < simulated_group(width) + unsigned(width) ? source : simulated_lane());
}
template <typename T>
static inline T simulated_shuffle_up(int line, unsigned mask, T value, unsigned delta, int width = 32) {
  const unsigned lane = simulated_lane();
  return simulated_shuffle(line, mask, value, lane >= simulated_group(width) + delta ? lane - delta : lane);
}
#define __shfl_sync(...) simulated_shuffle_index(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) simulated_shuffle_xor(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) simulated_shuffle_down(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) simulated_shuffle_up(__LINE__, __VA_ARGS__)

#include "simulated-checks.h"

// Threads of a block take turns on one host thread, and blocks that run at once may share memory of the device: atomics of the CPU.
template <typename T>
static SIMULATED_UNCHECKED T atomicAdd(T *place, T value) {
  simulated_note_access(place, sizeof(T), simulated_atomic);
  return __atomic_fetch_add(place, value, __ATOMIC_RELAXED);
}
template <typename T>
static SIMULATED_UNCHECKED T atomicMax(T *place, T value) {
  simulated_note_access(place, sizeof(T), simulated_atomic);
  T old = __atomic_load_n(place, __ATOMIC_RELAXED);
  while (old < value && !__atomic_compare_exchange_n(place, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
  return old;
}
template <typename T>
static SIMULATED_UNCHECKED T atomicMin(T *place, T value) {
  simulated_note_access(place, sizeof(T), simulated_atomic);
  T old = __atomic_load_n(place, __ATOMIC_RELAXED);
  while (value < old && !__atomic_compare_exchange_n(place, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
  return old;
}
template <typename T>
static SIMULATED_UNCHECKED T atomicExch(T *place, T value) {
  simulated_note_access(place, sizeof(T), simulated_atomic);
  return __atomic_exchange_n(place, value, __ATOMIC_RELAXED);
}
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __trap() { ATPC_SIMULATED_DEVICE_VARIABLE.fail(719, "trapped"); }

#include "simulated-intrinsics.h"
#if __has_include("simulated-tensor-cores.h")
#include "simulated-tensor-cores.h"
#endif

#endif
