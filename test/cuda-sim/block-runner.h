/**
 * Runs the threads of a block, one at a time on the host thread that owns the runner: each as a fiber that goes on until it waits for
 * others (a barrier, an operation of its warp) or returns. Which waiting thread is next is settled by the order (ATPC_CUDA_SIM_ORDER):
 * a kernel whose result depends on it has a race.
 */
#ifndef ATPC_SIMULATED_BLOCK_RUNNER
#define ATPC_SIMULATED_BLOCK_RUNNER

#include <csetjmp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "access-check.h"
#include "code.h"
#include "fiber.h"
#include "module-interface.h"

struct ThreadOrder {
  enum Kind { forward, reverse, shuffled } kind = forward;
  std::uint64_t seed = 0;
};
/** "forward", "reverse" or a number, the seed of a shuffled order. */
ThreadOrder parse_order(const char *text);

/** A launch as blocks see it. */
struct Launch {
  std::string name;
  std::vector<void *> parameters;
  SimulatedIndex grid_size, block_size;
  std::size_t kernel;
};

struct Failure {
  int code = 0;
  std::string sentence;
  /** Where in the module's code it was found, in the instance of its host thread, or null. */
  const void *place = nullptr;
  const ModuleInstance *instance = nullptr;
  std::uint64_t block = ~std::uint64_t(0);
};

class BlockRunner {
 public:
  BlockRunner();
  ~BlockRunner();
  BlockRunner(const BlockRunner &) = delete;
  BlockRunner &operator=(const BlockRunner &) = delete;

  /** Before the blocks of a launch. `instance` is this host thread's own copy of the module. */
  void prepare(const Launch &launch, ModuleInstance &instance, const ThreadOrder &order, const DeviceMemory &memory);
  /** Runs block number `block` of the grid; false where it failed, with `failure` set. */
  bool run(std::uint64_t block);
  Failure failure;

  // Called from the threads of the block.
  void barrier(int line);
  void warp(unsigned mask, int line, void *deposit, SimulatedCollective collective, bool orders_memory);
  [[noreturn]] void fail(int code, const std::string &sentence, const void *place = nullptr);
  void *storage(std::size_t bytes);
  void access(const void *address, std::size_t bytes, SimulatedAccess access, const void *place);
  bool in_kernel() const { return current != nullptr; }
  bool in_guard_page(const void *address) const;

 private:
  struct Stack {
    Fiber fiber;
    std::uint8_t *bottom, *top;
  };
  struct Thread {
    SimulatedThread view{};
    Stack *stack = nullptr;
    bool started = false;
    unsigned mask = 0;
    int line = 0;
    void *deposit = nullptr;
    std::unique_ptr<std::uint8_t[]> storage;
    std::size_t storage_bytes = 0;
  };
  struct Warp {
    /** Lanes that can go on, that wait for their warp, that wait for the block, and that are there and have not returned. */
    std::uint32_t runnable = 0, collective = 0, barrier = 0, live = 0;
  };

  Thread *pick();
  void park_and_switch();
  void resume(Thread *next, Fiber &from);
  void release_barrier();
  [[noreturn]] void explain_divergence();
  void stack_loop(Stack &stack);
  static void stack_main(void *argument);
  Stack *take_stack();
  void reset_stacks();
  std::string place(const Thread &thread) const;
  std::uint64_t random();

  const Launch *launch = nullptr;
  ModuleInstance *instance = nullptr;
  ThreadOrder order;
  std::uint64_t random_state = 1;
  std::uint64_t block_number = 0;

  AccessCheck check;

  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::size_t warp_index = 0;
  Thread *current = nullptr;

  std::uint8_t *memory = nullptr;
  std::vector<std::unique_ptr<Stack>> stacks;
  std::vector<Stack *> free_stacks;
  Stack *running_stack = nullptr;
  /** Whether the last block left stacks in the middle of a thread. */
  bool abandoned = false;
  struct RunArgument {
    BlockRunner *runner;
    Stack *stack;
  };
  std::vector<std::unique_ptr<RunArgument>> arguments;
  Fiber host;
  sigjmp_buf recovery;
};

#endif
