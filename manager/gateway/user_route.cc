#include "manager/gateway/user_route.h"

#include <utility>

namespace hpc {

namespace {

std::string_view path_part(std::string_view target) { return target.substr(0, target.find('?')); }

}  // namespace

std::optional<UserRoute> parse_user_route(std::string_view target) {
  auto session = parse_session_path(target);
  if (!session) return std::nullopt;
  UserRoute route;
  route.key = std::move(session->key);
  route.upstream_rest = session->rest;
  if (const auto port = parse_port_route(session->rest)) {
    route.kind = UserRoute::Kind::kPort;
    route.port = *port;
    route.prefix = target.substr(0, session->prefix.size() + port->prefix.size());
    route.rest = port->rest;
    route.needs_slash = port->needs_slash;
    return route;
  }
  const auto path = path_part(session->rest);
  for (const std::string_view ports : {"/port", "/absport"}) {
    if (path == ports || (path.starts_with(ports) && path[ports.size()] == '/')) {
      return std::nullopt;
    }
  }
  route.prefix = session->prefix;
  route.rest = session->rest;
  if (path == "/ports") {
    route.kind = UserRoute::Kind::kPorts;
    return route;
  }
  route.needs_slash = path.empty();
  return route;
}

}  // namespace hpc
