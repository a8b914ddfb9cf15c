#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/log.h"
#include "common/result.h"
#include "manager/session/port_pool.h"
#include "manager/ssh/ssh_connector.h"

namespace hpc {

// A year: no site has longer jobs.
constexpr std::uint64_t kIdleEndMinutesMax = 525'600;

/// How `serve` learns who asks (contract 2.2).
enum class AuthMode : std::uint8_t {
  kHeader,  // a proxy in front of us names the user
  kToken,   // tokens of ours, made by the operator or by the user
  kSsh,     // whoever can log in to the cluster
};

/// ADDR:PORT of a listening socket.
struct ListenAddress {
  std::string address = "127.0.0.1";  // numeric
  std::uint16_t port = 8000;          // 0 takes a free one

  bool operator==(const ListenAddress&) const = default;
};

/// https://hpc.example.org or http://127.0.0.1:8000: no path, no query.
struct PublicUrl {
  std::string scheme;  // "http" or "https"
  std::string host;    // with the port where it is not the scheme's own: "hpc.example.org:8443"

  std::string text() const { return scheme + "://" + host; }
  bool operator==(const PublicUrl&) const = default;
};

/// --cluster NAME=[USER@]HOST[:PORT]. Without USER everybody logs in under his own name, which is
/// what many users need; with it only that user may use the cluster.
struct ClusterOption {
  std::string name;
  SshTarget target;
};

/// REGEX=REPLACEMENT of --user-map: the first that matches a whole login name gives the user's name
/// in URLs; what no rule matches stays as it is.
struct UserMapRule {
  std::string pattern;
  std::string replacement;

  bool operator==(const UserMapRule&) const = default;
};

/// `hpc-manager serve`, everything from flags, environment and configuration file, checked.
struct ServeOptions {
  std::optional<std::string> config;  // the file that was read
  ListenAddress listen;
  std::optional<std::string> tls_cert, tls_key;  // PEM files; both or none
  std::optional<PublicUrl> public_url;           // else http(s)://LISTEN
  std::vector<std::string> trusted_proxies;      // "10.0.0.0/8", "::1/128"
  std::vector<ClusterOption> clusters;           // at least one
  std::optional<std::string> known_hosts, ssh_config;
  std::optional<std::string> identity;  // pattern with %u for the user's name
  std::string state;                    // the SQLite file
  std::string socket;                   // the operators' Unix socket
  AuthMode auth = AuthMode::kToken;
  std::string auth_header = "X-Forwarded-User";  // with AuthMode::kHeader
  std::vector<UserMapRule> user_map;
  std::vector<std::string> admins;
  std::optional<NamedPortRange> local_ports;  // named "local"
  std::vector<NamedPortRange> port_ranges;
  std::optional<ListenAddress> metrics_listen;
  unsigned max_sessions = 50, max_sessions_per_user = 10;
  unsigned max_launching = 10, max_launching_per_user = 1, max_queued_per_user = 5;
  std::optional<unsigned> max_users_launching;
  std::uint64_t poll_min_ms = 2'000;     // 1 s to an hour
  std::uint64_t idle_end_ms = 0;         // whole minutes; 0: never
  std::optional<std::string> templates;  // the site's job scripts, a directory
  unsigned max_connections = 1024;
  std::uint64_t drain_ms = 10'000;
  std::int64_t login_ms = std::int64_t{7} * 24 * 3600 * 1000;  // how long a browser stays in
  bool root_fallback = true;
  LogFormat log_format = LogFormat::kText;
  bool verbose = false;
  std::vector<std::string> arguments;  // of the command line behind `serve`, for reading it again

  /// Where a browser reaches us: public_url, else what we listen on.
  PublicUrl browser_url() const {
    if (public_url) return *public_url;
    const bool v6 = listen.address.find(':') != std::string::npos;
    const std::string host = v6 ? "[" + listen.address + "]" : listen.address;
    return {tls_cert ? "https" : "http", host + ":" + std::to_string(listen.port)};
  }
};

}  // namespace hpc
