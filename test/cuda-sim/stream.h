/** Streams, events and graphs: what is done in order, and when it is done. */
#ifndef ATPC_SIMULATED_STREAM
#define ATPC_SIMULATED_STREAM

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>

#include "driver.h"

/** Work of a stream; gives a Result. */
using Operation = std::function<int()>;

struct Graph : Object {
  using Object::Object;
  std::vector<Operation> operations;
};
struct GraphExec : Object {
  using Object::Object;
  std::shared_ptr<const std::vector<Operation>> operations;
};

class Event : public Object {
 public:
  Event(Context *context, unsigned flags) : Object(Kind::event, context), flags(flags) {}
  const unsigned flags;
  /** Whether it was last recorded in a stream that is captured: it says nothing about any time then. */
  std::atomic<bool> captured{false};
  /** Returns what a stream has to do for the event to be met. */
  Operation record();
  bool recorded() const;
  bool done() const;
  void wait() const;
  /** Nanoseconds; when it was met last. */
  std::int64_t time() const;

 private:
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::uint64_t records = 0, met = 0;
  std::int64_t when = 0;
};

class Stream : public Object {
 public:
  Stream(Context *context, unsigned flags);
  const unsigned flags;
  /** Appends to the work, or to the graph that is being captured. */
  void add(Operation operation);
  bool idle();
  void wait_idle();
  /** After all of the work is done, the thread ends. */
  void stop();

  std::shared_ptr<Graph> capturing;
  bool capture_invalid = false;

 private:
  void work();
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Operation> operations;
  bool busy = false, stopping = false, ended = false;
};

/** While paused, no stream begins anything: for tests of what happens in between. */
void pause_streams(bool paused);

/** Waits until all streams of the context have nothing to do. */
void wait_for_context(Context &context);

#endif
