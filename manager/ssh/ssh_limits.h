#pragma once
#include <cstddef>
#include <string>

#include "common/result.h"

namespace hpc {

// What the server may send ahead per channel: 40 MiB/s at 25 ms round trip, and no more memory than
// libssh's own default (1.28 MB) would take for a paused reader.
constexpr std::size_t kReceiveWindowStart = std::size_t{1024} * 1024;
// The bound that a window which follows bandwidth times delay would have: 260 MiB/s at 25 ms.
constexpr std::size_t kReceiveWindowMax = std::size_t{8} * 1024 * 1024;

/// What the server's answer to a channel open means for us. `code` is that of RFC 4254 section 5.1;
/// 0: not known.
Error ssh_open_error(const std::string& target, int code, const std::string& text);

}  // namespace hpc
