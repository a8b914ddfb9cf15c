#include "manager/session/live_session.h"

#include <utility>

#include "common/rfc3339.h"
#include "common/text_line.h"
#include "manager/session/channel_pool.h"
#include "manager/session/job_inquiry.h"
#include "manager/session/job_texts.h"
#include "manager/session/launch_spec.h"
#include "manager/session/next_turn.h"
#include "manager/session/session_words.h"

namespace hpc {

namespace {

constexpr std::int64_t kMinuteMs = 60'000;

// What the store has of another version says nothing of a job of ours.
bool spec_launches(const SessionRow& row) {
  const auto spec = parse_launch_spec(row.spec);
  return spec && !spec->attach;
}

}  // namespace

LiveSession::LiveSession(const Parts& parts, SessionRow row, std::shared_ptr<WaitingRoom> room,
                         Owner& owner)
    : parts_(parts),
      row_(std::move(row)),
      launches_(spec_launches(row_)),
      room_(std::move(room)),
      owner_(owner),
      job_({parts.scheduler, parts.logins, parts.launcher, parts.poller, parts.random}, row_,
           static_cast<SessionJob::Owner&>(*this)),
      alarm_(parts.scheduler.make_alarm([this] { on_alarm(); })),
      activity_stored_at_(row_.last_activity.value_or(0)),
      time_left_(parts.scheduler, parts.now,
                 [this](unsigned minutes) { owner_.on_session_expiring(*this, minutes); }),
      pool_(parts.loop, *this, channel_pool_options()) {}

LiveSession::~LiveSession() = default;

void LiveSession::start(std::optional<std::int64_t> submit_begun_at) {
  time_left_.set_end(row_.ends_at);
  switch (row_.state) {
    case SessionState::kQueued:
      if (!launches_) pending_ = std::make_unique<NextTurn>(parts_.scheduler, [this] { attach(); });
      return;
    case SessionState::kSubmitting: {
      const auto ago = submit_begun_at ? parts_.now() - *submit_begun_at : 0;
      return job_.submit_again(ago > 0 ? static_cast<std::uint64_t>(ago) : 0);
    }
    case SessionState::kPending:
      return follow_job();
    case SessionState::kRunning:
      step(SessionEvent::kTunnelLost, "the manager was started again");
      return open_tunnel();
    case SessionState::kStarting:
    case SessionState::kReconnecting:
      follow_job();
      return open_tunnel();
    case SessionState::kEnding:
      return finish_end();
    case SessionState::kEnded:
      return;
  }
}

// ------------------------------------------------------------------------------------- states
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
    time_left_.set_end(std::nullopt);
    close_tunnel();
  }
  follow_job();
  watch_idleness();
  owner_.on_session_changed(*this);
  return true;
}

void LiveSession::set_reason(std::string reason) {
  if (over() || row_.reason == reason) return;
  row_.reason = std::move(reason);
  owner_.on_session_changed(*this);
}

void LiveSession::attach() {
  pending_.reset();
  if (step(SessionEvent::kAttached, "looking for the job's hpc-proxy")) open_tunnel();
}

// ------------------------------------------------------------------------------------- the launch
void LiveSession::set_queue_position(unsigned position) {
  if (row_.state == SessionState::kQueued) set_reason(queued_words(position));
}

void LiveSession::take_turn() {
  to_submit_ = true;
  if (!step(SessionEvent::kTurnCame, "gives the job to SLURM")) to_submit_ = false;
}

void LiveSession::on_stored() {
  if (!std::exchange(to_submit_, false)) return;
  // Ended in between: nothing was submitted, so nothing is left.
  if (row_.state == SessionState::kSubmitting) job_.submit();
}

void LiveSession::on_job_submitted(const std::string& job) {
  row_.job_id = job;
  pending_since_ = parts_.scheduler.now_ms();
  step(SessionEvent::kSubmitted,
       row_.state == SessionState::kEnding ? row_.reason : "pending: job " + job + " is submitted");
}

void LiveSession::on_job_refused(const Error& why) {
  if (why.code == Errc::kNotFound && row_.state == SessionState::kSubmitting &&
      parts_.launcher.can_launch(row_.key.ide)) {
    say(why.detail);
    launches_ = false;
    row_.spec = launch_spec_json({true, {}});
    return attach();
  }
  const bool ending = row_.state == SessionState::kEnding;
  step(SessionEvent::kSubmitFailed, ending ? row_.reason : why.detail);
}

void LiveSession::on_job_trouble(const std::string& text) {
  const bool launching =
      row_.state == SessionState::kSubmitting || row_.state == SessionState::kPending;
  launching ? set_reason(text) : say(text);
}

void LiveSession::follow_job() {
  switch (row_.state) {
    case SessionState::kPending:
      if (launches_) job_.follow(JobPoller::Urgency::kWaiting);
      return;
    case SessionState::kStarting:
    case SessionState::kReconnecting:
      if (launches_) job_.follow(JobPoller::Urgency::kChanging);
      return;
    case SessionState::kRunning:
      if (launches_) job_.follow(JobPoller::Urgency::kSteady);
      return;
    default:
      return;
  }
}

void LiveSession::on_job_news(const ListedJob& job, JobFate fate) {
  if (over() || row_.state == SessionState::kEnding || log_reading_) return;
  if (fate == JobFate::kWaiting) return on_job_waits(job);
  if (job.state == "RUNNING") on_job_runs(job);
}

void LiveSession::on_job_waits(const ListedJob& job) {
  const std::string text = waiting_text(job, parts_.now());
  if (row_.state == SessionState::kPending) {
    set_reason(text);
    const auto now_ms = parts_.scheduler.now_ms();
    if (!pending_since_) pending_since_ = now_ms;
    if (now_ms - *pending_since_ >= kPendingKeepsTurnMs) owner_.on_turn_over(*this);
    return;
  }
  pending_since_ = parts_.scheduler.now_ms();
  set_end(std::nullopt);
  // Suspended, it keeps its node and its hpc-proxy; else it comes back with another one, somewhere.
  if (job.state != "SUSPENDED" && job.state != "STOPPED") {
    row_.node.clear();
    if (tunnel_) tunnel_->proxy_is_gone(text);
  }
  if (row_.state == SessionState::kReconnecting) return set_reason(text);
  step(SessionEvent::kJobRequeued, text);
}

void LiveSession::on_job_runs(const ListedJob& job) {
  if (!job.nodes.empty()) row_.node = job.nodes;
  if (job.ends_at) set_end(job.ends_at);
  const bool ready = tunnel_ && tunnel_->ready();
  if (row_.state == SessionState::kPending) {
    starting_since_ = parts_.scheduler.now_ms();
    say("starting on " + row_.node);
    if (!step(SessionEvent::kJobRuns, "waiting for hpc-proxy on " + row_.node)) return;
    tunnel_ ? tunnel_->search_soon() : open_tunnel();
  } else if (row_.state == SessionState::kReconnecting && tunnel_ && !ready &&
             row_.reason.starts_with("pending")) {
    starting_since_ = parts_.scheduler.now_ms();
    set_reason("waiting for hpc-proxy on " + row_.node);
    tunnel_->search_soon();
  }
  if (ready &&
      (row_.state == SessionState::kStarting || row_.state == SessionState::kReconnecting)) {
    step(SessionEvent::kTunnelReady, "");
  }
}

// The tail of its log is read while it is still there, and only then what is left is removed.
void LiveSession::on_job_over(const std::string& word) {
  if (over() || row_.state == SessionState::kEnding || log_reading_) return;
  std::string reason = job_over_text(row_.job_id, word);
  log_reading_ = parts_.launcher.read_log(
      row_, kJobLogTail,
      [this, reason](const Result<JobLogPart>& log) { on_job_log(reason, log); });
}

void LiveSession::on_job_log(std::string reason, const Result<JobLogPart>& log) {
  log_reading_.reset();
  if (over() || row_.state == SessionState::kEnding) return;
  const std::string tail = log ? log_tail(log->bytes) : "";
  if (!tail.empty()) {
    say("the job's log ends:\n" + tail);
    // Where it came to nothing, the last words are the best explanation there is.
    if (!row_.started_at) reason += "; its log ends: " + last_line(tail);
  }
  if (step(SessionEvent::kJobOver, reason)) finish_end();
}

void LiveSession::on_job_ended(const Status& ended) {
  step(SessionEvent::kDetached,
       ended ? row_.reason : row_.reason + "; " + first_line(ended.error().detail));
}

// ------------------------------------------------------------------------------------- its time
void LiveSession::set_end(std::optional<std::int64_t> ends_at) {
  const bool news = ends_at != row_.ends_at;
  row_.ends_at = ends_at;
  time_left_.set_end(ends_at);
  if (news && row_.state == SessionState::kRunning) owner_.on_session_changed(*this);
}

void LiveSession::extend(std::uint64_t minutes, std::function<void(Status)> done) {
  const auto refuse = [&](Errc code, const char* why) {
    parts_.scheduler.post(
        [done, error = Error{code, "session", why}] { done(tl::unexpected(error)); });
  };
  const bool runs = row_.state == SessionState::kRunning ||
                    row_.state == SessionState::kReconnecting ||
                    row_.state == SessionState::kStarting;
  if (!launches_) return refuse(Errc::kConflict, "this manager did not start its job");
  if (!runs || row_.job_id.empty()) return refuse(Errc::kConflict, "its job does not run");
  if (extensions_.size() >= kExtensionsMax) {
    return refuse(Errc::kConflict, "it is being extended already; wait for the answer");
  }
  const auto number = next_extension_++;
  const auto more_ms = static_cast<std::int64_t>(minutes) * kMinuteMs;
  extensions_[number] =
      parts_.launcher.extend(row_, minutes, [this, number, more_ms, done](const Status& extended) {
        extensions_.erase(number);
        if (extended) {
          say("job " + row_.job_id + " has been given " + time_words(more_ms) + " more");
          // The next look at the job tells it exactly.
          if (row_.ends_at) set_end(*row_.ends_at + more_ms);
        }
        if (!extended && extended.error().code == Errc::kForbidden) {
          return done(fail(Errc::kForbidden, "session",
                           "this site does not let you give the job more time; SLURM says: " +
                               extended.error().detail));
        }
        done(extended);
      });
}

void LiveSession::set_idle_end(std::uint64_t idle_end_ms) {
  if (parts_.idle_end_ms == idle_end_ms) return;
  parts_.idle_end_ms = idle_end_ms;
  idle_watch_.reset();
  watch_idleness();
}

void LiveSession::watch_idleness() {
  if (row_.state != SessionState::kRunning) {
    if (idle_watch_) idle_watch_->stop();
    return;
  }
  if (!launches_ || parts_.idle_end_ms == 0) return;
  if (!idle_watch_) {
    IdleWatch::Calls calls;
    calls.warn = [this](unsigned minutes) {
      say("nobody has used it for a while: it ends in " + time_words(minutes * kMinuteMs) +
          " unless somebody does");
    };
    calls.idle = [this] {
      end("nobody has used it for " + time_words(static_cast<std::int64_t>(parts_.idle_end_ms)));
    };
    idle_watch_ =
        std::make_unique<IdleWatch>(parts_.scheduler, pool_, static_cast<const TunnelView&>(*this),
                                    parts_.idle_end_ms, std::move(calls));
  }
  idle_watch_->start();
}

std::unique_ptr<Pending> LiveSession::read_log(std::uint64_t offset, JobLauncher::LogDone done) {
  if (launches_ && !row_.job_id.empty()) {
    return parts_.launcher.read_log(row_, offset, std::move(done));
  }
  const char* why = launches_ ? "its job is not submitted yet, so it has no log"
                              : "this manager did not start its job, so it has no log of it";
  return std::make_unique<NextTurn>(parts_.scheduler, [why, done = std::move(done)] {
    done(fail(Errc::kNotFound, "session", why));
  });
}

// ------------------------------------------------------------------------------------- the tunnel
void LiveSession::open_tunnel() {
  auto login = parts_.logins.login(row_.key.user, row_.key.cluster);
  if (!login) {
    login_trouble_ = login.error().detail;
    say(login_trouble_);
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

bool LiveSession::proxy_is_starting() const {
  return launches_ && starting_since_ &&
         parts_.scheduler.now_ms() - *starting_since_ < kProxyStartsMs;
}

void LiveSession::on_tunnel_progress(const std::string& text) {
  if (!over() && (tunnel_->ready() || !proxy_is_starting())) say(text);
}

void LiveSession::on_tunnel_ready(const JobRecord& record, bool moved) {
  if (over()) return;
  if (moved) pool_.close_idle();
  inquiry_.reset();
  tunnel_->pin(record.job_id);
  row_.job_id = record.job_id;
  row_.node = record.slurm_node.value_or(record.host);
  const auto ends_at = record.job_end ? parse_rfc3339(*record.job_end) : std::nullopt;
  if (ends_at || !launches_) {
    row_.ends_at = ends_at;
    time_left_.set_end(ends_at);
  }
  if (row_.state == SessionState::kEnding || log_reading_) return;
  // It may answer before SLURM was asked again.
  if (row_.state == SessionState::kPending && !step(SessionEvent::kJobRuns, "")) return;
  say("tunnel up");
  step(SessionEvent::kTunnelReady, "");
}

void LiveSession::on_tunnel_down(const Error& why) {
  if (login_->connection() == nullptr) inquiry_.reset();  // it asks over that
  pool_.close_idle();
  if (row_.state == SessionState::kRunning) {
    step(SessionEvent::kTunnelLost, first_line(why.detail));
  } else if (row_.state == SessionState::kStarting || row_.state == SessionState::kReconnecting) {
    // What SLURM says of a requeued job is nearer to the truth.
    const bool slurm_knows = launches_ && row_.reason.starts_with("pending");
    if (!proxy_is_starting() && !slurm_knows) set_reason(first_line(why.detail));
  }
}

void LiveSession::on_tunnel_failed(const Error& error) { on_tunnel_down(error); }

// SLURM does not run the job just now. It may wait for its second start, or be over.
void LiveSession::on_job_not_listed(const std::string& job) {
  auto* const connection = login_->connection();
  const auto now_ms = parts_.scheduler.now_ms();
  const bool asked_lately = asked_at_ms_ != 0 && now_ms - asked_at_ms_ < kJobInquiryEveryMs;
  // A job of ours is followed anyway.
  if (launches_ || over() || inquiry_ || asked_lately || connection == nullptr) return;
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
    say("job " + row_.job_id + " waits to be started again (" + answer.word + ")");
  }
}

void LiveSession::end(const std::string& reason) {
  if (over() || row_.state == SessionState::kEnding) return;
  alarm_->stop();
  if (!step(SessionEvent::kEndAsked, reason) || over()) return;
  finish_end();
}

void LiveSession::finish_end() {
  if (launches_) return job_.end();
  // The job goes on: this manager did not start it.
  pending_ = std::make_unique<NextTurn>(parts_.scheduler,
                                        [this] { step(SessionEvent::kDetached, row_.reason); });
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
