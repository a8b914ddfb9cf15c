#pragma once
#include <string>
#include <vector>

#include "manager/ssh/libssh_handles.h"
#include "manager/ssh/ssh_attempt.h"
#include "manager/ssh/unique_fd.h"

namespace hpc {

/// Connects a session to ssh-agent for as long as this lives. The attempt can cut the connection,
/// so that an agent that does not answer cannot hold a thread. For connector threads.
class AgentSocket {
 public:
  AgentSocket(ssh_session session, const std::string& path, SshAttempt& attempt);
  ~AgentSocket();
  AgentSocket(const AgentSocket&) = delete;
  AgentSocket& operator=(const AgentSocket&) = delete;

  bool connected() const { return static_cast<bool>(fd_); }

 private:
  ssh_session session_;
  SshAttempt& attempt_;
  UniqueFd fd_;
};

}  // namespace hpc
