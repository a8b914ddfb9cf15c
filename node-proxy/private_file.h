#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace hpc {

/// Reads a regular file of this user, at most `bytes_max`; never follows a symbolic link, never
/// waits for a pipe. Nothing when it is not such a file or is larger.
std::optional<std::string> read_private_file(int dir, const std::string& name,
                                             std::size_t bytes_max);

/// Writes `text` to `temporary` (made anew, 0600, whatever the umask), syncs it and renames it to
/// `name`: readers see the old file or the whole new one. Both names are under `dir`, or paths when
/// that is AT_FDCWD. What a crash of the same writer left under the temporary name is replaced. On
/// failure nothing is left behind; kSystem with the cause.
Status write_private_file(int dir, const std::string& name, const std::string& temporary,
                          std::string_view text);

}  // namespace hpc
