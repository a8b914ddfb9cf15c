#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace hpc {

/// The name of the file system with this statfs() f_type where it is one that several hosts may
/// have mounted, or whose locks and syncs another host or program does. A database there is lost
/// sooner or later. Nothing: a local one, or one not known here.
std::optional<std::string_view> shared_file_system(std::uint64_t f_type);

}  // namespace hpc
