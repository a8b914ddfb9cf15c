#include "node-proxy/metrics.h"

#include <dirent.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "common/answers.h"
#include "common/rfc3339.h"

namespace hpc {

namespace {

// A label's value may hold any character but these three as they are.
std::string label_value(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    c == '\n' ? out.append("\\n") : out.append(1, c);
  }
  return out;
}

class MetricsText {
 public:
  void counter(const char* name, const char* help, std::uint64_t value) {
    head(name, help, "counter");
    line(name, "", std::to_string(value));
  }
  void gauge(const char* name, const char* help, std::uint64_t value) {
    head(name, help, "gauge");
    line(name, "", std::to_string(value));
  }
  /// Seconds since 1970, to the millisecond.
  void time(const char* name, const char* help, std::optional<std::int64_t> unix_ms) {
    if (!unix_ms || *unix_ms < 0) return;
    char text[32];
    std::snprintf(text, sizeof text, "%" PRId64 ".%03d", *unix_ms / 1000,
                  static_cast<int>(*unix_ms % 1000));
    head(name, help, "gauge");
    line(name, "", text);
  }
  void head(const char* name, const char* help, const char* type) {
    out.append("# HELP hpc_proxy_").append(name).append(" ").append(help);
    out.append("\n# TYPE hpc_proxy_").append(name).append(" ").append(type).append("\n");
  }
  void line(const char* name, const std::string& labels, const std::string& value) {
    out.append("hpc_proxy_").append(name).append(labels).append(" ").append(value).append("\n");
  }
  std::string out;
};

/// The second number of /proc/self/statm, in pages (proc(5)).
std::optional<std::uint64_t> resident_bytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return std::nullopt;
  std::uint64_t pages = 0;
  const int read = std::fscanf(file, "%*u %" SCNu64, &pages);
  std::fclose(file);
  if (read != 1) return std::nullopt;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::optional<std::uint64_t> open_descriptors() {
  DIR* const dir = opendir("/proc/self/fd");
  if (dir == nullptr) return std::nullopt;
  std::uint64_t count = 0;
  while (const dirent* const entry = readdir(dir)) count += entry->d_name[0] == '.' ? 0 : 1;
  closedir(dir);
  return count - 1;  // without the one that reads the directory
}

void put_job(MetricsText& text, const NodeProxyState& state, std::int64_t now_unix_ms) {
  text.head("info", "What runs here.", "gauge");
  text.line("info",
            "{version=\"" + label_value(state.record.program_version) + "\",host=\"" +
                label_value(state.record.host) + "\",job_id=\"" + label_value(state.record.job_id) +
                "\"}",
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

void put_traffic(MetricsText& text, const HttpServerStats& stats) {
  text.counter("connections_accepted_total", "Connections of clients.", stats.connections_accepted);
  text.counter("connections_refused_total", "Connections past a limit, answered 503.",
               stats.connections_refused);
  text.counter("requests_total", "Requests, refused ones as well.", stats.requests);
  text.counter("received_bytes_total", "Bodies and WebSocket bytes of clients.",
               stats.bytes_from_clients);
  text.counter("sent_bytes_total", "Bodies and WebSocket bytes to clients.",
               stats.bytes_to_clients);
  text.gauge("open_connections", "Connections of clients now.", stats.open_connections);
  text.gauge("unauthenticated_connections", "Of these, not let in yet.",
             stats.unauthenticated_connections);
  text.gauge("open_exchanges", "Requests being answered by apps now.", stats.open_exchanges);
  text.gauge("open_websockets", "WebSockets now.", stats.open_websockets);
  text.gauge("buffered_bytes", "Bytes that wait to be sent on now.", stats.buffered_bytes);
  if (stats.last_activity_unix_ms > 0) {
    text.time("last_activity_time_seconds", "When the last byte was forwarded.",
              stats.last_activity_unix_ms);
  }
}

}  // namespace

LocalAnswer metrics_answer(const NodeProxyState& state, const HttpServerStats& stats,
                           std::int64_t now_unix_ms) {
  MetricsText text;
  put_job(text, state, now_unix_ms);
  put_traffic(text, stats);
  if (const auto bytes = resident_bytes()) {
    text.gauge("resident_memory_bytes", "Memory of this process.", *bytes);
  }
  if (const auto count = open_descriptors()) {
    text.gauge("open_fds", "Open descriptors of this process.", *count);
  }
  auto answer = json_answer(200, std::move(text.out));
  answer.fields[0].second = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

}  // namespace hpc
