#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"
#include "manager/serve_options.h"

namespace hpc {

// Values of serve's options as a person writes them. Each returns kConfig whose detail says what is
// wrong with the text and what to write; the caller adds the option's name.

/// Plain decimal digits, `least` to `most`.
Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most);

/// "127.0.0.1:8000", "[::1]:8000": numeric, because names like localhost may be another's.
Result<ListenAddress> parse_listen_address(std::string_view text);

/// "https://hpc.example.org", with a port if need be; the scheme's own port is left out, the host
/// comes in lower case. No path: pages and cookies are at the root of their host.
Result<PublicUrl> parse_public_url(std::string_view text);

/// "10.0.0.0/8", "10.1.2.3" (one host), "fd00::/8"; never /0. Comes with its length.
Result<std::string> parse_network(std::string_view text);

/// NAME=[USER@]HOST[:PORT]; NAME as in URLs (is_session_name).
Result<ClusterOption> parse_cluster(const std::string& text);

/// REGEX=REPLACEMENT, divided at the last '='. The regular expression (ECMAScript) compiles and has
/// the groups that the replacement asks for as $1 to $9.
Result<UserMapRule> parse_user_map(std::string_view text);

/// FIRST-LAST within 1024..65535.
Result<NamedPortRange> parse_ports(const std::string& name, std::string_view text);

/// NAME=FIRST-LAST; NAME is is_session_name and not "local".
Result<NamedPortRange> parse_named_ports(std::string_view text);

/// "90s", "30m", "12h", "7d": one minute to 365 days, in ms.
Result<std::int64_t> parse_lifetime(std::string_view text);

/// %u and %% are known.
Result<std::string> parse_identity_pattern(const std::string& text);

/// "~/x" with `home` in front; other texts as they are.
std::string expand_home(const std::string& path, const std::string& home);

}  // namespace hpc
