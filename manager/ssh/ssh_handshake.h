#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"
#include "manager/ssh/libssh_handles.h"
#include "manager/ssh/ssh_attempt.h"
#include "manager/ssh/ssh_auth.h"
#include "manager/ssh/ssh_config.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

/// One server on the way to the target, the target last.
struct SshHop {
  SshConfig config;
  SshMeans means;  // for the target only
};

/// The way to a target: its values from `ssh -G`, before them those of its jump hosts. Blocks (runs
/// `ssh`): for connector threads. `no_program` is set where `ssh` is not installed and OpenSSH's
/// defaults were taken. Errors: kConfig.
Result<std::vector<SshHop>> plan_ssh_route(const SshTarget& target, const std::string& ssh_program,
                                           const SshAttempt& attempt, bool& no_program);

/// Opens one session: TCP (unless `fd` is a connection already), key exchange, host key, login.
/// Blocks: for connector threads. Errors as SshConnector::connect.
Result<SshSessionPtr> open_ssh_session(const SshHop& hop, UniqueFd fd, AttemptPrompter& prompter,
                                       SshAttempt& attempt, const SshConnectorOptions& options);

}  // namespace hpc
