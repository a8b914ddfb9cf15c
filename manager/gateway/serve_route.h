#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/port_route.h"
#include "manager/gateway/user_route.h"

namespace hpc {

/// A request target of `serve`, matched on raw bytes (contract 2.2). Views into the target.
struct ServeRoute {
  enum class Kind : std::uint8_t {
    kHealthz,
    kReadyz,
    kStart,      // "/"
    kLogin,      // "/login"
    kLogout,     // "/logout"
    kApi,        // "/api/v1" and below
    kUser,       // a session's apps: `user` says which
    kShortPort,  // "/port/N/...", "/absport/N/...": of the caller's active session
    kNone,       // nothing of ours; an app's page may mean something of the app's
  };
  Kind kind = Kind::kNone;
  std::optional<UserRoute> user;  // with kUser
  PortRoute port;                 // with kShortPort
};

ServeRoute parse_serve_route(std::string_view target);

/// "start", "user", "port" ...: for the log.
std::string_view name_of(ServeRoute::Kind kind);

/// What stands in front of an app's own path: "/user/U/C/I/port/5500", for the IDE "/user/U/C/I";
/// empty where there is no app. A view into `target` (FindPrefix of root_fallback.h).
std::string_view session_app_prefix(std::string_view target);

/// `prefix` with the slash that is missing behind it, and the query: where a 308 leads.
std::string with_slash(std::string_view prefix, std::string_view rest);

}  // namespace hpc
