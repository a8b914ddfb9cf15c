#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http_server.h"
#include "common/responder.h"

namespace hpc {

/// The answer to /metrics while it is written: Prometheus text exposition format, version 0.0.4.
/// Every name is written once and begins with the program's own prefix; times are in seconds since
/// 1970, and what is not known is left out by the caller.
class MetricsText {
 public:
  /// `prefix`: "hpc_proxy_".
  explicit MetricsText(std::string_view prefix) : prefix_(prefix) {}

  void counter(std::string_view name, std::string_view help, std::uint64_t value);
  void gauge(std::string_view name, std::string_view help, std::uint64_t value);
  /// Milliseconds since 1970; nothing and what is before that is left out.
  void time(std::string_view name, std::string_view help, std::optional<std::int64_t> unix_ms);
  /// A duration, to the millisecond.
  void seconds(std::string_view name, std::string_view help, std::uint64_t ms);
  /// Several samples of one name: head() once, then a line for each. `type`: "gauge", "counter".
  void head(std::string_view name, std::string_view help, std::string_view type);
  /// `labels`: as metrics_label() makes them, with commas between; empty for none.
  void line(std::string_view name, std::string_view labels, std::string_view value);

  LocalAnswer answer() &&;

 private:
  std::string prefix_;
  std::string out_;
};

/// `name="value"`, the value escaped.
std::string metrics_label(std::string_view name, std::string_view value);

/// What every server of ours counts.
void put_traffic(MetricsText& text, const HttpServerStats& stats);
/// Memory and descriptors of this process.
void put_process(MetricsText& text);

}  // namespace hpc
