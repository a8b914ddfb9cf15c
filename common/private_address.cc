#include "common/private_address.h"

#include <cstddef>

namespace hpc {

bool is_private_address(const SocketEnd& end) {
  if (!end.is_v4()) return false;
  constexpr std::size_t kV4At = 12;
  std::uint32_t address = 0;
  for (std::size_t i = kV4At; i < end.address.size(); ++i) address = address << 8U | end.address[i];
  return address - kPrivateNetwork < kPrivateNetworkSize;
}

bool is_private_address(const std::string& text) {
  // A NUL inside would let inet_pton see less than is compared and shown later.
  if (text.find(':') != std::string::npos || text.find('\0') != std::string::npos) return false;
  const auto end = make_socket_end(text, 0);
  return end && is_private_address(*end);
}

}  // namespace hpc
