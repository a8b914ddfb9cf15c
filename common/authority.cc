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

std::string_view scheme_of(std::string_view text) {
  for (const std::string_view scheme : {"http", "https"}) {
    if (equals_ignoring_case(text.substr(0, scheme.size()), scheme) &&
        text.substr(scheme.size()).starts_with("://")) {
      return text.substr(0, scheme.size());
    }
  }
  return {};
}

bool is_dot_segment(std::string_view segment) {
  std::size_t dots = 0;
  while (!segment.empty()) {
    const bool escaped = equals_ignoring_case(segment.substr(0, 3), "%2e");
    if (!escaped && segment.front() != '.') return false;
    segment.remove_prefix(escaped ? 3 : 1);
    ++dots;
  }
  return dots == 1 || dots == 2;
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

std::optional<HostUrl> parse_host_url(std::string_view text) {
  HostUrl url;
  url.scheme = scheme_of(text);
  if (url.scheme.empty() && !text.starts_with("//")) return std::nullopt;
  const std::size_t begin = url.scheme.empty() ? 2 : url.scheme.size() + 3;
  const std::size_t end = std::min(text.find_first_of("/?#", begin), text.size());
  url.origin = text.substr(0, end);
  url.authority = text.substr(begin, end - begin);
  url.rest = text.substr(end);
  return url;
}

bool has_dot_segment(std::string_view path) {
  while (true) {
    const std::size_t end = path.find_first_of("/\\");
    if (is_dot_segment(path.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    path.remove_prefix(end + 1);
  }
}

}  // namespace hpc
