/** A switch between stacks: what a function call keeps is kept, and nothing else. */
#ifndef ATPC_SIMULATED_FIBER
#define ATPC_SIMULATED_FIBER

#include <cstddef>
#include <cstdint>

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(ATPC_SIMULATED_UCONTEXT)
/** A stack that does not run: where its registers lie. */
struct Fiber {
  void *stack_pointer = nullptr;
};
/** Saves the running stack in `from` and goes on with `to`. */
extern "C" void atpc_fiber_switch(void **from, void *to);
/** Where a fresh fiber starts; calls the function that fiber_prepare was given. */
extern "C" void atpc_fiber_start();

inline void fiber_switch(Fiber &from, Fiber &to) { atpc_fiber_switch(&from.stack_pointer, to.stack_pointer); }

/** Makes `fiber` call `function(argument)`, which never returns, on the stack that ends at `top`, once it is switched to. */
inline void fiber_prepare(Fiber &fiber, std::uint8_t *bottom, std::uint8_t *top, void (*function)(void *), void *argument) {
  (void)bottom;
  auto **frame = reinterpret_cast<void **>(reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t(63));
#if defined(__x86_64__)
  // As atpc_fiber_switch leaves it: r15, r14, r13, r12, rbx, rbp, where to return to. Two more words keep the stack aligned.
  frame -= 9;
  frame[0] = nullptr;
  frame[1] = nullptr;
  frame[2] = argument;
  frame[3] = reinterpret_cast<void *>(function);
  frame[4] = nullptr;
  frame[5] = nullptr;
  frame[6] = reinterpret_cast<void *>(atpc_fiber_start);
  frame[7] = nullptr;
  frame[8] = nullptr;
#else
  // x19 to x28, x29, x30 (where to return to), d8 to d15.
  frame -= 20;
  for (int index = 0; index < 20; index++) frame[index] = nullptr;
  frame[0] = reinterpret_cast<void *>(function);
  frame[1] = argument;
  frame[11] = reinterpret_cast<void *>(atpc_fiber_start);
#endif
  fiber.stack_pointer = frame;
}
#else
#include <ucontext.h>
struct Fiber {
  ucontext_t context;
};
inline void fiber_switch(Fiber &from, Fiber &to) { swapcontext(&from.context, &to.context); }
inline void fiber_prepare(Fiber &fiber, std::uint8_t *bottom, std::uint8_t *top, void (*function)(void *), void *argument) {
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = bottom;
  fiber.context.uc_stack.ss_size = static_cast<std::size_t>(top - bottom);
  fiber.context.uc_link = nullptr;
  // makecontext passes ints: the pointers go in two halves each.
  const auto call = [](unsigned a, unsigned b, unsigned c, unsigned d) {
    const auto join = [](unsigned high, unsigned low) { return (std::uintptr_t(high) << 32) | low; };
    reinterpret_cast<void (*)(void *)>(join(a, b))(reinterpret_cast<void *>(join(c, d)));
  };
  const auto from = reinterpret_cast<std::uintptr_t>(function), with = reinterpret_cast<std::uintptr_t>(argument);
  makecontext(&fiber.context, reinterpret_cast<void (*)()>(+call), 4, unsigned(from >> 32), unsigned(from), unsigned(with >> 32),
              unsigned(with));
}
#endif

#endif
