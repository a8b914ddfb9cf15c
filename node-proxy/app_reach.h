#pragma once
#include <functional>
#include <string>
#include <vector>

#include "node-proxy/app_connector.h"
#include "node-proxy/port_list.h"

namespace hpc {

/// How this hpc-proxy gets at the user's apps; `hpc-proxy run` has other ways than `serve`.
struct AppReach {
  // Tried before 127.0.0.1 and ::1 (run/private_addresses.h).
  std::vector<std::string> private_addresses;
  std::string private_mode;  // "loopback", "netns", for the record; empty: ports of everybody
  TcpDial dial;              // empty: connections are opened from this process's own network
  // Of the list of ports: see PortScope.
  std::function<PortScope::Sockets()> network_space;
  std::function<void(const std::vector<SocketEntry>&)> on_look;
};

}  // namespace hpc
