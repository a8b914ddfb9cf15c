#pragma once
#include <string>

#include "common/result.h"
#include "node-proxy/record_dir.h"

namespace hpc {

/// Makes DIR/run/ID, 0700, for the files of one run, and returns its absolute path. The directories
/// of runs on this host whose hpc-proxy has died, and whose keeper could not tidy up either, are
/// removed first. kSystem with the path and the cause.
Result<std::string> make_run_dir(const RecordDir& dir, const std::string& host,
                                 const std::string& id);

/// Removes the directory and the files in it, and DIR/run with the last one; nothing below its
/// directories is touched, and no link is followed. What cannot be removed stays.
void remove_run_dir(const std::string& path);

}  // namespace hpc
