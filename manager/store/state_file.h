#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/result.h"

namespace hpc {

/// The f_type of the file system that the directory `fd` is on; nothing if the kernel does not say.
using FileSystemOf = std::function<std::optional<std::uint64_t>(int fd)>;
std::optional<std::uint64_t> file_system_of(int fd);

/// Makes sure that `path` can be our database, and returns its absolute path:
/// - its directory is ours, nobody else can write there, and it is on a disk of this host; the last
///   directory of the path is made (0700) if it is missing;
/// - the file is ours, a plain file with one name; it is made (0600), or closed to others.
/// kConfig where another path is the answer, kSystem with the cause else. Nothing is overwritten.
Result<std::string> prepare_state_file(const std::string& path, const FileSystemOf& file_system);

/// The process that holds a lock on the file, if the kernel says which.
std::optional<int> lock_holder(const std::string& path);

}  // namespace hpc
