/** The driver API: modules and launches. */
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "api.h"
#include "launch.h"
#include "sha256.h"
#include "stream.h"

namespace {
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
