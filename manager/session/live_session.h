#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/log.h"
#include "common/upstream_pool.h"
#include "manager/session/back_off.h"
#include "manager/session/cluster_login.h"
#include "manager/session/launcher.h"
#include "manager/session/tunnel.h"
#include "manager/slurm/job_fate.h"
#include "manager/store/store.h"

namespace hpc {

// A key file that is missing is looked for again: somebody has been told to put it there.
constexpr std::uint64_t kLoginRetryMs = 30'000;
// SLURM is asked about a job that is not listed, at most this often.
constexpr std::uint64_t kJobInquiryEveryMs = 10'000;
// How exact the stored time of the last activity is.
constexpr std::int64_t kActivityStoredEveryMs = 60'000;

/// One session from its beginning to its end: launches or attaches, holds the tunnel, follows the
/// job. What it is at is the table of session_state.h; what is not in it is refused and logged.
///
/// Owner: LiveSessions, which stores every change and destroys it after on_session_over(), once no
/// exchange uses its pool. Everything handed to the constructor must outlive it.
class LiveSession final : private Tunnel::Observer, private Connector, private TunnelView {
 public:
  class Owner {
   public:
    /// The row has changed: store it and tell those who watch. With kEnded it is over: the owner
    /// may not destroy it from inside the call.
    virtual void on_session_changed(LiveSession& session) = 0;
    /// A line for people.
    virtual void on_session_progress(LiveSession& session, const std::string& text) = 0;
    /// May it attach to this job? Another session may have it.
    virtual bool job_is_free(const LiveSession& session, const std::string& job) const = 0;

   protected:
    ~Owner() = default;
  };
  struct Parts {
    Loop& loop;
    Scheduler& scheduler;
    ClusterLogins& logins;
    Launcher& launcher;
    BackOff::Random random;  // for waits
    UnixClock now;
    Log& log;
  };

  /// `room`: of the user's requests that wait.
  LiveSession(const Parts& parts, SessionRow row, std::shared_ptr<WaitingRoom> room, Owner& owner);
  ~LiveSession() override;
  LiveSession(const LiveSession&) = delete;
  LiveSession& operator=(const LiveSession&) = delete;

  /// Goes on from where the row says it was; after a restart, too.
  void start();
  /// Asks for its end; nothing when it is on its way already.
  void end(const std::string& reason);
  /// A request goes there. True: it is time to store it.
  bool note_activity();

  const SessionRow& row() const { return row_; }
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

  // The pool's far end, and what the gateway may know: there may be no tunnel yet.
  std::unique_ptr<Pending> connect(const std::string& key, ConnectDone done) override;
  bool ready() const override { return tunnel_ && tunnel_->ready(); }
  const std::optional<JobRecord>& record() const override;
  const std::string& trouble() const override;
  std::string destination() const override;

  bool step(SessionEvent event, std::string reason);
  void launch();
  void on_launched(const Result<Launcher::Launched>& launched);
  void open_tunnel();
  void close_tunnel();
  void finish_end();
  void on_alarm();
  void on_job_fate(const JobFateAnswer& answer);

  Parts parts_;
  SessionRow row_;
  std::shared_ptr<WaitingRoom> room_;
  Owner& owner_;
  ClusterLogin* login_ = nullptr;
  std::string login_trouble_;
  std::unique_ptr<Alarm> alarm_;
  std::unique_ptr<Pending> pending_;  // the launcher's work
  std::unique_ptr<Pending> inquiry_;  // about the job, on the tunnel's connection
  std::uint64_t asked_at_ms_ = 0;
  std::int64_t activity_stored_at_ = 0;
  std::unique_ptr<Tunnel> tunnel_;
  UpstreamPool pool_;
};

}  // namespace hpc
