#include "common/authority.h"

#include <algorithm>
#include <charconv>

#include "common/http_head.h"

namespace hpc {

namespace {

std::optional<unsigned> parse_port(std::string_view text) {
  unsigned port = 0;
  const char* last = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), last, port);
  if (failed != std::errc{} || end != last || port == 0 || port > 65535) return std::nullopt;
  return port;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  const std::size_t host_end =
      text.starts_with('[') ? text.find(']') : std::min(text.find(':'), text.size()) - 1;
  if (text.empty() || host_end >= text.size()) return std::nullopt;
  Authority authority{text.substr(0, host_end + 1), 0};
  const std::string_view tail = text.substr(host_end + 1);
  if (tail.empty()) return authority;
  if (tail.front() != ':') return std::nullopt;
  const auto port = parse_port(tail.substr(1));
  if (!port) return std::nullopt;
  authority.port = *port;
  return authority;
}

unsigned default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

bool same_authority(const Authority& a, const Authority& b, std::string_view scheme) {
  const unsigned fallback = default_port(scheme);
  return equals_ignoring_case(a.host, b.host) &&
         (a.port != 0 ? a.port : fallback) == (b.port != 0 ? b.port : fallback);
}

}  // namespace hpc
