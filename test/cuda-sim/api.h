/** What all functions of the driver API begin with. */
#ifndef ATPC_SIMULATED_API
#define ATPC_SIMULATED_API

#include "driver.h"

/** A function that the library exports (cuda.h; its names carry the versions that cuda.h gives them). */
#define API extern "C" __attribute__((visibility("default"))) int

/** The fault that the call is to have, an error that lasts, or that there is no context. */
int begin(const char *function, bool needs_context);
#define BEGIN(function)                                    \
  do {                                                     \
    if (const int code = begin(#function, false)) return code; \
  } while (0)
#define BEGIN_IN_CONTEXT(function)                        \
  do {                                                    \
    if (const int code = begin(#function, true)) return code; \
  } while (0)
/** Functions that free something do so though they return an error, an injected one too. */
#define BEGIN_FREEING(function) const int begun = begin(#function, true)

/** Whether some stream of the context is being captured: memory is neither made nor freed then. */
bool is_capturing(Context &context);

class Stream;
/** The stream that a handle stands for: null, 1 and 2 are default streams, which wait for all others. Null where it is none. */
std::shared_ptr<Stream> stream_of(void *handle);

#endif
