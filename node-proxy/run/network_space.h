#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace hpc {

/// Puts this process, which must have one thread, into a user namespace with its own uid and gid
/// mapped to themselves and a network namespace with `lo` up. What it starts lives there too. The
/// capabilities that come with it are gone after exec.
///
/// kSystem; the detail names what the kernel refused and the setting that forbids it, as in
/// "user.max_net_namespaces is 0", and what to do next. The process may then be halfway inside: it
/// can only end. Its /proc must be its own (a dumpable process).
Status enter_network_space();

// How every such detail ends.
constexpr std::string_view kLoopbackAdvice =
    "; use `--private loopback`, which every kernel allows";

/// Can this node do that? Tries in a child process, so nothing of the caller changes. To be called
/// while there is one thread and no secret, as the child is a copy. Errors as
/// enter_network_space().
Status probe_network_space();

/// What enter_network_space() does, one after the other.
enum class NetworkSpaceStep : std::uint8_t {
  kUserNamespace,
  kNetworkNamespace,
  kIdMap,
  kLoopbackUp,
};

/// The kernel's settings that can forbid it. Nothing: this kernel does not have that one.
struct NetworkSpaceSettings {
  std::optional<std::int64_t> max_user_namespaces;   // user.max_user_namespaces
  std::optional<std::int64_t> max_net_namespaces;    // user.max_net_namespaces
  std::optional<std::int64_t> unprivileged_userns;   // kernel.unprivileged_userns_clone, Debian
  std::optional<std::int64_t> apparmor_restriction;  // kernel.apparmor_restrict_unprivileged_userns
};

/// Reads them below `proc_sys`, which is "/proc/sys" but for tests. They are seen as the user
/// namespace of this process has them, so before it enters another.
NetworkSpaceSettings read_network_space_settings(const std::string& proc_sys);

/// Why the kernel answered `error` (errno) at that step, as one clause for a person. Pure.
std::string explain_refusal(NetworkSpaceStep step, int error, const NetworkSpaceSettings& settings);

}  // namespace hpc
