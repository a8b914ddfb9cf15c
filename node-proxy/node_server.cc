#include "node-proxy/node_server.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/hello.h"
#include "common/rfc3339.h"
#include "node-proxy/process.h"
#include "node-proxy/version.h"

namespace hpc {

namespace {

// Contract 1.1: how long running exchanges may take after SIGTERM.
constexpr std::uint64_t kDrainMs = 10'000;
constexpr int kExitSecondSignal = 1;

JobRecord make_record(const JobIdentity& identity, const std::string& host,
                      std::int64_t started_ms) {
  JobRecord record;
  record.host = host;
  record.slurm_node = identity.slurm_node;
  record.addresses = own_addresses();
  record.pid = getpid();
  record.uid = geteuid();
  record.token = random_hex64();
  record.job_id = identity.job_id;
  record.started_at = format_rfc3339(started_ms);
  record.job_end = identity.job_end;
  record.inside_run = identity.inside_run;
  record.program_version = kProgramVersion;
  return record;
}

NodeProxyState make_state(const Options& options, const JobIdentity& identity,
                          const std::string& host, const AppReach& reach) {
  NodeProxyState state;
  state.started_unix_ms = unix_ms();
  state.record = make_record(identity, host, state.started_unix_ms);
  state.url_template =
      options.url_template.empty() ? std::string(kDefaultUrlTemplate) : options.url_template;
  state.allow_ports = options.allow_ports;
  state.root_fallback = options.root_fallback;
  state.base_rewrite = options.base_rewrite;
  if (!reach.private_mode.empty()) {
    state.record.private_ports = {reach.private_mode, reach.private_addresses};
  }
  if (!options.app.empty()) state.record.app = {options.app, options.keep_prefix};
  return state;
}

AppConnector::Rules connector_rules(const Options& options, const AppReach& reach) {
  return {geteuid(), options.allow_foreign_ports, options.connect_timeout_ms,
          reach.private_addresses};
}

HttpServerOptions server_options(const Options& options, PeerOwner& owner) {
  HttpServerOptions server = options.server;
  server.unauthenticated_max = std::min(server.unauthenticated_max, server.connections_max);
  ask_about_peers(server, owner);
  return server;
}

}  // namespace

struct NodeServer::Signal {
  Signal(NodeServer& owner, int number) : server(owner) {
    auto raw = std::make_unique<uv_signal_t>();
    if (uv_signal_init(owner.loop_.uv(), raw.get()) != 0) return;
    handle.reset(raw.release());
    handle->data = this;
    uv_signal_start(
        handle.get(),
        [](uv_signal_t* signal, int got) {
          static_cast<Signal*>(signal->data)->server.on_signal(got);
        },
        number);
  }
  NodeServer& server;
  UvPtr<uv_signal_t> handle;
};

NodeServer::NodeServer(Loop& loop, const Options& options, const RecordDir& dir,
                       JobIdentity identity, const std::string& host, Log& log, AppReach reach)
    : loop_(loop),
      options_(options),
      dir_(dir),
      identity_(std::move(identity)),
      log_(log),
      state_(make_state(options, identity_, host, reach)),
      lookup_(make_system_lookup()),
      owner_(make_peer_owner(lookup_)),
      space_owner_(reach.lookup ? make_peer_owner(reach.lookup) : nullptr),
      target_owner_(make_target_owner(reach.lookup ? reach.lookup : lookup_)),
      access_(state_.record.token, options.require_token, geteuid(), *owner_),
      connector_(loop, *target_owner_, connector_rules(options, reach), std::move(reach.dial)),
      pool_(loop, connector_),
      ports_(loop, geteuid(), {reach.private_addresses, reach.network_space, reach.on_look}),
      handler_(std::make_unique<NodeProxy>(
          state_, access_, pool_, ports_, loop, log, [this] { return server_->stats(); },
          [this](auto app) { return set_app(std::move(app)); })),
      server_(std::make_unique<HttpServer>(loop, *handler_, server_options(options, *owner_))),
      entrance_(std::move(reach.entrance)),
      idle_timer_(loop, [this] { watch_idle(); }) {}

NodeServer::~NodeServer() { remove_records(); }

Status NodeServer::listen() {
  // Signals first: one that comes between the record and the loop must not leave the record behind.
  watch_signals();
  auto listeners = listen_on(loop_, options_.host, options_.port,
                             [this](auto stream) { take_client(std::move(stream), nullptr); });
  if (!listeners) return tl::unexpected<Error>(listeners.error());
  listeners_ = std::move(*listeners);
  state_.record.port = listeners_.port;
  ports_.leave_out(listeners_.port);
  return listen_inside();
}

Status NodeServer::listen_inside() {
  for (EntranceSocket& socket : std::exchange(entrance_, {})) {
    auto listener = TcpListener::listen(
        loop_, std::move(socket.fd), socket.address, port(),
        [this](auto stream) { take_client(std::move(stream), &*space_owner_); });
    // The address may be switched off there; then nobody else has it either.
    if (!listener && socket.address == "::1") continue;
    if (!listener) return tl::unexpected<Error>(listener.error());
    listeners_.sockets.push_back(std::move(*listener));
  }
  return {};
}

void NodeServer::take_client(std::unique_ptr<TcpStream> stream, PeerOwner* peer_owner) {
  ClientInfo info = client_info(*stream);
  info.peer_owner = peer_owner;
  access_.look_at(info);
  server_->adopt(std::move(stream), std::move(info));
}

Status NodeServer::publish() {
  published_ = true;  // what is written half must be removed as well
  if (auto done = dir_.write(identity_.id, state_.record); !done) return done;
  return dir_.write_port(port(), options_.port_file);
}

void NodeServer::run(std::optional<Bond> bond) {
  if (bond) {
    bond_watch_ = std::make_unique<BondWatch>(loop_, std::move(*bond),
                                              [this] { stop("the job or shell has ended"); });
  }
  if (identity_.in_slurm && !identity_.job_end) ask_job_end();
  if (speaks_for_job()) write_job_comment();
  watch_idle();
  loop_.run();
  remove_records();
}

void NodeServer::watch_signals() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
    if (options_.verb == Verb::kRun && number != SIGUSR1) continue;
    signals_.push_back(std::make_unique<Signal>(*this, number));
  }
}

void NodeServer::on_signal(int number) {
  if (number == SIGUSR1) {
    state_.walltime_warning = true;
    log_.warning("the job reaches its time limit soon",
                 {{"job_end", state_.record.job_end.value_or("unknown")}});
    return;
  }
  if (stopping_) {
    remove_records();
    std::_Exit(kExitSecondSignal);
  }
  stop(number == SIGINT ? "SIGINT" : number == SIGHUP ? "SIGHUP" : "SIGTERM");
}

void NodeServer::stop(const char* why) {
  if (std::exchange(stopping_, true)) return;
  log_.info("stopping", {{"why", why},
                         {"open_exchanges", std::to_string(server_->stats().open_exchanges)},
                         {"open_websockets", std::to_string(server_->stats().open_websockets)}});
  listeners_.sockets.clear();
  idle_timer_.stop();
  pool_.close();
  server_->drain(kDrainMs, [this] { loop_.stop(); });
}

void NodeServer::watch_idle() {
  if (options_.idle_exit_ms == 0 || stopping_) return;
  const auto& stats = server_->stats();
  const bool busy = stats.open_exchanges > 0 || stats.open_websockets > 0;
  const std::uint64_t idle_ms = loop_.now_ms() - handler_->last_request_ms();
  if (!busy && idle_ms >= options_.idle_exit_ms) return idle_ ? idle_() : stop("idle");
  constexpr std::uint64_t kLookAgainMs = 1000;
  idle_timer_.start(busy ? kLookAgainMs : std::min(options_.idle_exit_ms - idle_ms, kLookAgainMs));
  if (busy) handler_->note_use();
}

void NodeServer::ask_job_end() {
  job_end_query_ = std::make_unique<JobEndQuery>(
      loop_, identity_.job_id, [this](std::optional<std::string> job_end) {
        if (!job_end || stopping_) return;
        state_.record.job_end = std::move(job_end);
        const auto done = dir_.update_own(identity_.id, state_.record, state_.record);
        if (!done) log_.warning("the record was not updated", {{"why", describe(done.error())}});
      });
}

bool NodeServer::speaks_for_job() const {
  if (!identity_.in_first_shell || identity_.inside_run) return false;
  if (identity_.id == identity_.job_id) return true;
  const auto plain = dir_.read(identity_.job_id);
  return !plain || !is_live(*plain, state_.record.host);
}

void NodeServer::write_job_comment() {
  job_comment_writer_ = std::make_unique<JobCommentWriter>(
      loop_, identity_.job_id, job_comment(state_.record.host, port()),
      [this](const std::string& why) {
        // Many sites do not allow it, and nobody needs it.
        if (!why.empty()) log_.debug("the job's comment stays as it is", {{"why", why}});
      });
}

Status NodeServer::set_app(JobRecord::App app) {
  JobRecord changed = state_.record;
  changed.app = std::move(app);
  if (auto done = dir_.update_own(identity_.id, state_.record, changed); !done) return done;
  state_.record = std::move(changed);
  return {};
}

void NodeServer::remove_records() {
  if (!std::exchange(published_, false)) return;
  dir_.remove_own(identity_.id, state_.record);
  dir_.remove_port(port(), options_.port_file);
}

}  // namespace hpc
