/**
 * What a native library has beside its kernels, as C: lanes that walk the dispatches of a call together, the memory of a model, and
 * what the processor has. `runtime/backends/native/library.ts` binds it; it is the twin of the executor and the barrier in
 * `runtime/backends/wasm`. For Linux and macOS: Windows has other threads and other memory, and is out of scope.
 */
import { hasFeature } from './processor-features.ts';

/** What a library says that it is; the runtime takes no other. A change of any function below changes it. */
export const nativeInterface = 1;
/** The most arguments of a kernel: begin, end, scratch, operands and integers. */
export const mostArguments = 256;

/**
 * Comes after the kernels and their table `atpc_kernels`. Waiting lanes look 2,000 times, which takes some 30 us where a pause takes 45
 * cycles (AMD Zen) and 90 us where it takes 140 (Intel, Optimization Reference Manual, "Pause Latency in Skylake"): about what it takes
 * to be woken, and lanes get to a barrier at nearly the same time.
 */
export const lanes = `// === lanes ===
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ATPC_EXPORT __attribute__((visibility("default")))

// The interface that this library has.
ATPC_EXPORT int32_t atpc_interface(void) { return ${nativeInterface}; }

// Position of a kernel in the table; -1 for one that is not there.
ATPC_EXPORT int32_t atpc_find_kernel(const char *name) {
  for (size_t index = 0; index < sizeof(atpc_kernels) / sizeof(atpc_kernels[0]); index++)
    if (strcmp(atpc_kernels[index].name, name) == 0) return (int32_t)index;
  return -1;
}

${hasFeature}
#ifdef MAP_NORESERVE
static const int atpc_flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
#else
static const int atpc_flags = MAP_PRIVATE | MAP_ANONYMOUS;
#endif
// Memory that is zero, and takes none of the machine's until it is written to. Begins at a page. NULL where there is none.
ATPC_EXPORT void *atpc_reserve(int64_t bytes) {
  void *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, atpc_flags, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}
ATPC_EXPORT void atpc_release(void *memory, int64_t bytes) { munmap(memory, (size_t)bytes); }
// A range that is read all the time: large pages, where the system gives them, take fewer look-ups of addresses.
ATPC_EXPORT void atpc_read_often(char *memory, int64_t bytes) {
#ifdef MADV_HUGEPAGE
  // Begins at a page, as the memory does; what the system refuses, it does without.
  (void)madvise(memory, (size_t)bytes, MADV_HUGEPAGE);
#else
  (void)memory, (void)bytes;
#endif
}
// Makes memory zero again and gives its whole pages back.
ATPC_EXPORT void atpc_clear(char *memory, int64_t bytes) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t begin = (uintptr_t)memory, end = begin + (uintptr_t)bytes;
  const uintptr_t first = (begin + page - 1) & ~(page - 1), last = end & ~(page - 1);
  if (first >= last || mmap((void *)first, last - first, PROT_READ | PROT_WRITE, atpc_flags | MAP_FIXED, -1, 0) == MAP_FAILED) {
    memset(memory, 0, (size_t)bytes);
    return;
  }
  memset(memory, 0, first - begin);
  memset((void *)last, 0, end - last);
}

// A run stops within 50 ms: a lane computes ranges of items that take about this long each. The first is shorter, since its length
// goes by the last run, and the work may depend on the data.
#define ATPC_FIRST_RANGE_MS 4.0
#define ATPC_RANGE_MS 20.0
#define ATPC_LOOKS 2000
#define ATPC_EVERY_CALL (-2)

// The lanes of one model. Words that lanes wait for have cache lines of their own.
struct atpc_team {
  int64_t lanes;
  pthread_t *threads;
  pthread_mutex_t mutex;
  pthread_cond_t woken;
  // The call: written before 'started' changes.
  const double *steps;
  int64_t step_count;
  char *base;
  int64_t scratch_stride;
  const int32_t *abort;
  int32_t call;
  double *rates;
  double *times;
  _Alignas(64) int32_t started;
  _Alignas(64) int32_t arrived;
  int32_t stop;
  _Alignas(64) int32_t phase;
  _Alignas(64) int32_t sleepers;
  int32_t ending;
};
struct atpc_lane {
  struct atpc_team *team;
  int64_t lane;
};

static double atpc_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}
static inline void atpc_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Waits until a word is no longer what it was, awake for a while and then asleep; gives what it is.
static int32_t atpc_await(struct atpc_team *team, const int32_t *word, int32_t was) {
  for (int look = 0; look < ATPC_LOOKS; look++) {
    const int32_t current = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    if (current != was) return current;
    atpc_pause();
  }
  pthread_mutex_lock(&team->mutex);
  // Counted before the look at the word: who changes the word, and then looks at the count, misses no sleeper.
  __atomic_add_fetch(&team->sleepers, 1, __ATOMIC_SEQ_CST);
  int32_t current;
  while ((current = __atomic_load_n(word, __ATOMIC_SEQ_CST)) == was) pthread_cond_wait(&team->woken, &team->mutex);
  __atomic_sub_fetch(&team->sleepers, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&team->mutex);
  return current;
}
static void atpc_change(struct atpc_team *team, int32_t *word, int32_t value) {
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&team->sleepers, __ATOMIC_SEQ_CST) == 0) return;
  pthread_mutex_lock(&team->mutex);
  pthread_cond_broadcast(&team->woken);
  pthread_mutex_unlock(&team->mutex);
}

// Waits for all lanes; gives whether to go on, which they do unless one of them did not finish. The answer is part of the word that
// lanes wait for, in steps of 2, plus 1 to stop: all lanes take the same way, and none can see the answer of a later barrier.
static int atpc_meet(struct atpc_team *team, int finished) {
  if (team->lanes == 1) return finished;
  const int32_t phase = __atomic_load_n(&team->phase, __ATOMIC_ACQUIRE);
  if (!finished) __atomic_store_n(&team->stop, 1, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&team->arrived, 1, __ATOMIC_ACQ_REL) < team->lanes)
    return (atpc_await(team, &team->phase, phase) & 1) == 0;
  const int32_t stop = __atomic_exchange_n(&team->stop, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&team->arrived, 0, __ATOMIC_RELAXED);
  atpc_change(team, &team->phase, (int32_t)(((uint32_t)phase & ~1u) + 2u) | stop);
  return !stop;
}

static int atpc_is_aborted(const struct atpc_team *team) {
  const int32_t aborted = __atomic_load_n(team->abort, __ATOMIC_RELAXED);
  return aborted == team->call || aborted == ATPC_EVERY_CALL;
}

// Computes the items of this lane; gives whether it came to their end. 'rate': milliseconds an item as of the last run, 0 before it.
static int atpc_dispatch(const struct atpc_team *team, const struct atpc_kernel *kernel, int64_t *arguments, int64_t first,
                         int64_t last, double *rate) {
  double milliseconds = 0, known = *rate;
  for (int64_t begin = first, probe = 1; begin < last; probe *= 2) {
    // The first run finds the rate: one item, two, four, ... until a range takes long enough to measure.
    const double most = (double)(last - begin);
    double count = known > 0 ? (begin == first ? ATPC_FIRST_RANGE_MS : ATPC_RANGE_MS) / known : (double)probe;
    count = count < 1 ? 1 : count > most ? most : count;
    arguments[0] = begin;
    arguments[1] = begin += (int64_t)count;
    const double before = atpc_now();
    kernel->run(arguments, team->base);
    const double elapsed = atpc_now() - before;
    milliseconds += elapsed;
    if (elapsed >= 1) known = elapsed / (double)(int64_t)count;
    if (atpc_is_aborted(team)) return 0;
  }
  if (last > first) *rate = milliseconds / (double)(last - first);
  return 1;
}

// This lane's share of every dispatch: which lane computes an item never depends on time. All meet after each, so that the next finds
// what this one wrote; but for dispatches that lane 0 does alone, it is enough to meet when others come next.
static int atpc_walk(struct atpc_team *team, int64_t lane) {
  int64_t arguments[${mostArguments}];
  int alone = 0, met = 0, finished = 1;
  const double began = atpc_now();
  // Once all have met at the last dispatch, the first lane may write down the next call: nothing of this one is read after that.
  const int64_t step_count = team->step_count;
  const double *record = team->steps;
  for (int64_t position = 0; position < step_count; position++) {
    const struct atpc_kernel *kernel = &atpc_kernels[(int64_t)record[0]];
    const int64_t step = (int64_t)record[1], items = (int64_t)record[2];
    const int one_lane = record[3] != 0;
    const int64_t count = (int64_t)record[4];
    for (int64_t at = 0; at < count; at++) arguments[2 + at] = (int64_t)record[5 + at];
    record += 5 + count;
    arguments[2] += lane * team->scratch_stride;
    const double start = atpc_now();
    if (alone && !one_lane && !atpc_meet(team, finished)) return 0;
    alone = one_lane;
    const int64_t first = one_lane ? 0 : items * lane / team->lanes;
    const int64_t last = one_lane ? (lane == 0 ? items : 0) : items * (lane + 1) / team->lanes;
    if (finished) finished = atpc_dispatch(team, kernel, arguments, first, last, &team->rates[step * team->lanes + lane]);
    if (!alone) {
      if (!atpc_meet(team, finished)) return 0;
      met = 1;
    }
    if (lane == 0 && team->times != NULL) {
      team->times[2 * position] = start - began;
      team->times[2 * position + 1] = atpc_now() - start;
    }
  }
  // Lane 0 has to know that the others have begun a call before it starts the next.
  return alone || !met ? atpc_meet(team, finished) : 1;
}

static void *atpc_serve(void *parameter) {
  const struct atpc_lane own = *(struct atpc_lane *)parameter;
  free(parameter);
  for (int32_t started = 0;;) {
    started = atpc_await(own.team, &own.team->started, started);
    if (own.team->ending) return NULL;
    atpc_walk(own.team, own.lane);
  }
}

// Ends the lanes, which wait for a call.
ATPC_EXPORT void atpc_disband(struct atpc_team *team) {
  team->ending = 1;
  atpc_change(team, &team->started, team->started + 1);
  for (int64_t lane = 1; lane < team->lanes; lane++) pthread_join(team->threads[lane], NULL);
  pthread_cond_destroy(&team->woken);
  pthread_mutex_destroy(&team->mutex);
  free(team->threads);
  free(team);
}

// So many lanes, of which whoever calls atpc_run is the first. NULL where the system gives no memory or no threads.
ATPC_EXPORT struct atpc_team *atpc_gather(int32_t lanes) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, sizeof(struct atpc_team)) != 0) return NULL;
  struct atpc_team *team = memory;
  memset(team, 0, sizeof *team);
  team->lanes = 1;
  pthread_mutex_init(&team->mutex, NULL);
  pthread_cond_init(&team->woken, NULL);
  team->threads = calloc((size_t)lanes, sizeof(pthread_t));
  int fails = team->threads == NULL;
  for (int32_t lane = 1; lane < lanes && !fails; lane++) {
    struct atpc_lane *own = malloc(sizeof *own);
    fails = own == NULL;
    if (fails) break;
    *own = (struct atpc_lane){team, lane};
    fails = pthread_create(&team->threads[lane], NULL, atpc_serve, own) != 0;
    if (fails) free(own);
    else team->lanes = lane + 1;
  }
  if (!fails) return team;
  atpc_disband(team);
  return NULL;
}

// Runs dispatches, one after the other, each a record of numbers: kernel, step, items, whether one lane does it alone, how many
// arguments follow; the arguments from the scratch of the first lane on. 'abort' holds the number of the call to stop, or -2 for
// every call. 'rates': for each step and lane, milliseconds an item. 'times', where it is not NULL: for each dispatch its start from
// the start of the call, and how long it took, in milliseconds. Gives 0 when all is done and 1 when it was stopped. Blocks.
ATPC_EXPORT int32_t atpc_run(struct atpc_team *team, const double *steps, int64_t step_count, char *base, int64_t scratch_stride,
                             const int32_t *abort, int32_t call, double *rates, double *times) {
  team->steps = steps;
  team->step_count = step_count;
  team->base = base;
  team->scratch_stride = scratch_stride;
  team->abort = abort;
  team->call = call;
  team->rates = rates;
  team->times = times;
  if (team->lanes > 1) atpc_change(team, &team->started, (int32_t)((uint32_t)team->started + 1u));
  return atpc_walk(team, 0) ? 0 : 1;
}
`;
