/**
 * Looks at each access to memory of a checked build (simulated-checks.h): whether the bytes lie in an allocation or in shared memory, and
 * for shared memory whether another thread has used them since the last barrier that both came to, one of the two writing. That is what
 * compute-sanitizer's memcheck and racecheck look for on a GPU.
 */
#ifndef ATPC_SIMULATED_ACCESS_CHECK
#define ATPC_SIMULATED_ACCESS_CHECK

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "code.h"
#include "memory.h"
#include "module-interface.h"

class AccessCheck {
 public:
  /** Before the blocks of a launch: what is allocated on the device. */
  void prepare(const ModuleInstance &instance, std::size_t kernel, const DeviceMemory &memory, std::size_t warps);
  void begin_block() { start_block(); }
  /** All threads of the block have met. */
  void pass_barrier() { block_epoch++; }
  /** All threads of a warp have met, in an operation that orders memory. */
  void pass_warp_barrier(unsigned warp) { warp_epochs[warp]++; }
  /** What is wrong with an access, or nothing. */
  std::string access(const SimulatedThread &thread, const void *address, std::size_t bytes, SimulatedAccess access);

 private:
  /** Who used a byte, and when: nobody yet in this block where `block_epoch` is of an earlier one. */
  struct Use {
    std::uint32_t block_epoch = 0;
    std::uint16_t thread = 0, warp_epoch = 0;
  };
  struct Byte {
    Use writer;
    /** The last two readers that differ. */
    Use readers[2];
    bool atomic = false;
  };
  struct Array {
    std::string name;
    const std::uint8_t *start;
    std::size_t bytes, first_byte;
  };
  void start_block();
  bool is_concurrent(const Use &use, const SimulatedThread &thread) const;
  std::string shared_access(const Array &array, const SimulatedThread &thread, std::size_t offset, std::size_t bytes, SimulatedAccess access);

  std::vector<Array> arrays;
  std::vector<Byte> shadow;
  std::vector<Allocation> allocations;
  std::size_t last_allocation = 0;
  const DeviceMemory *device = nullptr;
  const std::uint8_t *image_start = nullptr, *image_end = nullptr;
  std::uint32_t block_epoch = 1, first_epoch = 1;
  std::vector<std::uint16_t> warp_epochs;
};

#endif
