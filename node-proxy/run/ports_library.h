#pragma once
#include <string>
#include <vector>

#include "common/result.h"
#include "node-proxy/options.h"
#include "node-proxy/run/private_addresses.h"

namespace hpc {

/// The library that moves ports (node-proxy/ports/), as a file that programs of this user can load.
/// Beside the program `own_path` where it is there and cannot be changed by other users than root;
/// else unpacked from this program into `run_dir` (ours, 0700, made by the caller). kSystem with
/// the path and the cause, also when the file system forbids to run programs (noexec).
Result<std::string> place_ports_library(const std::string& own_path, const std::string& run_dir);

/// What COMMAND's environment gets: LD_PRELOAD, with what was in it before behind it, and what the
/// library reads (node-proxy/ports/settings.h): "NAME=value".
std::vector<std::string> ports_library_environment(const std::string& library,
                                                   const PrivateAddresses& addresses,
                                                   const std::string& shared_ports,
                                                   const Environment& environment);

/// The same for a COMMAND without the library: takes away that of a run around this one, which
/// would move ports to where only that run's hpc-proxy looks. Empty when there is none.
std::vector<std::string> no_ports_library_environment(const Environment& environment);

}  // namespace hpc
