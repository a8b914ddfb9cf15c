#include "manager/session/session_job.h"

#include <utility>

#include "common/hello.h"
#include "common/text_line.h"
#include "manager/session/job_inquiry.h"
#include "manager/session/login_exec.h"

namespace hpc {

namespace {

bool is_final(Errc code) { return code == Errc::kBadRequest || code == Errc::kNotFound; }

}  // namespace

SessionJob::SessionJob(Parts parts, const SessionRow& row, Owner& owner)
    : parts_(std::move(parts)),
      row_(row),
      owner_(owner),
      back_off_(kJobBackOffFirstMs, kJobBackOffMostMs, parts_.random),
      alarm_(parts_.scheduler.make_alarm([this] { on_alarm(); })),
      login_alarm_(parts_.scheduler.make_alarm([this] { hold_login(); })) {}

SessionJob::~SessionJob() {
  parts_.poller.unwatch(*this);
  if (login_ != nullptr) login_->unwatch(*this);
}

// ------------------------------------------------------------------------------------- submit
void SessionJob::submit() { begin_submit(); }

void SessionJob::submit_again(std::uint64_t begun_ms_ago) {
  submitting_ = true;
  submit_begun_ms_ = parts_.scheduler.now_ms();
  submit_lost_after_ms_ = begun_ms_ago < kSubmitLostMs ? kSubmitLostMs - begun_ms_ago : 0;
  look();
}

void SessionJob::begin_submit() {
  submitting_ = true;
  submit_begun_ms_ = parts_.scheduler.now_ms();
  submit_lost_after_ms_ = kSubmitLostMs;
  work_ = parts_.launcher.submit(row_, [this](const auto& job) { on_submitted(job); });
}

bool SessionJob::submit_may_run() const {
  return parts_.scheduler.now_ms() - submit_begun_ms_ < submit_lost_after_ms_;
}

void SessionJob::on_submitted(const Result<std::string>& job) {
  work_.reset();
  if (job || is_final(job.error().code)) submitting_ = false;
  if (job) {
    back_off_.reset();
    owner_.on_job_submitted(*job);
    if (ending_) begin_end();
    return;
  }
  if (!submitting_) return owner_.on_job_refused(job.error());
  // sbatch has ended: no job can come of it that is not there already.
  if (job.error().code == Errc::kUnavailable) submit_lost_after_ms_ = 0;
  submit_later(job.error().detail);
}

// Once a submit has failed, looking comes first, each time.
void SessionJob::submit_later(const std::string& why) {
  trouble(why);
  if (ending_ && !submit_may_run()) return begin_end();
  wait(Next::kLook, submit_may_run() ? kSubmitLookEveryMs : back_off_.next_ms());
}

void SessionJob::look() {
  work_ = parts_.launcher.find(row_, [this](const auto& job) { on_found(job); });
}

void SessionJob::on_found(const Result<std::optional<std::string>>& job) {
  work_.reset();
  if (!job) return submit_later(job.error().detail);
  if (*job) return on_submitted(Result<std::string>(**job));
  if (ending_ && !submit_may_run()) return begin_end();
  if (submit_may_run()) return wait(Next::kLook, kSubmitLookEveryMs);
  begin_submit();
}

// ------------------------------------------------------------------------------------- the end
void SessionJob::end() {
  if (ending_) return;
  ending_ = true;
  end_begun_ms_ = parts_.scheduler.now_ms();
  if (submitting_ && (work_ || submit_may_run())) return;
  begin_end();
}

void SessionJob::begin_end() {
  submitting_ = false;
  alarm_->stop();
  next_ = Next::kNothing;
  parts_.poller.unwatch(*this);
  confirming_.reset();
  work_ = parts_.launcher.end(row_, [this](const Status& ended) { on_end(ended); });
}

void SessionJob::on_end(const Status& ended) {
  work_.reset();
  const bool given_up = parts_.scheduler.now_ms() - end_begun_ms_ >= kJobEndTriedMs;
  if (ended || given_up) return owner_.on_job_ended(ended);
  trouble(ended.error().detail);
  wait(Next::kEnd, back_off_.next_ms());
}

// ------------------------------------------------------------------------------------- the poller
void SessionJob::follow(JobPoller::Urgency urgency) {
  if (row_.job_id.empty() || ending_) return;
  hold_login();
  parts_.poller.watch(*this, {row_.key.user, row_.key.cluster, row_.job_id, urgency});
}

void SessionJob::hold_login() {
  if (login_ != nullptr) return;
  auto login = parts_.logins.login(row_.key.user, row_.key.cluster);
  if (!login) {
    trouble(login.error().detail);
    return login_alarm_->start(kJobLoginRetryMs);
  }
  login_ = *login;
  login_->watch(*this);
}

void SessionJob::on_login_down(const Error& why) {
  // With a tunnel over the same login, that tells it.
  if (row_.state == SessionState::kPending) trouble(why.detail);
}

void SessionJob::on_login_stopped(const Error& why) { on_login_down(why); }

void SessionJob::on_job_listed(const ListedJob& job) {
  last_trouble_.clear();
  const JobFate fate = job_fate_of(job.state);
  const bool runs = row_.state != SessionState::kPending;
  // Another user's shell may have said so: what would take something away from a session is asked
  // for once more. A job that begins can be believed in, its hpc-proxy has to prove itself.
  if (fate == JobFate::kGone || (fate == JobFate::kWaiting && runs)) return confirm(job);
  if (fate != JobFate::kUnknown) owner_.on_job_news(job, fate);
}

void SessionJob::on_job_unlisted() { confirm({}); }

void SessionJob::on_job_unknown(const std::string& why) {
  trouble("SLURM does not say how the job is: " + why);
}

void SessionJob::confirm(const ListedJob& job) {
  const auto now_ms = parts_.scheduler.now_ms();
  const bool lately = confirmed_at_ms_ && now_ms - *confirmed_at_ms_ < kJobConfirmEveryMs;
  if (confirming_ || lately || !is_slurm_job_id(row_.job_id)) return;
  confirmed_at_ms_ = now_ms;
  const auto marker = random_hex64();
  confirming_ = login_exec(
      parts_.scheduler, parts_.logins, row_.key.user, row_.key.cluster, "sh -s",
      job_fate_script(row_.job_id, marker), kJobInquiryTimeoutMs,
      [this, marker, job](const Result<ExecOutput>& output) {
        on_confirmed(output ? parse_job_fate(output->out, marker) : JobFateAnswer{}, job);
      });
}

void SessionJob::on_confirmed(const JobFateAnswer& answer, ListedJob job) {
  confirming_.reset();
  if (answer.fate == JobFate::kUnknown) return;
  if (answer.fate == JobFate::kGone) return owner_.on_job_over(answer.word);
  if (job.state != answer.word) {
    job = {};
    job.id = row_.job_id;
    job.state = answer.word;
  }
  owner_.on_job_news(job, answer.fate);
}

// ------------------------------------------------------------------------------------- helpers
void SessionJob::trouble(const std::string& text) {
  const std::string line = first_line(text);
  if (line == last_trouble_) return;
  last_trouble_ = line;
  owner_.on_job_trouble(line);
}

void SessionJob::wait(Next next, std::uint64_t delay_ms) {
  next_ = next;
  alarm_->start(delay_ms);
}

void SessionJob::on_alarm() {
  switch (std::exchange(next_, Next::kNothing)) {
    case Next::kNothing:
      return;
    case Next::kLook:
      return look();
    case Next::kEnd:
      return begin_end();
  }
}

}  // namespace hpc
