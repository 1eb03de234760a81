/** Runs the blocks of a launch on the host threads of the simulated device. */
#ifndef ATPC_SIMULATED_LAUNCH
#define ATPC_SIMULATED_LAUNCH

#include "block-runner.h"
#include "driver.h"

/** Blocks until the launch is done; gives a Result, and reports why where that is an error. */
int run_launch(Context &context, const std::shared_ptr<ModuleCode> &code, const Launch &launch);

#endif
