#include "block-runner.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace {
constexpr std::size_t stack_bytes = 64 * 1024, guard_bytes = 4096, slot_bytes = stack_bytes + guard_bytes;
constexpr std::size_t most_threads = 1024;
constexpr int launch_failed = 719, illegal_address = 700;

/** Calls a kernel with so many pointers: all that a kernel of kernels.cu takes. */
template <std::size_t... index>
void invoke(void *kernel, void *const *parameters, std::index_sequence<index...>) {
  reinterpret_cast<void (*)(decltype((void)index, static_cast<void *>(nullptr))...)>(kernel)(parameters[index]...);
}
template <std::size_t count>
void invoke_with(void *kernel, void *const *parameters) {
  invoke(kernel, parameters, std::make_index_sequence<count>());
}
template <std::size_t... count>
constexpr auto invokers_of(std::index_sequence<count...>) {
  return std::array<void (*)(void *, void *const *), sizeof...(count)>{invoke_with<count>...};
}
constexpr auto invokers = invokers_of(std::make_index_sequence<most_kernel_parameters + 1>());

/** What a line number says: a place in kernels.cu. */
std::string at_line(int line) { return "line " + std::to_string(line); }
}  // namespace

ThreadOrder parse_order(const char *text) {
  ThreadOrder order;
  if (text == nullptr || *text == '\0' || std::strcmp(text, "forward") == 0) return order;
  if (std::strcmp(text, "reverse") == 0) {
    order.kind = ThreadOrder::reverse;
  } else {
    order.kind = ThreadOrder::shuffled;
    order.seed = std::strtoull(text, nullptr, 10);
  }
  return order;
}

BlockRunner::BlockRunner() {
  void *mapped = mmap(nullptr, slot_bytes * most_threads, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped != MAP_FAILED) memory = static_cast<std::uint8_t *>(mapped);
}
BlockRunner::~BlockRunner() {
  if (memory != nullptr) munmap(memory, slot_bytes * most_threads);
}

void BlockRunner::prepare(const Launch &of, ModuleInstance &with, const ThreadOrder &in_order, const DeviceMemory &memory_of_device) {
  launch = &of;
  instance = &with;
  order = in_order;
  const SimulatedIndex &size = of.block_size;
  const unsigned count = size.x * size.y * size.z;
  if (threads.size() < count) threads.resize(count);
  warps.assign((count + 31) / 32, Warp());
  for (unsigned number = 0; number < count; number++) {
    SimulatedThread &view = threads[number].view;
    view.thread_index = {number % size.x, number / size.x % size.y, number / size.x / size.y};
    view.block_size = size;
    view.grid_size = of.grid_size;
    view.number = number;
    view.lane = number % 32;
    view.warp = number / 32;
  }
  if (with.checked) check.prepare(with, of.kernel, memory_of_device, warps.size());
}

bool BlockRunner::run(std::uint64_t block) {
  const SimulatedIndex &grid = launch->grid_size;
  const SimulatedIndex &size = launch->block_size;
  const unsigned count = size.x * size.y * size.z;
  const SimulatedIndex index = {unsigned(block % grid.x), unsigned(block / grid.x % grid.y), unsigned(block / grid.x / grid.y)};
  block_number = block;
  random_state = (order.seed * 0x9e3779b97f4a7c15ull) ^ (block * 0xbf58476d1ce4e5b9ull) ^ 0x94d049bb133111ebull;
  for (unsigned number = 0; number < count; number++) {
    Thread &thread = threads[number];
    thread.view.block_index = index;
    thread.view.storage = nullptr;
    thread.started = false;
  }
  for (std::size_t warp = 0; warp < warps.size(); warp++) {
    const unsigned lanes = std::min(32u, count - unsigned(warp) * 32);
    const std::uint32_t all = lanes == 32 ? ~0u : (1u << lanes) - 1;
    warps[warp] = {all, 0, 0, all};
  }
  warp_index = order.kind == ThreadOrder::reverse ? warps.size() - 1 : order.kind == ThreadOrder::shuffled ? random() % warps.size() : 0;
  instance->fill_shared(launch->kernel);
  failure = Failure();
  if (instance->checked) check.begin_block();
  if (abandoned) reset_stacks();

  if (sigsetjmp(recovery, 0) != 0) {
    current = nullptr;
    failure.block = block_number;
    abandoned = true;
    return false;
  }
  resume(pick(), host);
  current = nullptr;
  return true;
}

std::uint64_t BlockRunner::random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

/** The thread to go on with, or null where all have returned. */
BlockRunner::Thread *BlockRunner::pick() {
  for (;;) {
    const std::size_t count = warps.size();
    for (std::size_t tried = 0; tried < count; tried++) {
      Warp &warp = warps[warp_index];
      if (warp.runnable != 0) {
        unsigned lane;
        if (order.kind == ThreadOrder::forward) {
          lane = unsigned(__builtin_ctz(warp.runnable));
        } else if (order.kind == ThreadOrder::reverse) {
          lane = 31u - unsigned(__builtin_clz(warp.runnable));
        } else {
          const unsigned turn = unsigned(random()) & 31u;
          const std::uint32_t turned = (warp.runnable >> turn) | (warp.runnable << ((32u - turn) & 31u));
          lane = (unsigned(__builtin_ctz(turned)) + turn) & 31u;
        }
        warp.runnable &= ~(1u << lane);
        Thread &thread = threads[warp_index * 32 + lane];
        if (order.kind == ThreadOrder::shuffled && (random() & 3u) == 0) warp_index = random() % count;
        return &thread;
      }
      warp_index = order.kind == ThreadOrder::reverse ? (warp_index + count - 1) % count : (warp_index + 1) % count;
    }
    std::uint32_t waiting = 0, live = 0;
    for (const Warp &warp : warps) {
      live |= warp.live;
      waiting |= warp.barrier;
    }
    if (live == 0) return nullptr;
    if (waiting == 0) explain_divergence();
    release_barrier();
  }
}

/** No thread can go on: lets all of them through the barrier, if all are at the same one. */
void BlockRunner::release_barrier() {
  const unsigned count = launch->block_size.x * launch->block_size.y * launch->block_size.z;
  const int line = threads[0].line;
  for (unsigned number = 0; number < count; number++) {
    const Thread &thread = threads[number];
    if ((warps[thread.view.warp].barrier >> thread.view.lane & 1u) == 0 || thread.line != line) explain_divergence();
  }
  if (instance->checked) check.pass_barrier();
  for (Warp &warp : warps) {
    warp.runnable = warp.barrier;
    warp.barrier = 0;
  }
  const std::size_t last = warps.size() - 1;
  warp_index = order.kind == ThreadOrder::reverse ? last : order.kind == ThreadOrder::shuffled ? random() % warps.size() : 0;
}

/** No thread can go on, and the threads are not where they should all be: says where two of them are. */
void BlockRunner::explain_divergence() {
  const unsigned count = launch->block_size.x * launch->block_size.y * launch->block_size.z;
  const auto state = [&](const Thread &thread) -> std::string {
    const Warp &warp = warps[thread.view.warp];
    const std::uint32_t lane = 1u << thread.view.lane;
    if (warp.barrier & lane) return "waits at the barrier in " + at_line(thread.line);
    if (warp.collective & lane) return "waits for its warp in " + at_line(thread.line);
    return "has returned";
  };
  // The thread that waits is at fault with the first thread that is elsewhere.
  unsigned waits = 0;
  while (waits + 1 < count && (warps[threads[waits].view.warp].live >> threads[waits].view.lane & 1u) == 0) waits++;
  const std::string mine = state(threads[waits]);
  unsigned other = 0;
  while (other + 1 < count && state(threads[other]) == mine) other++;
  current = &threads[waits];
  fail(launch_failed, mine + ", and thread " + std::to_string(other) + " " + state(threads[other]) +
                          ": threads of a block or of a warp do not come to the same place");
}

void BlockRunner::barrier(int line) {
  Thread &thread = *current;
  thread.line = line;
  warps[thread.view.warp].barrier |= 1u << thread.view.lane;
  park_and_switch();
}

void BlockRunner::warp(unsigned mask, int line, void *deposit, SimulatedCollective collective, bool orders_memory) {
  Thread &thread = *current;
  Warp &warp = warps[thread.view.warp];
  const std::uint32_t lane = 1u << thread.view.lane;
  // The last warp of a block may have fewer lanes than a mask names.
  const unsigned in_block = launch->block_size.x * launch->block_size.y * launch->block_size.z - thread.view.warp * 32;
  if (in_block < 32) mask &= (1u << in_block) - 1;
  if ((mask & lane) == 0) fail(launch_failed, "its own lane is not in the mask of an operation of its warp in " + at_line(line));
  thread.line = line;
  thread.mask = mask;
  // A barrier of the warp deposits nothing, and is a collective all the same.
  thread.deposit = deposit;
  warp.collective |= lane;
  if ((warp.collective & mask) != mask) return park_and_switch();

  Thread *const lanes = &threads[thread.view.warp * 32];
  void *deposits[32] = {};
  for (unsigned index = 0; index < 32; index++) {
    if ((mask >> index & 1u) == 0) continue;
    // Where another waits with another mask or in another place, this one waits too, for ever.
    if (lanes[index].mask != mask || lanes[index].line != line) return park_and_switch();
    deposits[index] = lanes[index].deposit;
  }
  if (collective != nullptr) collective(deposits);
  if (orders_memory && instance->checked) check.pass_warp_barrier(thread.view.warp);
  warp.collective &= ~mask;
  warp.runnable |= mask & ~lane;
}

void *BlockRunner::storage(std::size_t bytes) {
  Thread &thread = *current;
  if (thread.view.storage != nullptr) return thread.view.storage;
  if (thread.storage_bytes < bytes) {
    thread.storage = std::make_unique<std::uint8_t[]>(bytes);
    thread.storage_bytes = bytes;
  }
  std::memset(thread.storage.get(), 0, bytes);
  return thread.view.storage = thread.storage.get();
}

void BlockRunner::access(const void *address, std::size_t bytes, SimulatedAccess access, const void *place) {
  const auto *byte = static_cast<const std::uint8_t *>(address);
  if (byte >= memory && byte < memory + slot_bytes * most_threads) return;
  // What threadIdx and blockIdx are read from.
  const auto *views = reinterpret_cast<const std::uint8_t *>(threads.data());
  if (byte >= views && byte < views + threads.size() * sizeof(Thread)) return;
  const Thread &thread = *current;
  if (thread.view.storage != nullptr && byte >= thread.storage.get() && byte < thread.storage.get() + thread.storage_bytes) return;
  const std::string problem = check.access(thread.view, address, bytes, access);
  if (!problem.empty()) fail(illegal_address, problem, place);
}

std::string BlockRunner::place(const Thread &thread) const {
  const auto text = [](const SimulatedIndex &index, const SimulatedIndex &size) {
    std::string joined = std::to_string(index.x);
    if (size.y > 1 || size.z > 1) joined += "," + std::to_string(index.y) + "," + std::to_string(index.z);
    return joined;
  };
  return "kernel " + launch->name + ", block " + text(thread.view.block_index, launch->grid_size) + ", thread " +
         text(thread.view.thread_index, launch->block_size) + ": ";
}

void BlockRunner::fail(int code, const std::string &sentence, const void *place_in_code) {
  failure.code = code;
  failure.sentence = (current == nullptr ? "kernel " + launch->name + ": " : place(*current)) + sentence;
  failure.place = place_in_code;
  failure.instance = instance;
  siglongjmp(recovery, 1);
}

bool BlockRunner::in_guard_page(const void *address) const {
  const auto *byte = static_cast<const std::uint8_t *>(address);
  return byte >= memory && byte < memory + slot_bytes * most_threads && std::size_t(byte - memory) % slot_bytes < guard_bytes;
}

// Stacks. A stack runs threads one after the other, as long as each returns without having waited; the thread that waits keeps it.

void BlockRunner::stack_main(void *argument) {
  const auto *with = static_cast<RunArgument *>(argument);
  with->runner->stack_loop(*with->stack);
}

void BlockRunner::stack_loop(Stack &stack) {
  for (;;) {
    Thread &thread = *current;
    thread.stack = &stack;
    thread.started = true;
    running_stack = &stack;
    invokers[launch->parameters.size()](instance->kernel(launch->kernel), launch->parameters.data());
    warps[thread.view.warp].live &= ~(1u << thread.view.lane);
    Thread *next = pick();
    if (next != nullptr && !next->started) {
      current = next;
      *instance->thread = &next->view;
      continue;
    }
    free_stacks.push_back(&stack);
    if (next == nullptr) {
      fiber_switch(stack.fiber, host);
    } else {
      current = next;
      *instance->thread = &next->view;
      running_stack = next->stack;
      fiber_switch(stack.fiber, next->stack->fiber);
    }
    // Here again as a free stack that a fresh thread was given.
  }
}

/** The running thread waits: another goes on. */
void BlockRunner::park_and_switch() {
  Thread *next = pick();
  // All others waited for the running thread, which has let everyone through.
  if (next == current) return;
  resume(next, running_stack->fiber);
}

void BlockRunner::resume(Thread *next, Fiber &from) {
  current = next;
  *instance->thread = &next->view;
  Stack *stack = next->started ? next->stack : take_stack();
  running_stack = stack;
  fiber_switch(from, stack->fiber);
}

BlockRunner::Stack *BlockRunner::take_stack() {
  if (!free_stacks.empty()) {
    Stack *stack = free_stacks.back();
    free_stacks.pop_back();
    return stack;
  }
  const std::size_t index = stacks.size();
  if (memory == nullptr || index == most_threads) fail(2, "the simulated device has no memory for the stack of a thread");
  std::uint8_t *bottom = memory + index * slot_bytes + guard_bytes;
  if (mprotect(bottom, stack_bytes, PROT_READ | PROT_WRITE) != 0) fail(2, "the simulated device has no memory for the stack of a thread");
  auto stack = std::make_unique<Stack>();
  stack->bottom = bottom;
  // Tops at different distances from a page: stacks that lie at multiples of a power of two share few lines of the cache.
  stack->top = bottom + stack_bytes - index % 32 * 192;
  stacks.push_back(std::move(stack));
  arguments.push_back(std::make_unique<RunArgument>(RunArgument{this, stacks.back().get()}));
  fiber_prepare(stacks.back()->fiber, bottom, stacks.back()->top, stack_main, arguments.back().get());
  return stacks.back().get();
}

void BlockRunner::reset_stacks() {
  free_stacks.clear();
  for (std::size_t index = 0; index < stacks.size(); index++) {
    fiber_prepare(stacks[index]->fiber, stacks[index]->bottom, stacks[index]->top, stack_main, arguments[index].get());
    free_stacks.push_back(stacks[index].get());
  }
  abandoned = false;
}
