#include "launch.h"

#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <thread>

#include "device-functions.h"

namespace {
/** The block that this host thread runs; null where it runs none. */
thread_local BlockRunner *runner = nullptr;
thread_local Context *runner_context = nullptr;

void on_barrier(int line) { runner->barrier(line); }
void on_warp(unsigned mask, int line, void *deposit, SimulatedCollective collective, bool orders_memory) {
  runner->warp(mask, line, deposit, collective, orders_memory);
}
void on_fail(int code, const char *sentence) { runner->fail(code, sentence); }
void *on_storage(unsigned long bytes) { return runner->storage(bytes); }
void on_access(const void *address, unsigned long bytes, SimulatedAccess access, const void *place) {
  runner->access(address, bytes, access, place);
}

// Signals. Those of a kernel become errors of the launch; all others go to whoever was there before.

constexpr int handled[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
struct sigaction previous[NSIG];

const void *place_of(void *context) {
  const mcontext_t &registers = static_cast<ucontext_t *>(context)->uc_mcontext;
#if defined(__x86_64__)
  const auto next = static_cast<std::uintptr_t>(registers.gregs[REG_RIP]);
#elif defined(__aarch64__)
  const auto next = static_cast<std::uintptr_t>(registers.pc);
#else
  const std::uintptr_t next = 0;
#endif
  // As if a call had returned to it.
  return reinterpret_cast<const void *>(next + 1);
}

void on_signal(int number, siginfo_t *info, void *context) {
  if (runner != nullptr && runner->in_kernel()) {
    const void *place = place_of(context);
    // What the processor says of an access that is not aligned, or no address at all.
    if (number == SIGSEGV && info->si_code == SI_KERNEL) runner->fail(misaligned_address, "touches memory at an address that is not aligned for it", place);
    if (number == SIGILL || number == SIGFPE) runner->fail(illegal_instruction, "stopped: " + std::string(strsignal(number)), place);
    if (runner->in_guard_page(info->si_addr)) runner->fail(launch_failed, "needs more stack than the simulated device has", place);
    runner->fail(illegal_address, "touches memory " + runner_context->memory.describe(info->si_addr) + ", which it may not", place);
  }
  const struct sigaction &before = previous[number];
  if (before.sa_flags & SA_SIGINFO) {
    before.sa_sigaction(number, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(number);
  } else {
    // It comes again at once, and ends the process.
    signal(number, SIG_DFL);
  }
}

void handle_signals() {
  static std::once_flag once;
  std::call_once(once, [] {
    for (const int number : handled) {
      struct sigaction action = {};
      action.sa_sigaction = on_signal;
      // The handler is left by a jump, so that no signal may stay blocked.
      action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
      sigaction(number, &action, &previous[number]);
    }
  });
}

/** A host thread that runs blocks: its fibers, and a stack for signals, since those of fibers may be used up. */
struct HostThread {
  BlockRunner blocks;
  std::vector<char> signal_stack = std::vector<char>(64 * 1024);
  bool prepared = false;
  void prepare() {
    if (prepared) return;
    stack_t stack = {};
    stack.ss_sp = signal_stack.data();
    stack.ss_size = signal_stack.size();
    sigaltstack(&stack, nullptr);
    prepared = true;
  }
};

/** What the host threads share of a launch. */
struct Work {
  Context *context = nullptr;
  ModuleCode *code = nullptr;
  const Launch *launch = nullptr;
  ThreadOrder order = {};
  std::uint64_t blocks = 0;
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  Failure failure;
};

void run_blocks(HostThread &host, Work &work, std::size_t number) {
  ModuleInstance *instance = work.code->instance(number);
  // Without an instance of its own the others do the work; the first is always there.
  if (instance == nullptr) return;
  host.prepare();
  host.blocks.prepare(*work.launch, *instance, work.order, work.context->memory);
  runner = &host.blocks;
  runner_context = work.context;
  for (;;) {
    const std::uint64_t turn = work.next.fetch_add(1);
    if (turn >= work.blocks) break;
    const std::uint64_t block = work.order.kind == ThreadOrder::reverse ? work.blocks - 1 - turn : turn;
    if (host.blocks.run(block)) continue;
    work.next = work.blocks;
    const std::lock_guard lock(work.mutex);
    if (work.failure.code == 0 || host.blocks.failure.block < work.failure.block) work.failure = host.blocks.failure;
  }
  runner = nullptr;
}

/** Host threads beside the one that runs a launch. */
class Pool {
 public:
  void run(HostThread &host, Work &work, std::size_t helpers) {
    std::unique_lock lock(mutex);
    while (started < helpers) {
      const std::size_t number = ++started;
      std::thread([this, number] { serve(number); }).detach();
    }
    current = &work;
    wanted = helpers;
    pending = helpers;
    generation++;
    changed.notify_all();
    lock.unlock();
    run_blocks(host, work, 0);
    lock.lock();
    changed.wait(lock, [this] { return pending == 0; });
  }

 private:
  void serve(std::size_t number) {
    HostThread host;
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return generation != seen; });
      seen = generation;
      if (number > wanted) continue;
      Work &work = *current;
      lock.unlock();
      run_blocks(host, work, number);
      lock.lock();
      pending--;
      changed.notify_all();
    }
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t started = 0, wanted = 0, pending = 0;
  std::uint64_t generation = 0;
  Work *current = nullptr;
};
}  // namespace

SimulatedDevice device_functions() { return {on_barrier, on_warp, on_fail, on_storage, on_access}; }

int run_launch(Context &context, const std::shared_ptr<ModuleCode> &code, const Launch &launch) {
  // One launch at a time: shared memory of a block is static in its module.
  static std::mutex mutex;
  static auto *pool = new Pool();
  const std::lock_guard lock(mutex);
  handle_signals();
  Settings settings;
  {
    const std::lock_guard state(driver().mutex);
    settings = driver().settings;
  }
  Work work;
  work.context = &context;
  work.code = code.get();
  work.launch = &launch;
  work.order = parse_order(settings.order.c_str());
  work.blocks = std::uint64_t(launch.grid_size.x) * launch.grid_size.y * launch.grid_size.z;
  const std::size_t threads = std::min<std::uint64_t>(settings.threads, work.blocks);
  // Each stream has a thread of its own, which takes part.
  thread_local HostThread host;
  if (threads <= 1) run_blocks(host, work, 0);
  else pool->run(host, work, threads - 1);
  if (work.failure.code == 0) {
    const std::string end = context.memory.check_ends();
    if (!end.empty()) work.failure = {illegal_address, "kernel " + launch.name + ": " + end, 0};
  }
  if (work.failure.code == 0) return success;
  if (work.failure.place != nullptr) work.failure.sentence += code->line_at(*work.failure.instance, work.failure.place);
  driver().report(work.failure.sentence);
  return work.failure.code;
}
