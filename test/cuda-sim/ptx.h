/** What the driver reads from the text of a module (PTX ISA): versions, and the kernels with their parameters and limits. */
#ifndef ATPC_SIMULATED_PTX
#define ATPC_SIMULATED_PTX

#include <string>
#include <string_view>
#include <vector>

struct PtxKernel {
  std::string name;
  std::size_t parameters = 0;
  /** Whether each parameter is a pointer (.u64 or .b64). */
  bool only_pointers = true;
  /** Threads of a block at most (.maxntid, .reqntid), and bytes of static shared memory. */
  unsigned most_threads = 1024;
  bool exact_threads = false;
  std::size_t shared_bytes = 0;
};
struct Ptx {
  /** Ten times the version of the PTX ISA: 90 for 9.0. */
  int version = 0;
  /** The compute capability that it is made for: 80 for sm_80. */
  int target = 0;
  std::vector<PtxKernel> kernels;
};

/** False where the text is no PTX. */
bool parse_ptx(std::string_view text, Ptx &ptx);
/** The CUDA version (as cuDriverGetVersion says it) that reads PTX of a version (PTX ISA, release history). */
int driver_for_ptx(int version);

#endif
