/** The driver API: modules, launches, streams, events and graphs, and copies, which are work of streams. */
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "api.h"
#include "launch.h"
#include "sha256.h"
#include "stream.h"

namespace {
/** The stream that a handle stands for: null, 1 and 2 are default streams, which wait for all others. Null where it is none. */
std::shared_ptr<Stream> stream_of(void *handle) {
  if (reinterpret_cast<std::uintptr_t>(handle) > 2) {
    auto found = driver().find<Stream>(handle, Kind::stream);
    return found != nullptr && found->context == current_context() ? found : nullptr;
  }
  Context &context = *current_context();
  wait_for_context(context);
  const std::lock_guard lock(driver().mutex);
  if (context.default_stream == nullptr) context.default_stream = std::make_shared<Stream>(&context, 0);
  return context.default_stream;
}

/** Work that is waited for, as that of functions without Async is. */
int finish(const std::shared_ptr<Stream> &stream) {
  stream->wait_idle();
  return stream->context->error;
}

int copy_to_device(void *to, const void *from, std::size_t bytes, const std::shared_ptr<Stream> &stream) {
  Context *context = stream->context;
  if (!context->memory.holds(to, bytes)) return invalid_value;
  const auto copy = [context, to, bytes](const void *source) -> int {
    if (!context->memory.holds(to, bytes)) return illegal_address;
    std::memcpy(to, source, bytes);
    return success;
  };
  // Memory that is not pinned is read before the call returns; pinned memory when its turn comes.
  if (driver().holds_pinned(from, bytes) || stream->capturing != nullptr) {
    stream->add([copy, from] { return copy(from); });
  } else {
    const auto *first = static_cast<const std::uint8_t *>(from);
    stream->add([copy, held = std::vector<std::uint8_t>(first, first + bytes)] { return copy(held.data()); });
  }
  return success;
}
int copy_to_host(void *to, const void *from, std::size_t bytes, const std::shared_ptr<Stream> &stream) {
  Context *context = stream->context;
  if (!context->memory.holds(from, bytes)) return invalid_value;
  stream->add([context, to, from, bytes]() -> int {
    if (!context->memory.holds(from, bytes)) return illegal_address;
    std::memcpy(to, from, bytes);
    return success;
  });
  return driver().holds_pinned(to, bytes) || stream->capturing != nullptr ? int(success) : finish(stream);
}

/** Puts a number of bytes again and again. */
int fill(void *to, std::uint32_t value, std::size_t size, std::size_t count, const std::shared_ptr<Stream> &stream) {
  Context *context = stream->context;
  const std::size_t bytes = size * count;
  if (!context->memory.holds(to, bytes) || reinterpret_cast<std::uintptr_t>(to) % size != 0) return invalid_value;
  stream->add([context, to, value, size, bytes]() -> int {
    if (!context->memory.holds(to, bytes)) return illegal_address;
    for (std::size_t at = 0; at < bytes; at += size) std::memcpy(static_cast<std::uint8_t *>(to) + at, &value, size);
    return success;
  });
  return success;
}

/** CUjit_option: where a text is to be written, and how long it may be. */
struct LogBuffers {
  char *error = nullptr;
  std::size_t error_bytes = 0;
  void **error_written = nullptr;
  LogBuffers(unsigned count, const int *options, void **values) {
    for (unsigned index = 0; index < count; index++) {
      if (options[index] == 5) error = static_cast<char *>(values[index]);
      if (options[index] != 6 && options[index] != 4) continue;
      if (options[index] == 6) {
        // A number of 32 bits in place of a pointer.
        error_bytes = reinterpret_cast<std::uintptr_t>(values[index]) & 0xffffffffu;
        error_written = &values[index];
      } else {
        values[index] = nullptr;
      }
    }
    write("");
  }
  void write(const std::string &text) {
    const std::size_t written = error == nullptr || error_bytes == 0 ? 0 : std::min(text.size(), error_bytes - 1);
    if (error != nullptr && error_bytes > 0) {
      std::memcpy(error, text.data(), written);
      error[written] = '\0';
    }
    if (error_written != nullptr) *error_written = reinterpret_cast<void *>(written);
  }
};

/** Finds the module in the folders of ATPC_CUDA_SIM_MODULES, which colons separate. */
std::string module_file(const std::string &folders, const std::string &name) {
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    const std::string file = folders.substr(at, end - at) + "/" + name;
    if (std::FILE *found = std::fopen(file.c_str(), "rb")) {
      std::fclose(found);
      return file;
    }
    at = end + 1;
  }
  return "";
}

int load_module(Module **made, const char *image, LogBuffers log) {
  if (made == nullptr || image == nullptr) return invalid_value;
  Settings settings;
  {
    const std::lock_guard lock(driver().mutex);
    settings = driver().settings;
  }
  const std::string_view text = image;
  auto module = std::make_shared<Module>(Kind::module, current_context());
  if (!parse_ptx(text, module->ptx)) {
    log.write("ptxas fatal   : this is no PTX");
    return text.substr(1, 3) == "ELF" ? invalid_image : invalid_ptx;
  }
  const Ptx &ptx = module->ptx;
  if (driver_for_ptx(ptx.version) > settings.driver_version) {
    log.write("ptxas application ptx input, line 1; fatal   : Unsupported .version " + std::to_string(ptx.version / 10) + "." +
              std::to_string(ptx.version % 10));
    return unsupported_ptx_version;
  }
  if (ptx.target > settings.capability) {
    log.write("ptxas fatal   : SM version specified by .target is higher than default SM version assumed");
    return invalid_ptx;
  }
  const std::string digest = sha256(text);
  const std::string file = module_file(settings.modules, digest + ".so");
  if (file.empty()) {
    const std::string problem = "there is no " + digest + ".so in '" + settings.modules + "' (ATPC_CUDA_SIM_MODULES): simulateModules makes it";
    log.write(problem);
    driver().report(problem);
    return invalid_ptx;
  }
  std::vector<std::string> names;
  for (const PtxKernel &kernel : ptx.kernels) names.push_back(kernel.name);
  std::string problem;
  module->code = ModuleCode::load(file, names, problem);
  if (module->code == nullptr) {
    log.write(problem);
    driver().report(problem);
    return invalid_image;
  }
  for (const PtxKernel &kernel : ptx.kernels) {
    auto function = std::make_shared<Function>(Kind::function, current_context());
    function->ptx = kernel;
    function->code = module->code;
    function->index = module->code->kernel_index(kernel.name);
    function->ptx_version = ptx.version;
    module->functions[kernel.name] = function;
  }
  driver().add(module);
  *made = module.get();
  return success;
}

/** The pointers that a kernel gets, from `kernelParams` or from the packed buffer in `extra` (cuda.h, cuLaunchKernel). */
bool read_parameters(const PtxKernel &kernel, void **kernel_parameters, void **extra, std::vector<void *> &parameters, std::string &problem) {
  parameters.assign(kernel.parameters, nullptr);
  if (!kernel.only_pointers || kernel.parameters > most_kernel_parameters) {
    problem = "the simulated device calls kernels with up to " + std::to_string(most_kernel_parameters) + " pointers and nothing else";
    return false;
  }
  if (kernel_parameters != nullptr) {
    if (extra != nullptr) {
      problem = "both kernelParams and extra were given";
      return false;
    }
    for (std::size_t index = 0; index < parameters.size(); index++) std::memcpy(&parameters[index], kernel_parameters[index], sizeof(void *));
    return true;
  }
  const void *buffer = nullptr;
  std::size_t bytes = 0;
  while (extra != nullptr && *extra != nullptr) {
    const auto key = reinterpret_cast<std::uintptr_t>(extra[0]);
    if (key == 1) buffer = extra[1];
    if (key == 2) bytes = *static_cast<const std::size_t *>(extra[1]);
    if (key != 1 && key != 2) {
      problem = "extra holds the key " + std::to_string(key);
      return false;
    }
    extra += 2;
  }
  if (bytes != parameters.size() * sizeof(void *) || (bytes > 0 && buffer == nullptr)) {
    problem = "its parameters are " + std::to_string(parameters.size() * sizeof(void *)) + " bytes in the PTX, " + std::to_string(bytes) +
              " bytes were given";
    return false;
  }
  if (bytes > 0) std::memcpy(parameters.data(), buffer, bytes);
  return true;
}
}  // namespace

// Copies.

API cuMemcpyHtoDAsync_v2(void *to, const void *from, std::size_t bytes, void *handle) {
  BEGIN_IN_CONTEXT(cuMemcpyHtoDAsync_v2);
  const auto stream = stream_of(handle);
  if (stream == nullptr) return invalid_handle;
  return from == nullptr && bytes > 0 ? int(invalid_value) : copy_to_device(to, from, bytes, stream);
}
API cuMemcpyDtoHAsync_v2(void *to, const void *from, std::size_t bytes, void *handle) {
  BEGIN_IN_CONTEXT(cuMemcpyDtoHAsync_v2);
  const auto stream = stream_of(handle);
  if (stream == nullptr) return invalid_handle;
  return to == nullptr && bytes > 0 ? int(invalid_value) : copy_to_host(to, from, bytes, stream);
}
API cuMemcpyDtoDAsync_v2(void *to, const void *from, std::size_t bytes, void *handle) {
  BEGIN_IN_CONTEXT(cuMemcpyDtoDAsync_v2);
  const auto stream = stream_of(handle);
  if (stream == nullptr) return invalid_handle;
  Context *context = stream->context;
  const auto held = [context, to, from, bytes] { return context->memory.holds(to, bytes) && context->memory.holds(from, bytes); };
  if (!held()) return invalid_value;
  stream->add([held, to, from, bytes]() -> int {
    if (!held()) return illegal_address;
    std::memmove(to, from, bytes);
    return success;
  });
  return success;
}
API cuMemcpyHtoD_v2(void *to, const void *from, std::size_t bytes) {
  BEGIN_IN_CONTEXT(cuMemcpyHtoD_v2);
  const auto stream = stream_of(nullptr);
  const int code = copy_to_device(to, from, bytes, stream);
  return code == success ? finish(stream) : code;
}
API cuMemcpyDtoH_v2(void *to, const void *from, std::size_t bytes) {
  BEGIN_IN_CONTEXT(cuMemcpyDtoH_v2);
  const auto stream = stream_of(nullptr);
  const int code = copy_to_host(to, from, bytes, stream);
  return code == success ? finish(stream) : code;
}
API cuMemsetD8Async(void *to, unsigned char value, std::size_t count, void *handle) {
  BEGIN_IN_CONTEXT(cuMemsetD8Async);
  const auto stream = stream_of(handle);
  return stream == nullptr ? int(invalid_handle) : fill(to, value, 1, count, stream);
}
API cuMemsetD32Async(void *to, unsigned value, std::size_t count, void *handle) {
  BEGIN_IN_CONTEXT(cuMemsetD32Async);
  const auto stream = stream_of(handle);
  return stream == nullptr ? int(invalid_handle) : fill(to, value, 4, count, stream);
}

// Modules.

API cuModuleLoadData(Module **module, const void *image) {
  BEGIN_IN_CONTEXT(cuModuleLoadData);
  return load_module(module, static_cast<const char *>(image), LogBuffers(0, nullptr, nullptr));
}
API cuModuleLoadDataEx(Module **module, const void *image, unsigned count, int *options, void **values) {
  BEGIN_IN_CONTEXT(cuModuleLoadDataEx);
  if (count > 0 && (options == nullptr || values == nullptr)) return invalid_value;
  return load_module(module, static_cast<const char *>(image), LogBuffers(count, options, values));
}
API cuModuleUnload(void *handle) {
  BEGIN_FREEING(cuModuleUnload);
  const auto module = driver().find<Module>(handle, Kind::module);
  if (module == nullptr) return begun == success ? int(invalid_handle) : begun;
  for (const auto &[name, function] : module->functions) driver().remove(function.get());
  driver().remove(handle);
  return begun;
}
API cuModuleGetFunction(void **made, void *handle, const char *name) {
  BEGIN_IN_CONTEXT(cuModuleGetFunction);
  if (made == nullptr || name == nullptr) return invalid_value;
  const auto module = driver().find<Module>(handle, Kind::module);
  if (module == nullptr) return invalid_handle;
  const auto found = module->functions.find(name);
  if (found == module->functions.end()) return not_found;
  driver().add(found->second);
  *made = found->second.get();
  return success;
}
API cuFuncGetAttribute(int *value, int attribute, void *handle) {
  BEGIN_IN_CONTEXT(cuFuncGetAttribute);
  if (value == nullptr) return invalid_value;
  const auto function = driver().find<Function>(handle, Kind::function);
  if (function == nullptr) return invalid_handle;
  switch (attribute) {
    case 0: *value = int(function->ptx.most_threads); return success;
    case 1: *value = int(function->ptx.shared_bytes); return success;
    case 2:
    case 3: *value = 0; return success;
    // Registers are a matter of the compiler, which there is none of here.
    case 4: *value = 0; return success;
    case 5: *value = function->ptx_version; return success;
    case 6: *value = driver().settings.capability; return success;
    default: return invalid_value;
  }
}

API cuLaunchKernel(void *handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
                   unsigned shared_bytes, void *stream_handle, void **kernel_parameters, void **extra) {
  BEGIN_IN_CONTEXT(cuLaunchKernel);
  const auto function = driver().find<Function>(handle, Kind::function);
  const auto stream = stream_of(stream_handle);
  if (function == nullptr || stream == nullptr || function->context != current_context()) return invalid_handle;
  const PtxKernel &kernel = function->ptx;
  const std::uint64_t threads = std::uint64_t(block_x) * block_y * block_z;
  if (grid_x == 0 || grid_y == 0 || grid_z == 0 || threads == 0 || grid_x > 2147483647u || grid_y > 65535 || grid_z > 65535 || block_z > 64)
    return invalid_value;
  if (threads > 1024 || threads > kernel.most_threads || (kernel.exact_threads && threads != kernel.most_threads)) return invalid_value;
  // Dynamic shared memory is none that kernels here have.
  if (shared_bytes > 0 || kernel.shared_bytes > 49152) return invalid_value;
  Launch launch;
  launch.name = kernel.name;
  launch.grid_size = {grid_x, grid_y, grid_z};
  launch.block_size = {block_x, block_y, block_z};
  launch.kernel = function->index;
  std::string problem;
  if (!read_parameters(kernel, kernel_parameters, extra, launch.parameters, problem)) {
    driver().report("kernel " + kernel.name + ": " + problem);
    return invalid_value;
  }
  stream->add([context = stream->context, code = function->code, launch]() -> int {
    // A fault of the launch itself, which is found out after cuLaunchKernel has returned.
    if (const int fault = driver().faults.next("kernel")) return fault;
    return run_launch(*context, code, launch);
  });
  return success;
}

// Streams.

API cuStreamCreate(void **made, unsigned flags) {
  BEGIN_IN_CONTEXT(cuStreamCreate);
  if (made == nullptr || flags > 1) return invalid_value;
  const auto stream = std::make_shared<Stream>(current_context(), flags);
  driver().add(stream);
  *made = stream.get();
  return success;
}
API cuStreamDestroy_v2(void *handle) {
  BEGIN_FREEING(cuStreamDestroy_v2);
  const auto stream = driver().find<Stream>(handle, Kind::stream);
  if (stream == nullptr) return begun == success ? int(invalid_handle) : begun;
  stream->stop();
  driver().remove(handle);
  return begun;
}
API cuStreamSynchronize(void *handle) {
  BEGIN_IN_CONTEXT(cuStreamSynchronize);
  const auto stream = stream_of(handle);
  if (stream == nullptr) return invalid_handle;
  if (stream->capturing != nullptr) {
    stream->capture_invalid = true;
    return stream_capture_unsupported;
  }
  return finish(stream);
}
API cuStreamQuery(void *handle) {
  BEGIN_IN_CONTEXT(cuStreamQuery);
  const auto stream = stream_of(handle);
  if (stream == nullptr) return invalid_handle;
  return stream->idle() ? int(success) : int(not_ready);
}
API cuStreamWaitEvent(void *handle, void *event_handle, unsigned) {
  BEGIN_IN_CONTEXT(cuStreamWaitEvent);
  const auto stream = stream_of(handle);
  const auto event = driver().find<Event>(event_handle, Kind::event);
  if (stream == nullptr || event == nullptr) return invalid_handle;
  // In a capture, work of one stream is in order anyway.
  if (stream->capturing != nullptr || event->captured) return success;
  stream->add([event, wait = event->recorded()] {
    if (wait) event->wait();
    return int(success);
  });
  return success;
}

// Events.

API cuEventCreate(void **made, unsigned flags) {
  BEGIN_IN_CONTEXT(cuEventCreate);
  if (made == nullptr || flags > 7) return invalid_value;
  const auto event = std::make_shared<Event>(current_context(), flags);
  driver().add(event);
  *made = event.get();
  return success;
}
API cuEventDestroy_v2(void *handle) {
  BEGIN_FREEING(cuEventDestroy_v2);
  if (driver().find<Event>(handle, Kind::event) == nullptr) return begun == success ? int(invalid_handle) : begun;
  driver().remove(handle);
  return begun;
}
API cuEventRecord(void *handle, void *stream_handle) {
  BEGIN_IN_CONTEXT(cuEventRecord);
  const auto event = driver().find<Event>(handle, Kind::event);
  const auto stream = stream_of(stream_handle);
  if (event == nullptr || stream == nullptr || event->context != stream->context) return invalid_handle;
  // In a capture it only says what depends on what (CUDA C++ Programming Guide, stream capture).
  event->captured = stream->capturing != nullptr;
  if (!event->captured) stream->add(event->record());
  return success;
}
API cuEventQuery(void *handle) {
  BEGIN_IN_CONTEXT(cuEventQuery);
  const auto event = driver().find<Event>(handle, Kind::event);
  if (event == nullptr) return invalid_handle;
  if (event->captured) return captured_event;
  if (event->done()) return success;
  return not_ready;
}
API cuEventSynchronize(void *handle) {
  BEGIN_IN_CONTEXT(cuEventSynchronize);
  const auto event = driver().find<Event>(handle, Kind::event);
  if (event == nullptr) return invalid_handle;
  if (event->captured) return captured_event;
  event->wait();
  return event->context->error;
}
/** In milliseconds. */
static int elapsed(float *milliseconds, void *first_handle, void *last_handle) {
  const auto first = driver().find<Event>(first_handle, Kind::event), last = driver().find<Event>(last_handle, Kind::event);
  if (milliseconds == nullptr) return invalid_value;
  if (first == nullptr || last == nullptr || !first->recorded() || !last->recorded() || ((first->flags | last->flags) & 2) != 0)
    return invalid_handle;
  if (!first->done() || !last->done()) return not_ready;
  *milliseconds = float(double(last->time() - first->time()) / 1e6);
  return success;
}
API cuEventElapsedTime(float *milliseconds, void *first, void *last) {
  BEGIN_IN_CONTEXT(cuEventElapsedTime);
  return elapsed(milliseconds, first, last);
}
API cuEventElapsedTime_v2(float *milliseconds, void *first, void *last) {
  BEGIN_IN_CONTEXT(cuEventElapsedTime_v2);
  return elapsed(milliseconds, first, last);
}

// Graphs.

API cuStreamBeginCapture_v2(void *handle, int mode) {
  BEGIN_IN_CONTEXT(cuStreamBeginCapture_v2);
  if (mode < 0 || mode > 2) return invalid_value;
  if (reinterpret_cast<std::uintptr_t>(handle) <= 1) return stream_capture_unsupported;
  const auto stream = stream_of(handle);
  if (stream == nullptr) return invalid_handle;
  if (stream->capturing != nullptr) return illegal_state;
  stream->capturing = std::make_shared<Graph>(Kind::graph, current_context());
  stream->capture_invalid = false;
  return success;
}
API cuStreamIsCapturing(void *handle, int *status) {
  BEGIN_IN_CONTEXT(cuStreamIsCapturing);
  const auto stream = stream_of(handle);
  if (stream == nullptr) return invalid_handle;
  if (status == nullptr) return invalid_value;
  *status = stream->capturing == nullptr ? 0 : stream->capture_invalid ? 2 : 1;
  return success;
}
API cuStreamEndCapture(void *handle, void **made) {
  const int begun = begin("cuStreamEndCapture", true);
  const auto stream = current_context() == nullptr ? nullptr : stream_of(handle);
  if (stream == nullptr) return begun == success ? int(invalid_handle) : begun;
  const auto graph = std::move(stream->capturing);
  stream->capturing = nullptr;
  if (begun != success) return begun;
  if (graph == nullptr) return illegal_state;
  if (made == nullptr) return invalid_value;
  *made = nullptr;
  if (stream->capture_invalid) return stream_capture_invalidated;
  driver().add(graph);
  *made = graph.get();
  return success;
}
API cuGraphInstantiateWithFlags(void **made, void *handle, unsigned long long) {
  BEGIN_IN_CONTEXT(cuGraphInstantiateWithFlags);
  if (made == nullptr) return invalid_value;
  const auto graph = driver().find<Graph>(handle, Kind::graph);
  if (graph == nullptr) return invalid_handle;
  const auto exec = std::make_shared<GraphExec>(Kind::graph_exec, current_context());
  exec->operations = std::make_shared<const std::vector<Operation>>(graph->operations);
  driver().add(exec);
  *made = exec.get();
  return success;
}
API cuGraphGetNodes(void *handle, void **, std::size_t *count) {
  BEGIN_IN_CONTEXT(cuGraphGetNodes);
  const auto graph = driver().find<Graph>(handle, Kind::graph);
  if (graph == nullptr) return invalid_handle;
  if (count == nullptr) return invalid_value;
  *count = graph->operations.size();
  return success;
}
API cuGraphLaunch(void *handle, void *stream_handle) {
  BEGIN_IN_CONTEXT(cuGraphLaunch);
  const auto exec = driver().find<GraphExec>(handle, Kind::graph_exec);
  const auto stream = stream_of(stream_handle);
  if (exec == nullptr || stream == nullptr) return invalid_handle;
  stream->add([operations = exec->operations]() -> int {
    for (const Operation &operation : *operations)
      if (const int code = operation()) return code;
    return success;
  });
  return success;
}
API cuGraphExecDestroy(void *handle) {
  BEGIN_FREEING(cuGraphExecDestroy);
  if (driver().find<GraphExec>(handle, Kind::graph_exec) == nullptr) return begun == success ? int(invalid_handle) : begun;
  driver().remove(handle);
  return begun;
}
API cuGraphDestroy(void *handle) {
  BEGIN_FREEING(cuGraphDestroy);
  if (driver().find<Graph>(handle, Kind::graph) == nullptr) return begun == success ? int(invalid_handle) : begun;
  driver().remove(handle);
  return begun;
}
