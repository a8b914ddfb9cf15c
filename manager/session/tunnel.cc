#include "manager/session/tunnel.h"

#include <utility>

namespace hpc {

namespace {

// A proxy that stayed this long was no flicker: the next search starts without the long waits.
constexpr std::uint64_t kStableMs = 10'000;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

Tunnel::Tunnel(Scheduler& scheduler, SshConnector& connector, SshPrompter& prompter,
               const BackOff::Random& random, Options options, Observer& observer)
    : scheduler_(scheduler),
      connector_(connector),
      prompter_(prompter),
      options_(std::move(options)),
      observer_(observer),
      connect_back_off_(kConnectBackOffFirstMs, kConnectBackOffMostMs, random),
      search_back_off_(kSearchBackOffFirstMs, kSearchBackOffMostMs, random),
      alarm_(scheduler.make_alarm([this] { on_alarm(); })),
      stock_(scheduler, [this](const Error& error) { on_channel_failed(error); }) {}

Tunnel::~Tunnel() = default;

void Tunnel::start() {
  if (step(TunnelEvent::kStart)) begin_connect();
}

std::unique_ptr<Pending> Tunnel::connect(const std::string& key, ConnectDone done) {
  return stock_.take(key == kMayWait, std::move(done));
}

std::string Tunnel::destination() const {
  const auto& target = options_.target;
  return target.user ? target.host + " as " + *target.user : target.host;
}

bool Tunnel::step(TunnelEvent event) {
  const auto next = next_state(state_, event);
  if (next) state_ = *next;
  return next.has_value();
}

void Tunnel::begin_connect() {
  say((was_ready_ ? "connecting again to " : "connecting to ") + destination() + " ...");
  pending_ = connector_.connect(options_.target, prompter_,
                                [this](auto connection) { on_connected(std::move(connection)); });
}

void Tunnel::on_connected(Result<std::unique_ptr<SshConnection>> connection) {
  pending_.reset();
  if (!connection) {
    const Error error = connection.error();
    // Asking again with the same key, or of the same unknown host, only gets an address banned;
    // and whoever has just typed the command wants to know, as with ssh.
    const bool final_answer =
        error.code == Errc::kUnauthorized || error.code == Errc::kForbidden || !was_ready_;
    if (final_answer) return give_up(error);
    if (step(TunnelEvent::kConnectFailed)) go_down(error, connect_back_off_);
    return;
  }
  if (!step(TunnelEvent::kConnected)) return;
  connect_back_off_.reset();
  search_back_off_.reset();
  connection_ = std::move(*connection);
  connection_->on_closed([this](const Error& error) { on_connection_lost(error); });
  begin_search();
}

void Tunnel::on_connection_lost(const Error& error) {
  pending_.reset();
  if (!step(TunnelEvent::kConnectionLost)) return;
  const Error why{Errc::kNetwork, "ssh", "the SSH connection was lost: " + error.detail};
  go_down(why, connect_back_off_);
  // Not from inside its own callback.
  std::shared_ptr<SshConnection> dead = std::move(connection_);
  scheduler_.post([dead]() mutable { dead.reset(); });
}

void Tunnel::begin_search() {
  pending_ =
      std::make_unique<ProxySearch>(scheduler_, *connection_, options_.job,
                                    [this](auto found) { on_search_done(std::move(found)); });
}

bool Tunnel::worth_another_search(const Error& error) const {
  if (was_ready_) return true;
  // Forwarding that is off, or a foreign listener, will not change by waiting.
  return options_.wait_for_job && error.code != Errc::kForbidden;
}

void Tunnel::on_search_done(Result<FoundProxy> found) {
  pending_.reset();
  if (!found) {
    if (!worth_another_search(found.error())) return give_up(found.error());
    if (step(TunnelEvent::kProxyNotFound)) go_down(found.error(), search_back_off_);
    return;
  }
  if (!step(TunnelEvent::kProxyFound)) return;
  const bool moved = record_ && record_->token != found->record.token;
  record_ = std::move(found->record);
  endpoint_ = std::move(found->endpoint);
  trouble_.clear();
  was_ready_ = true;
  ready_since_ms_ = scheduler_.now_ms();
  stock_.put(std::move(found->stream));
  stock_.open([this](ConnectDone done) -> std::unique_ptr<Pending> {
    return std::make_unique<ChannelOpening>(scheduler_, *connection_, endpoint_,
                                            [done = std::move(done)](auto opened) {
                                              if (!opened)
                                                return done(tl::unexpected(opened.error()));
                                              done(std::move(opened->stream));
                                            });
  });
  if (!found->passed_over.empty()) say("passed over:" + found->passed_over);
  say(describe_record(*record_) + ": hpc-proxy " + record_->program_version + " answers");
  observer_.on_tunnel_ready(moved);
}

void Tunnel::on_channel_failed(const Error& error) {
  if (!step(TunnelEvent::kProxyLost)) return;
  if (scheduler_.now_ms() - ready_since_ms_ >= kStableMs) search_back_off_.reset();
  const Error why{error.code, "proxy",
                  describe_record(*record_) + " does not answer any more: " + error.detail};
  go_down(why, search_back_off_);
}

void Tunnel::on_alarm() {
  if (!step(TunnelEvent::kAlarm)) return;
  if (state_ == TunnelState::kConnecting) return begin_connect();
  begin_search();
}

void Tunnel::go_down(const Error& error, BackOff& back_off) {
  trouble_ = first_line(error.detail);
  stock_.close({Errc::kUnavailable, "tunnel", trouble_});
  alarm_->start(back_off.next_ms());
  say(error.detail);
  observer_.on_tunnel_down();
}

void Tunnel::give_up(const Error& error) {
  if (!step(TunnelEvent::kGiveUp)) return;
  trouble_ = first_line(error.detail);
  stock_.close({Errc::kUnavailable, "tunnel", trouble_});
  observer_.on_tunnel_failed(error);
}

// While it looks for the job every few seconds, the same news is news only once.
void Tunnel::say(const std::string& text) {
  if (text == last_said_) return;
  last_said_ = text;
  observer_.on_tunnel_progress(text);
}

}  // namespace hpc
