#include "common/metrics_text.h"

#include <dirent.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <utility>

#include "common/answers.h"

namespace hpc {

namespace {

std::string seconds_text(std::int64_t ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%" PRId64 ".%03d", ms / 1000, static_cast<int>(ms % 1000));
  return text;
}

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

}  // namespace

void MetricsText::counter(std::string_view name, std::string_view help, std::uint64_t value) {
  head(name, help, "counter");
  line(name, "", std::to_string(value));
}

void MetricsText::gauge(std::string_view name, std::string_view help, std::uint64_t value) {
  head(name, help, "gauge");
  line(name, "", std::to_string(value));
}

void MetricsText::time(std::string_view name, std::string_view help,
                       std::optional<std::int64_t> unix_ms) {
  if (!unix_ms || *unix_ms < 0) return;
  head(name, help, "gauge");
  line(name, "", seconds_text(*unix_ms));
}

void MetricsText::seconds(std::string_view name, std::string_view help, std::uint64_t ms) {
  head(name, help, "gauge");
  line(name, "", seconds_text(static_cast<std::int64_t>(ms)));
}

void MetricsText::head(std::string_view name, std::string_view help, std::string_view type) {
  out_.append("# HELP ").append(prefix_).append(name).append(" ").append(help);
  out_.append("\n# TYPE ").append(prefix_).append(name).append(" ").append(type).append("\n");
}

void MetricsText::line(std::string_view name, std::string_view labels, std::string_view value) {
  out_.append(prefix_).append(name);
  if (!labels.empty()) out_.append("{").append(labels).append("}");
  out_.append(" ").append(value).append("\n");
}

LocalAnswer MetricsText::answer() && {
  auto answer = json_answer(200, std::move(out_));
  answer.fields[0].second = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

// A label's value may hold any character but these three as they are.
std::string metrics_label(std::string_view name, std::string_view value) {
  std::string out(name);
  out += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    c == '\n' ? out.append("\\n") : out.append(1, c);
  }
  return out + '"';
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

void put_process(MetricsText& text) {
  if (const auto bytes = resident_bytes()) {
    text.gauge("resident_memory_bytes", "Memory of this process.", *bytes);
  }
  if (const auto count = open_descriptors()) {
    text.gauge("open_fds", "Open descriptors of this process.", *count);
  }
}

}  // namespace hpc
