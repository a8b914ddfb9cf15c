#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/port_route.h"
#include "manager/session/session_key.h"

namespace hpc {

/// A request target under a session's path, taken apart on raw bytes (contract 2.2). Views into
/// the target.
struct UserRoute {
  enum class Kind : std::uint8_t {
    kApp,    // the session's IDE
    kPort,   // a port of its node: `port` says which
    kPorts,  // the list of them
  };
  SessionKey key;
  Kind kind = Kind::kApp;
  PortRoute port;            // with kPort
  std::string_view prefix;   // what the browser has in front of REST: "/user/U/C/I/port/5500"
  std::string_view rest;     // "/index.html?x"; with needs_slash "" or "?q"
  bool needs_slash = false;  // "/user/U/C/I", "/user/U/C/I/port/5500": answer 308 with the slash
  std::string_view upstream_rest;  // behind the session's own path: "/port/5500/index.html?x"
};

/// Nothing for what is no session's path, and for /port/ and /absport/ under one with anything but
/// a port behind it: an IDE of ours has no such paths, and a mistyped port must not reach it.
std::optional<UserRoute> parse_user_route(std::string_view target);

}  // namespace hpc
