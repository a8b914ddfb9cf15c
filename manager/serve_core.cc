#include "manager/serve_core.h"

#include <sodium.h>

#include <algorithm>
#include <set>
#include <utility>

#include "manager/session/browser_prompter.h"
#include "manager/session/cluster_sign_in.h"
#include "manager/wall_clock.h"

namespace hpc {

namespace {

UserIdentities identities_of(const ServeOptions& options) {
  UserIdentities::Options out;
  for (const auto& cluster : options.clusters) {
    out.clusters.push_back({cluster.name, cluster.target});
  }
  out.identity = options.identity;
  out.known_hosts = options.known_hosts;
  out.ssh_config = options.ssh_config;
  out.sign_in = options.auth == AuthMode::kSsh;
  return UserIdentities(std::move(out));
}

std::vector<NamedPortRange> ranges_of(const ServeOptions& options) {
  auto ranges = options.port_ranges;
  if (options.local_ports) {
    ranges.push_back(*options.local_ports);
    ranges.back().name = LiveSessions::kLocalRange;
  }
  return ranges;
}

std::set<std::string> admins_of(const ServeOptions& options) {
  return {options.admins.begin(), options.admins.end()};
}

LiveSessions::Options session_options_of(const ServeOptions& options) {
  LiveSessions::Options out;
  out.base_url = options.browser_url().text();
  for (const auto& cluster : options.clusters) {
    out.clusters.push_back({cluster.name, cluster.target.host});
  }
  out.sessions_max = options.max_sessions;
  out.sessions_per_user_max = options.max_sessions_per_user;
  out.idle_end_ms = options.idle_end_ms;
  out.launches.launching_max = options.max_launching;
  out.launches.launching_per_user_max = options.max_launching_per_user;
  out.launches.queued_per_user_max = options.max_queued_per_user;
  out.launches.users_launching_max = options.max_users_launching;
  return out;
}

}  // namespace

ServeCore::ServeCore(Loop& loop, const ServeOptions& options, Log& log)
    : loop_(loop),
      options_(options),
      log_(log),
      audit_(log),
      scheduler_(make_loop_scheduler(loop)),
      cookies_(options.browser_url(), options.listen.port),
      throttle_(loop),
      housekeeping_(scheduler_->make_alarm([this] { housekeeping(); })),
      lag_(loop),
      started_at_(unix_now_ms()) {}

ServeCore::~ServeCore() = default;

Result<std::unique_ptr<ServeCore>> ServeCore::make(Loop& loop, const ServeOptions& options,
                                                   Log& log, PortBinder& ports,
                                                   LiveSessions::CutTraffic cut_traffic) {
  std::unique_ptr<ServeCore> core(new ServeCore(loop, options, log));
  if (auto built = core->build(ports, std::move(cut_traffic)); !built) {
    return tl::unexpected(built.error());
  }
  return core;
}

Status ServeCore::build(PortBinder& ports, LiveSessions::CutTraffic cut_traffic) {
  if (auto built = build_identity(); !built) return built;
  if (auto built = build_ports(ports); !built) return built;
  SqliteStore::Options store_options;
  store_options.path = options_.state;
  store_options.now = unix_now_ms;
  auto store = SqliteStore::open(loop_, store_options);
  if (!store) return tl::unexpected(store.error());
  store_ = std::move(*store);
  auto contents = store_->load();
  if (!contents) return tl::unexpected(contents.error());
  events_ = std::make_unique<EventLog>(*scheduler_, contents->last_event_number + 1);
  tokens_ = std::make_unique<TokenTable>(*store_, unix_now_ms);
  tokens_->restore(contents->tokens);
  build_logins();
  if (auto built = build_launcher(); !built) return built;
  sessions_ = std::make_unique<LiveSessions>(
      LiveSession::Parts{loop_, *scheduler_, *logins_, *launcher_, *poller_, randombytes_uniform,
                         unix_now_ms, log_, options_.idle_end_ms},
      *store_, *events_, ports_.get(), session_options_of(options_), std::move(cut_traffic));
  sessions_->restore(*contents);
  build_handlers();
  return {};
}

Status ServeCore::build_identity() {
  auto proxies = TrustedProxies::parse(options_.trusted_proxies);
  if (!proxies) return tl::unexpected(proxies.error());
  auto user_map = UserMap::parse(options_.user_map);
  if (!user_map) return tl::unexpected(user_map.error());
  proxies_ = std::move(*proxies);
  user_map_ = std::move(*user_map);
  return {};
}

Status ServeCore::build_ports(PortBinder& ports) {
  auto ranges = ranges_of(options_);
  if (ranges.empty()) return {};
  auto pool = PortPool::make(std::move(ranges), ports);
  if (!pool) return tl::unexpected(pool.error());
  ports_ = std::move(*pool);
  log_.info("port ranges", {{"sessions at most", std::to_string(ports_->max_sessions())}});
  return {};
}

void ServeCore::build_logins() {
  SshConnectorOptions ssh;
  ssh.notice = [this](const std::string& text) { log_.warning(text); };
  connector_ = make_ssh_connector(loop_, std::move(ssh));
  identities_ = std::make_unique<UserIdentities>(identities_of(options_));
  SshLogins::Options logins;
  logins.target = [this](const std::string& user, const std::string& cluster) {
    return identities_->target_of(user, cluster);
  };
  logins.adopts = options_.auth == AuthMode::kSsh;
  logins_ = std::make_unique<SshLogins>(*scheduler_, *connector_, nobody_, randombytes_uniform,
                                        std::move(logins));
  if (options_.auth != AuthMode::kSsh) return;
  SshConnectorOptions sign_in;
  sign_in.notice = [this](const std::string& text) { log_.warning(text); };
  sign_in.connects_per_host_max = kSignInsMax;
  sign_in_connector_ = make_ssh_connector(loop_, std::move(sign_in));
  sign_in_ = std::make_unique<ClusterSignIn>(
      *scheduler_, *sign_in_connector_, *logins_, browser_prompters(loop_, kSignInQuestionMs),
      [this](const std::string& user, const std::string& cluster) {
        return identities_->sign_in_target(user, cluster);
      });
}

Status ServeCore::build_launcher() {
  auto templates = JobTemplates::load(options_.templates);
  if (!templates) return tl::unexpected(templates.error());
  launcher_ = std::make_unique<SlurmLauncher>(
      *scheduler_, *logins_,
      SlurmLauncher::Options{std::move(*templates), options_.browser_url().text()});
  poller_ = std::make_unique<SlurmJobPoller>(*scheduler_, *logins_, unix_now_ms, log_,
                                             SlurmJobPoller::Options{options_.poll_min_ms});
  return {};
}

void ServeCore::build_handlers() {
  api_ = std::make_unique<ApiHandler>(*sessions_, *events_, *tokens_, *scheduler_, unix_now_ms,
                                      &audit_);
  operators_ = std::make_unique<OperatorGateway>(
      *api_, [this] { return ready(); }, [this] { return manager_metrics_answer(look()); });
  metrics_handler_ = std::make_unique<MetricsHandler>([this] { return look(); });
  LocalPortGateway::Options lent;
  lent.url = options_.browser_url();
  lent.root_fallback = options_.root_fallback;
  lent.auth_header = options_.auth_header;
  lent_ports_ =
      std::make_unique<LocalPortGateway>(std::move(lent), front_, *sessions_, audit_, log_);
  build_browser_side();
}

LoginFlow::Options ServeCore::login_options() const {
  LoginFlow::Options out;
  out.auth = options_.auth;
  out.login_ms = options_.login_ms;
  for (const auto& cluster : options_.clusters) out.clusters.push_back(cluster.name);
  return out;
}

void ServeCore::build_browser_side() {
  ServeIdentity::Options identity;
  identity.auth = options_.auth;
  identity.auth_header = options_.auth_header;
  identity.admins = admins_of(options_);
  identity_ = std::make_unique<ServeIdentity>(std::move(identity), proxies_, user_map_, cookies_,
                                              *tokens_, throttle_, audit_);
  login_flow_ =
      std::make_unique<LoginFlow>(login_options(), *tokens_, throttle_, proxies_, user_map_,
                                  cookies_, audit_, unix_now_ms, sign_in_.get());
  build_gateway();
}

void ServeCore::build_gateway() {
  gateway_ = std::make_unique<ServeGateway>(
      ServeGateway::options_of(options_, options_.listen.port, unix_now_ms), *identity_, *sessions_,
      *api_, *login_flow_, proxies_, audit_, log_, [this] { return ready(); });
}

Status ServeCore::apply(const ServeOptions& options) {
  auto templates = JobTemplates::load(options.templates);
  if (!templates) return tl::unexpected(templates.error());
  const ServeOptions before = std::exchange(options_, options);
  if (auto built = build_identity(); !built) {
    options_ = before;
    return built;
  }
  launcher_->set_options({std::move(*templates), options_.browser_url().text()});
  poller_->set_options({options_.poll_min_ms});
  *identities_ = identities_of(options_);
  sessions_->reconfigure(session_options_of(options_));
  identity_->set_admins(admins_of(options_));
  login_flow_->set_options(login_options());
  build_gateway();
  return {};
}

void ServeCore::start() {
  sessions_->start();
  housekeeping_->start(kHousekeepingMs);
}

ManagerMetrics ServeCore::look() {
  ManagerMetrics out;
  out.version = HPC_VERSION;
  out.started_unix_ms = started_at_;
  out.now_unix_ms = unix_now_ms();
  out.sessions = sessions_->count_by_state();
  out.logins = logins_->count_by_state();
  out.tunnels_ready = out.sessions[SessionState::kRunning];
  out.tunnels_down = out.sessions[SessionState::kReconnecting];
  if (traffic_) out.traffic = traffic_();
  out.lag = lag_.take();
  out.store_healthy = store_->healthy().has_value();
  out.event_subscribers = events_->subscriber_count();
  out.event_ring_bytes = events_->bytes();
  if (ports_) out.ports = ports_->stats();
  out.logins_failed = audit_.failures();
  return out;
}

void ServeCore::housekeeping() {
  events_->expire();
  housekeeping_->start(kHousekeepingMs);
}

}  // namespace hpc
