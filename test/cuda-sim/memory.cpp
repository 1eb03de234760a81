#include "memory.h"

#include <sys/mman.h>

#include <cstring>

namespace {
constexpr std::size_t page = 4096;
/** What cuMemAlloc aligns to. */
constexpr std::size_t alignment = 256;
constexpr std::uint8_t end_pattern = 0xa5;
constexpr std::size_t rounded(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }
}  // namespace

DeviceMemory::~DeviceMemory() {
  for (const auto &[start, allocation] : allocations) munmap(allocation.mapping, allocation.mapped);
}

void *DeviceMemory::allocate(std::size_t bytes) {
  const std::lock_guard lock(mutex);
  const std::size_t taken = rounded(bytes, alignment);
  if (taken < bytes || taken > total_bytes - used) return nullptr;
  Allocation made;
  made.bytes = bytes;
  made.mapped = rounded(taken, page) + 2 * page;
  void *mapping = mmap(nullptr, made.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;
  made.mapping = static_cast<std::uint8_t *>(mapping);
  if (mprotect(made.mapping + page, made.mapped - 2 * page, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapping, made.mapped);
    return nullptr;
  }
  made.start = made.mapping + made.mapped - page - taken;
  std::memset(made.start, 0xff, bytes);
  std::memset(made.start + bytes, end_pattern, taken - bytes);
  used += taken;
  allocations[made.start] = made;
  return made.start;
}

bool DeviceMemory::free(void *start) {
  const std::lock_guard lock(mutex);
  const auto found = allocations.find(static_cast<std::uint8_t *>(start));
  if (found == allocations.end()) return false;
  munmap(found->second.mapping, found->second.mapped);
  used -= rounded(found->second.bytes, alignment);
  allocations.erase(found);
  return true;
}

bool DeviceMemory::holds(const void *address, std::size_t bytes) const {
  const std::lock_guard lock(mutex);
  const auto *first = static_cast<const std::uint8_t *>(address);
  auto after = allocations.upper_bound(first);
  if (after == allocations.begin()) return false;
  const Allocation &allocation = std::prev(after)->second;
  const std::size_t offset = std::size_t(first - allocation.start);
  return offset <= allocation.bytes && bytes <= allocation.bytes - offset;
}

std::string DeviceMemory::describe(const void *address) const {
  const std::lock_guard lock(mutex);
  const auto *byte = static_cast<const std::uint8_t *>(address);
  const auto whose = [](const Allocation &allocation) { return " an allocation of " + std::to_string(allocation.bytes) + " bytes"; };
  const auto after = allocations.upper_bound(byte);
  if (after != allocations.begin()) {
    const Allocation &before = std::prev(after)->second;
    const auto offset = std::size_t(byte - before.start);
    if (offset < before.bytes) return "at byte " + std::to_string(offset) + " of" + whose(before);
    if (byte < before.mapping + before.mapped) return std::to_string(offset - before.bytes) + " bytes after the end of" + whose(before);
  }
  if (after != allocations.end() && byte >= after->second.mapping)
    return std::to_string(after->second.start - byte) + " bytes before" + whose(after->second);
  return "where nothing is allocated";
}

std::string DeviceMemory::check_ends() {
  const std::lock_guard lock(mutex);
  std::string found;
  for (const auto &[start, allocation] : allocations) {
    for (std::size_t at = allocation.bytes; at < rounded(allocation.bytes, alignment); at++) {
      if (allocation.start[at] == end_pattern) continue;
      if (found.empty())
        found = "wrote " + std::to_string(at - allocation.bytes) + " bytes after the end of an allocation of " +
                std::to_string(allocation.bytes) + " bytes";
      allocation.start[at] = end_pattern;
    }
  }
  return found;
}

std::size_t DeviceMemory::free_bytes() const {
  const std::lock_guard lock(mutex);
  return total_bytes - used;
}
std::size_t DeviceMemory::count() const {
  const std::lock_guard lock(mutex);
  return allocations.size();
}
std::vector<Allocation> DeviceMemory::all() const {
  const std::lock_guard lock(mutex);
  std::vector<Allocation> list;
  for (const auto &[start, allocation] : allocations) list.push_back(allocation);
  return list;
}
