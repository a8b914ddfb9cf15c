#pragma once
#include <string>

#include "common/result.h"

namespace hpc {

/// Puts this process, which must have one thread, into a user namespace with its own uid and gid
/// mapped to themselves and a network namespace with `lo` up. What it starts lives there too. The
/// capabilities that come with it are gone after exec.
///
/// kSystem; the detail names what the kernel refused and the setting that forbids it, as in
/// "user.max_net_namespaces is 0".
Status enter_network_space();

/// Can this node do that? Tries in a child process, so nothing of the caller changes. Errors as
/// enter_network_space().
Status probe_network_space();

}  // namespace hpc
