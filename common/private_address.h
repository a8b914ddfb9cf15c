#pragma once
#include <cstdint>
#include <string>

#include "common/socket_lookup.h"

namespace hpc {

// 127.64.0.0/10, a part of the loopback network that nothing else is known to use: there
// `hpc-proxy run` gives its command addresses of its own (contract 1.6). In host order.
constexpr std::uint32_t kPrivateNetwork = 0x7F40'0000;
constexpr std::uint32_t kPrivateNetworkSize = std::uint32_t{1} << 22U;

/// Also as the v4-mapped address of a dual-stack socket.
bool is_private_address(const SocketEnd& end);
/// Numeric IPv4 text, exactly as inet_pton(3) has it.
bool is_private_address(const std::string& text);

}  // namespace hpc
