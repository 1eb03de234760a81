#include "driver.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "stream.h"

namespace {
struct ResultText {
  int code;
  const char *name, *sentence;
  bool sticky;
};
/** Names and sentences of cuda.h and of the driver. */
constexpr ResultText results[] = {
    {success, "CUDA_SUCCESS", "no error", false},
    {invalid_value, "CUDA_ERROR_INVALID_VALUE", "invalid argument", false},
    {out_of_memory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory", false},
    {not_initialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error", false},
    {4, "CUDA_ERROR_DEINITIALIZED", "driver shutting down", false},
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library", false},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable", false},
    {no_device, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected", false},
    {invalid_device, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal", false},
    {invalid_image, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid", false},
    {invalid_context, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context", false},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device", false},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered", true},
    {invalid_ptx, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed", false},
    {220, "CUDA_ERROR_NVLINK_UNCORRECTABLE", "uncorrectable NVLink error detected during the execution", true},
    {221, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", "PTX JIT compiler library not found", false},
    {unsupported_ptx_version, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain.", false},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS", false},
    {invalid_handle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle", false},
    {illegal_state, "CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state", false},
    {not_found, "CUDA_ERROR_NOT_FOUND", "named symbol not found", false},
    {not_ready, "CUDA_ERROR_NOT_READY", "device not ready", false},
    {illegal_address, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered", true},
    {launch_out_of_resources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch", false},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated", true},
    {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed", false},
    {710, "CUDA_ERROR_ASSERT", "device-side assert triggered", true},
    {714, "CUDA_ERROR_HARDWARE_STACK_ERROR", "hardware stack error", true},
    {illegal_instruction, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered", true},
    {misaligned_address, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address", true},
    {717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", "operation not supported on global/shared address space", true},
    {718, "CUDA_ERROR_INVALID_PC", "invalid program counter", true},
    {launch_failed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure", true},
    {800, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted", false},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported", false},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized", false},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination", false},
    {stream_capture_unsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing", false},
    {stream_capture_invalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture", false},
    {stream_capture_unmatched, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began", false},
    {captured_event, "CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream", false},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error", true},
};
const ResultText *result_text(int code) {
  const auto found = std::find_if(std::begin(results), std::end(results), [&](const ResultText &text) { return text.code == code; });
  return found == std::end(results) ? nullptr : found;
}
}  // namespace

bool is_sticky(int code) {
  const ResultText *text = result_text(code);
  return text != nullptr && text->sticky;
}
const char *name_of_result(int code) {
  const ResultText *text = result_text(code);
  return text == nullptr ? nullptr : text->name;
}
const char *sentence_of_result(int code) {
  const ResultText *text = result_text(code);
  return text == nullptr ? nullptr : text->sentence;
}

void Faults::configure(const char *text) {
  const std::lock_guard lock(mutex);
  faults.clear();
  calls.clear();
  std::stringstream list(text == nullptr ? "" : text);
  for (std::string item; std::getline(list, item, ',');) {
    // NAME:CALL=CODE, where CALL is a number, a number with a plus (that call and all after it), or a star (all calls).
    const std::size_t colon = item.find(':'), equals = item.find('=');
    if (colon == std::string::npos || equals == std::string::npos || equals < colon) {
      if (!item.empty()) std::fprintf(stderr, "simulated CUDA driver: ATPC_CUDA_SIM_FAULTS has '%s', not NAME:CALL=CODE\n", item.c_str());
      continue;
    }
    const std::string call = item.substr(colon + 1, equals - colon - 1);
    const std::uint64_t first = call == "*" ? 1 : std::strtoull(call.c_str(), nullptr, 10);
    const bool open = call == "*" || call.find('+') != std::string::npos;
    faults.push_back({item.substr(0, colon), first, open ? ~std::uint64_t(0) : first, std::atoi(item.c_str() + equals + 1)});
  }
}

int Faults::next(const std::string &function) {
  const std::lock_guard lock(mutex);
  const std::uint64_t call = ++calls[function];
  for (const Fault &fault : faults)
    if (fault.function == function && call >= fault.first && call <= fault.last) return fault.code;
  return success;
}

void Driver::add(const std::shared_ptr<Object> &object) {
  const std::lock_guard lock(mutex);
  objects[object.get()] = object;
}
bool Driver::remove(const void *handle) {
  const std::lock_guard lock(mutex);
  return objects.erase(handle) > 0;
}
bool Driver::holds_pinned(const void *address, std::size_t bytes) {
  const std::lock_guard lock(mutex);
  const auto *first = static_cast<const std::uint8_t *>(address);
  const auto after = pinned.upper_bound(first);
  if (after == pinned.begin()) return false;
  const auto &[start, held] = *std::prev(after);
  const std::size_t offset = std::size_t(first - start);
  return offset <= held.bytes && bytes <= held.bytes - offset;
}
void Driver::report(const std::string &sentence) {
  const std::lock_guard lock(mutex);
  last_failure = sentence;
  if (!settings.quiet) std::fprintf(stderr, "simulated CUDA device: %s\n", sentence.c_str());
}

Driver &driver() {
  static auto *made = new Driver();
  return *made;
}
Context *&current_context() {
  thread_local Context *context = nullptr;
  return context;
}

std::string describe_live(int &total) {
  Driver &of = driver();
  const std::lock_guard lock(of.mutex);
  std::map<std::string, int> counts;
  for (const auto &[device, context] : of.contexts) {
    counts["retained context"] += context->retains;
    counts["allocation"] += int(context->memory.count());
  }
  counts["object of a released context"] = of.leaked;
  counts["pinned allocation"] = int(of.pinned.size());
  for (const auto &[handle, object] : of.objects) {
    switch (object->kind) {
      case Kind::module: counts["module"]++; break;
      case Kind::stream: counts["stream"]++; break;
      case Kind::event: counts["event"]++; break;
      case Kind::graph: counts["graph"]++; break;
      case Kind::graph_exec: counts["executable graph"]++; break;
      // Functions go with their modules, contexts were counted by how often they are retained.
      case Kind::function:
      case Kind::context: break;
    }
  }
  std::string text;
  total = 0;
  for (const auto &[name, count] : counts) {
    if (count == 0) continue;
    total += count;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + name + (count == 1 ? "" : "s");
  }
  return text;
}
