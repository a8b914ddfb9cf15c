#include "manager/ssh/agent_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace hpc {

AgentSocket::AgentSocket(ssh_session session, const std::string& path, SshAttempt& attempt)
    : session_(session), attempt_(attempt) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
  if (ssh_set_agent_socket(session_, fd.get()) != SSH_OK) return;
  fd_ = std::move(fd);
  attempt_.watch_agent(fd_.get());
}

AgentSocket::~AgentSocket() {
  if (!fd_) return;
  ssh_set_agent_socket(session_, -1);  // libssh would close it with the session, hours later
  attempt_.watch_agent(-1);
}

}  // namespace hpc
