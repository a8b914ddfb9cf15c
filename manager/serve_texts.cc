#include "manager/serve_texts.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <regex>
#include <utility>

#include "manager/options.h"
#include "manager/session/session_key.h"

namespace hpc {

namespace {

constexpr std::size_t kUserMapBytesMax = 256;
constexpr const char* kNameRule =
    "1 to 64 of a-z, 0-9, '.', '_' and '-', with a letter or digit in front";

tl::unexpected<Error> wrong(std::string_view text, const std::string& what) {
  return fail(Errc::kConfig, "configuration", "'" + std::string(text) + "' " + what);
}

bool is_address(int family, const std::string& text) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(family, text.c_str(), bytes.data()) == 1;
}

// Host and port of "host:port"; the host of "[v6]:port" comes without its brackets.
struct HostPort {
  std::string host;
  std::optional<std::string_view> port;
  bool brackets = false;
};

std::optional<HostPort> split_host(std::string_view text) {
  HostPort split;
  std::size_t end = text.find(':');
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    split.brackets = true;
    split.host = std::string(text.substr(1, close - 1));
    end = close + 1;
    if (end < text.size() && text[end] != ':') return std::nullopt;
  } else {
    split.host = std::string(text.substr(0, end));
  }
  if (end < text.size()) split.port = text.substr(end + 1);
  return split;
}

bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.front() == '-' || host.front() == '.') return false;
  return std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

bool host_bits_are_zero(int family, const std::string& address, unsigned length) {
  std::array<unsigned char, 16> bytes{};
  inet_pton(family, address.c_str(), bytes.data());
  const unsigned bits = family == AF_INET ? 32 : 128;
  for (unsigned bit = length; bit < bits; ++bit) {
    if ((bytes.at(bit / 8) >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

// How many groups `replacement` asks for at most; nothing for a '$' that means nothing.
std::optional<unsigned> groups_asked(std::string_view replacement) {
  unsigned most = 0;
  for (std::size_t at = 0; at < replacement.size(); ++at) {
    if (replacement[at] != '$') continue;
    const char next = at + 1 < replacement.size() ? replacement[at + 1] : '\0';
    const bool two_digits = at + 2 < replacement.size() && replacement[at + 2] >= '0' &&
                            replacement[at + 2] <= '9' && next >= '0' && next <= '9';
    if (next < '1' || next > '9' || two_digits) return std::nullopt;
    most = std::max(most, static_cast<unsigned>(next - '0'));
  }
  return most;
}

// std::regex tells what is wrong by an exception; it ends here.
std::optional<unsigned> groups_of(const std::string& pattern) {
  try {
    return static_cast<unsigned>(std::regex(pattern).mark_count());
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
}

// `ports` is the part of `text` that the person gave them in.
Result<NamedPortRange> first_to_last(const std::string& name, std::string_view ports,
                                     std::string_view text) {
  const auto dash = ports.find('-');
  if (dash == std::string_view::npos) return wrong(text, "has no FIRST-LAST; write 9000-9099");
  const auto first = parse_number(ports.substr(0, dash), 1024, 65535);
  const auto last = parse_number(ports.substr(dash + 1), 1024, 65535);
  if (!first || !last) return wrong(text, "has no FIRST-LAST within 1024 to 65535");
  if (*first > *last) return wrong(text, "ends before it begins; the smaller port comes first");
  return NamedPortRange{name, static_cast<std::uint16_t>(*first),
                        static_cast<std::uint16_t>(*last)};
}

}  // namespace

Result<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  bool good = !text.empty() && text.size() <= 15;
  for (const char c : text) {
    good = good && c >= '0' && c <= '9';
    if (good) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (good && value >= least && value <= most) return value;
  return wrong(text,
               "is no whole number from " + std::to_string(least) + " to " + std::to_string(most));
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto split = split_host(text);
  const auto port = split && split->port ? parse_number(*split->port, 0, 65535)
                                         : Result<std::uint64_t>(wrong(text, ""));
  if (!port || !is_address(split->brackets ? AF_INET6 : AF_INET, split->host)) {
    return wrong(text, "is no ADDR:PORT; write 127.0.0.1:8000, 0.0.0.0:443 or [::1]:8000");
  }
  return ListenAddress{split->host, static_cast<std::uint16_t>(*port)};
}

Result<PublicUrl> parse_public_url(std::string_view text) {
  PublicUrl url;
  std::string_view rest = text;
  for (const char* scheme : {"https", "http"}) {
    const std::string front = std::string(scheme) + "://";
    if (!url.scheme.empty() || rest.substr(0, front.size()) != front) continue;
    url.scheme = scheme;
    rest.remove_prefix(front.size());
  }
  if (url.scheme.empty()) return wrong(text, "is no URL; write https://hpc.example.org");
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  if (rest.find_first_of("/?#@") != std::string_view::npos) {
    return wrong(text, "may hold no path, query or user, only scheme, host and port");
  }
  auto split = split_host(rest);
  if (!split) return wrong(text, "has no valid host; write https://hpc.example.org");
  std::transform(split->host.begin(), split->host.end(), split->host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (split->brackets ? !is_address(AF_INET6, split->host) : !is_host_name(split->host)) {
    return wrong(text, "has no valid host; write https://hpc.example.org");
  }
  url.host = split->brackets ? "[" + split->host + "]" : split->host;
  if (!split->port) return url;
  const auto port = parse_number(*split->port, 1, 65535);
  if (!port) return wrong(text, "has no valid port (1 to 65535)");
  if (*port != (url.scheme == "https" ? 443U : 80U)) url.host += ":" + std::to_string(*port);
  return url;
}

Result<std::string> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  const int family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  const unsigned bits = family == AF_INET ? 32 : 128;
  if (!is_address(family, address)) {
    return wrong(text, "is no network; write 10.0.0.0/8, 10.1.2.3 or fd00::/8");
  }
  if (slash == std::string_view::npos) return address + "/" + std::to_string(bits);
  const auto length = parse_number(text.substr(slash + 1), 0, bits);
  if (!length) return wrong(text, "has no valid length behind the slash");
  if (*length == 0) return wrong(text, "would trust everybody; name the proxy's own address");
  if (!host_bits_are_zero(family, address, static_cast<unsigned>(*length))) {
    return wrong(text, "names a host and a network at once; for one host leave out the /" +
                           std::to_string(*length));
  }
  return address + "/" + std::to_string(*length);
}

Result<ClusterOption> parse_cluster(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) {
    return wrong(text, "is no NAME=[USER@]HOST[:PORT]; write main=login01.example.org");
  }
  ClusterOption cluster;
  cluster.name = text.substr(0, equals);
  if (!is_session_name(cluster.name)) {
    return wrong(text, "has a name that cannot stand in a URL; it is " + std::string(kNameRule));
  }
  if (!parse_ssh_destination(text.substr(equals + 1), cluster.target)) {
    return wrong(text, "has no [USER@]HOST[:PORT] behind the '='; an IPv6 address stands in []");
  }
  return cluster;
}

Result<UserMapRule> parse_user_map(std::string_view text) {
  const auto equals = text.rfind('=');
  if (text.size() > kUserMapBytesMax || equals == std::string_view::npos || equals == 0 ||
      equals + 1 == text.size()) {
    return wrong(text.substr(0, kUserMapBytesMax), "is no REGEX=REPLACEMENT of at most " +
                                                       std::to_string(kUserMapBytesMax) +
                                                       " bytes; write (.+)@example\\.org=$1");
  }
  UserMapRule rule{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
  const auto groups = groups_of(rule.pattern);
  if (!groups) return wrong(text, "has no valid regular expression in front of its last '='");
  const auto asked = groups_asked(rule.replacement);
  if (!asked) return wrong(text, "has a '$' that is not $1 to $9 in its replacement");
  if (*asked > *groups) {
    return wrong(text, "asks for $" + std::to_string(*asked) + ", but the expression has " +
                           std::to_string(*groups) + " groups in ()");
  }
  const bool plain = std::all_of(rule.replacement.begin(), rule.replacement.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("$._-").find(c) != std::string_view::npos;
  });
  if (plain) return rule;
  return wrong(text, "gives names that cannot stand in a URL: a-z, 0-9, '.', '_', '-', $1 to $9");
}

Result<NamedPortRange> parse_ports(const std::string& name, std::string_view text) {
  return first_to_last(name, text, text);
}

Result<NamedPortRange> parse_named_ports(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) {
    return wrong(text, "is no NAME=FIRST-LAST; write vnc=6901-6999");
  }
  const std::string name(text.substr(0, equals));
  if (!is_session_name(name)) return wrong(text, "has no valid name: " + std::string(kNameRule));
  if (name == "local") return wrong(text, "has the name of --local-ports; choose another");
  return first_to_last(name, text.substr(equals + 1), text);
}

Result<std::int64_t> parse_lifetime(std::string_view text) {
  constexpr std::int64_t kMinute = 60'000;
  constexpr std::int64_t kDay = kMinute * 60 * 24;
  constexpr std::array<std::pair<char, std::int64_t>, 4> kUnits{
      {{'s', 1000}, {'m', kMinute}, {'h', kMinute * 60}, {'d', kDay}}};
  for (const auto& [letter, ms] : kUnits) {
    if (text.empty() || text.back() != letter) continue;
    const auto count = parse_number(text.substr(0, text.size() - 1), 1, 100'000'000);
    if (!count) break;
    const auto lifetime = static_cast<std::int64_t>(*count) * ms;
    if (lifetime >= kMinute && lifetime <= 365 * kDay) return lifetime;
  }
  return wrong(text, "is no time from 1m to 365d; write 7d, 12h, 30m or 90s");
}

Result<std::string> parse_identity_pattern(const std::string& text) {
  for (std::size_t at = text.find('%'); at != std::string::npos; at = text.find('%', at + 2)) {
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (next != 'u' && next != '%') {
      return wrong(text, "has a '%' that is neither %u (the user's name) nor %%");
    }
  }
  return text;
}

std::string expand_home(const std::string& path, const std::string& home) {
  return path.rfind("~/", 0) == 0 && !home.empty() ? home + path.substr(1) : path;
}

}  // namespace hpc
