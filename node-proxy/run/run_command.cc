#include "node-proxy/run/run_command.h"

#include <cstdio>

#include "common/exit_code.h"

namespace hpc {

int run_command(const Options&, const Environment&) {
  std::fputs("hpc-proxy: run is not part of this build\n", stderr);
  return exit_code(Errc::kSystem);
}

}  // namespace hpc
