#include "access-check.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>

namespace {
/** `_ZZ6kernelE4tile` is the array `tile` of `kernel`. */
std::string readable(const std::string &symbol) {
  int status = 0;
  char *text = abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status);
  std::string name = status == 0 ? text : symbol;
  std::free(text);
  const std::size_t colon = name.rfind(':');
  return colon == std::string::npos ? name : name.substr(colon + 1);
}
const char *verb_of(SimulatedAccess access) {
  return access == simulated_read ? "reads" : access == simulated_write ? "writes" : "changes";
}
}  // namespace

void AccessCheck::prepare(const ModuleInstance &instance, std::size_t kernel, const DeviceMemory &memory, std::size_t warps) {
  device = &memory;
  allocations = memory.all();
  last_allocation = 0;
  image_start = instance.image_start();
  image_end = instance.image_end();
  arrays.clear();
  std::size_t total = 0;
  for (const SharedArray &array : instance.shared(kernel)) {
    arrays.push_back({readable(array.name), image_start + array.offset, array.bytes, total});
    total += array.bytes;
  }
  if (shadow.size() < total) shadow.resize(total);
  warp_epochs.assign(warps, 0);
  // What is left of the last launch is of other arrays.
  block_epoch++;
}

void AccessCheck::start_block() {
  block_epoch++;
  first_epoch = block_epoch;
}

/** Whether nothing orders what `use` did and what `thread` does now. */
bool AccessCheck::is_concurrent(const Use &use, const SimulatedThread &thread) const {
  if (use.block_epoch != block_epoch || use.thread == thread.number) return false;
  return use.thread / 32u != thread.warp || use.warp_epoch == warp_epochs[thread.warp];
}

std::string AccessCheck::shared_access(const Array &array, const SimulatedThread &thread, std::size_t offset, std::size_t bytes,
                                       SimulatedAccess access) {
  const Use now = {block_epoch, static_cast<std::uint16_t>(thread.number), warp_epochs[thread.warp]};
  for (std::size_t index = array.first_byte + offset; index < array.first_byte + offset + bytes; index++) {
    Byte &byte = shadow[index];
    const auto race = [&](const Use &use, const char *did) {
      return std::string(verb_of(access)) + " byte " + std::to_string(index - array.first_byte) + " of the shared array '" + array.name +
             "', which thread " + std::to_string(use.thread) + " " + did + " with no barrier between: a race";
    };
    const bool both_atomic = access == simulated_atomic && byte.atomic;
    if (!both_atomic && is_concurrent(byte.writer, thread)) return race(byte.writer, "wrote");
    if (access != simulated_read) {
      for (const Use &reader : byte.readers)
        if (!both_atomic && is_concurrent(reader, thread)) return race(reader, "read");
      byte.writer = now;
      byte.atomic = access == simulated_atomic;
    } else {
      if (byte.readers[0].thread != now.thread) byte.readers[1] = byte.readers[0];
      byte.readers[0] = now;
    }
  }
  return "";
}

std::string AccessCheck::access(const SimulatedThread &thread, const void *address, std::size_t bytes, SimulatedAccess access) {
  const auto *byte = static_cast<const std::uint8_t *>(address);
  const auto lies_in = [&](const std::uint8_t *start, std::size_t size) {
    return byte >= start && std::size_t(byte - start) <= size && bytes <= size - std::size_t(byte - start);
  };
  if (byte >= image_start && byte < image_end) {
    for (const Array &array : arrays) {
      if (lies_in(array.start, array.bytes)) return shared_access(array, thread, std::size_t(byte - array.start), bytes, access);
      if (byte >= array.start && byte < array.start + array.bytes)
        return std::string(verb_of(access)) + " beyond the end of the shared array '" + array.name + "'";
    }
    // Constants, and the variables of simulated-device.h.
    return access == simulated_read ? "" : "writes into memory of the module";
  }
  if (last_allocation < allocations.size() && lies_in(allocations[last_allocation].start, allocations[last_allocation].bytes)) return "";
  for (std::size_t index = 0; index < allocations.size(); index++) {
    if (!lies_in(allocations[index].start, allocations[index].bytes)) continue;
    last_allocation = index;
    return "";
  }
  return std::string(verb_of(access)) + " " + std::to_string(bytes) + " bytes " + device->describe(address) +
         (device->holds(address, 1) ? ", beyond its end" : "");
}
