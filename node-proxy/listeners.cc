#include "node-proxy/listeners.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace hpc {

namespace {

// The kernel offers ports that are free in IPv4; so often in a row one that is taken in IPv6 is no
// accident any more.
constexpr int kFreePortTries = 32;
constexpr std::size_t kAddressesMax = 16;

std::vector<std::string> addresses_for(const std::string& host) {
  if (host.empty()) return {"0.0.0.0", "::"};
  if (host == "127.0.0.1") return {"127.0.0.1", "::1"};
  return {host};
}

/// Can this kernel listen on the address at all?
bool is_available(Loop& loop, const std::string& address) {
  return TcpListener::listen(loop, address, 0, {}).has_value();
}

Result<Listeners> listen_once(Loop& loop, const std::vector<std::string>& addresses,
                              std::uint16_t port, const TcpListener::Accepted& accepted) {
  Listeners listeners;
  for (const std::string& address : addresses) {
    const std::uint16_t wanted = listeners.sockets.empty() ? port : listeners.port;
    auto socket = TcpListener::listen(loop, address, wanted, accepted);
    if (!socket && !listeners.sockets.empty() && !is_available(loop, address)) continue;
    if (!socket) return tl::unexpected<Error>(socket.error());
    listeners.port = (*socket)->port();
    listeners.sockets.push_back(std::move(*socket));
  }
  return listeners;
}

}  // namespace

Result<Listeners> listen_on(Loop& loop, const std::string& host, PortRange range,
                            const TcpListener::Accepted& accepted) {
  const auto addresses = addresses_for(host);
  const bool any = range.first == 0;
  const int tries = any ? kFreePortTries : range.last - range.first + 1;
  Error last{Errc::kSystem, "listen", "no port tried"};
  for (int i = 0; i < tries; ++i) {
    const auto port = static_cast<std::uint16_t>(any ? 0 : range.first + i);
    auto listeners = listen_once(loop, addresses, port, accepted);
    if (listeners) return listeners;
    last = listeners.error();
  }
  if (!any && range.first != range.last) {
    last.detail = "no free port from " + std::to_string(range.first) + " to " +
                  std::to_string(range.last) + " (" + last.detail + ")";
  }
  last.detail += "; choose other ports with --port, or 0 for any free one";
  return tl::unexpected<Error>(last);
}

std::vector<std::string> own_addresses() {
  std::vector<std::string> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ifa_addr,
                family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    std::string address = socket_address(storage).address;
    if (address.starts_with("fe80:") || address.starts_with("169.254.")) continue;
    if (addresses.size() < kAddressesMax) addresses.push_back(std::move(address));
  }
  freeifaddrs(list);
  return addresses;
}

}  // namespace hpc
