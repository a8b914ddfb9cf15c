#include "manager/ssh/agent_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "manager/ssh/agent_identities.h"
#include "manager/ssh/ssh_key_file.h"

namespace hpc {
namespace {

constexpr std::size_t kLengthBytes = 4;
// What ssh-agent itself takes at most.
constexpr std::size_t kMessageBytesMax = std::size_t{256} * 1024;
constexpr char kRequestIdentities = 11;

bool receive(int fd, char* into, std::size_t count) {
  while (count > 0) {
    const ssize_t got = recv(fd, into, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<std::string> receive_message(int fd) {
  std::array<char, kLengthBytes> head{};
  if (!receive(fd, head.data(), head.size())) return std::nullopt;
  std::size_t length = 0;
  for (const char byte : head) length = length << 8 | static_cast<unsigned char>(byte);
  if (length > kMessageBytesMax) return std::nullopt;
  std::string message(length, '\0');
  if (!receive(fd, message.data(), length)) return std::nullopt;
  return message;
}

bool send_message(int fd, const std::string& message) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(message.size() >> shift & 0xff);
  }
  bytes += message;
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

UniqueFd connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {};
  }
  return fd;
}

std::vector<std::string> public_blobs(const std::vector<std::string>& key_files) {
  std::vector<std::string> blobs;
  for (const auto& path : key_files) {
    const SshKeyPtr key = read_public_key(path);
    if (key) blobs.push_back(public_key_blob(key.get()));
  }
  return blobs;
}

}  // namespace

AgentSocket::AgentSocket(ssh_session session, const std::string& path,
                         const std::vector<std::string>& key_files, bool only, SshAttempt& attempt)
    : session_(session), attempt_(attempt), agent_(connect_unix(path)) {
  std::array<int, 2> ends{};
  if (!agent_ || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
  near_.reset(ends[0]);
  libssh_.reset(ends[1]);
  if (ssh_set_agent_socket(session_, libssh_.get()) != SSH_OK) return;
  attempt_.watch_agent(agent_.get());
  thread_ = std::thread([this, preferred = public_blobs(key_files), only] {
    relay(preferred, only);
    ::shutdown(near_.get(), SHUT_RDWR);  // libssh waits for an answer without a bound
  });
}

void AgentSocket::relay(const std::vector<std::string>& preferred, bool only) const {
  while (const auto request = receive_message(near_.get())) {
    if (!send_message(agent_.get(), *request)) return;
    const auto answer = receive_message(agent_.get());
    if (!answer) return;
    const bool identities = !request->empty() && request->front() == kRequestIdentities;
    if (!send_message(near_.get(),
                      identities ? sort_agent_identities(*answer, preferred, only) : *answer)) {
      return;
    }
  }
}

AgentSocket::~AgentSocket() {
  if (libssh_) ssh_set_agent_socket(session_, -1);  // else libssh closes it with the session
  if (agent_) ::shutdown(agent_.get(), SHUT_RDWR);
  if (near_) ::shutdown(near_.get(), SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
  attempt_.watch_agent(-1);
}

}  // namespace hpc
