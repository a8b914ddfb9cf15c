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

/// For pages and messages: "the app on port 5500", "the app on its socket".
std::string describe(const AppTarget& target);

/// What the app is told that it is called: "localhost:5500", "localhost" over a socket.
std::string app_host(const AppTarget& target);

}  // namespace hpc
