#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "manager/session/ended_sessions.h"
#include "manager/session/event_log.h"
#include "manager/session/launch_queue.h"
#include "manager/session/live_session.h"
#include "manager/session/port_pool.h"
#include "manager/session/session_journal.h"
#include "manager/session/sessions.h"

namespace hpc {

// What the store did not take is tried again: a full disk is a matter of minutes.
constexpr std::uint64_t kStoreRetryMs = 1'000;

/// The sessions of all users. One loop, one owner: the table is right at every moment, the store
/// follows it. Changes are in live_sessions.cc, answers in live_sessions_questions.cc.
class LiveSessions final : public Sessions, private LiveSession::Owner {
 public:
  struct ClusterName {
    std::string name;
    std::string host;  // for people
  };
  struct Options {
    std::string base_url;  // "https://hpc.example.org"
    std::vector<ClusterName> clusters;
    std::size_t sessions_max = 50;
    std::size_t sessions_per_user_max = 10;
    LaunchQueue::Limits launches;
    std::uint64_t idle_end_ms = 0;  // as LiveSession's
  };
  /// A session is over: cut what still runs for it. When the next two turns have passed, its pool
  /// is gone.
  using CutTraffic = std::function<void(const std::string& id, const Error& why)>;

  /// The name of the range of which a session's own loopback port is.
  static constexpr const char* kLocalRange = "local";

  /// `ports`: nullptr where there are no ranges. All of them must outlive it.
  LiveSessions(const LiveSession::Parts& parts, Store& store, EventLog& events, PortPool* ports,
               Options options, CutTraffic cut_traffic);
  ~LiveSessions() override;
  LiveSessions(const LiveSessions&) = delete;
  LiveSessions& operator=(const LiveSessions&) = delete;

  /// What was there before a restart, events included; before start().
  void restore(const StoreContents& contents);
  /// Live ones go on from where they were.
  void start();
  /// After a reload; those that are over a new limit stay. `base_url` keeps its value.
  void reconfigure(const Options& options);

  void create(const NewSession& wanted, Done done) override;
  void end(const std::string& id, Done done) override;
  void activate(const std::string& id, Done done) override;
  void extend(const std::string& id, std::uint64_t minutes, Done done) override;
  std::unique_ptr<Pending> read_log(const std::string& id, std::uint64_t offset,
                                    LogDone done) override;
  std::optional<SessionInfo> find(const std::string& id) const override;
  std::optional<SessionInfo> find(const SessionKey& key) const override;
  std::vector<SessionInfo> list(const std::optional<std::string>& user) const override;
  std::optional<SessionInfo> active_of(const std::string& user) const override;
  std::optional<SessionRoute> route(const std::string& id) override;
  std::optional<SessionRoute> route(const SessionKey& key) override;
  void note_activity(const std::string& id) override;
  std::vector<ClusterInfo> clusters(const std::string& user) const override;
  std::optional<PortReport> port_report() const override;

  /// How many live ones are in which state.
  std::map<SessionState, std::size_t> count_by_state() const;

 private:
  struct Entry {
    std::unique_ptr<LiveSession> session;
    PortLease lease;
    bool stored = false;                      // the store knows it: it may be used
    Done changed;                             // of an end() that waits for its change to be stored
    std::optional<std::int64_t> queue_place;  // what the store has of its place
    std::optional<std::int64_t> submit_begun_at;  // before a restart
    std::vector<Change> renumbered;  // places of others, to be stored with its next change
    bool has_turn = false;           // to be taken when it is stored
  };
  using Entries = std::map<std::string, Entry>;

  void on_session_changed(LiveSession& session) override;
  void on_session_progress(LiveSession& session, const std::string& text) override;
  void on_session_expiring(LiveSession& session, unsigned minutes) override;
  void on_turn_over(LiveSession& session) override;
  bool job_is_free(const LiveSession& session, const std::string& job) const override;

  Status may_create(const NewSession& wanted) const;
  Status may_launch(const NewSession& wanted) const;
  Result<SessionRow> new_row(const NewSession& wanted) const;
  Entries::iterator add(SessionRow row, PortLease lease);
  void on_created(const std::string& id, const Status& stored, const Done& done);
  void restore_queue(const std::vector<QueueRow>& queue);
  void queue_changes(Entry& entry, std::vector<Change>& changes);
  void serve_queue_soon();
  void serve_queue();
  void on_saved(const SessionRow& row, const Status& stored);
  void over(Entries::iterator entry);
  void take_out(Entries::iterator entry);
  std::vector<Change> next_active(const std::string& user);
  void save_again();
  void answer(const Done& done, Result<SessionInfo> result);
  PortLease restore_ports(const std::string& id, const PortLease& before,
                          std::vector<Change>& changes);
  SessionInfo info(const SessionRow& row, const PortLease& lease) const;
  SessionInfo info(const Entry& entry) const { return info(entry.session->row(), entry.lease); }

  LiveSession::Parts parts_;
  EventLog& events_;
  PortPool* ports_;
  Options options_;
  CutTraffic cut_traffic_;
  SessionJournal journal_;
  Entries entries_;                           // live, by id
  std::map<SessionKey, std::string> by_key_;  // live
  std::map<std::string, std::set<std::string>> by_user_;
  std::map<std::string, std::shared_ptr<WaitingRoom>> rooms_;  // by user, as long as he has any
  std::map<std::string, std::string> active_;                  // by user
  EndedSessions ended_;
  LaunchQueue queue_;
  std::int64_t next_queue_place_ = 1;
  bool queue_due_ = false;
  std::map<std::string, SessionRow> unsaved_;  // what the store has not taken yet
  std::unique_ptr<Alarm> save_alarm_;
  std::map<std::string, std::vector<Change>> restored_changes_;  // by id, until start()
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hpc
