#pragma once
#include <string>
#include <thread>
#include <vector>

#include "common/unique_fd.h"
#include "manager/ssh/libssh_handles.h"
#include "manager/ssh/ssh_attempt.h"

namespace hpc {

/// Connects a session to ssh-agent for as long as this lives, by way of a thread that sorts and
/// chooses the agent's keys (libssh 0.10 offers all of them, in the agent's order). The attempt can
/// cut the connection, so that an agent that does not answer cannot hold a thread. For connector
/// threads.
class AgentSocket {
 public:
  /// `key_files`: whose keys come first, and with `only` are the only ones.
  AgentSocket(ssh_session session, const std::string& path,
              const std::vector<std::string>& key_files, bool only, SshAttempt& attempt);
  ~AgentSocket();
  AgentSocket(const AgentSocket&) = delete;
  AgentSocket& operator=(const AgentSocket&) = delete;

  bool connected() const { return thread_.joinable(); }

 private:
  void relay(const std::vector<std::string>& preferred, bool only) const;

  ssh_session session_;
  SshAttempt& attempt_;
  UniqueFd agent_;
  UniqueFd near_;    // our end of the pair
  UniqueFd libssh_;  // the end that libssh takes for the agent
  std::thread thread_;
};

}  // namespace hpc
