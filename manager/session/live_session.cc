#include "manager/session/live_session.h"

#include <utility>

#include "common/rfc3339.h"
#include "manager/session/channel_pool.h"
#include "manager/session/job_inquiry.h"
#include "manager/session/next_turn.h"

namespace hpc {

LiveSession::LiveSession(const Parts& parts, SessionRow row, std::shared_ptr<WaitingRoom> room,
                         Owner& owner)
    : parts_(parts),
      row_(std::move(row)),
      room_(std::move(room)),
      owner_(owner),
      alarm_(parts.scheduler.make_alarm([this] { on_alarm(); })),
      activity_stored_at_(row_.last_activity.value_or(0)),
      pool_(parts.loop, *this, channel_pool_options()) {}

LiveSession::~LiveSession() = default;

void LiveSession::start() {
  switch (row_.state) {
    case SessionState::kQueued:
    case SessionState::kSubmitting:
    case SessionState::kPending:
      return launch();
    case SessionState::kRunning:
      step(SessionEvent::kTunnelLost, "the manager was started again");
      return open_tunnel();
    case SessionState::kStarting:
    case SessionState::kReconnecting:
      return open_tunnel();
    case SessionState::kEnding:
      return finish_end();
    case SessionState::kEnded:
      return;
  }
}

bool LiveSession::step(SessionEvent event, std::string reason) {
  const auto next = next_state(row_.state, event);
  if (!next) {
    parts_.log.warning(
        "a session did not take an event",
        {{"session", row_.id}, {"state", state_name(row_.state)}, {"event", event_name(event)}});
    return false;
  }
  row_.state = *next;
  row_.reason = std::move(reason);
  if (*next == SessionState::kRunning && !row_.started_at) row_.started_at = parts_.now();
  if (*next == SessionState::kEnded) {
    row_.ended_at = parts_.now();
    close_tunnel();
  }
  owner_.on_session_changed(*this);
  return true;
}

void LiveSession::launch() {
  pending_ = parts_.launcher.launch(row_, [this](const auto& launched) { on_launched(launched); });
}

void LiveSession::on_launched(const Result<Launcher::Launched>& launched) {
  pending_.reset();
  if (!launched) {
    step(SessionEvent::kJobGone, launched.error().detail);
    return;
  }
  if (launched->job) row_.job_id = *launched->job;
  if (step(SessionEvent::kAttached, "looking for the job's hpc-proxy")) open_tunnel();
}

void LiveSession::open_tunnel() {
  auto login = parts_.logins.login(row_.key.user, row_.key.cluster);
  if (!login) {
    login_trouble_ = login.error().detail;
    owner_.on_session_progress(*this, login_trouble_);
    return alarm_->start(kLoginRetryMs);
  }
  login_ = *login;
  login_trouble_.clear();
  Tunnel::Options options;
  if (!row_.job_id.empty()) options.job = row_.job_id;
  options.may_use = [this](const JobRecord& record) {
    return owner_.job_is_free(*this, record.job_id);
  };
  options.stay = true;
  options.waiting_room = room_;
  Tunnel::Observer& observer = *this;
  tunnel_ = std::make_unique<Tunnel>(parts_.scheduler, *login_, parts_.random, std::move(options),
                                     observer);
  tunnel_->start();
}

// Also from inside the tunnel's own news.
void LiveSession::close_tunnel() {
  inquiry_.reset();
  pool_.close();
  if (!tunnel_) return;
  std::shared_ptr<Tunnel> done = std::move(tunnel_);
  parts_.scheduler.post([done]() mutable { done.reset(); });
}

void LiveSession::on_alarm() {
  if (!tunnel_ && !over()) open_tunnel();
}

void LiveSession::on_tunnel_progress(const std::string& text) {
  if (!over()) owner_.on_session_progress(*this, text);
}

void LiveSession::on_tunnel_ready(const JobRecord& record, bool moved) {
  if (over()) return;
  if (moved) pool_.close_idle();
  inquiry_.reset();
  tunnel_->pin(record.job_id);
  row_.job_id = record.job_id;
  row_.node = record.slurm_node.value_or(record.host);
  row_.ends_at = record.job_end ? parse_rfc3339(*record.job_end) : std::nullopt;
  if (row_.state != SessionState::kEnding) step(SessionEvent::kTunnelReady, "");
}

void LiveSession::on_tunnel_down(const Error& why) {
  if (login_->connection() == nullptr) inquiry_.reset();  // it asks over that
  pool_.close_idle();
  const std::string reason = why.detail.substr(0, why.detail.find('\n'));
  if (row_.state == SessionState::kRunning) {
    step(SessionEvent::kTunnelLost, reason);
  } else if (!over() && row_.state != SessionState::kEnding && row_.reason != reason) {
    row_.reason = reason;
    owner_.on_session_changed(*this);
  }
}

void LiveSession::on_tunnel_failed(const Error& error) { on_tunnel_down(error); }

// SLURM does not run the job just now. It may wait for its second start, or be over.
void LiveSession::on_job_not_listed(const std::string& job) {
  auto* const connection = login_->connection();
  const auto now_ms = parts_.scheduler.now_ms();
  const bool asked_lately = asked_at_ms_ != 0 && now_ms - asked_at_ms_ < kJobInquiryEveryMs;
  if (over() || inquiry_ || asked_lately || connection == nullptr) return;
  if (!is_slurm_job_id(job)) return;
  asked_at_ms_ = now_ms;
  inquiry_ =
      ask_job_fate(*connection, job, [this](const JobFateAnswer& answer) { on_job_fate(answer); });
}

void LiveSession::on_job_fate(const JobFateAnswer& answer) {
  inquiry_.reset();
  if (over()) return;
  if (answer.fate == JobFate::kGone) {
    step(SessionEvent::kJobGone, "job " + row_.job_id + " has ended" +
                                     (answer.word.empty() ? "" : " (" + answer.word + ")"));
  } else if (answer.fate == JobFate::kWaiting) {
    owner_.on_session_progress(
        *this, "job " + row_.job_id + " waits to be started again (" + answer.word + ")");
  }
}

void LiveSession::end(const std::string& reason) {
  if (over() || row_.state == SessionState::kEnding) return;
  alarm_->stop();
  if (!step(SessionEvent::kEndAsked, reason) || over()) return;
  finish_end();
}

void LiveSession::finish_end() {
  pending_ = parts_.launcher.end(row_, [this](const Status& ended) {
    pending_.reset();
    const std::string reason = ended ? row_.reason : row_.reason + "; " + ended.error().detail;
    step(SessionEvent::kDetached, reason);
  });
}

bool LiveSession::note_activity() {
  row_.last_activity = parts_.now();
  if (*row_.last_activity - activity_stored_at_ < kActivityStoredEveryMs) return false;
  activity_stored_at_ = *row_.last_activity;
  return true;
}

std::unique_ptr<Pending> LiveSession::connect(const std::string& key, ConnectDone done) {
  if (tunnel_) return tunnel_->connect(key, std::move(done));
  return std::make_unique<NextTurn>(parts_.scheduler, [why = trouble(), done = std::move(done)] {
    done(fail(Errc::kUnavailable, "tunnel", why));
  });
}

const std::optional<JobRecord>& LiveSession::record() const {
  static const std::optional<JobRecord> none;
  return tunnel_ ? tunnel_->record() : none;
}

const std::string& LiveSession::trouble() const {
  if (tunnel_ && !tunnel_->trouble().empty()) return tunnel_->trouble();
  return login_trouble_.empty() ? row_.reason : login_trouble_;
}

std::string LiveSession::destination() const {
  return login_ != nullptr ? login_->destination() : row_.key.cluster;
}

}  // namespace hpc
