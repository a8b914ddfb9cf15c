#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/socket_lookup.h"
#include "common/unique_fd.h"
#include "node-proxy/app_connector.h"
#include "node-proxy/port_list.h"

namespace hpc {

/// A socket of another network namespace, and the address there on which hpc-proxy listens with it.
struct EntranceSocket {
  std::string address;
  UniqueFd fd;
};

/// How this hpc-proxy gets at the user's apps; `hpc-proxy run` has other ways than `serve`.
struct AppReach {
  // Tried before 127.0.0.1 and ::1 (run/private_addresses.h).
  std::vector<std::string> private_addresses;
  std::string private_mode;  // "loopback", "netns", for the record; empty: ports of everybody
  TcpDial dial;              // empty: connections are opened from this process's own network
  // Of the list of ports: see PortScope.
  std::function<PortScope::Sockets()> network_space;
  std::function<void(const std::vector<SocketEntry>&)> on_look;

  // Of a network namespace that the apps have for themselves (run/space_reach.h); empty where they
  // are in our own. The table knows its sockets, and none of ours. hpc-proxy's port is to be found
  // there, too: by its commands, and by links that are opened there.
  std::shared_ptr<SocketLookup> lookup;
  std::vector<EntranceSocket> entrance;
};

}  // namespace hpc
