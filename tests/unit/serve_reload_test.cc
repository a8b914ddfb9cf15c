#include "manager/serve_reload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <ostream>

#include "manager/serve_table.h"

namespace hpc {
namespace {

using Names = std::vector<std::string>;

ClusterOption cluster(const char* name, const char* host) {
  ClusterOption option;
  option.name = name;
  option.target.host = host;
  return option;
}

ServeOptions good() {
  ServeOptions options;
  options.clusters = {cluster("main", "login01")};
  return options;
}

struct ReloadCase {
  const char* option;
  bool now;
  std::function<void(ServeOptions&)> change;
};
void PrintTo(const ReloadCase& c, std::ostream* os) { *os << c.option; }

const ReloadCase kCases[] = {
    {"listen", false, [](ServeOptions& o) { o.listen.port = 8001; }},
    {"public-url", false,
     [](ServeOptions& o) {
       o.public_url = PublicUrl{"https", "a"};
     }},
    {"trusted-proxy", true, [](ServeOptions& o) { o.trusted_proxies = {"10.0.0.0/8"}; }},
    {"metrics-listen", false,
     [](ServeOptions& o) {
       o.metrics_listen = ListenAddress{"::1", 1};
     }},
    {"auth", false, [](ServeOptions& o) { o.auth = AuthMode::kSsh; }},
    {"auth-header", false, [](ServeOptions& o) { o.auth_header = "X-Remote-User"; }},
    {"user-map", true,
     [](ServeOptions& o) {
       o.user_map = {{"a", "b"}};
     }},
    {"admin", true, [](ServeOptions& o) { o.admins = {"alice"}; }},
    {"login-lifetime", true, [](ServeOptions& o) { o.login_ms = 60'000; }},
    {"known-hosts", true, [](ServeOptions& o) { o.known_hosts = "/k"; }},
    {"ssh-config", true, [](ServeOptions& o) { o.ssh_config = "/s"; }},
    {"identity", true, [](ServeOptions& o) { o.identity = "/k/%u"; }},
    {"local-ports", false,
     [](ServeOptions& o) {
       o.local_ports = NamedPortRange{"local", 9000, 9001};
     }},
    {"port-range", false,
     [](ServeOptions& o) {
       o.port_ranges = {{"vnc", 6901, 6999}};
     }},
    {"max-sessions", true, [](ServeOptions& o) { o.max_sessions = 7; }},
    {"max-sessions-per-user", true, [](ServeOptions& o) { o.max_sessions_per_user = 7; }},
    {"max-launching", true, [](ServeOptions& o) { o.max_launching = 7; }},
    {"max-launching-per-user", true, [](ServeOptions& o) { o.max_launching_per_user = 7; }},
    {"max-users-launching", true, [](ServeOptions& o) { o.max_users_launching = 7; }},
    {"poll-min", true, [](ServeOptions& o) { o.poll_min_ms = 7'000; }},
    {"idle-end", true, [](ServeOptions& o) { o.idle_end_ms = 60'000; }},
    {"templates", true, [](ServeOptions& o) { o.templates = "/t"; }},
    {"max-queued-per-user", true, [](ServeOptions& o) { o.max_queued_per_user = 7; }},
    {"max-connections", false, [](ServeOptions& o) { o.max_connections = 7; }},
    {"drain-timeout", true, [](ServeOptions& o) { o.drain_ms = 7; }},
    {"state", false, [](ServeOptions& o) { o.state = "/s.db"; }},
    {"socket", false, [](ServeOptions& o) { o.socket = "/s"; }},
    {"root-fallback", true, [](ServeOptions& o) { o.root_fallback = false; }},
    {"log-format", true, [](ServeOptions& o) { o.log_format = LogFormat::kJson; }},
    {"verbose", true, [](ServeOptions& o) { o.verbose = true; }},
    {"cluster", true, [](ServeOptions& o) { o.clusters.push_back(cluster("gpu", "login02")); }},
};

class ServeReloadTest : public ::testing::TestWithParam<ReloadCase> {};

TEST_P(ServeReloadTest, OneOptionChangesNowOrNeedsARestart) {
  const auto running = good();
  auto told = running;
  GetParam().change(told);
  const auto plan = reload_plan(running, told, {"main"});
  if (GetParam().now) {
    EXPECT_EQ(plan.changed, Names{GetParam().option});
    EXPECT_TRUE(plan.refused.empty());
    // Told the same again, nothing is left to do: everything was taken over.
    const auto again = reload_plan(plan.options, told, {"main"});
    EXPECT_TRUE(again.changed.empty());
    EXPECT_TRUE(again.refused.empty());
  } else {
    EXPECT_TRUE(plan.changed.empty());
    ASSERT_EQ(plan.refused.size(), 1U);
    EXPECT_EQ(plan.refused[0].rfind(std::string(GetParam().option) + ": has a new value", 0), 0U);
    const auto again = reload_plan(running, plan.options, {"main"});
    EXPECT_TRUE(again.refused.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(All, ServeReloadTest, ::testing::ValuesIn(kCases), [](const auto& test) {
  std::string name = test.param.option;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(ServeReloadTableTest, NoOptionIsForgotten) {
  std::set<std::string> want{"config", "app-url", "tls-cert", "tls-key"};
  for (const auto& c : kCases) want.insert(c.option);
  for (const auto& row : serve_option_table()) EXPECT_EQ(want.count(row.name), 1U) << row.name;
}

TEST(ServeReloadTlsTest, OtherFilesAreTakenButTlsItselfStays) {
  auto running = good();
  auto told = running;
  told.tls_cert = told.tls_key = "/a";
  auto plan = reload_plan(running, told, {});
  EXPECT_FALSE(plan.options.tls_cert);
  ASSERT_EQ(plan.refused.size(), 1U);
  EXPECT_EQ(plan.refused[0].rfind("tls-cert: ", 0), 0U);

  running = told;
  told.tls_cert = told.tls_key = "/b";
  plan = reload_plan(running, told, {});
  EXPECT_EQ(plan.options.tls_cert, "/b");
  EXPECT_EQ(plan.options.tls_key, "/b");
  EXPECT_EQ(plan.changed, (Names{"tls-cert", "tls-key"}));
}

TEST(ServeReloadClusterTest, ClustersWithSessionsStay) {
  auto running = good();
  running.clusters.push_back(cluster("gpu", "login02"));
  auto told = good();
  told.clusters = {cluster("new", "login03")};
  const auto plan = reload_plan(running, told, {"main"});
  ASSERT_EQ(plan.options.clusters.size(), 2U);
  EXPECT_EQ(plan.options.clusters[0].name, "new");
  EXPECT_EQ(plan.options.clusters[1].name, "main");
  EXPECT_EQ(plan.changed, Names{"cluster"});
  ASSERT_EQ(plan.refused.size(), 1U);
  EXPECT_EQ(plan.refused[0].rfind("cluster: main has sessions", 0), 0U);
}

TEST(ServeReloadClusterTest, AClusterMovesOnlyWithoutSessions) {
  const auto running = good();
  for (const auto& change : std::vector<std::function<void(SshTarget&)>>{
           [](SshTarget& t) { t.host = "login02"; }, [](SshTarget& t) { t.port = 2222; },
           [](SshTarget& t) { t.user = "alice"; }}) {
    auto told = running;
    change(told.clusters[0].target);
    EXPECT_TRUE(reload_plan(running, told, {"main"}).changed.empty());
    EXPECT_EQ(reload_plan(running, told, {"main"}).refused.size(), 1U);
    EXPECT_EQ(reload_plan(running, told, {"main"}).options.clusters[0].target.host, "login01");
    EXPECT_EQ(reload_plan(running, told, {"other"}).changed, Names{"cluster"});
  }
}

TEST(ServeReloadClusterTest, KnownHostsReachEveryTarget) {
  const auto running = good();
  auto told = running;
  told.known_hosts = "/k";
  told.ssh_config = "/s";
  const auto plan = reload_plan(running, told, {"main"});
  EXPECT_EQ(plan.options.clusters[0].target.known_hosts, "/k");
  EXPECT_EQ(plan.options.clusters[0].target.ssh_config, "/s");
}

TEST(ServeReloadSafetyTest, AnUnsafeMixtureChangesNothing) {
  auto running = good();
  running.listen.address = "10.0.0.1";
  running.public_url = PublicUrl{"https", "a"};
  running.trusted_proxies = {"10.0.0.2/32"};
  auto told = good();  // on loopback, where no proxy is needed
  told.admins = {"alice"};
  const auto plan = reload_plan(running, told, {});
  EXPECT_EQ(plan.options.listen.address, "10.0.0.1");
  EXPECT_EQ(plan.options.trusted_proxies, running.trusted_proxies);
  EXPECT_TRUE(plan.options.admins.empty());
  EXPECT_TRUE(plan.changed.empty());
  ASSERT_FALSE(plan.refused.empty());
  EXPECT_EQ(
      plan.refused.back().rfind("nothing is changed without a restart, because then --listen", 0),
      0U);
}

}  // namespace
}  // namespace hpc
