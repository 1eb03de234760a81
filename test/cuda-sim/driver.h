/**
 * The state of the simulated driver: contexts, and the objects that handles point to. One mutex guards it; streams have threads and
 * mutexes of their own (stream.h).
 */
#ifndef ATPC_SIMULATED_DRIVER
#define ATPC_SIMULATED_DRIVER

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "code.h"
#include "memory.h"
#include "ptx.h"

/** CUresult: the codes that are used (cuda.h). */
enum Result : int {
  success = 0,
  invalid_value = 1,
  out_of_memory = 2,
  not_initialized = 3,
  no_device = 100,
  invalid_device = 101,
  invalid_image = 200,
  invalid_context = 201,
  invalid_ptx = 218,
  unsupported_ptx_version = 222,
  invalid_handle = 400,
  illegal_state = 401,
  not_found = 500,
  not_ready = 600,
  illegal_address = 700,
  launch_out_of_resources = 701,
  illegal_instruction = 715,
  misaligned_address = 716,
  launch_failed = 719,
  stream_capture_unsupported = 900,
  stream_capture_invalidated = 901,
  stream_capture_unmatched = 903,
  captured_event = 907,
};
/** Whether a context is of no use any more after an error: no call succeeds in it (cuda.h, at each of these codes). */
bool is_sticky(int code);
const char *name_of_result(int code);
const char *sentence_of_result(int code);

/** What the environment says; read at each cuInit. */
struct Settings {
  int devices = 1, driver_version = 13000, capability = 80;
  std::size_t memory = std::size_t(8) << 30;
  std::string modules, order, name = "Simulated CUDA device";
  std::size_t threads = 1;
  bool quiet = false;
};
/** Faults of ATPC_CUDA_SIM_FAULTS: what the call of a function is to return instead of doing its work, or success. */
class Faults {
 public:
  void configure(const char *text);
  /** Counts the call. */
  int next(const std::string &function);

 private:
  struct Fault {
    std::string function;
    /** Calls from `first` on, up to `last`. */
    std::uint64_t first, last;
    int code;
  };
  std::mutex mutex;
  std::vector<Fault> faults;
  std::map<std::string, std::uint64_t> calls;
};

enum class Kind { context, module, function, stream, event, graph, graph_exec };
struct Context;
/** What a handle points to. */
struct Object {
  Object(Kind kind, Context *context) : kind(kind), context(context) {}
  virtual ~Object() = default;
  const Kind kind;
  Context *const context;
};

struct Function : Object {
  using Object::Object;
  PtxKernel ptx;
  std::shared_ptr<ModuleCode> code;
  std::size_t index = 0;
  int ptx_version = 0;
};
struct Module : Object {
  using Object::Object;
  Ptx ptx;
  std::shared_ptr<ModuleCode> code;
  std::map<std::string, std::shared_ptr<Function>> functions;
};

class Stream;
/** A primary context, or one of its maker's own. */
struct Context : Object {
  Context(int device, std::size_t bytes) : Object(Kind::context, this), device(device), memory(bytes) {}
  const int device;
  int retains = 0;
  DeviceMemory memory;
  /** The first sticky error. */
  std::atomic<int> error{0};
  std::shared_ptr<Stream> default_stream;
};

struct Driver {
  std::mutex mutex;
  std::atomic<bool> initialized{false};
  Settings settings;
  Faults faults;
  /** Primary contexts by their device; others have a number below 0. */
  std::map<int, std::unique_ptr<Context>> contexts;
  std::map<const void *, std::shared_ptr<Object>> objects;
  /** Pinned memory by its first byte: how long it is, and whose it is. */
  struct Pinned {
    std::size_t bytes;
    Context *context;
  };
  std::map<const std::uint8_t *, Pinned> pinned;
  std::string last_failure;
  /** What contexts still held when their last user released them. */
  int leaked = 0;

  void add(const std::shared_ptr<Object> &object);
  /** Null where the handle is none of such a thing. */
  template <typename T>
  std::shared_ptr<T> find(const void *handle, Kind kind) {
    const std::lock_guard lock(mutex);
    const auto found = objects.find(handle);
    if (found == objects.end() || found->second->kind != kind) return nullptr;
    return std::static_pointer_cast<T>(found->second);
  }
  bool remove(const void *handle);
  bool holds_pinned(const void *address, std::size_t bytes);
  void report(const std::string &sentence);
};
/** Never destroyed: threads of streams may outlive the main function. */
Driver &driver();

/** Live objects of all kinds, as a sentence such as "1 module, 2 streams"; `total` counts them. */
std::string describe_live(int &total);

/** Where the calling host thread is: its current context. */
Context *&current_context();

#endif
