#pragma once
#include <cstdint>
#include <string>

#include "common/result.h"
#include "common/unique_fd.h"
#include "manager/ssh/ssh_attempt.h"

namespace hpc {

/// Looks `host` up and connects to the first of its addresses that answers, within the attempt's
/// running stage. Blocks: for worker threads only. The descriptor is blocking, close-on-exec, and
/// has TCP_NODELAY. Errors, each with the next step: kNetwork (name unknown, refused, unreachable),
/// kTimeout.
Result<UniqueFd> dial_tcp(const std::string& host, std::uint16_t port, SshAttempt& attempt);

}  // namespace hpc
