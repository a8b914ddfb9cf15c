#include "manager/gateway/serve_route.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace hpc {

namespace {

using Kind = ServeRoute::Kind;

struct FixedPath {
  std::string_view path;
  Kind kind;
};
constexpr FixedPath kFixedPaths[] = {
    {"/", Kind::kStart},      {"/healthz", Kind::kHealthz}, {"/readyz", Kind::kReadyz},
    {"/login", Kind::kLogin}, {"/logout", Kind::kLogout},   {"/api/v1", Kind::kApi},
};
constexpr std::string_view kApiBelow = "/api/v1/";

}  // namespace

ServeRoute parse_serve_route(std::string_view target) {
  ServeRoute route;
  const auto path = target.substr(0, target.find('?'));
  const auto* const fixed = std::find_if(std::begin(kFixedPaths), std::end(kFixedPaths),
                                         [path](const auto& one) { return one.path == path; });
  if (fixed != std::end(kFixedPaths)) {
    route.kind = fixed->kind;
  } else if (path.starts_with(kApiBelow)) {
    route.kind = Kind::kApi;
  } else if (auto user = parse_user_route(target)) {
    route.kind = Kind::kUser;
    route.user = std::move(user);
  } else if (const auto port = parse_port_route(target)) {
    route.kind = Kind::kShortPort;
    route.port = *port;
  }
  return route;
}

std::string_view name_of(ServeRoute::Kind kind) {
  switch (kind) {
    case Kind::kHealthz:
      return "healthz";
    case Kind::kReadyz:
      return "readyz";
    case Kind::kStart:
      return "start";
    case Kind::kLogin:
      return "login";
    case Kind::kLogout:
      return "logout";
    case Kind::kApi:
      return "api";
    case Kind::kUser:
      return "user";
    case Kind::kShortPort:
      return "port";
    case Kind::kNone:
      break;
  }
  return "none";
}

std::string_view session_app_prefix(std::string_view target) {
  const auto route = parse_user_route(target);
  // The list of ports is hpc-proxy's page, not the app's.
  if (!route || route->kind == UserRoute::Kind::kPorts) return {};
  return route->prefix;
}

std::string with_slash(std::string_view prefix, std::string_view rest) {
  return std::string(prefix).append("/").append(rest);
}

}  // namespace hpc
