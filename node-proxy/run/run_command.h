#pragma once
#include "node-proxy/options.h"

namespace hpc {

/// `hpc-proxy run -- COMMAND`: serves as serve() does while COMMAND runs with ports of its own.
/// Returns COMMAND's exit code, or that of what failed before it started; prints why on stderr.
int run_command(const Options& options, const Environment& environment);

}  // namespace hpc
