#include "common/port_route.h"

#include <charconv>

namespace hpc {

namespace {

constexpr std::string_view kStripped = "/port/";
constexpr std::string_view kKept = "/absport/";
constexpr std::string_view kApp = "/app";
constexpr std::string_view kKeptApp = "/absapp";

tl::unexpected<Error> not_a_route(const char* why) { return fail(Errc::kNotFound, "route", why); }

/// Cuts `target` behind `prefix_size` bytes.
void cut_at(std::string_view target, std::size_t prefix_size, PortRoute& route) {
  route.prefix = target.substr(0, prefix_size);
  route.rest = target.substr(prefix_size);
  route.needs_slash = route.rest.empty() || route.rest.front() == '?';
}

}  // namespace

Result<PortRoute> parse_port_route(std::string_view target) {
  PortRoute route;
  std::size_t begin = kStripped.size();
  if (target.starts_with(kKept)) {
    route.keep_prefix = true;
    begin = kKept.size();
  } else if (!target.starts_with(kStripped)) {
    return not_a_route("not /port/N or /absport/N");
  }
  const char* first = target.data() + begin;
  const char* last = target.data() + target.size();
  std::uint16_t port = 0;
  // from_chars takes a minus sign only for signed types and never a plus, space or 0x.
  const auto [end, failed] = std::from_chars(first, last, port);
  if (failed != std::errc{} || port == 0 || *first == '0') {
    return not_a_route("the port must be 1 to 65535 in plain decimal");
  }
  if (end != last && *end != '/' && *end != '?') return not_a_route("junk after the port");
  route.port = port;
  cut_at(target, static_cast<std::size_t>(end - target.data()), route);
  return route;
}

Result<PortRoute> parse_app_route(std::string_view target) {
  for (const std::string_view name : {kApp, kKeptApp}) {
    if (!target.starts_with(name)) continue;
    if (target.size() > name.size() && target[name.size()] != '/' && target[name.size()] != '?') {
      continue;
    }
    PortRoute route;
    route.keep_prefix = name == kKeptApp;
    cut_at(target, name.size(), route);
    return route;
  }
  return not_a_route("not /app or /absapp");
}

std::string_view app_prefix(std::string_view target) {
  if (const auto route = parse_port_route(target)) return route->prefix;
  if (const auto route = parse_app_route(target)) return route->prefix;
  return {};
}

}  // namespace hpc
