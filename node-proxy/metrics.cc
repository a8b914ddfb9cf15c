#include "node-proxy/metrics.h"

#include <utility>

#include "common/metrics_text.h"
#include "common/rfc3339.h"

namespace hpc {

namespace {

void put_job(MetricsText& text, const NodeProxyState& state, std::int64_t now_unix_ms) {
  text.head("info", "What runs here.", "gauge");
  text.line("info",
            metrics_label("version", state.record.program_version) + "," +
                metrics_label("host", state.record.host) + "," +
                metrics_label("job_id", state.record.job_id),
            "1");
  text.time("start_time_seconds", "When it started.", state.started_unix_ms);
  text.time("time_seconds", "The time here.", now_unix_ms);
  if (state.record.job_end) {
    text.time("job_end_time_seconds", "When the job reaches its time limit.",
              parse_rfc3339(*state.record.job_end));
  }
  text.gauge("walltime_warning", "1 after SIGUSR1: the job reaches its time limit soon.",
             state.walltime_warning ? 1 : 0);
}

}  // namespace

LocalAnswer metrics_answer(const NodeProxyState& state, const HttpServerStats& stats,
                           std::int64_t now_unix_ms) {
  MetricsText text("hpc_proxy_");
  put_job(text, state, now_unix_ms);
  put_traffic(text, stats);
  put_process(text);
  return std::move(text).answer();
}

}  // namespace hpc
