#include "manager/gateway/local_listeners.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace hpc {

namespace {

// A port that is free on 127.0.0.1 and taken on [::1] is rare; this many in a row do not happen.
constexpr int kFreePortAttempts = 16;

bool has_ipv6_loopback() {
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in6 any_port{};
  any_port.sin6_family = AF_INET6;
  any_port.sin6_addr = in6addr_loopback;
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&any_port), sizeof any_port) == 0;
  close(fd);
  return bound;
}

tl::unexpected<Error> cannot_listen(const Error& cause, std::uint16_t port) {
  return fail(Errc::kSystem, "listen",
              cause.detail + (port == 0 ? ""
                                        : "; choose another port with --port N, or --port 0 for "
                                          "a free one"));
}

}  // namespace

Result<std::vector<std::unique_ptr<TcpListener>>> listen_on_loopback(
    Loop& loop, std::uint16_t port, const TcpListener::Accepted& accepted) {
  const bool both = has_ipv6_loopback();
  for (int attempt = 1;; ++attempt) {
    std::vector<std::unique_ptr<TcpListener>> listeners;
    auto first = TcpListener::listen(loop, "127.0.0.1", port, accepted);
    if (!first) return cannot_listen(first.error(), port);
    const std::uint16_t taken = (*first)->port();
    listeners.push_back(std::move(*first));
    if (!both) return listeners;
    auto second = TcpListener::listen(loop, "::1", taken, accepted);
    if (second) {
      listeners.push_back(std::move(*second));
      return listeners;
    }
    if (port != 0 || attempt == kFreePortAttempts) return cannot_listen(second.error(), port);
  }
}

}  // namespace hpc
