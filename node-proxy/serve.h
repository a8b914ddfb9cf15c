#pragma once
#include "node-proxy/options.h"

namespace hpc {

/// `hpc-proxy serve`: listens, writes the records, serves until a signal, its job or --idle-exit
/// ends it, and removes the records. Returns the exit code; prints why on stderr.
int serve(const Options& options, const Environment& environment);

}  // namespace hpc
