#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "common/event_loop_lag.h"
#include "common/log.h"
#include "common/loop.h"
#include "manager/gateway/api_handler.h"
#include "manager/gateway/audit_log.h"
#include "manager/gateway/credentials.h"
#include "manager/gateway/local_port_gateway.h"
#include "manager/gateway/login_flow.h"
#include "manager/gateway/login_throttle.h"
#include "manager/gateway/metrics_page.h"
#include "manager/gateway/operator_gateway.h"
#include "manager/gateway/serve_gateway.h"
#include "manager/gateway/serve_identity.h"
#include "manager/gateway/trusted_proxies.h"
#include "manager/gateway/user_map.h"
#include "manager/serve_options.h"
#include "manager/session/event_log.h"
#include "manager/session/live_sessions.h"
#include "manager/session/port_pool.h"
#include "manager/session/scheduler.h"
#include "manager/session/slurm_job_poller.h"
#include "manager/session/slurm_launcher.h"
#include "manager/session/ssh_logins.h"
#include "manager/session/token_table.h"
#include "manager/session/user_identity.h"
#include "manager/ssh/nobody_to_ask.h"
#include "manager/store/sqlite_store.h"

namespace hpc {

// How often what is past its time is looked for: events, logins, tokens.
constexpr std::uint64_t kHousekeepingMs = 60'000;

/// Everything of `serve` between its listeners and its users' clusters, built in the order in which
/// it depends on each other.
///
/// Owner: ServeCommand. The loop, the log and the binder must outlive it.
class ServeCore {
 public:
  /// `options.listen.port` is the one that we listen on. `ports`: where local ports are bound;
  /// asked for none where no range is configured. `cut_traffic` as LiveSessions'. Blocks on the
  /// state file. Errors as SqliteStore::open(), kConfig for ranges that contradict each other.
  static Result<std::unique_ptr<ServeCore>> make(Loop& loop, const ServeOptions& options, Log& log,
                                                 PortBinder& ports,
                                                 LiveSessions::CutTraffic cut_traffic);
  ~ServeCore();
  ServeCore(const ServeCore&) = delete;
  ServeCore& operator=(const ServeCore&) = delete;

  /// Sessions of before a restart go on.
  void start();
  /// These stay the same over apply().
  HttpHandler& gateway() { return front_; }
  Identity& identity() { return front_; }
  HttpHandler& operators() { return *operators_; }
  HttpHandler& metrics() { return *metrics_handler_; }
  HttpHandler& lent_ports() { return *lent_ports_; }
  LiveSessions& sessions() { return *sessions_; }
  EventLog& events() { return *events_; }
  const SshLogins& logins() const { return *logins_; }
  Status ready() const { return store_->healthy(); }
  /// What /metrics shows of the servers in front.
  void set_traffic(std::function<HttpServerStats()> traffic) { traffic_ = std::move(traffic); }
  /// After a reload: what may change while it runs (serve_reload.h). kConfig: nothing has changed.
  Status apply(const ServeOptions& options);

 private:
  /// What servers hold on to, while what is behind it may be another one after a reload.
  class Front final : public HttpHandler, public Identity {
   public:
    explicit Front(ServeCore& core) : core_(core) {}
    Decision on_request(const RequestHead& head, ClientInfo& client) override {
      return core_.gateway_->on_request(head, client);
    }
    LocalAnswer on_refusal(int status, std::string_view detail) override {
      return core_.gateway_->on_refusal(status, detail);
    }
    Caller identify(const RequestHead& head, const ClientInfo& client) override {
      return core_.identity_->identify(head, client);
    }

   private:
    ServeCore& core_;
  };

  ServeCore(Loop& loop, const ServeOptions& options, Log& log);
  Status build(PortBinder& ports, LiveSessions::CutTraffic cut_traffic);
  Status build_ports(PortBinder& ports);
  Status build_identity();
  void build_logins();
  Status build_launcher();
  void build_handlers();
  void build_browser_side();
  void build_gateway();
  LoginFlow::Options login_options() const;
  ManagerMetrics look();
  void housekeeping();

  Loop& loop_;
  ServeOptions options_;
  Front front_{*this};
  Log& log_;
  AuditLog audit_;
  std::unique_ptr<Scheduler> scheduler_;
  NobodyToAsk nobody_;
  std::unique_ptr<SshConnector> connector_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<SqliteStore> store_;  // calls back into what is below; ends after it
  TrustedProxies proxies_;
  UserMap user_map_;
  LoginCookies cookies_;
  LoginThrottle throttle_;
  std::unique_ptr<UserIdentities> identities_;
  std::unique_ptr<SshLogins> logins_;
  std::unique_ptr<SshConnector> sign_in_connector_;  // with --auth ssh
  std::unique_ptr<SshSignIn> sign_in_;
  std::unique_ptr<SlurmLauncher> launcher_;
  std::unique_ptr<SlurmJobPoller> poller_;
  std::unique_ptr<PortPool> ports_;
  std::unique_ptr<TokenTable> tokens_;
  std::unique_ptr<LiveSessions> sessions_;
  std::unique_ptr<ServeIdentity> identity_;
  std::unique_ptr<LoginFlow> login_flow_;
  std::unique_ptr<ApiHandler> api_;
  std::unique_ptr<ServeGateway> gateway_;
  std::unique_ptr<OperatorGateway> operators_;
  std::unique_ptr<MetricsHandler> metrics_handler_;
  std::unique_ptr<LocalPortGateway> lent_ports_;
  std::function<HttpServerStats()> traffic_;
  std::unique_ptr<Alarm> housekeeping_;
  EventLoopLag lag_;
  std::int64_t started_at_;
};

}  // namespace hpc
