#include "manager/serve_table.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <utility>

#include "manager/serve_texts.h"
#include "manager/session/session_key.h"

namespace hpc {

namespace {

using Texts = std::vector<std::string>;

constexpr const char* kListening = "Where it listens";
constexpr const char* kPeople = "Who may come in";
constexpr const char* kClusters = "Clusters";
constexpr const char* kPorts = "Local ports";
constexpr const char* kLaunching = "Starting and ending sessions";
constexpr const char* kLimits = "Limits";
constexpr const char* kOperation = "Operation";

tl::unexpected<Error> wrong(std::string what) {
  return fail(Errc::kConfig, "configuration", std::move(what));
}

// Puts what `parse` made into `target`; `parse` gets the one text.
template <class Parse, class Target>
Status store(const Texts& texts, Parse parse, Target& target) {
  auto value = parse(texts.front());
  if (!value) return tl::unexpected(value.error());
  target = std::move(*value);
  return {};
}

template <class Parse, class Target>
Status store_all(const Texts& texts, Parse parse, std::vector<Target>& target) {
  if (texts.size() > kServeListMax) {
    return wrong("holds more than " + std::to_string(kServeListMax) + " values");
  }
  target.clear();
  for (const auto& text : texts) {
    auto value = parse(text);
    if (!value) return tl::unexpected(value.error());
    target.push_back(std::move(*value));
  }
  return {};
}

template <std::uint64_t Least, std::uint64_t Most, class Target>
Status store_number(const Texts& texts, Target& target) {
  const auto value = parse_number(texts.front(), Least, Most);
  if (!value) return tl::unexpected(value.error());
  target = static_cast<Target>(*value);
  return {};
}

Status store_switch(const Texts& texts, bool& target) {
  const auto& text = texts.front();
  const bool on = text == "on" || text == "true" || text == "1";
  if (!on && text != "off" && text != "false" && text != "0") {
    return wrong("'" + text + "' is neither on nor off");
  }
  target = on;
  return {};
}

template <class Choice>
Status store_choice(const Texts& texts, std::initializer_list<std::pair<const char*, Choice>> all,
                    Choice& target) {
  std::string names;
  for (const auto& [name, choice] : all) {
    if (texts.front() == name) {
      target = choice;
      return {};
    }
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return wrong("'" + texts.front() + "' is none of " + names);
}

Status store_text(const Texts& texts, std::optional<std::string>& target) {
  target = texts.front();
  return {};
}

// A field name (RFC 9110, 5.1) that a proxy sets and nobody else needs.
Result<std::string> parse_header_name(const std::string& text) {
  constexpr std::string_view kTokenBytes = "!#$%&'*+-.^_`|~";
  const bool token =
      !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [&](char c) {
        return (std::isalnum(static_cast<unsigned char>(c)) != 0) ||
               kTokenBytes.find(c) != std::string_view::npos;
      });
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<const char*, 6> kOthers{"authorization", "cookie",     "host",
                                               "connection",    "set-cookie", "content-length"};
  if (token && std::find(kOthers.begin(), kOthers.end(), lower) == kOthers.end()) return text;
  return wrong("'" + text + "' is no name of a header that a proxy can tell the user in; write " +
               "X-Forwarded-User or X-Remote-User");
}

Result<std::string> parse_admin(const std::string& text) {
  if (is_session_name(text)) return text;
  return wrong("'" + text +
               "' is no user's name as in URLs (a-z, 0-9, '.', '_', '-'), behind --user-map");
}

constexpr ServeOptionRow kRows[] = {
    {"listen", kListening, "ADDR:PORT", "127.0.0.1:8000", TomlType::kText,
     "address for browsers; port 0 takes a free one. Other than loopback only with TLS, or behind "
     "a "
     "proxy (--public-url https://... and --trusted-proxy)",
     [](ServeOptions& o, const Texts& t) { return store(t, parse_listen_address, o.listen); }},
    {"tls-cert", kListening, "FILE", "", TomlType::kText,
     "PEM certificate with its chain; read again on SIGHUP",
     [](ServeOptions& o, const Texts& t) { return store_text(t, o.tls_cert); }},
    {"tls-key", kListening, "FILE", "", TomlType::kText, "its private key, readable by us only",
     [](ServeOptions& o, const Texts& t) { return store_text(t, o.tls_key); }},
    {"public-url", kListening, "URL", "", TomlType::kText,
     "what browsers call us, if not http(s)://LISTEN: scheme, host and port, no path",
     [](ServeOptions& o, const Texts& t) {
       PublicUrl url;
       auto status = store(t, parse_public_url, url);
       if (status) o.public_url = url;
       return status;
     }},
    {"trusted-proxy", kListening, "CIDR", "", TomlType::kTexts,
     "a proxy in front of us, whose X-Forwarded-* and user header count; may be repeated",
     [](ServeOptions& o, const Texts& t) {
       return store_all(t, parse_network, o.trusted_proxies);
     }},
    {"metrics-listen", kListening, "ADDR:PORT", "", TomlType::kText,
     "where /metrics (Prometheus) is, without login; nowhere else",
     [](ServeOptions& o, const Texts& t) {
       ListenAddress address;
       auto status = store(t, parse_listen_address, address);
       if (status) o.metrics_listen = address;
       return status;
     }},
    {"app-url", kListening, "URL", "", TomlType::kText,
     "reserved for an origin of its own for apps; not available yet",
     [](ServeOptions&, const Texts&) -> Status {
       return wrong("an origin of its own for apps is not available yet; leave this option out");
     }},
    {"auth", kPeople, "header|token|ssh", "token", TomlType::kText,
     "who a request is from: a header of the trusted proxy, our own tokens (hpc-manager tokens), "
     "or "
     "a login to the cluster with password and one-time code",
     [](ServeOptions& o, const Texts& t) {
       return store_choice<AuthMode>(
           t, {{"header", AuthMode::kHeader}, {"token", AuthMode::kToken}, {"ssh", AuthMode::kSsh}},
           o.auth);
     }},
    {"auth-header", kPeople, "NAME", "X-Forwarded-User", TomlType::kText,
     "with --auth header: where the proxy writes the user; dropped from everybody else",
     [](ServeOptions& o, const Texts& t) { return store(t, parse_header_name, o.auth_header); }},
    {"user-map", kPeople, "REGEX=REPLACEMENT", "", TomlType::kTexts,
     "turns a login name into a user's name (a-z, 0-9, ._-); the first that matches the whole name "
     "counts, $1 is its first group; may be repeated",
     [](ServeOptions& o, const Texts& t) { return store_all(t, parse_user_map, o.user_map); }},
    {"admin", kPeople, "NAME", "", TomlType::kTexts,
     "a user who may see and end everybody's sessions (not open their apps); may be repeated",
     [](ServeOptions& o, const Texts& t) { return store_all(t, parse_admin, o.admins); }},
    {"login-lifetime", kPeople, "TIME", "7d", TomlType::kText,
     "how long a browser stays logged in: 90s, 30m, 12h, 7d",
     [](ServeOptions& o, const Texts& t) { return store(t, parse_lifetime, o.login_ms); }},
    {"cluster", kClusters, "NAME=[USER@]HOST[:PORT]", "", TomlType::kTexts,
     "a cluster's login host, NAME as in URLs. With USER@ only that user may use it; without, "
     "everybody under his own name. May be repeated",
     [](ServeOptions& o, const Texts& t) { return store_all(t, parse_cluster, o.clusters); }},
    {"known-hosts", kClusters, "FILE", "", TomlType::kText,
     "host keys of the clusters, instead of ssh's own file; unknown ones are refused",
     [](ServeOptions& o, const Texts& t) { return store_text(t, o.known_hosts); }},
    {"ssh-config", kClusters, "FILE", "", TomlType::kText, "instead of ~/.ssh/config",
     [](ServeOptions& o, const Texts& t) { return store_text(t, o.ssh_config); }},
    {"identity", kClusters, "PATTERN", "", TomlType::kText,
     "private key of each user, %u is the user's name: /etc/hpc-manager/keys/%u",
     [](ServeOptions& o, const Texts& t) -> Status {
       auto pattern = parse_identity_pattern(t.front());
       if (!pattern) return tl::unexpected(pattern.error());
       o.identity = *pattern;
       return {};
     }},
    {"local-ports", kPorts, "FIRST-LAST", "", TomlType::kText,
     "gives each running session a port of its own on 127.0.0.1 (its token is still asked for)",
     [](ServeOptions& o, const Texts& t) -> Status {
       auto range = parse_ports("local", t.front());
       if (!range) return tl::unexpected(range.error());
       o.local_ports = *range;
       return {};
     }},
    {"port-range", kPorts, "NAME=FIRST-LAST", "", TomlType::kTexts,
     "ports that each session gets one of, as in vnc=6901-6999; may be repeated",
     [](ServeOptions& o, const Texts& t) {
       return store_all(t, parse_named_ports, o.port_ranges);
     }},
    {"max-launching", kLaunching, "N", "10", TomlType::kNumber, "sessions that start at a time",
     [](ServeOptions& o, const Texts& t) { return store_number<1, 1000>(t, o.max_launching); }},
    {"max-launching-per-user", kLaunching, "N", "1", TomlType::kNumber, "of them one user's",
     [](ServeOptions& o, const Texts& t) {
       return store_number<1, 1000>(t, o.max_launching_per_user);
     }},
    {"max-users-launching", kLaunching, "N", "", TomlType::kNumber,
     "users whose sessions start at a time (default: as --max-launching allows)",
     [](ServeOptions& o, const Texts& t) {
       unsigned users = 0;
       auto status = store_number<1, 10'000>(t, users);
       if (status) o.max_users_launching = users;
       return status;
     }},
    {"max-queued-per-user", kLaunching, "N", "5", TomlType::kNumber,
     "sessions of one user that wait for their start; the next is refused (429)",
     [](ServeOptions& o, const Texts& t) {
       return store_number<0, 1000>(t, o.max_queued_per_user);
     }},
    {"poll-min", kLaunching, "SECONDS", "2", TomlType::kNumber,
     "between two questions to a cluster's SLURM about all jobs, at least; they are up to a minute "
     "apart while nothing changes",
     [](ServeOptions& o, const Texts& t) {
       std::uint64_t seconds = 0;
       auto status = store_number<1, 3600>(t, seconds);
       if (status) o.poll_min_ms = seconds * 1000;
       return status;
     }},
    {"idle-end", kLaunching, "MINUTES", "", TomlType::kNumber,
     "ends a session through which nothing has passed for so long; its user is told 5 minutes "
     "before (default: never)",
     [](ServeOptions& o, const Texts& t) {
       std::uint64_t minutes = 0;
       auto status = store_number<1, kIdleEndMinutesMax>(t, minutes);
       if (status) o.idle_end_ms = minutes * 60'000;
       return status;
     }},
    {"templates", kLaunching, "DIR", "", TomlType::kText,
     "job scripts of this site, NAME.sbatch, beside those that are built in or instead of them; "
     "checked at the start",
     [](ServeOptions& o, const Texts& t) { return store_text(t, o.templates); }},
    {"max-sessions", kLimits, "N", "50", TomlType::kNumber, "sessions of all users",
     [](ServeOptions& o, const Texts& t) { return store_number<1, 10'000>(t, o.max_sessions); }},
    {"max-sessions-per-user", kLimits, "N", "10", TomlType::kNumber, "sessions of one user",
     [](ServeOptions& o, const Texts& t) {
       return store_number<1, kSlotMax>(t, o.max_sessions_per_user);
     }},
    {"max-connections", kLimits, "N", "1024", TomlType::kNumber, "browser connections at a time",
     [](ServeOptions& o, const Texts& t) { return store_number<1, 65'535>(t, o.max_connections); }},
    {"drain-timeout", kLimits, "SECONDS", "10", TomlType::kNumber,
     "how long running exchanges may finish after SIGTERM",
     [](ServeOptions& o, const Texts& t) {
       std::uint64_t seconds = 0;
       auto status = store_number<0, 3600>(t, seconds);
       if (status) o.drain_ms = seconds * 1000;
       return status;
     }},
    {"config", kOperation, "FILE", "", TomlType::kText,
     "TOML file with the other options: listen = \"127.0.0.1:8000\", cluster = [\"a=login01\"]",
     [](ServeOptions& o, const Texts& t) { return store_text(t, o.config); }},
    {"state", kOperation, "FILE", "", TomlType::kText,
     "SQLite file with sessions, ports, tokens and events, on a local disk (default: "
     "~/.local/state/hpc-manager/state.db)",
     [](ServeOptions& o, const Texts& t) -> Status {
       o.state = t.front();
       return {};
     }},
    {"socket", kOperation, "FILE", "", TomlType::kText,
     "Unix socket of the operator's commands (default: $XDG_RUNTIME_DIR/hpc-manager/socket, else "
     "~/.local/state/hpc-manager/socket)",
     [](ServeOptions& o, const Texts& t) -> Status {
       o.socket = t.front();
       return {};
     }},
    {"root-fallback", kOperation, "on|off", "on", TomlType::kBoolean,
     "send /x that a page of an app asks for to the app, for apps that only work at /",
     [](ServeOptions& o, const Texts& t) { return store_switch(t, o.root_fallback); }},
    {"log-format", kOperation, "text|json", "text", TomlType::kText, "of what is said on stderr",
     [](ServeOptions& o, const Texts& t) {
       return store_choice<LogFormat>(t, {{"text", LogFormat::kText}, {"json", LogFormat::kJson}},
                                      o.log_format);
     }},
    {"verbose", kOperation, "", "off", TomlType::kBoolean, "say more on stderr",
     [](ServeOptions& o, const Texts& t) { return store_switch(t, o.verbose); }},
};

}  // namespace

std::span<const ServeOptionRow> serve_option_table() { return kRows; }

bool is_path_option(const ServeOptionRow& row) {
  const std::string_view metavar = row.metavar;
  return metavar == "FILE" || metavar == "PATTERN" || metavar == "DIR";
}

std::string serve_environment_name(std::string_view option) {
  std::string name = "HPC_MANAGER_";
  for (const char c : option) {
    name.push_back(c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return name;
}

}  // namespace hpc
