#pragma once
#include <string>
#include <vector>

#include "manager/serve_options.h"

namespace hpc {

constexpr std::size_t kClustersMax = 32;

/// What contradicts itself or is not safe (contract 2.2), all of it at once; each line names the
/// option and says what to do. Empty: `serve` may start. Pure.
std::vector<std::string> check_serve_options(const ServeOptions& options);

/// What is wrong with the files that the options name: missing, unreadable, open to others. Looks
/// at the disk, changes nothing there.
std::vector<std::string> check_serve_files(const ServeOptions& options);

/// Makes the directories above the state file and the socket that are missing, 0700, as the check
/// has promised. kSystem with the cause. For `serve`, before it opens either.
Status make_serve_directories(const ServeOptions& options);

}  // namespace hpc
