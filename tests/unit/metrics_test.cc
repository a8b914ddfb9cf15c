#include "node-proxy/metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/metrics_samples.h"

namespace hpc {
namespace {

std::map<std::string, std::string> samples(const std::string& text) {
  return metrics_samples(text, "hpc_proxy_");
}

TEST(MetricsTest, CountsWhatTheServerCounts) {
  NodeProxyState state;
  state.started_unix_ms = 1'772'366'400'005;
  state.record.job_end = "2026-03-01T14:00:00Z";
  state.walltime_warning = true;
  HttpServerStats stats;
  stats.requests = 7;
  stats.connections_accepted = 3;
  stats.connections_refused = 1;
  stats.bytes_from_clients = 1000;
  stats.bytes_to_clients = 18'446'744'073'709'551'615U;
  stats.open_exchanges = 2;
  stats.open_websockets = 4;
  stats.buffered_bytes = 65'536;
  stats.last_activity_unix_ms = 1'772'366'400'250;
  const auto answer = metrics_answer(state, stats, 1'772'366'401'000);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.fields[0].second, "text/plain; version=0.0.4; charset=utf-8");
  auto got = samples(answer.body);
  EXPECT_EQ(got["hpc_proxy_requests_total"], "7");
  EXPECT_EQ(got["hpc_proxy_connections_accepted_total"], "3");
  EXPECT_EQ(got["hpc_proxy_connections_refused_total"], "1");
  EXPECT_EQ(got["hpc_proxy_received_bytes_total"], "1000");
  EXPECT_EQ(got["hpc_proxy_sent_bytes_total"], "18446744073709551615");
  EXPECT_EQ(got["hpc_proxy_open_exchanges"], "2");
  EXPECT_EQ(got["hpc_proxy_open_websockets"], "4");
  EXPECT_EQ(got["hpc_proxy_buffered_bytes"], "65536");
  EXPECT_EQ(got["hpc_proxy_walltime_warning"], "1");
  EXPECT_EQ(got["hpc_proxy_start_time_seconds"], "1772366400.005");
  EXPECT_EQ(got["hpc_proxy_last_activity_time_seconds"], "1772366400.250");
  EXPECT_EQ(got["hpc_proxy_job_end_time_seconds"], "1772373600.000");
  EXPECT_GT(std::stoull(got["hpc_proxy_resident_memory_bytes"]), 100'000U);
  EXPECT_GE(std::stoull(got["hpc_proxy_open_fds"]), 3U);
}

TEST(MetricsTest, LeavesOutWhatIsNotKnown) {
  auto got = samples(metrics_answer({}, {}, 0).body);
  EXPECT_EQ(got.count("hpc_proxy_last_activity_time_seconds"), 0U);
  EXPECT_EQ(got.count("hpc_proxy_job_end_time_seconds"), 0U);
  EXPECT_EQ(got["hpc_proxy_walltime_warning"], "0");
}

TEST(MetricsTest, LabelsAreQuoted) {
  NodeProxyState state;
  state.record.program_version = "0.1.0";
  state.record.host = "node-07";
  state.record.job_id = "a\\b\"c\nd";
  auto got = samples(metrics_answer(state, {}, 0).body);
  EXPECT_EQ(got["hpc_proxy_info{version=\"0.1.0\",host=\"node-07\",job_id=\"a\\\\b\\\"c\\nd\"}"],
            "1");
}

}  // namespace
}  // namespace hpc
