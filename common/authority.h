#pragma once
#include <optional>
#include <string_view>

namespace hpc {

/// "host[:port]" of a URL, an Origin or a Host field, taken apart. A view into the text.
struct Authority {
  std::string_view host;  // with brackets for IPv6
  unsigned port = 0;      // 1..65535; 0 where none is written
};

/// Nothing for an empty host or a port that is none. User names are not taken apart: "a@b" is a
/// host that equals no other.
std::optional<Authority> parse_authority(std::string_view text);

/// What a port that is not written means under that scheme: 443 for "https", else 80.
unsigned default_port(std::string_view scheme);

/// The same host (in any case) and port, under that scheme.
bool same_authority(const Authority& a, const Authority& b, std::string_view scheme);

/// A URL that names a host, taken apart; views into its text.
struct HostUrl {
  std::string_view origin;     // as written: "http://host:1" or "//host:1"
  std::string_view scheme;     // "" where it begins with "//"
  std::string_view authority;  // "host:1"
  std::string_view rest;       // path, query and fragment: "", "/x?y#z", "?y"
};

/// Nothing for relative references, path-absolute ones, and schemes other than http and https.
std::optional<HostUrl> parse_host_url(std::string_view text);

/// Does a path (no query, no fragment) hold a "." or "..", also as %2e, that a browser takes away
/// when it resolves it? Browsers read '\' as '/'.
bool has_dot_segment(std::string_view path);

}  // namespace hpc
