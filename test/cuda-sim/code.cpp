#include "code.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "device-functions.h"

namespace {
std::vector<char> read_file(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return std::vector<char>(std::istreambuf_iterator<char>(stream), {});
}

/**
 * How many bytes of memory the library takes, and the static variables of each kernel, and of the functions in its namespace NAME_kernel: by their mangled names (Itanium C++ ABI,
 * 5.1.6, local names: _ZZ, then the function, E, then the variable).
 */
std::size_t read_image(const std::vector<char> &image, std::vector<KernelCode> &kernels) {
  if (image.size() < sizeof(ElfW(Ehdr))) return 0;
  ElfW(Ehdr) header;
  std::memcpy(&header, image.data(), sizeof header);
  const auto section = [&](std::size_t index) {
    ElfW(Shdr) found;
    std::memcpy(&found, image.data() + header.e_shoff + index * header.e_shentsize, sizeof found);
    return found;
  };
  std::size_t bytes = 0;
  for (std::size_t index = 0; index < header.e_phnum; index++) {
    ElfW(Phdr) segment;
    std::memcpy(&segment, image.data() + header.e_phoff + index * header.e_phentsize, sizeof segment);
    if (segment.p_type == PT_LOAD) bytes = std::max<std::size_t>(bytes, segment.p_vaddr + segment.p_memsz);
  }
  for (std::size_t index = 0; index < header.e_shnum; index++) {
    const ElfW(Shdr) table = section(index);
    if (table.sh_type != SHT_SYMTAB) continue;
    const ElfW(Shdr) strings = section(table.sh_link);
    for (std::size_t at = 0; at + sizeof(ElfW(Sym)) <= table.sh_size; at += sizeof(ElfW(Sym))) {
      ElfW(Sym) symbol;
      std::memcpy(&symbol, image.data() + table.sh_offset + at, sizeof symbol);
      const std::string name = image.data() + strings.sh_offset + symbol.st_name;
      if ((symbol.st_info & 15) != STT_OBJECT || name.compare(0, 3, "_ZZ") != 0) continue;
      for (KernelCode &kernel : kernels) {
        const std::string length = std::to_string(kernel.name.size()), space = kernel.name + "_kernel";
        const std::string own = "_ZZ" + length + kernel.name + "E", inner = "_ZZN" + std::to_string(space.size()) + space;
        if (name.compare(0, own.size(), own) == 0 || name.compare(0, inner.size(), inner) == 0)
          kernel.shared.push_back({name, symbol.st_value, symbol.st_size});
      }
    }
  }
  return bytes;
}
}  // namespace

void ModuleInstance::fill_shared(std::size_t index) const {
  for (const SharedArray &array : (*kernels)[index].shared) std::memset(base + array.offset, 0xff, array.bytes);
}

std::shared_ptr<ModuleCode> ModuleCode::load(const std::string &link, const std::vector<std::string> &names, std::string &problem) {
  static std::mutex all_mutex;
  // For ever, as the driver keeps what it has compiled: a module that is loaded again is there.
  static auto *all = new std::map<std::string, std::shared_ptr<ModuleCode>>();
  const std::lock_guard lock(all_mutex);
  // A link may lead to another file than when it was loaded before.
  char *resolved = realpath(link.c_str(), nullptr);
  const std::string path = resolved == nullptr ? link : resolved;
  std::free(resolved);
  std::string key = path;
  for (const std::string &name : names) key += "\n" + name;
  const auto found = all->find(key);
  if (found != all->end()) return found->second;

  auto code = std::make_shared<ModuleCode>();
  code->file = path;
  for (const std::string &name : names) code->kernels.push_back({name, {}});
  code->image_bytes = read_image(read_file(path), code->kernels);
  auto first = std::make_unique<ModuleInstance>();
  if (!code->open(*first, path, problem)) return nullptr;
  code->instances.push_back(std::move(first));
  (*all)[key] = code;
  return code;
}

bool ModuleCode::open(ModuleInstance &instance, const std::string &path, std::string &problem) {
  void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    problem = dlerror();
    return false;
  }
  instance.kernels = &kernels;
  instance.device = static_cast<SimulatedDevice *>(dlsym(handle, "atpc_simulated_device"));
  instance.thread = static_cast<SimulatedThread **>(dlsym(handle, "atpc_simulated_thread"));
  if (instance.device == nullptr || instance.thread == nullptr) {
    problem = path + " is no module of the simulated device: it was not compiled with simulated-device.h";
    return false;
  }
  link_map *map = nullptr;
  dlinfo(handle, RTLD_DI_LINKMAP, &map);
  instance.checked = dlsym(handle, "atpc_simulated_checked") != nullptr;
  instance.image_bytes = image_bytes;
  instance.base = reinterpret_cast<std::uint8_t *>(map->l_addr);
  for (const KernelCode &kernel : kernels) {
    void *address = dlsym(handle, kernel.name.c_str());
    if (address == nullptr) {
      problem = path + " has no kernel '" + kernel.name + "', which the PTX has: the two are not of one kernels.cu";
      return false;
    }
    instance.addresses.push_back(address);
  }
  *instance.device = device_functions();
  return true;
}

ModuleInstance *ModuleCode::instance(std::size_t number) {
  const std::lock_guard lock(mutex);
  while (instances.size() <= number) {
    // The loader tells files apart by name, device and inode: a copy is another file.
    std::string copy = file + ".XXXXXX";
    const int descriptor = mkstemp(copy.data());
    if (descriptor < 0) return nullptr;
    const std::vector<char> image = read_file(file);
    const bool written = write(descriptor, image.data(), image.size()) == ssize_t(image.size());
    close(descriptor);
    auto instance = std::make_unique<ModuleInstance>();
    std::string problem;
    const bool opened = written && open(*instance, copy, problem);
    unlink(copy.c_str());
    if (!opened) return nullptr;
    instances.push_back(std::move(instance));
  }
  return instances[number].get();
}

std::size_t ModuleCode::kernel_index(const std::string &name) const {
  std::size_t index = 0;
  while (index < kernels.size() && kernels[index].name != name) index++;
  return index;
}

std::string ModuleCode::line_at(const ModuleInstance &instance, const void *place) const {
  const auto *byte = static_cast<const std::uint8_t *>(place);
  if (byte < instance.image_start() || byte >= instance.image_end()) return "";
  // binutils come with g++. The instruction is before the address that a call returns to.
  char command[64];
  std::snprintf(command, sizeof command, "' 0x%zx 2>/dev/null", std::size_t(byte - instance.image_start()) - 1);
  std::FILE *lines = popen(("addr2line -i -e '" + file + command).c_str(), "r");
  if (lines == nullptr) return "";
  std::string found;
  char line[1024];
  // Of functions that were put into others, the first that is in the file itself, and not in a header.
  while (std::fgets(line, sizeof line, lines) != nullptr) {
    const std::string text = line;
    const std::size_t colon = text.find(".cu:");
    if (colon == std::string::npos || !found.empty()) continue;
    found = " (line " + std::to_string(std::atoi(text.c_str() + colon + 4)) + " of " + text.substr(0, colon + 3) + ")";
  }
  pclose(lines);
  return found;
}
