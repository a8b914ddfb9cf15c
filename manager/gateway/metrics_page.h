#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "common/event_loop_lag.h"
#include "common/http_handler.h"
#include "common/http_server.h"
#include "manager/session/cluster_login.h"
#include "manager/session/port_pool.h"
#include "manager/session/session_state.h"

namespace hpc {

/// The numbers of `serve` at one moment. Labels come from enumerations and from the operator's own
/// names of port ranges, never from users: how many series there are does not grow with them.
struct ManagerMetrics {
  std::string version;
  std::int64_t started_unix_ms = 0;
  std::int64_t now_unix_ms = 0;
  std::map<SessionState, std::size_t> sessions;  // a state that is missing: 0
  std::map<ClusterLogin::State, std::size_t> logins;
  std::size_t tunnels_ready = 0;
  std::size_t tunnels_down = 0;
  HttpServerStats traffic;
  EventLoopLag::Reading lag;
  bool store_healthy = true;
  std::optional<std::size_t> store_queued_changes;
  std::size_t event_subscribers = 0;
  std::size_t event_ring_bytes = 0;
  std::map<std::string, PortStats> ports;  // by the range's name, at most kPortRangesMax
  std::uint64_t logins_failed = 0;         // of people and tokens, since the start
};

/// The answer to /metrics.
LocalAnswer manager_metrics_answer(const ManagerMetrics& metrics);

/// What listens at --metrics-listen: GET /metrics, and 404 for everything else. Needs no login,
/// because a scraper has none; where it listens says who may read it.
class MetricsHandler final : public HttpHandler {
 public:
  /// `look` is called once for each request.
  explicit MetricsHandler(std::function<ManagerMetrics()> look) : look_(std::move(look)) {}
  Decision on_request(const RequestHead& head, ClientInfo& client) override;
  LocalAnswer on_refusal(int status, std::string_view detail) override;

 private:
  std::function<ManagerMetrics()> look_;
};

}  // namespace hpc
