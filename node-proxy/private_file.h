#pragma once
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace hpc {

/// Reads a regular file of this user, at most `bytes_max`; never follows a symbolic link, never
/// waits for a pipe. Nothing when it is not such a file or is larger.
std::optional<std::string> read_private_file(int dir, const std::string& name,
                                             std::size_t bytes_max);

/// Makes `name` anew (0600, whatever the umask) with `text`, and syncs it. What a crash of the same
/// writer left there is replaced. On failure nothing is left behind; kSystem with the cause.
Status make_private_file(int dir, const std::string& name, std::string_view text);

/// The same under the name `temporary`, which is then renamed to `name`: readers see the old file
/// or the whole new one. Both names are under `dir`, or paths when that is AT_FDCWD. On failure
/// nothing is left behind; kSystem with the cause.
Status write_private_file(int dir, const std::string& name, const std::string& temporary,
                          std::string_view text);

/// Removes `name` while `is_it` holds for what is in it; says whether it did. The file is taken
/// away under the temporary name first and looked at again there: one that another process put in
/// its place meanwhile is put back, and only for that moment it is not seen. At most `bytes_max`
/// are read; names as for write_private_file().
bool remove_private_file(int dir, const std::string& name, const std::string& temporary,
                         std::size_t bytes_max, const std::function<bool(std::string_view)>& is_it);

/// Puts the file `temporary` under `name` as well, unless there is one already: false. Like O_EXCL,
/// but with the content there from the first moment. Where the file system has no hard links it
/// is renamed, which cannot be refused: kSystem with the cause only for other failures.
Result<bool> publish_new_file(int dir, const std::string& temporary, const std::string& name);

}  // namespace hpc
