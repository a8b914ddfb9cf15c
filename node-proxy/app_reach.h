#pragma once
#include <string>
#include <vector>

#include "node-proxy/app_connector.h"

namespace hpc {

/// How this hpc-proxy gets at the user's apps; `hpc-proxy run` has other ways than `serve`.
struct AppReach {
  // Tried before 127.0.0.1 and ::1 (run/private_addresses.h).
  std::vector<std::string> private_addresses;
  TcpDial dial;  // empty: connections are opened from this process's own network
};

}  // namespace hpc
