#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/log.h"
#include "common/upstream_pool.h"
#include "manager/session/back_off.h"
#include "manager/session/cluster_login.h"
#include "manager/session/idle_watch.h"
#include "manager/session/job_launcher.h"
#include "manager/session/job_poller.h"
#include "manager/session/session_job.h"
#include "manager/session/time_left.h"
#include "manager/session/tunnel.h"
#include "manager/slurm/job_fate.h"
#include "manager/store/store.h"

namespace hpc {

// A key file that is missing is looked for again: somebody has been told to put it there.
constexpr std::uint64_t kLoginRetryMs = 30'000;
// SLURM is asked about a job that is not listed, at most this often.
constexpr std::uint64_t kJobInquiryEveryMs = 10'000;
// A launch that has waited for SLURM so long lets the next one begin: what it waits for are nodes,
// which is nobody's fault and can take days.
constexpr std::uint64_t kPendingKeepsTurnMs = 300'000;
// A job that has just begun needs this long until its hpc-proxy is there: no news, and no trouble.
constexpr std::uint64_t kProxyStartsMs = 20'000;
// Extensions of one session that are under way.
constexpr std::size_t kExtensionsMax = 4;
// How exact the stored time of the last activity is.
constexpr std::int64_t kActivityStoredEveryMs = 60'000;

/// One session from its beginning to its end: launches or attaches, holds the tunnel, follows the
/// job. What it is at is the table of session_state.h; what is not in it is refused and logged.
///
/// Owner: LiveSessions, which stores every change and destroys it after on_session_over(), once no
/// exchange uses its pool. Everything handed to the constructor must outlive it.
class LiveSession final : private Tunnel::Observer,
                          private SessionJob::Owner,
                          private Connector,
                          private TunnelView {
 public:
  class Owner {
   public:
    /// The row has changed: store it and tell those who watch. With kEnded it is over: the owner
    /// may not destroy it from inside the call.
    virtual void on_session_changed(LiveSession& session) = 0;
    /// A line for people.
    virtual void on_session_progress(LiveSession& session, const std::string& text) = 0;
    /// Its job ends in so many minutes.
    virtual void on_session_expiring(LiveSession& session, unsigned minutes) = 0;
    /// Its launch holds up the others no longer, whatever becomes of it.
    virtual void on_turn_over(LiveSession& session) = 0;
    /// May it attach to this job? Another session may have it.
    virtual bool job_is_free(const LiveSession& session, const std::string& job) const = 0;

   protected:
    ~Owner() = default;
  };
  struct Parts {
    Loop& loop;
    Scheduler& scheduler;
    ClusterLogins& logins;
    JobLauncher& launcher;
    JobPoller& poller;
    BackOff::Random random;  // for waits
    UnixClock now;
    Log& log;
    std::uint64_t idle_end_ms = 0;  // a session of ours that idles so long is ended; 0: never
  };

  /// `room`: of the user's requests that wait.
  LiveSession(const Parts& parts, SessionRow row, std::shared_ptr<WaitingRoom> room, Owner& owner);
  ~LiveSession() override;
  LiveSession(const LiveSession&) = delete;
  LiveSession& operator=(const LiveSession&) = delete;

  /// Goes on from where the row says it was; after a restart, too: then `submit_begun_at` is when
  /// a submit was begun of which nobody knows the outcome. One that is to be launched waits for
  /// take_turn().
  void start(std::optional<std::int64_t> submit_begun_at = std::nullopt);
  /// Of the launch queue. Submits the job as soon as on_stored() tells that this is written down.
  void take_turn();
  /// How many are in front of it has changed, or it is new.
  void set_queue_position(unsigned position);
  /// The store has the row as it is.
  void on_stored();
  /// Asks for its end; nothing when it is on its way already.
  void end(const std::string& reason);
  /// Errors as Sessions::extend(). `done` in a later turn; never, when the session ends before.
  void extend(std::uint64_t minutes, std::function<void(Status)> done);
  /// As Sessions::read_log().
  std::unique_ptr<Pending> read_log(std::uint64_t offset, JobLauncher::LogDone done);
  /// As in Parts; the time of idleness begins anew. Not from inside its own news.
  void set_idle_end(std::uint64_t idle_end_ms);
  /// A request goes there. True: it is time to store it.
  bool note_activity();

  const SessionRow& row() const { return row_; }
  /// It has, or will get, a job of its own.
  bool launches() const { return launches_; }
  bool over() const { return row_.state == SessionState::kEnded; }
  UpstreamPool& pool() { return pool_; }
  const TunnelView& tunnel() const { return *this; }

 private:
  // The tunnel's news.
  void on_tunnel_progress(const std::string& text) override;
  void on_tunnel_ready(const JobRecord& record, bool moved) override;
  void on_tunnel_down(const Error& why) override;
  void on_job_not_listed(const std::string& job) override;
  void on_tunnel_failed(const Error& error) override;

  // The job's news; of sessions with a job of their own.
  void on_job_submitted(const std::string& job) override;
  void on_job_refused(const Error& why) override;
  void on_job_trouble(const std::string& text) override;
  void on_job_news(const ListedJob& job, JobFate fate) override;
  void on_job_over(const std::string& word) override;
  void on_job_ended(const Status& ended) override;

  // The pool's far end, and what the gateway may know: there may be no tunnel yet.
  std::unique_ptr<Pending> connect(const std::string& key, ConnectDone done) override;
  bool ready() const override { return tunnel_ && tunnel_->ready(); }
  const std::optional<JobRecord>& record() const override;
  const std::string& trouble() const override;
  std::string destination() const override;

  bool step(SessionEvent event, std::string reason);
  void set_reason(std::string reason);
  void say(const std::string& text) { owner_.on_session_progress(*this, text); }
  void follow_job();
  void attach();
  void open_tunnel();
  void close_tunnel();
  void finish_end();
  void on_alarm();
  void on_job_fate(const JobFateAnswer& answer);
  void on_job_waits(const ListedJob& job);
  void on_job_runs(const ListedJob& job);
  void on_job_log(std::string reason, const Result<JobLogPart>& log);
  void set_end(std::optional<std::int64_t> ends_at);
  void watch_idleness();
  bool proxy_is_starting() const;

  Parts parts_;
  SessionRow row_;
  bool launches_;
  std::shared_ptr<WaitingRoom> room_;
  Owner& owner_;
  SessionJob job_;
  ClusterLogin* login_ = nullptr;
  std::string login_trouble_;
  std::unique_ptr<Alarm> alarm_;
  std::unique_ptr<Pending> pending_;  // the step that comes next
  std::unique_ptr<Pending> inquiry_;  // about the job, on the tunnel's connection
  std::uint64_t asked_at_ms_ = 0;
  std::int64_t activity_stored_at_ = 0;
  bool to_submit_ = false;                       // once the turn is stored
  std::optional<std::uint64_t> pending_since_;   // by the clock
  std::optional<std::uint64_t> starting_since_;  // by the clock
  std::unique_ptr<Pending> log_reading_;         // of a job that is over
  std::map<std::uint64_t, std::unique_ptr<Pending>> extensions_;
  std::uint64_t next_extension_ = 0;
  TimeLeft time_left_;
  std::unique_ptr<Tunnel> tunnel_;
  UpstreamPool pool_;
  std::unique_ptr<IdleWatch> idle_watch_;  // uses pool_
};

}  // namespace hpc
