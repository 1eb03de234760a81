/** The driver API: streams, events and graphs, and copies, which are work of streams. */
#include <algorithm>
#include <cstring>

#include "api.h"
#include "stream.h"

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

namespace {
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
