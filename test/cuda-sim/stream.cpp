#include "stream.h"

#include <chrono>

namespace {
std::mutex pause_mutex;
std::condition_variable pause_changed;
bool streams_paused = false;

void wait_while_paused() {
  std::unique_lock lock(pause_mutex);
  pause_changed.wait(lock, [] { return !streams_paused; });
}
}  // namespace

void pause_streams(bool paused) {
  const std::lock_guard lock(pause_mutex);
  streams_paused = paused;
  pause_changed.notify_all();
}

Operation Event::record() {
  const std::lock_guard lock(mutex);
  const std::uint64_t mine = ++records;
  // The operation holds the event: it may be destroyed before it is met (cuda.h, cuEventDestroy).
  return [this, mine, keep = driver().find<Event>(this, Kind::event)] {
    const std::lock_guard inner(mutex);
    met = std::max(met, mine);
    when = std::chrono::steady_clock::now().time_since_epoch().count();
    changed.notify_all();
    return int(success);
  };
}
bool Event::recorded() const {
  const std::lock_guard lock(mutex);
  return records > 0;
}
bool Event::done() const {
  const std::lock_guard lock(mutex);
  return met >= records;
}
void Event::wait() const {
  std::unique_lock lock(mutex);
  const std::uint64_t last = records;
  // After an error that lasts it is never met.
  while (met < last && context->error == success) changed.wait_for(lock, std::chrono::milliseconds(10));
}
std::int64_t Event::time() const {
  const std::lock_guard lock(mutex);
  return when;
}

Stream::Stream(Context *context, unsigned flags) : Object(Kind::stream, context), flags(flags) {
  std::thread([this] { work(); }).detach();
}

void Stream::add(Operation operation) {
  if (capturing != nullptr) {
    capturing->operations.push_back(std::move(operation));
    return;
  }
  const std::lock_guard lock(mutex);
  operations.push_back(std::move(operation));
  changed.notify_all();
}

bool Stream::idle() {
  const std::lock_guard lock(mutex);
  return operations.empty() && !busy;
}
void Stream::wait_idle() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return operations.empty() && !busy; });
}
void Stream::stop() {
  std::unique_lock lock(mutex);
  stopping = true;
  changed.notify_all();
  changed.wait(lock, [this] { return ended; });
}

void Stream::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return stopping || !operations.empty(); });
    if (operations.empty()) break;
    const Operation operation = std::move(operations.front());
    operations.pop_front();
    busy = true;
    lock.unlock();
    wait_while_paused();
    // After an error that lasts nothing runs any more in the context.
    if (context->error == success) {
      const int code = operation();
      int none = success;
      if (code != success) context->error.compare_exchange_strong(none, code);
    }
    lock.lock();
    busy = false;
    changed.notify_all();
  }
  ended = true;
  changed.notify_all();
}

void wait_for_context(Context &context) {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    const std::lock_guard lock(driver().mutex);
    for (const auto &[handle, object] : driver().objects)
      if (object->kind == Kind::stream && object->context == &context) streams.push_back(std::static_pointer_cast<Stream>(object));
    if (context.default_stream != nullptr) streams.push_back(context.default_stream);
  }
  for (const auto &stream : streams) stream->wait_idle();
}
