#include "manager/ssh/tcp_dial.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

namespace hpc {
namespace {

// How late a cancellation may be noticed.
constexpr std::uint64_t kSliceMs = 100;

struct AddressesFree {
  void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, AddressesFree>;

/// The answer of a name lookup that may come after everybody has left.
struct Lookup {
  std::mutex mutex;
  std::condition_variable done;
  bool is_done = false;
  int rc = 0;
  Addresses addresses;
};

// getaddrinfo cannot be interrupted, so it runs on a thread that may be left behind. Two owners of
// the Lookup: that thread and the caller.
std::shared_ptr<Lookup> begin_lookup(const std::string& host, std::uint16_t port) {
  auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, host, service = std::to_string(port)] {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    int rc = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
    if (rc == EAI_NONAME || rc == EAI_ADDRFAMILY) {  // an isolated machine has only loopback
      hints.ai_flags = AI_NUMERICSERV;
      rc = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
    }
    const std::scoped_lock lock(lookup->mutex);
    lookup->rc = rc;
    lookup->addresses.reset(list);
    lookup->is_done = true;
    lookup->done.notify_one();
  }).detach();
  return lookup;
}

Result<Addresses> resolve(const std::string& host, std::uint16_t port, SshAttempt& attempt) {
  const auto lookup = begin_lookup(host, port);
  std::unique_lock lock(lookup->mutex);
  while (!lookup->is_done) {
    if (attempt.cancelled() || attempt.left_ms() == 0) {
      return fail(Errc::kTimeout, "ssh.connect",
                  host + ": the name service does not answer; check the network");
    }
    lookup->done.wait_for(lock, std::chrono::milliseconds(kSliceMs));
  }
  if (lookup->rc != 0) {
    return fail(Errc::kNetwork, "ssh.connect",
                host + ": " + gai_strerror(lookup->rc) +
                    "; check the spelling, or give the host a HostName in ~/.ssh/config");
  }
  return std::move(lookup->addresses);
}

/// 0, or the errno of the connect; ETIMEDOUT when the stage is over.
int connect_one(const UniqueFd& fd, const addrinfo& address, SshAttempt& attempt) {
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  for (;;) {
    const std::uint64_t left = attempt.left_ms();
    if (left == 0 || attempt.cancelled()) return ETIMEDOUT;
    pollfd wait{fd.get(), POLLOUT, 0};
    if (poll(&wait, 1, static_cast<int>(std::min(left, kSliceMs))) <= 0) continue;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
  }
}

Error connect_error(const std::string& where, int error) {
  if (error == ETIMEDOUT) {
    return {Errc::kTimeout, "ssh.connect",
            where + " does not answer; check the network, a VPN or a firewall"};
  }
  std::string detail = where + ": " + std::strerror(error);
  if (error == ECONNREFUSED) detail += "; no SSH server listens there: check host and port";
  return {Errc::kNetwork, "ssh.connect", detail};
}

}  // namespace

Result<UniqueFd> dial_tcp(const std::string& host, std::uint16_t port, SshAttempt& attempt) {
  const auto addresses = resolve(host, port, attempt);
  if (!addresses) return tl::unexpected(addresses.error());
  const std::string where = host + " port " + std::to_string(port);
  int error = EADDRNOTAVAIL;
  for (const addrinfo* one = addresses->get(); one != nullptr; one = one->ai_next) {
    UniqueFd fd(socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
      error = errno;
      continue;
    }
    error = connect_one(fd, *one, attempt);
    if (error != 0) continue;
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd.get(), F_SETFL, 0);
    return fd;
  }
  return tl::unexpected(connect_error(where, error));
}

}  // namespace hpc
