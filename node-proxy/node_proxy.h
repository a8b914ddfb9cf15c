#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/http_handler.h"
#include "common/http_server.h"
#include "common/log.h"
#include "common/port_route.h"
#include "common/root_fallback.h"
#include "node-proxy/access.h"
#include "node-proxy/app_target.h"
#include "node-proxy/keep_prefix_table.h"
#include "node-proxy/node_proxy_state.h"
#include "node-proxy/pages.h"
#include "node-proxy/port_list.h"

namespace hpc {

/// hpc-proxy's side of the engine: the routes of contract 1.3. Everything but /healthz and the
/// hello is decided by Access first.
///
/// All references must outlive it. `stats` is asked for when somebody asks for /status;
/// `set_app` changes the state and the record when `hpc-proxy app` asks for it.
/// All references must outlive it; it must outlive the exchanges that it began. `stats` is asked
/// for when somebody asks for /status.
class NodeProxy final : public HttpHandler {
 public:
  using Stats = std::function<HttpServerStats()>;
  using SetApp = std::function<Status(JobRecord::App app)>;
  NodeProxy(const NodeProxyState& state, const Access& access, UpstreamPool& pool,
            PortSource& ports, const Clock& clock, Log& log, Stats stats, SetApp set_app);

  Decision on_request(const RequestHead& head, ClientInfo& client) override;
  LocalAnswer on_refusal(int status, std::string_view detail) override;

  /// When the last request was let in, on the clock; for --idle-exit. The start before the first.
  std::uint64_t last_request_ms() const { return last_request_ms_; }
  /// Something long-lived is in use: counts as a request now.
  void note_use() { last_request_ms_ = clock_.now_ms(); }

 private:
  Decision decide(const RequestHead& head, ClientInfo& client);
  Decision route(const RequestHead& head, ClientInfo& client, bool token_holder);
  std::optional<RootFallback> root_fallback(const RequestHead& head, bool token_holder) const;
  /// `meant`: owns `head` where that is not what came.
  Decision forward(const RequestHead& head, const ClientInfo& client, bool token_holder,
                   std::unique_ptr<const RequestHead> meant = nullptr);
  Decision forward_to(const AppTarget& target, const PortRoute& route, const RequestHead& head,
                      const ClientInfo& client, bool token_holder,
                      std::unique_ptr<const RequestHead> meant = nullptr);
  LocalAnswer forbidden_port(std::uint16_t port, const Pages::Asker& asker) const;
  /// /status, /metrics and /ports.
  std::optional<LocalAnswer> own_text(const RequestHead& head) const;
  LocalAnswer set_app(const RequestHead& head, ClientInfo& client, bool token_holder);
  LocalAnswer hello(const RequestHead& head) const;
  void log_request(const RequestHead& head, const Decision& decision);

  const NodeProxyState& state_;
  const Access& access_;
  UpstreamPool& pool_;
  Pages pages_;
  const Clock& clock_;
  Log& log_;
  Stats stats_;
  SetApp set_app_;
  std::uint64_t last_request_ms_;
  KeepPrefixTable keep_prefix_table_;  // of apps under /port/N; policies write into it
};

/// The body of /status.
std::string status_json(const NodeProxyState& state, const HttpServerStats& stats,
                        std::int64_t now_unix_ms);

}  // namespace hpc
