#include <arpa/inet.h>

#include <array>
#include <cstring>

#include "common/tcp_stream.h"

namespace hpc {

namespace {

SocketAddress from_ipv6(const sockaddr_in6& six) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
    inet_ntop(AF_INET, &six.sin6_addr.s6_addr[12], text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
  }
  return {text.data(), ntohs(six.sin6_port)};
}

}  // namespace

SocketAddress socket_address(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &storage, sizeof six);
    return from_ipv6(six);
  }
  if (storage.ss_family != AF_INET) return {};
  sockaddr_in four{};
  std::memcpy(&four, &storage, sizeof four);
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
  return {text.data(), ntohs(four.sin_port)};
}

Result<sockaddr_storage> make_sockaddr(const std::string& address, std::uint16_t port) {
  sockaddr_storage storage{};
  sockaddr_in four{};
  if (inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&storage, &four, sizeof four);
    return storage;
  }
  sockaddr_in6 six{};
  if (inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&storage, &six, sizeof six);
    return storage;
  }
  return fail(Errc::kBadRequest, "address", "'" + address + "' is not a numeric IP address");
}

bool is_loopback_address(std::string_view address) {
  return address.starts_with("127.") || address == "::1";
}

}  // namespace hpc
