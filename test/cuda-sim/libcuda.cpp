/** The driver API: starting, devices, contexts and memory. */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "api.h"
#include "stream.h"

namespace {
std::size_t number_of(const char *name, std::size_t otherwise) {
  const char *text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}
std::string text_of(const char *name) {
  const char *text = std::getenv(name);
  return text == nullptr ? "" : text;
}

/** Devices that CUDA_VISIBLE_DEVICES leaves: those before the first number that is none (CUDA C++ Programming Guide, environment variables). */
int visible_devices(int devices) {
  const char *list = std::getenv("CUDA_VISIBLE_DEVICES");
  if (list == nullptr) return devices;
  int visible = 0;
  for (const char *at = list; *at != '\0';) {
    char *end = nullptr;
    const long number = std::strtol(at, &end, 10);
    if (end == at || number < 0 || number >= devices) break;
    visible++;
    at = *end == ',' ? end + 1 : end;
    if (*end != ',' && *end != '\0') break;
  }
  return visible;
}

Settings read_settings() {
  Settings settings;
  settings.devices = visible_devices(int(number_of("ATPC_CUDA_SIM_DEVICES", 1)));
  settings.driver_version = int(number_of("ATPC_CUDA_SIM_DRIVER_VERSION", 13000));
  settings.capability = int(number_of("ATPC_CUDA_SIM_CAPABILITY", 80));
  settings.memory = number_of("ATPC_CUDA_SIM_MEMORY", std::size_t(8) << 30);
  settings.modules = text_of("ATPC_CUDA_SIM_MODULES");
  settings.order = text_of("ATPC_CUDA_SIM_ORDER");
  settings.threads = std::max<std::size_t>(1, number_of("ATPC_CUDA_SIM_THREADS", std::min(8u, std::thread::hardware_concurrency())));
  settings.quiet = number_of("ATPC_CUDA_SIM_QUIET", 0) != 0;
  return settings;
}

bool is_device(int device) {
  const std::lock_guard lock(driver().mutex);
  return device >= 0 && device < driver().settings.devices;
}

struct Attribute {
  int number, value;
};
/** CUdevice_attribute: as an A100 has them, but for its compute capability. */
constexpr Attribute attributes[] = {
    {1, 1024}, {2, 1024}, {3, 1024}, {4, 64}, {5, 2147483647}, {6, 65535}, {7, 65535}, {8, 49152}, {9, 65536}, {10, 32},
    {11, 2147483647}, {12, 65536}, {13, 1410000}, {14, 512}, {15, 1}, {16, 108}, {17, 0}, {18, 0}, {19, 1}, {20, 0}, {31, 1}, {32, 1},
    {33, 1}, {34, 0}, {35, 0}, {36, 1215000}, {37, 5120}, {38, 41943040}, {39, 2048}, {40, 3}, {41, 1}, {50, 0}, {81, 167936}, {82, 65536},
    {83, 1}, {89, 1}, {97, 166912}, {106, 32}, {111, 1024}, {115, 1},
};

/** Destroys what a context holds. Its streams end first, with what they have to do. */
int empty_context(Context &context) {
  std::vector<std::shared_ptr<Object>> held;
  {
    const std::lock_guard lock(driver().mutex);
    for (const auto &[handle, object] : driver().objects)
      if (object->context == &context && object->kind != Kind::context) held.push_back(object);
  }
  int count = 0;
  for (const auto &object : held) {
    if (object->kind == Kind::stream) std::static_pointer_cast<Stream>(object)->stop();
    if (object->kind != Kind::function) count++;
    driver().remove(object.get());
  }
  if (context.default_stream != nullptr) context.default_stream->stop();
  context.default_stream = nullptr;
  for (const Allocation &allocation : context.memory.all()) {
    context.memory.free(allocation.start);
    count++;
  }
  const std::lock_guard lock(driver().mutex);
  auto &pinned = driver().pinned;
  for (auto at = pinned.begin(); at != pinned.end();) {
    if (at->second.context != &context) {
      ++at;
      continue;
    }
    std::free(const_cast<std::uint8_t *>(at->first));
    at = pinned.erase(at);
    count++;
  }
  return count;
}

void destroy_context(int key, Context &context) {
  const bool broken = context.error != success;
  const int held = empty_context(context);
  const std::lock_guard lock(driver().mutex);
  // Nothing can be freed by its user in a context that is broken.
  if (!broken) driver().leaked += held;
  driver().contexts.erase(key);
}

Context *context_of(int device) {
  const std::lock_guard lock(driver().mutex);
  const auto found = driver().contexts.find(device);
  return found == driver().contexts.end() ? nullptr : found->second.get();
}
}  // namespace

int begin(const char *function, bool needs_context) {
  if (!driver().initialized) return not_initialized;
  const int fault = driver().faults.next(function);
  Context *context = current_context();
  if (context != nullptr) {
    // A context that was destroyed is current to nobody.
    const std::lock_guard lock(driver().mutex);
    const auto &contexts = driver().contexts;
    if (std::none_of(contexts.begin(), contexts.end(), [&](const auto &entry) { return entry.second.get() == context; }))
      context = current_context() = nullptr;
  }
  if (fault != success) {
    int none = success;
    if (context != nullptr && is_sticky(fault)) context->error.compare_exchange_strong(none, fault);
    return fault;
  }
  if (!needs_context) return success;
  return context == nullptr ? int(invalid_context) : context->error.load();
}

bool is_capturing(Context &context) {
  const std::lock_guard lock(driver().mutex);
  return std::any_of(driver().objects.begin(), driver().objects.end(), [&](const auto &entry) {
    return entry.second->kind == Kind::stream && entry.second->context == &context &&
           std::static_pointer_cast<Stream>(entry.second)->capturing != nullptr;
  });
}

API cuInit(unsigned flags) {
  if (flags != 0) return invalid_value;
  {
    const std::lock_guard lock(driver().mutex);
    driver().settings = read_settings();
  }
  driver().faults.configure(std::getenv("ATPC_CUDA_SIM_FAULTS"));
  const int fault = driver().faults.next("cuInit");
  if (fault != success) return fault;
  if (driver().settings.devices == 0) return no_device;
  driver().initialized = true;
  return success;
}

API cuDriverGetVersion(int *version) {
  if (version == nullptr) return invalid_value;
  const std::lock_guard lock(driver().mutex);
  // It may be asked before cuInit.
  *version = driver().initialized ? driver().settings.driver_version : read_settings().driver_version;
  return success;
}

API cuGetErrorName(int code, const char **name) {
  if (name == nullptr) return invalid_value;
  *name = name_of_result(code);
  return *name == nullptr ? invalid_value : success;
}
API cuGetErrorString(int code, const char **sentence) {
  if (sentence == nullptr) return invalid_value;
  *sentence = sentence_of_result(code);
  return *sentence == nullptr ? invalid_value : success;
}

// Devices.

API cuDeviceGetCount(int *count) {
  BEGIN(cuDeviceGetCount);
  if (count == nullptr) return invalid_value;
  *count = driver().settings.devices;
  return success;
}
API cuDeviceGet(int *device, int ordinal) {
  BEGIN(cuDeviceGet);
  if (device == nullptr) return invalid_value;
  if (!is_device(ordinal)) return invalid_device;
  *device = ordinal;
  return success;
}
API cuDeviceGetName(char *name, int length, int device) {
  BEGIN(cuDeviceGetName);
  if (name == nullptr || length <= 0) return invalid_value;
  if (!is_device(device)) return invalid_device;
  std::snprintf(name, std::size_t(length), "%s %d", driver().settings.name.c_str(), device);
  return success;
}
API cuDeviceGetUuid_v2(unsigned char *uuid, int device) {
  BEGIN(cuDeviceGetUuid_v2);
  if (uuid == nullptr) return invalid_value;
  if (!is_device(device)) return invalid_device;
  for (int byte = 0; byte < 16; byte++) uuid[byte] = static_cast<unsigned char>(byte == 15 ? device : 0xa0 + byte);
  return success;
}
API cuDeviceGetAttribute(int *value, int attribute, int device) {
  BEGIN(cuDeviceGetAttribute);
  if (value == nullptr) return invalid_value;
  if (!is_device(device)) return invalid_device;
  const int capability = driver().settings.capability;
  if (attribute == 75 || attribute == 76) {
    *value = attribute == 75 ? capability / 10 : capability % 10;
    return success;
  }
  const auto found = std::find_if(std::begin(attributes), std::end(attributes), [&](const Attribute &one) { return one.number == attribute; });
  if (found == std::end(attributes)) return invalid_value;
  *value = found->value;
  return success;
}
API cuDeviceTotalMem_v2(std::size_t *bytes, int device) {
  BEGIN(cuDeviceTotalMem_v2);
  if (bytes == nullptr) return invalid_value;
  if (!is_device(device)) return invalid_device;
  *bytes = driver().settings.memory;
  return success;
}

// Contexts.

API cuDevicePrimaryCtxRetain(Context **context, int device) {
  BEGIN(cuDevicePrimaryCtxRetain);
  if (context == nullptr) return invalid_value;
  if (!is_device(device)) return invalid_device;
  const std::lock_guard lock(driver().mutex);
  auto &made = driver().contexts[device];
  if (made == nullptr) made = std::make_unique<Context>(device, driver().settings.memory);
  made->retains++;
  *context = made.get();
  return success;
}
API cuDevicePrimaryCtxRelease_v2(int device) {
  const int begun = begin("cuDevicePrimaryCtxRelease_v2", false);
  if (!is_device(device)) return invalid_device;
  Context *context = context_of(device);
  if (context == nullptr) return invalid_context;
  {
    const std::lock_guard lock(driver().mutex);
    if (--context->retains > 0) return begun;
  }
  destroy_context(device, *context);
  return begun;
}
API cuDevicePrimaryCtxReset_v2(int device) {
  BEGIN(cuDevicePrimaryCtxReset_v2);
  if (!is_device(device)) return invalid_device;
  Context *context = context_of(device);
  if (context == nullptr) return success;
  // It stays retained by whoever retains it (cuda.h).
  empty_context(*context);
  context->error = success;
  return success;
}
API cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
  BEGIN(cuDevicePrimaryCtxGetState);
  if (flags == nullptr || active == nullptr) return invalid_value;
  if (!is_device(device)) return invalid_device;
  *flags = 0;
  *active = context_of(device) == nullptr ? 0 : 1;
  return success;
}
/** A context of its maker's own, beside the primary one. */
API cuCtxCreate_v2(Context **context, unsigned, int device) {
  BEGIN(cuCtxCreate_v2);
  if (context == nullptr) return invalid_value;
  if (!is_device(device)) return invalid_device;
  const std::lock_guard lock(driver().mutex);
  auto &contexts = driver().contexts;
  const int key = std::min(0, contexts.empty() ? 0 : contexts.begin()->first) - 1;
  auto &made = contexts[key];
  made = std::make_unique<Context>(device, driver().settings.memory);
  made->retains = 1;
  *context = current_context() = made.get();
  return success;
}
API cuCtxDestroy_v2(Context *context) {
  const int begun = begin("cuCtxDestroy_v2", false);
  int key = 0;
  {
    const std::lock_guard lock(driver().mutex);
    for (const auto &[own, made] : driver().contexts)
      if (made.get() == context) key = own;
  }
  if (key >= 0) return begun == success ? int(invalid_context) : begun;
  if (current_context() == context) current_context() = nullptr;
  destroy_context(key, *context);
  return begun;
}

API cuCtxSetCurrent(Context *context) {
  BEGIN(cuCtxSetCurrent);
  if (context != nullptr) {
    const std::lock_guard lock(driver().mutex);
    const auto &contexts = driver().contexts;
    if (std::none_of(contexts.begin(), contexts.end(), [&](const auto &entry) { return entry.second.get() == context; }))
      return invalid_context;
  }
  current_context() = context;
  return success;
}
API cuCtxGetCurrent(Context **context) {
  BEGIN(cuCtxGetCurrent);
  if (context == nullptr) return invalid_value;
  *context = current_context();
  return success;
}
API cuCtxGetDevice(int *device) {
  BEGIN_IN_CONTEXT(cuCtxGetDevice);
  if (device == nullptr) return invalid_value;
  *device = current_context()->device;
  return success;
}
API cuCtxSynchronize() {
  BEGIN_IN_CONTEXT(cuCtxSynchronize);
  if (is_capturing(*current_context())) return stream_capture_unsupported;
  wait_for_context(*current_context());
  return current_context()->error;
}

// Memory.

API cuMemGetInfo_v2(std::size_t *free_bytes, std::size_t *total) {
  BEGIN_IN_CONTEXT(cuMemGetInfo_v2);
  if (free_bytes == nullptr || total == nullptr) return invalid_value;
  *free_bytes = current_context()->memory.free_bytes();
  *total = current_context()->memory.total();
  return success;
}
API cuMemAlloc_v2(void **address, std::size_t bytes) {
  BEGIN_IN_CONTEXT(cuMemAlloc_v2);
  if (address == nullptr || bytes == 0) return invalid_value;
  if (is_capturing(*current_context())) return stream_capture_unsupported;
  void *made = current_context()->memory.allocate(bytes);
  if (made == nullptr) return out_of_memory;
  *address = made;
  return success;
}
API cuMemFree_v2(void *address) {
  BEGIN_FREEING(cuMemFree_v2);
  Context *context = current_context();
  if (context == nullptr || address == nullptr) return begun;
  if (is_capturing(*context)) return stream_capture_unsupported;
  wait_for_context(*context);
  if (!context->memory.free(address)) return begun == success ? int(invalid_value) : begun;
  return begun;
}
API cuMemAllocHost_v2(void **address, std::size_t bytes) {
  BEGIN_IN_CONTEXT(cuMemAllocHost_v2);
  if (address == nullptr || bytes == 0) return invalid_value;
  void *made = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (made == nullptr) return out_of_memory;
  std::memset(made, 0xff, bytes);
  const std::lock_guard lock(driver().mutex);
  driver().pinned[static_cast<std::uint8_t *>(made)] = {bytes, current_context()};
  *address = made;
  return success;
}
API cuMemHostAlloc(void **address, std::size_t bytes, unsigned) { return cuMemAllocHost_v2(address, bytes); }
API cuMemFreeHost(void *address) {
  BEGIN_FREEING(cuMemFreeHost);
  Context *context = current_context();
  if (context == nullptr) return begun;
  wait_for_context(*context);
  const std::lock_guard lock(driver().mutex);
  const auto found = driver().pinned.find(static_cast<std::uint8_t *>(address));
  if (found == driver().pinned.end()) return begun == success ? int(invalid_value) : begun;
  driver().pinned.erase(found);
  std::free(address);
  return begun;
}

// For tests.

/** Number of objects that are live: allocations, pinned allocations, modules, streams, events, graphs, and how often contexts are retained. */
API cuSimLive() {
  int total = 0;
  describe_live(total);
  return total;
}
/** The same as a sentence such as "1 module, 2 streams"; writes at most `length` bytes, with a zero at the end. */
API cuSimDescribeLive(char *text, int length) {
  int total = 0;
  std::snprintf(text, std::size_t(length), "%s", describe_live(total).c_str());
  return total;
}
/** What released contexts still held counts no longer. */
API cuSimForgetLeaks() {
  const std::lock_guard lock(driver().mutex);
  driver().leaked = 0;
  return success;
}
/** What the last launch that failed did wrong. */
API cuSimLastFailure(char *text, int length) {
  const std::lock_guard lock(driver().mutex);
  return std::snprintf(text, std::size_t(length), "%s", driver().last_failure.c_str());
}
/** 1: no stream begins anything any more; 0: they go on. */
API cuSimPause(int paused) {
  pause_streams(paused != 0);
  return success;
}
