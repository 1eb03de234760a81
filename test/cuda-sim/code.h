/**
 * A module as it runs on the CPU: the shared library made of its kernels.cu. Each host thread that runs blocks has an instance of its
 * own, so that the static arrays which stand for shared memory belong to one block at a time.
 */
#ifndef ATPC_SIMULATED_CODE
#define ATPC_SIMULATED_CODE

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "module-interface.h"

constexpr std::size_t most_kernel_parameters = 64;

/** An array of shared memory: where it lies in the file's image, and how long it is. */
struct SharedArray {
  std::string name;
  std::size_t offset, bytes;
};
struct KernelCode {
  std::string name;
  std::vector<SharedArray> shared;
};

class ModuleInstance {
 public:
  SimulatedDevice *device = nullptr;
  SimulatedThread **thread = nullptr;
  /** Whether it tells of each access to memory. */
  bool checked = false;
  void *kernel(std::size_t index) const { return addresses[index]; }
  const std::vector<SharedArray> &shared(std::size_t index) const { return (*kernels)[index].shared; }
  const std::uint8_t *image_start() const { return base; }
  const std::uint8_t *image_end() const { return base + image_bytes; }
  /** Shared memory holds anything when a block starts: NaN here. */
  void fill_shared(std::size_t index) const;

 private:
  friend class ModuleCode;
  const std::vector<KernelCode> *kernels = nullptr;
  std::uint8_t *base = nullptr;
  std::size_t image_bytes = 0;
  std::vector<void *> addresses;
};

class ModuleCode {
 public:
  /** Loads the library at `link`, which must have the kernels named. Null with `problem` where it cannot. */
  static std::shared_ptr<ModuleCode> load(const std::string &link, const std::vector<std::string> &names, std::string &problem);
  /** The instance of host thread `number`; null where it cannot be loaded. */
  ModuleInstance *instance(std::size_t number);
  /** The line of kernels.cu at an address in an instance's code, as " (line 12 of FILE)"; nothing where it is not known. */
  std::string line_at(const ModuleInstance &instance, const void *place) const;
  std::size_t kernel_index(const std::string &name) const;
  const KernelCode &kernel(std::size_t index) const { return kernels[index]; }

 private:
  bool open(ModuleInstance &instance, const std::string &path, std::string &problem);
  std::string file;
  std::size_t image_bytes = 0;
  std::vector<KernelCode> kernels;
  std::mutex mutex;
  std::vector<std::unique_ptr<ModuleInstance>> instances;
};

#endif
