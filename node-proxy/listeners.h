#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/tcp_stream.h"
#include "node-proxy/port_set.h"

namespace hpc {

/// The sockets hpc-proxy accepts on: both families, one port.
struct Listeners {
  std::vector<std::unique_ptr<TcpListener>> sockets;
  std::uint16_t port = 0;
};

/// `host` empty: 0.0.0.0 and [::]; 127.0.0.1: also [::1]; else that address alone. A kernel without
/// IPv6: IPv4 alone. Both families or another port, so that nobody else answers on ours. Takes the
/// first free port of `range` (0 to 0: any). kSystem with the cause and the next step.
Result<Listeners> listen_on(Loop& loop, const std::string& host, PortRange range,
                            const TcpListener::Accepted& accepted);

/// The numeric addresses of this machine that others may reach, at most 16: no loopback, no
/// link-local ones.
std::vector<std::string> own_addresses();

}  // namespace hpc
