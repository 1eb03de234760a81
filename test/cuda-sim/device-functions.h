/** The calls that modules make, bound to the block that the calling host thread runs. */
#ifndef ATPC_SIMULATED_DEVICE_FUNCTIONS
#define ATPC_SIMULATED_DEVICE_FUNCTIONS

#include "module-interface.h"

SimulatedDevice device_functions();

#endif
