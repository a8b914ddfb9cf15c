#include "manager/session/ssh_login.h"

#include <algorithm>
#include <utility>

#include "common/text_line.h"

namespace hpc {

std::string describe_target(const SshTarget& target) {
  return target.user ? target.host + " as " + *target.user : target.host;
}

SshLogin::SshLogin(Scheduler& scheduler, SshConnector& connector, SshPrompter& prompter,
                   const BackOff::Random& random, Options options)
    : scheduler_(scheduler),
      connector_(connector),
      prompter_(prompter),
      options_(std::move(options)),
      back_off_(kConnectBackOffFirstMs, kConnectBackOffMostMs, random),
      alarm_(scheduler.make_alarm([this] { on_alarm(); })),
      idle_alarm_(scheduler.make_alarm([this] { on_idle(); })) {}

SshLogin::~SshLogin() { *alive_ = false; }

void SshLogin::watch(Watcher& watcher) {
  idle_alarm_->stop();
  const std::uint64_t number = next_number_++;
  seats_.push_back({&watcher, number});
  if (step(LoginEvent::kWanted)) return begin_connect();
  post([this, number] { tell_late(number); });
}

void SshLogin::unwatch(Watcher& watcher) {
  const auto gone =
      std::erase_if(seats_, [&watcher](const Seat& seat) { return seat.watcher == &watcher; });
  if (gone == 0 || !seats_.empty()) return;
  // Only what is up is worth keeping for whoever comes next.
  idle_alarm_->start(state_ != State::kUp ? 0 : adopted_ ? kAdoptedLoginIdleMs : kLoginIdleMs);
}

// Both in a later turn, so that the news that made a watcher call have reached all the others.
void SshLogin::retry() {
  post([this] {
    if (seats_.empty() || !step(LoginEvent::kRetry)) return;
    alarm_->stop();
    back_off_.reset();
    begin_connect();
  });
}

void SshLogin::adopt(std::unique_ptr<SshConnection> connection) {
  // One owner still: a task must be copyable.
  post([this, held = std::make_shared<std::unique_ptr<SshConnection>>(std::move(connection))] {
    // What is up carries the streams of live sessions; a second connection has no use.
    if (!step(LoginEvent::kAdopted)) return;
    alarm_->stop();
    pending_.reset();
    adopted_ = true;
    come_up(std::move(*held));
  });
}

bool SshLogin::step(LoginEvent event) {
  const auto next = next_state(state_, event);
  if (next) state_ = *next;
  return next.has_value();
}

void SshLogin::begin_connect() {
  const auto target = options_.target();
  if (!target) {
    // Later, as every other answer.
    post([this, why = target.error()] {
      if (state_ == State::kConnecting && !pending_) connect_failed(why);
    });
    return;
  }
  const std::string text =
      (was_up_ ? "connecting again to " : "connecting to ") + options_.destination + " ...";
  pending_ = connector_.connect(*target, prompter_,
                                [this](auto connection) { on_connected(std::move(connection)); });
  tell([&text](Watcher& watcher) { watcher.on_login_progress(text); });
}

void SshLogin::on_connected(Result<std::unique_ptr<SshConnection>> connection) {
  pending_.reset();
  if (!connection) return connect_failed(connection.error());
  if (!step(LoginEvent::kConnected)) return;
  adopted_ = false;
  come_up(std::move(*connection));
}

void SshLogin::connect_failed(const Error& error) {
  const bool refused = error.code == Errc::kUnauthorized || error.code == Errc::kForbidden ||
                       (error.code == Errc::kConfig && !options_.config_may_heal);
  if (!step(refused ? LoginEvent::kRefused : LoginEvent::kConnectFailed)) return;
  why_ = error;
  trouble_ = first_line(error.detail);
  if (!refused) alarm_->start(back_off_.next_ms());
  tell([this](Watcher& watcher) { tell_state(watcher); });
}

void SshLogin::come_up(std::unique_ptr<SshConnection> connection) {
  was_up_ = true;
  up_since_ms_ = scheduler_.now_ms();
  trouble_.clear();
  connection_ = std::move(connection);
  connection_->on_closed([this](const Error& error) { on_lost(error); });
  // The last watcher may have gone while this was on its way.
  if (seats_.empty()) idle_alarm_->start(adopted_ ? kAdoptedLoginIdleMs : kLoginIdleMs);
  tell([this](Watcher& watcher) { tell_state(watcher); });
}

void SshLogin::on_lost(const Error& error) {
  if (!step(LoginEvent::kConnectionLost)) return;
  if (scheduler_.now_ms() - up_since_ms_ >= kLoginStableMs) back_off_.reset();
  why_ = {Errc::kNetwork, "ssh", "the SSH connection was lost: " + error.detail};
  trouble_ = first_line(why_.detail);
  alarm_->start(back_off_.next_ms());
  if (seats_.empty()) idle_alarm_->start(0);
  tell([this](Watcher& watcher) { tell_state(watcher); });
  drop_connection();
}

void SshLogin::on_alarm() {
  if (step(LoginEvent::kAlarm)) begin_connect();
}

void SshLogin::on_idle() {
  if (!seats_.empty() || !step(LoginEvent::kUnneeded)) return;
  alarm_->stop();
  pending_.reset();
  trouble_.clear();
  drop_connection();
}

// Not from inside its own callback.
void SshLogin::drop_connection() {
  if (!connection_) return;
  std::shared_ptr<SshConnection> dead = std::move(connection_);
  scheduler_.post([dead]() mutable { dead.reset(); });
}

// A watcher may watch, unwatch (itself and others) and retry from inside.
void SshLogin::tell(const std::function<void(Watcher&)>& news) {
  std::vector<std::uint64_t> numbers;
  for (const auto& seat : seats_) numbers.push_back(seat.number);
  for (const auto number : numbers) {
    Seat* seat = find(number);
    if (seat == nullptr) continue;
    seat->told = true;
    news(*seat->watcher);
  }
}

void SshLogin::tell_late(std::uint64_t number) {
  Seat* seat = find(number);
  if (seat == nullptr || seat->told) return;
  seat->told = true;
  tell_state(*seat->watcher);
}

void SshLogin::tell_state(Watcher& watcher) {
  if (state_ == State::kUp) return watcher.on_login_up(*connection_);
  if (state_ == State::kStopped) return watcher.on_login_stopped(why_);
  if (state_ == State::kWaiting) watcher.on_login_down(why_);
}

SshLogin::Seat* SshLogin::find(std::uint64_t number) {
  const auto found = std::find_if(seats_.begin(), seats_.end(),
                                  [number](const Seat& seat) { return seat.number == number; });
  return found == seats_.end() ? nullptr : &*found;
}

void SshLogin::post(std::function<void()> task) {
  scheduler_.post([alive = alive_, task = std::move(task)] {
    if (*alive) task();
  });
}

}  // namespace hpc
