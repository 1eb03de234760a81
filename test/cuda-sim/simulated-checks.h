/**
 * Checked builds: with -fsanitize=thread the compiler puts a call before each access to memory that is not a thread's own. Those
 * calls are answered here (no library of the sanitizer is linked), and the driver looks whether the memory is the kernel's to use
 * and whether another thread uses it at once (checks.cpp).
 */
#ifndef ATPC_SIMULATED_CHECKS
#define ATPC_SIMULATED_CHECKS

#ifdef __SANITIZE_THREAD__
#define SIMULATED_UNCHECKED __attribute__((no_sanitize("thread")))
#define SIMULATED_NOTE(address, bytes, kind) \
  ATPC_SIMULATED_DEVICE_VARIABLE.access(address, bytes, kind, __builtin_return_address(0))
static __attribute__((no_sanitize("thread"), noinline)) void simulated_note_access(const void *address, unsigned long bytes,
                                                                                  SimulatedAccess access) {
  SIMULATED_NOTE(address, bytes, access);
}
extern "C" {
__attribute__((visibility("default"))) extern const bool atpc_simulated_checked = true;
#define SIMULATED_ACCESSES(bytes)                                                                                       \
  SIMULATED_UNCHECKED void __tsan_read##bytes(void *address) { SIMULATED_NOTE(address, bytes, simulated_read); }            \
  SIMULATED_UNCHECKED void __tsan_write##bytes(void *address) { SIMULATED_NOTE(address, bytes, simulated_write); }          \
  SIMULATED_UNCHECKED void __tsan_unaligned_read##bytes(void *address) { SIMULATED_NOTE(address, bytes, simulated_read); }  \
  SIMULATED_UNCHECKED void __tsan_unaligned_write##bytes(void *address) { SIMULATED_NOTE(address, bytes, simulated_write); }
SIMULATED_ACCESSES(1)
SIMULATED_ACCESSES(2)
SIMULATED_ACCESSES(4)
SIMULATED_ACCESSES(8)
SIMULATED_ACCESSES(16)
#undef SIMULATED_ACCESSES
SIMULATED_UNCHECKED void __tsan_read_range(void *address, unsigned long bytes) { SIMULATED_NOTE(address, bytes, simulated_read); }
SIMULATED_UNCHECKED void __tsan_write_range(void *address, unsigned long bytes) { SIMULATED_NOTE(address, bytes, simulated_write); }
SIMULATED_UNCHECKED void __tsan_func_entry(void *) {}
SIMULATED_UNCHECKED void __tsan_func_exit() {}
SIMULATED_UNCHECKED void __tsan_init() {}
}
#else
#define SIMULATED_UNCHECKED inline
static inline void simulated_note_access(const void *, unsigned long, SimulatedAccess) {}
#endif

#endif
