#include "manager/serve_reload.h"

#include <algorithm>
#include <utility>

#include "manager/serve_check.h"

namespace hpc {

namespace {

enum class When : std::uint8_t { kNow, kRestart };

struct ReloadRow {
  const char* name;
  When when;
  bool (*same)(const ServeOptions& one, const ServeOptions& other);
  void (*take)(ServeOptions& into, const ServeOptions& from);
};

template <auto Member>
constexpr ReloadRow row(const char* name, When when) {
  return {name, when,
          [](const ServeOptions& one, const ServeOptions& other) {
            return one.*Member == other.*Member;
          },
          [](ServeOptions& into, const ServeOptions& from) { into.*Member = from.*Member; }};
}

// Every option but --cluster, --tls-cert and --tls-key, which are looked at more closely.
// --config is how the new values came.
constexpr ReloadRow kRows[] = {
    row<&ServeOptions::listen>("listen", When::kRestart),
    row<&ServeOptions::public_url>("public-url", When::kRestart),
    row<&ServeOptions::trusted_proxies>("trusted-proxy", When::kNow),
    row<&ServeOptions::metrics_listen>("metrics-listen", When::kRestart),
    row<&ServeOptions::auth>("auth", When::kRestart),
    row<&ServeOptions::auth_header>("auth-header", When::kRestart),
    row<&ServeOptions::user_map>("user-map", When::kNow),
    row<&ServeOptions::admins>("admin", When::kNow),
    row<&ServeOptions::login_ms>("login-lifetime", When::kNow),
    row<&ServeOptions::known_hosts>("known-hosts", When::kNow),
    row<&ServeOptions::ssh_config>("ssh-config", When::kNow),
    row<&ServeOptions::identity>("identity", When::kNow),
    row<&ServeOptions::local_ports>("local-ports", When::kRestart),
    row<&ServeOptions::port_ranges>("port-range", When::kRestart),
    row<&ServeOptions::max_sessions>("max-sessions", When::kNow),
    row<&ServeOptions::max_sessions_per_user>("max-sessions-per-user", When::kNow),
    row<&ServeOptions::max_launching>("max-launching", When::kNow),
    row<&ServeOptions::max_launching_per_user>("max-launching-per-user", When::kNow),
    row<&ServeOptions::max_users_launching>("max-users-launching", When::kNow),
    row<&ServeOptions::max_queued_per_user>("max-queued-per-user", When::kNow),
    row<&ServeOptions::poll_min_ms>("poll-min", When::kNow),
    row<&ServeOptions::idle_end_ms>("idle-end", When::kNow),
    row<&ServeOptions::templates>("templates", When::kNow),
    row<&ServeOptions::max_connections>("max-connections", When::kRestart),
    row<&ServeOptions::drain_ms>("drain-timeout", When::kNow),
    row<&ServeOptions::state>("state", When::kRestart),
    row<&ServeOptions::socket>("socket", When::kRestart),
    row<&ServeOptions::root_fallback>("root-fallback", When::kNow),
    row<&ServeOptions::log_format>("log-format", When::kNow),
    row<&ServeOptions::verbose>("verbose", When::kNow),
};

const ClusterOption* find(const std::vector<ClusterOption>& clusters, const std::string& name) {
  const auto found = std::find_if(clusters.begin(), clusters.end(),
                                  [&](const ClusterOption& c) { return c.name == name; });
  return found == clusters.end() ? nullptr : &*found;
}

// Whether the sessions there stay where they are.
bool same_place(const ClusterOption& one, const ClusterOption& other) {
  return one.target.host == other.target.host && one.target.port == other.target.port &&
         one.target.user == other.target.user;
}

void take_clusters(ReloadPlan& plan, const ServeOptions& running, const ServeOptions& told,
                   const std::set<std::string>& in_use) {
  auto clusters = told.clusters;
  for (const auto& old : running.clusters) {
    const auto* now = find(clusters, old.name);
    if ((now != nullptr && same_place(*now, old)) || in_use.count(old.name) == 0) continue;
    plan.refused.push_back("cluster: " + old.name +
                           " has sessions and stays as it is; end them first, then send SIGHUP "
                           "again");
    clusters.erase(std::remove_if(clusters.begin(), clusters.end(),
                                  [&](const ClusterOption& c) { return c.name == old.name; }),
                   clusters.end());
    clusters.push_back(old);
  }
  const bool same = clusters.size() == running.clusters.size() &&
                    std::all_of(clusters.begin(), clusters.end(), [&](const ClusterOption& c) {
                      const auto* old = find(running.clusters, c.name);
                      return old != nullptr && same_place(*old, c);
                    });
  if (!same) plan.changed.emplace_back("cluster");
  // Also when they are the same: known_hosts and ssh_config are part of each target.
  plan.options.clusters = std::move(clusters);
  for (auto& cluster : plan.options.clusters) {
    cluster.target.known_hosts = told.known_hosts;
    cluster.target.ssh_config = told.ssh_config;
  }
}

std::string needs_restart(const std::string& name) {
  return name + ": has a new value, which needs a restart; the old one stays until then";
}

// Other files, yes; from TLS to no TLS or back is another listener.
void take_tls(ReloadPlan& plan, const ServeOptions& running, const ServeOptions& told) {
  if (running.tls_cert.has_value() != told.tls_cert.has_value()) {
    plan.refused.push_back(needs_restart("tls-cert"));
    return;
  }
  if (running.tls_cert != told.tls_cert) plan.changed.emplace_back("tls-cert");
  if (running.tls_key != told.tls_key) plan.changed.emplace_back("tls-key");
  plan.options.tls_cert = told.tls_cert;
  plan.options.tls_key = told.tls_key;
}

}  // namespace

ReloadPlan reload_plan(const ServeOptions& running, const ServeOptions& told,
                       const std::set<std::string>& clusters_in_use) {
  ReloadPlan plan{running, {}, {}};
  for (const auto& option : kRows) {
    if (option.same(running, told)) continue;
    if (option.when == When::kRestart) {
      plan.refused.push_back(needs_restart(option.name));
      continue;
    }
    option.take(plan.options, told);
    plan.changed.emplace_back(option.name);
  }
  take_tls(plan, running, told);
  take_clusters(plan, running, told, clusters_in_use);
  const auto problems = check_serve_options(plan.options);
  if (problems.empty()) return plan;
  // Only a mixture of old and new can fail here: a proxy that is trusted no more, say, in front
  // of an address that cannot be left before the restart.
  plan.options = running;
  plan.changed.clear();
  for (const auto& problem : problems) {
    plan.refused.push_back("nothing is changed without a restart, because then " + problem);
  }
  return plan;
}

}  // namespace hpc
