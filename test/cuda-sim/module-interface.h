/**
 * What the simulated driver (libcuda.so) and a module (kernels.cu compiled for the CPU) know of each other. Included by both, so it
 * includes nothing: a kernels.cu may name its functions as it likes.
 */
#ifndef ATPC_SIMULATED_MODULE_INTERFACE
#define ATPC_SIMULATED_MODULE_INTERFACE

struct SimulatedIndex {
  unsigned x, y, z;
};

/** The thread that runs now. A module reads it through `atpc_simulated_thread`, which the driver sets before it goes on with a thread. */
struct SimulatedThread {
  SimulatedIndex thread_index, block_index, block_size, grid_size;
  /** Number of the thread in its block, of its lane in its warp, and of its warp. */
  unsigned number, lane, warp;
  /** Of the thread's own, zero when it starts: what the twins of asynchronous copies have under way. */
  void *storage;
};

/** Called once, for a warp whose lanes have all come: `lanes[lane]` is what that lane deposited; null for a lane that takes no part. */
using SimulatedCollective = void (*)(void *const *lanes);

enum SimulatedAccess { simulated_read = 0, simulated_write = 1, simulated_atomic = 2 };

/** What the driver does for the threads of a module. Each call may run other threads of the block before it returns. */
struct SimulatedDevice {
  /** Waits for all threads of the block. `line` tells barriers apart. */
  void (*barrier)(int line);
  /** Waits for the lanes of the warp in `mask`; the last to come runs `collective`. `orders_memory`: as __syncwarp does. */
  void (*warp)(unsigned mask, int line, void *deposit, SimulatedCollective collective, bool orders_memory);
  /** Ends the launch with an error: `code` is one of the driver API, `sentence` says what the thread did. Does not return. */
  void (*fail)(int code, const char *sentence);
  /** Memory that `storage` of the running thread points to from now on, zeroed once for each thread. */
  void *(*storage)(unsigned long bytes);
  /** In a checked build only: a thread reads or writes memory, at `place` in the module's code. */
  void (*access)(const void *address, unsigned long bytes, SimulatedAccess access, const void *place);
};

/** The names of two variables that each module has, to be set by the driver. */
#define ATPC_SIMULATED_DEVICE_VARIABLE atpc_simulated_device
#define ATPC_SIMULATED_THREAD_VARIABLE atpc_simulated_thread

#endif
