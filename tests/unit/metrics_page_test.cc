#include "manager/gateway/metrics_page.h"

#include "tests/support/metrics_samples.h"

namespace hpc {
namespace {

std::map<std::string, std::string> samples_of(const ManagerMetrics& metrics) {
  return metrics_samples(manager_metrics_answer(metrics).body, "hpc_manager_");
}

TEST(MetricsPageTest, SaysEveryNumber) {
  ManagerMetrics metrics;
  metrics.version = "0.1.0";
  metrics.started_unix_ms = 1'772'366'400'005;
  metrics.sessions = {{SessionState::kRunning, 3}, {SessionState::kReconnecting, 1}};
  metrics.logins = {{ClusterLogin::State::kUp, 2}};
  metrics.tunnels_ready = 3;
  metrics.tunnels_down = 1;
  metrics.traffic.requests = 70;
  metrics.traffic.open_websockets = 4;
  metrics.lag = {5, 123, 2};
  metrics.store_healthy = false;
  metrics.store_queued_changes = 17;
  metrics.event_subscribers = 6;
  metrics.event_ring_bytes = 4096;
  metrics.ports = {{"local", {2, 98, 100}}, {"x\"y", {0, 1, 1}}};
  metrics.logins_failed = 9;
  auto got = samples_of(metrics);
  const std::pair<const char*, const char*> wanted[] = {
      {"info{version=\"0.1.0\"}", "1"},
      {"start_time_seconds", "1772366400.005"},
      {"sessions{state=\"running\"}", "3"},
      {"sessions{state=\"reconnecting\"}", "1"},
      {"sessions{state=\"queued\"}", "0"},
      {"logins{state=\"up\"}", "2"},
      {"logins{state=\"stopped\"}", "0"},
      {"tunnels{state=\"ready\"}", "3"},
      {"tunnels{state=\"down\"}", "1"},
      {"requests_total", "70"},
      {"open_websockets", "4"},
      {"event_loop_lag_seconds", "0.005"},
      {"event_loop_lag_max_seconds", "0.123"},
      {"event_loop_stalls_total", "2"},
      {"store_healthy", "0"},
      {"store_queued_changes", "17"},
      {"event_subscribers", "6"},
      {"event_ring_bytes", "4096"},
      {"ports_allocated{range=\"local\"}", "2"},
      {"ports_available{range=\"local\"}", "98"},
      {"ports{range=\"local\"}", "100"},
      {"ports{range=\"x\\\"y\"}", "1"},
      {"logins_failed_total", "9"},
  };
  for (const auto& [name, value] : wanted) {
    EXPECT_EQ(got[std::string("hpc_manager_") + name], value) << name;
  }
  EXPECT_GT(std::stoull(got["hpc_manager_resident_memory_bytes"]), 100'000U);
  EXPECT_GE(std::stoull(got["hpc_manager_open_fds"]), 3U);
}

TEST(MetricsPageTest, LeavesOutWhatThereIsNot) {
  auto got = samples_of({});
  EXPECT_EQ(got.count("hpc_manager_store_queued_changes"), 0U);
  for (const auto& [name, value] : got) {
    EXPECT_EQ(name.find("_ports"), std::string::npos) << name;
  }
}

// Who scrapes pays for every series: there may not be more of them with more users.
TEST(MetricsPageTest, AsManySeriesForManySessionsAsForNone) {
  ManagerMetrics busy;
  for (const auto state : {SessionState::kRunning, SessionState::kEnded})
    busy.sessions[state] = 1000;
  EXPECT_EQ(samples_of(busy).size(), samples_of({}).size());
}

struct MetricsHandlerTest : testing::Test {
  LocalAnswer answered(const std::string& method, const std::string& target) {
    RequestHead head;
    head.method = method;
    head.target = target;
    auto decision = handler.on_request(head, client);
    return std::get<LocalAnswer>(std::move(decision));
  }
  int looks = 0;
  MetricsHandler handler{[this] {
    ++looks;
    return ManagerMetrics{};
  }};
  ClientInfo client;
};

TEST_F(MetricsHandlerTest, ThereIsOnlyMetrics) {
  EXPECT_EQ(answered("GET", "/metrics").status, 200);
  EXPECT_EQ(answered("HEAD", "/metrics?name=x").status, 200);
  EXPECT_EQ(looks, 2);
  EXPECT_EQ(answered("POST", "/metrics").status, 405);
  for (const auto* target : {"/", "/metrics/", "/metricsx", "/api/v1/sessions", "/user/a/b/c/"}) {
    EXPECT_EQ(answered("GET", target).status, 404) << target;
  }
  EXPECT_EQ(looks, 2) << "nobody looked in vain";
  EXPECT_TRUE(handler.on_refusal(503, "full").close);
}

TEST_F(MetricsHandlerTest, IsOfTheFormatThatPrometheusReads) {
  const auto answer = answered("GET", "/metrics");
  EXPECT_EQ(answer.fields[0].first, "Content-Type");
  EXPECT_EQ(answer.fields[0].second, "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace
}  // namespace hpc
