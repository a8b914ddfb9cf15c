#include "manager/session/tunnel.h"

#include <utility>

#include "common/text_line.h"

namespace hpc {

namespace {

// A proxy that stayed this long was no flicker: the next search starts without the long waits.
constexpr std::uint64_t kStableMs = 10'000;

}  // namespace

Tunnel::Tunnel(Scheduler& scheduler, ClusterLogin& login, const BackOff::Random& random,
               Options options, Observer& observer)
    : scheduler_(scheduler),
      login_(login),
      options_(std::move(options)),
      observer_(observer),
      search_back_off_(kSearchBackOffFirstMs, kSearchBackOffMostMs, random),
      alarm_(scheduler.make_alarm([this] { on_alarm(); })),
      stock_(
          scheduler, [this](const Error& error) { on_channel_failed(error); },
          options_.waiting_room) {}

Tunnel::~Tunnel() { login_.unwatch(*this); }

void Tunnel::start() {
  if (step(TunnelEvent::kStart)) login_.watch(*this);
}

std::unique_ptr<Pending> Tunnel::connect(const std::string& key, ConnectDone done) {
  return stock_.take(key == kMayWait, std::move(done));
}

bool Tunnel::step(TunnelEvent event) {
  const auto next = next_state(state_, event);
  if (next) state_ = *next;
  return next.has_value();
}

void Tunnel::on_login_up(SshConnection& connection) {
  if (!step(TunnelEvent::kLoginUp)) return;
  connection_ = &connection;
  search_back_off_.reset();
  begin_search();
}

void Tunnel::on_login_down(const Error& why) { lose_login(why, /*for_good=*/false); }

void Tunnel::on_login_stopped(const Error& why) { lose_login(why, /*for_good=*/true); }

void Tunnel::lose_login(const Error& why, bool for_good) {
  // Whoever has just typed the command wants to know that it does not work, as with ssh.
  const bool first_try = state_ == TunnelState::kWaitForLogin && !was_ready_;
  if (!options_.stay && (for_good || first_try)) return give_up(why);
  if (!step(TunnelEvent::kLoginDown)) return;
  alarm_->stop();
  search_.reset();
  go_down(why);
  connection_ = nullptr;
}

void Tunnel::begin_search() {
  search_ = std::make_unique<ProxySearch>(scheduler_, *connection_,
                                          ProxySearch::Wanted{options_.job, options_.may_use},
                                          [this](auto found) { on_search_done(std::move(found)); });
}

bool Tunnel::worth_another_search(const Error& error) const {
  if (was_ready_ || options_.stay) return true;
  // Forwarding that is off, or a foreign listener, will not change by waiting.
  return options_.wait_for_job && error.code != Errc::kForbidden;
}

void Tunnel::on_search_done(Result<FoundProxy> found) {
  const bool not_listed = search_->job_not_listed();
  const bool late = search_->record_is_late();
  search_.reset();
  if (found) return on_found(std::move(*found));
  if (!worth_another_search(found.error())) return give_up(found.error());
  if (!step(TunnelEvent::kProxyNotFound)) return;
  if (late && hurries_ < kSearchHurriesMax) {
    ++hurries_;
    search_back_off_.reset();
  }
  alarm_->start(search_back_off_.next_ms());
  if (not_listed) observer_.on_job_not_listed(*options_.job);
  go_down(found.error());
}

void Tunnel::on_found(FoundProxy found) {
  if (!step(TunnelEvent::kProxyFound)) return;
  const bool moved = record_ && record_->token != found.record.token;
  record_ = std::move(found.record);
  endpoint_ = std::move(found.endpoint);
  trouble_.clear();
  was_ready_ = true;
  hurries_ = 0;
  ready_since_ms_ = scheduler_.now_ms();
  stock_.put(std::move(found.stream));
  stock_.open([this](ConnectDone done) -> std::unique_ptr<Pending> {
    return std::make_unique<ChannelOpening>(scheduler_, *connection_, endpoint_,
                                            [done = std::move(done)](auto opened) {
                                              if (!opened)
                                                return done(tl::unexpected(opened.error()));
                                              done(std::move(opened->stream));
                                            });
  });
  // Of somebody with several jobs all the others are passed over, each time: no news to him.
  if (!found.passed_over.empty() && !options_.job) say("passed over:" + found.passed_over);
  say(describe_record(*record_) + ": hpc-proxy " + record_->program_version + " answers");
  observer_.on_tunnel_ready(*record_, moved);
}

void Tunnel::on_channel_failed(const Error& error) {
  lose_proxy({error.code, "proxy", " does not answer any more: " + error.detail});
}

void Tunnel::proxy_is_gone(const std::string& why) {
  lose_proxy({Errc::kUnavailable, "proxy", " is gone: " + why});
}

// `why` goes on behind the name of what was lost.
void Tunnel::lose_proxy(const Error& why) {
  if (!step(TunnelEvent::kProxyLost)) return;
  if (scheduler_.now_ms() - ready_since_ms_ >= kStableMs) search_back_off_.reset();
  alarm_->start(search_back_off_.next_ms());
  go_down({why.code, why.where, describe_record(*record_) + why.detail});
}

void Tunnel::search_soon() {
  search_back_off_.reset();
  if (state_ == TunnelState::kWaitToSearch) alarm_->start(0);
}

void Tunnel::on_alarm() {
  if (step(TunnelEvent::kAlarm)) begin_search();
}

void Tunnel::go_down(const Error& error) {
  trouble_ = first_line(error.detail);
  stock_.close({Errc::kUnavailable, "tunnel", trouble_});
  say(error.detail);
  observer_.on_tunnel_down(error);
}

void Tunnel::give_up(const Error& error) {
  if (!step(TunnelEvent::kGiveUp)) return;
  login_.unwatch(*this);
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
