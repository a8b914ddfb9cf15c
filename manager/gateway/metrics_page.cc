#include "manager/gateway/metrics_page.h"

#include <utility>

#include "common/answers.h"
#include "common/metrics_text.h"
#include "manager/session/login_state.h"

namespace hpc {

namespace {

constexpr SessionState kSessionStates[] = {
    SessionState::kQueued,   SessionState::kSubmitting, SessionState::kPending,
    SessionState::kStarting, SessionState::kRunning,    SessionState::kReconnecting,
    SessionState::kEnding,   SessionState::kEnded,
};
constexpr ClusterLogin::State kLoginStates[] = {
    ClusterLogin::State::kIdle,    ClusterLogin::State::kConnecting, ClusterLogin::State::kUp,
    ClusterLogin::State::kWaiting, ClusterLogin::State::kStopped,
};

template <class State>
std::size_t count_of(const std::map<State, std::size_t>& counts, State state) {
  const auto found = counts.find(state);
  return found == counts.end() ? 0 : found->second;
}

void put_sessions(MetricsText& text, const ManagerMetrics& metrics) {
  text.head("sessions", "Sessions in memory, by state.", "gauge");
  for (const auto state : kSessionStates) {
    text.line("sessions", metrics_label("state", state_name(state)),
              std::to_string(count_of(metrics.sessions, state)));
  }
  text.head("logins", "SSH connections of users to clusters, by state.", "gauge");
  for (const auto state : kLoginStates) {
    text.line("logins", metrics_label("state", state_name(state)),
              std::to_string(count_of(metrics.logins, state)));
  }
  text.head("tunnels", "Ways to a hpc-proxy, by whether requests can pass.", "gauge");
  text.line("tunnels", metrics_label("state", "ready"), std::to_string(metrics.tunnels_ready));
  text.line("tunnels", metrics_label("state", "down"), std::to_string(metrics.tunnels_down));
  text.counter("logins_failed_total", "Passwords, codes and tokens that were not good.",
               metrics.logins_failed);
}

void put_events(MetricsText& text, const ManagerMetrics& metrics) {
  text.gauge("event_subscribers", "Readers of event streams now.", metrics.event_subscribers);
  text.gauge("event_ring_bytes", "Events in memory.", metrics.event_ring_bytes);
  text.gauge("store_healthy", "1 while changes can be stored.", metrics.store_healthy ? 1 : 0);
  if (metrics.store_queued_changes) {
    text.gauge("store_queued_changes", "Changes that wait for the disk.",
               *metrics.store_queued_changes);
  }
}

void put_ports(MetricsText& text, const std::map<std::string, PortStats>& ports) {
  if (ports.empty()) return;
  const std::pair<const char*, std::size_t PortStats::*> columns[] = {
      {"ports_allocated", &PortStats::allocated},
      {"ports_available", &PortStats::available},
      {"ports", &PortStats::total},
  };
  for (const auto& [name, column] : columns) {
    text.head(name, "Local ports, by range.", "gauge");
    for (const auto& [range, stats] : ports) {
      text.line(name, metrics_label("range", range), std::to_string(stats.*column));
    }
  }
}

void put_lag(MetricsText& text, const EventLoopLag::Reading& lag) {
  text.seconds("event_loop_lag_seconds", "How late the last timer was.", lag.last_ms);
  text.seconds("event_loop_lag_max_seconds", "The latest timer since the scrape before.",
               lag.max_ms);
  text.counter("event_loop_stalls_total", "Timers that were 0.1 s late or more.", lag.stalls_total);
}

}  // namespace

LocalAnswer manager_metrics_answer(const ManagerMetrics& metrics) {
  MetricsText text("hpc_manager_");
  text.head("info", "What runs here.", "gauge");
  text.line("info", metrics_label("version", metrics.version), "1");
  text.time("start_time_seconds", "When it started.", metrics.started_unix_ms);
  text.time("time_seconds", "The time here.", metrics.now_unix_ms);
  put_sessions(text, metrics);
  put_events(text, metrics);
  put_ports(text, metrics.ports);
  put_traffic(text, metrics.traffic);
  put_lag(text, metrics.lag);
  put_process(text);
  return std::move(text).answer();
}

Decision MetricsHandler::on_request(const RequestHead& head, ClientInfo& client) {
  client.authenticated = true;  // scrapers keep their connection
  const auto path = std::string_view(head.target).substr(0, head.target.find('?'));
  if (path != "/metrics") return problem_answer(404, "there is only /metrics here");
  if (head.method == "GET" || head.method == "HEAD") return manager_metrics_answer(look_());
  auto answer = problem_answer(405, "the metrics can only be read");
  answer.fields.emplace_back("Allow", "GET, HEAD");
  return answer;
}

LocalAnswer MetricsHandler::on_refusal(int status, std::string_view detail) {
  auto answer = problem_answer(status, detail);
  answer.close = true;
  return answer;
}

}  // namespace hpc
