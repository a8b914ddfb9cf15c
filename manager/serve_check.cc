#include "manager/serve_check.h"

#include <arpa/inet.h>

#include <algorithm>
#include <set>
#include <utility>

#include "common/tcp_stream.h"
#include "manager/session/session_key.h"

namespace hpc {

namespace {

/// Where the kernel takes connections to any address; it is no address to connect to.
bool is_any_address(const std::string& numeric) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, numeric.c_str(), &v4) == 1) return v4.s_addr == INADDR_ANY;
  return inet_pton(AF_INET6, numeric.c_str(), &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

class ServeCheck {
 public:
  explicit ServeCheck(const ServeOptions& options) : options_(options) {}

  std::vector<std::string> problems() {
    listening();
    people();
    clusters();
    ports();
    return std::move(problems_);
  }

 private:
  void problem(std::string text) { problems_.push_back(std::move(text)); }

  void listening() {
    const bool tls = options_.tls_cert && options_.tls_key;
    if (options_.tls_cert.has_value() != options_.tls_key.has_value()) {
      problem(options_.tls_cert ? "--tls-cert: needs --tls-key with its private key"
                                : "--tls-key: needs --tls-cert with the certificate");
    }
    const bool https = options_.public_url && options_.public_url->scheme == "https";
    const bool behind_proxy = https && !options_.trusted_proxies.empty();
    if (!is_loopback_address(options_.listen.address) && !tls && !behind_proxy) {
      problem("--listen: " + options_.listen.address +
              " is open to other machines, and logins would pass in the clear; give --tls-cert and "
              "--tls-key, or --public-url https://... and --trusted-proxy for a proxy that does "
              "TLS, or listen on 127.0.0.1");
    }
    if (tls && is_any_address(options_.listen.address) && !options_.public_url) {
      problem("--listen: " + options_.listen.address +
              " is every address of this machine, and no browser can open that one; give "
              "--public-url https://NAME, the name that the certificate is for");
    }
    if (tls && options_.public_url && !https) {
      problem("--public-url: begins with http://, but --tls-cert makes it https://");
    }
    if (options_.metrics_listen && options_.metrics_listen == options_.listen &&
        options_.listen.port != 0) {
      problem("--metrics-listen: is the same as --listen; metrics need an address of their own");
    }
  }

  void people() {
    if (options_.auth == AuthMode::kHeader && options_.trusted_proxies.empty()) {
      problem(
          "--auth: header needs --trusted-proxy, the address of the proxy that may say who the "
          "user "
          "is; everybody could write that header else");
    }
    if (options_.auth != AuthMode::kSsh) return;
    for (const auto& cluster : options_.clusters) {
      if (!cluster.target.user) continue;
      problem("--auth: with ssh everybody logs in as himself, but --cluster " + cluster.name +
              " has a fixed user; leave out its " + *cluster.target.user + "@");
    }
  }

  void clusters() {
    if (options_.clusters.empty()) {
      problem("--cluster: at least one is needed, as in --cluster main=login01.example.org");
    }
    if (options_.clusters.size() > kClustersMax) {
      problem("--cluster: at most " + std::to_string(kClustersMax) + " are possible");
    }
    std::set<std::string> names;
    bool all_fixed = true;
    for (const auto& cluster : options_.clusters) {
      if (!names.insert(cluster.name).second) {
        problem("--cluster: two are named " + cluster.name + "; give each a name of its own");
      }
      all_fixed = all_fixed && cluster.target.user.has_value();
    }
    if (options_.identity && !all_fixed && !names_user(*options_.identity)) {
      problem("--identity: " + *options_.identity +
              " would be everybody's key; write %u where the user's name stands, as in "
              "/etc/hpc-manager/keys/%u, or fix the account with --cluster NAME=USER@HOST");
    }
  }

  // %% is a percent sign.
  static bool names_user(const std::string& pattern) {
    for (std::size_t at = pattern.find('%'); at != std::string::npos && at + 1 < pattern.size();
         at = pattern.find('%', at + 2)) {
      if (pattern[at + 1] == 'u') return true;
    }
    return false;
  }

  void ports() {
    std::vector<std::pair<std::string, NamedPortRange>> ranges;
    if (options_.local_ports) ranges.emplace_back("--local-ports", *options_.local_ports);
    for (const auto& range : options_.port_ranges) {
      ranges.emplace_back("--port-range " + range.name, range);
    }
    if (options_.port_ranges.size() > kPortRangesMax) {
      problem("--port-range: at most " + std::to_string(kPortRangesMax) + " are possible");
    }
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      own_port_in(ranges[i], "--listen", options_.listen.port);
      if (options_.metrics_listen) {
        own_port_in(ranges[i], "--metrics-listen", options_.metrics_listen->port);
      }
      for (std::size_t j = 0; j < i; ++j) two_ranges(ranges[j], ranges[i]);
    }
  }

  using Named = std::pair<std::string, NamedPortRange>;

  void own_port_in(const Named& range, const std::string& option, unsigned port) {
    if (port < range.second.first || port > range.second.last) return;
    problem(range.first + ": holds the port of " + option + ", " + std::to_string(port) +
            "; move one of them");
  }

  void two_ranges(const Named& one, const Named& other) {
    if (one.second.name == other.second.name) {
      problem(other.first + ": there are two ranges of this name");
    }
    if (one.second.last < other.second.first || other.second.last < one.second.first) return;
    problem(other.first + ": shares ports with " + one.first + "; ranges must not overlap");
  }

  const ServeOptions& options_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> check_serve_options(const ServeOptions& options) {
  return ServeCheck(options).problems();
}

}  // namespace hpc
