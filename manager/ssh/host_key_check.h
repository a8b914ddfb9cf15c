#pragma once
#include <string>
#include <vector>

#include "common/result.h"
#include "manager/ssh/known_hosts.h"
#include "manager/ssh/libssh_handles.h"
#include "manager/ssh/ssh_attempt.h"
#include "manager/ssh/ssh_config.h"

namespace hpc {

/// What is known about one host, read once per connect.
struct HostKeyRecords {
  std::string name;  // in known_hosts: alias, "host" or "[host]:port"
  std::vector<KnownHostsFile> files;
};
/// kSystem: a file exists that cannot be read.
Result<HostKeyRecords> read_host_key_records(const SshConfig& config);

/// Lets only a server pass whose key is known, or that a person has just confirmed (its key is then
/// added to the first of the user's files). Errors: kForbidden, with the fingerprint and what to
/// do; kSystem when a confirmed key cannot be stored.
Status check_host_key(ssh_session session, const SshConfig& config, const HostKeyRecords& records,
                      AttemptPrompter& prompter);

}  // namespace hpc
