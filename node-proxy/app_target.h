#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace hpc {

/// Where an app listens: a port of this user's loopback, or a Unix socket.
struct AppTarget {
  std::uint16_t port = 0;   // 0 for a socket
  std::string socket_path;  // absolute, at most 107 bytes; empty for a port
};

/// "5500" or "unix:/PATH", as in --app and in the record. kUsage with what it must be.
Result<AppTarget> parse_app_target(std::string_view text);

/// What AppConnector takes for it.
std::string connector_key(const AppTarget& target);

// What is said of an app by its port, 0 for one on a socket.
std::string app_name(std::uint16_t port);  // in pages: "the app on port 5500"
constexpr std::string_view kAppHostName = "localhost";
std::string app_host(std::uint16_t port);  // in its Host field: "localhost:5500", "localhost"

}  // namespace hpc
