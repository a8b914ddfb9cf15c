#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "manager/session/cluster_login.h"
#include "manager/session/scheduler.h"

namespace hpc {

// How long a command waits for a login that is not up.
constexpr std::uint64_t kLoginWaitMs = 60'000;

/// Runs one command as a user on a cluster, as soon as his login is up; holds the login for as long
/// as that takes. Calls `done` once, in a later turn, unless destroyed first. Errors: those of
/// ClusterLogins::login(); kUnavailable with the login's trouble where it stops or is not up after
/// kLoginWaitMs; kNetwork where the connection is lost while the command runs; those of
/// SshConnection::exec(). After kNetwork, kSsh, kTimeout, kTooLarge and kSystem the command may
/// have run, or run still; after any other it has not.
///
/// `logins` and `scheduler` must outlive it.
std::unique_ptr<Pending> login_exec(Scheduler& scheduler, ClusterLogins& logins,
                                    const std::string& user, const std::string& cluster,
                                    std::string command, std::string input,
                                    std::uint64_t timeout_ms, ExecDone done);

}  // namespace hpc
