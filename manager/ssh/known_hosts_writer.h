#pragma once
#include <string>

#include "common/result.h"

namespace hpc {

/// Adds one line to a known_hosts file: everything else stays as it is, and a reader sees the old
/// or the new file, never a part (temporary file, fsync, rename). A missing file (0600) and its
/// folder (0700) are made; a symbolic link is followed. Blocks: for worker threads. Errors:
/// kSystem.
Status append_known_hosts_line(const std::string& path, const std::string& line);

/// The whole file, at most 16 MiB; empty where there is none. Errors: kSystem (unreadable).
Result<std::string> read_known_hosts_file(const std::string& path);

}  // namespace hpc
