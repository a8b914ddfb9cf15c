#pragma once
#include <cstddef>
#include <string>

#include "common/result.h"

namespace hpc {

/// What the server's answer to a channel open means for us. `code` is that of RFC 4254 section 5.1;
/// 0: not known.
Error ssh_open_error(const std::string& target, int code, const std::string& text);

}  // namespace hpc
