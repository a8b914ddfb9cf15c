#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "manager/session/back_off.h"
#include "manager/session/cluster_login.h"
#include "manager/session/job_launcher.h"
#include "manager/session/job_poller.h"
#include "manager/session/scheduler.h"
#include "manager/slurm/job_fate.h"
#include "manager/slurm/job_submit.h"

namespace hpc {

// How long after a submit whose answer was lost a job may still come of it: the bound of sbatch,
// and what a slow login node takes to start it and to kill it.
constexpr std::uint64_t kSubmitLostMs = (kSbatchSecondsMax + 25) * 1'000;
// While such a job may come: how often it is looked for.
constexpr std::uint64_t kSubmitLookEveryMs = 5'000;
// Waits between attempts that SLURM, or the login, could not take.
constexpr std::uint64_t kJobBackOffFirstMs = 2'000;
constexpr std::uint64_t kJobBackOffMostMs = 30'000;
// How long a job's end is tried for: past it the cluster is another one, or gone.
constexpr std::uint64_t kJobEndTriedMs = 3'600'000;
// A login that is refused by our own rules, for want of a key for example, is asked for again.
constexpr std::uint64_t kJobLoginRetryMs = 30'000;
// SLURM is asked what has become of a job at most this often.
constexpr std::uint64_t kJobConfirmEveryMs = 4'000;

/// The SLURM job of one session, from its submit to its end: submits it once and never twice,
/// follows it by the poller, and believes in its end only when SLURM has confirmed that over the
/// user's own login.
///
/// Owner: LiveSession, whose row it looks at. Everything handed to the constructor must outlive it.
class SessionJob final : private JobPoller::Watcher, private ClusterLogin::Watcher {
 public:
  /// Told in later turns; may call everything here, and may destroy it in on_job_ended() and
  /// on_job_refused() only through a later turn.
  class Owner {
   public:
    virtual void on_job_submitted(const std::string& job) = 0;
    /// For good, and there is no job. kNotFound: there is no SLURM to launch it.
    virtual void on_job_refused(const Error& why) = 0;
    /// Something does not work just now and is tried again. One line for people.
    virtual void on_job_trouble(const std::string& text) = 0;
    /// As the poller sees it, or as SLURM has confirmed it; state, nodes and times count.
    virtual void on_job_news(const ListedJob& job, JobFate fate) = 0;
    /// Confirmed. `word`: SLURM's own, may be empty.
    virtual void on_job_over(const std::string& word) = 0;
    /// What end() was for is done, or (with an error) was given up.
    virtual void on_job_ended(const Status& ended) = 0;

   protected:
    ~Owner() = default;
  };
  struct Parts {
    Scheduler& scheduler;
    ClusterLogins& logins;
    JobLauncher& launcher;
    JobPoller& poller;
    BackOff::Random random;
  };

  SessionJob(Parts parts, const SessionRow& row, Owner& owner);
  ~SessionJob();
  SessionJob(const SessionJob&) = delete;
  SessionJob& operator=(const SessionJob&) = delete;

  void submit();
  /// After a restart: a submit was begun so long ago, and nobody knows what came of it.
  void submit_again(std::uint64_t begun_ms_ago);
  /// Watches the row's job; again after each change of its state.
  void follow(JobPoller::Urgency urgency);
  /// Cancels the job and removes what it left. A submit that is under way is waited for.
  void end();

 private:
  enum class Next : std::uint8_t { kNothing, kLook, kEnd };

  void on_job_listed(const ListedJob& job) override;
  void on_job_unlisted() override;
  void on_job_unknown(const std::string& why) override;

  // The login is held for as long as the job is followed: the poller asks over logins that are up
  // and brings up none.
  void on_login_up(SshConnection&) override {}
  void on_login_down(const Error& why) override;
  void on_login_stopped(const Error& why) override;
  void on_login_progress(const std::string&) override {}
  void hold_login();

  void begin_submit();
  void on_submitted(const Result<std::string>& job);
  void look();
  void on_found(const Result<std::optional<std::string>>& job);
  bool submit_may_run() const;
  void submit_later(const std::string& trouble);
  void begin_end();
  void on_end(const Status& ended);
  void confirm(const ListedJob& job);
  void on_confirmed(const JobFateAnswer& answer, ListedJob job);
  void trouble(const std::string& text);
  void wait(Next next, std::uint64_t delay_ms);
  void on_alarm();

  Parts parts_;
  const SessionRow& row_;
  Owner& owner_;
  BackOff back_off_;
  std::unique_ptr<Alarm> alarm_;
  Next next_ = Next::kNothing;     // what the alarm is for
  ClusterLogin* login_ = nullptr;  // held
  std::unique_ptr<Alarm> login_alarm_;
  std::unique_ptr<Pending> work_;
  std::unique_ptr<Pending> confirming_;
  bool submitting_ = false;  // a submit is under way, or its answer was lost and may still come
  bool ending_ = false;
  std::uint64_t submit_begun_ms_ = 0;
  std::uint64_t submit_lost_after_ms_ = kSubmitLostMs;
  std::uint64_t end_begun_ms_ = 0;
  std::optional<std::uint64_t> confirmed_at_ms_;
  std::string last_trouble_;
};

}  // namespace hpc
