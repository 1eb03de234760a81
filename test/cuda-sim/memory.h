/**
 * Memory of the device and pinned memory of the host. An allocation of the device ends at a page that nothing may touch, and begins
 * after one; the few bytes between its end and that page hold a pattern that is looked at after each launch. What was never written
 * is NaN as f32 or f16, and -1 as an integer.
 */
#ifndef ATPC_SIMULATED_MEMORY
#define ATPC_SIMULATED_MEMORY

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

struct Allocation {
  std::uint8_t *start = nullptr;
  std::size_t bytes = 0;
  std::uint8_t *mapping = nullptr;
  std::size_t mapped = 0;
};

class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t total) : total_bytes(total) {}
  ~DeviceMemory();
  /** Null where the device has not so many bytes free. */
  void *allocate(std::size_t bytes);
  /** False where `start` is no allocation. */
  bool free(void *start);
  /** Whether all of the bytes lie in one allocation. */
  bool holds(const void *address, std::size_t bytes) const;
  /** What lies at an address, for a person. */
  std::string describe(const void *address) const;
  /** A sentence about an allocation whose end was overwritten, or nothing; heals it. */
  std::string check_ends();
  std::size_t total() const { return total_bytes; }
  std::size_t free_bytes() const;
  std::size_t count() const;
  std::vector<Allocation> all() const;

 private:
  mutable std::mutex mutex;
  std::map<const std::uint8_t *, Allocation> allocations;
  std::size_t total_bytes, used = 0;
};

#endif
