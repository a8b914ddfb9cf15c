#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/log.h"
#include "manager/session/cluster_login.h"
#include "manager/session/job_poller.h"
#include "manager/session/poll_interval.h"
#include "manager/session/scheduler.h"
#include "manager/slurm/job_listing.h"
#include "manager/store/store.h"

namespace hpc {

// squeue waits up to 10 s for its controller, and for as long for a second one.
constexpr std::uint64_t kPollTimeoutMs = 30'000;
// Questions of one tick that run side by side: logging nodes have work of their own.
constexpr std::size_t kPollQuestionsAtOnce = 4;
// So long each user's jobs are asked for by himself, after one user was not shown another's.
constexpr std::uint64_t kPollPerUserMs = 3'600'000;

/// Follows the jobs of one cluster: ticks, whose login a question goes over, and who hears what.
///
/// A tick is one question over one login (more, where there are more than kListedJobsMax jobs); of
/// what that does not show, each owner is asked for his own. What is said over another user's login
/// may be a lie of his: it makes no job unlisted, its words reach nobody, and a line that names
/// another owner counts as none.
///
/// Owner: SlurmJobPoller. Everything handed to the constructor must outlive it.
class ClusterPoll {
 public:
  struct Parts {
    Scheduler& scheduler;
    ClusterLogins& logins;
    UnixClock now;
    Log& log;
  };
  ClusterPoll(Parts parts, std::string cluster, std::function<std::uint64_t()> poll_min_ms);
  ~ClusterPoll();
  ClusterPoll(const ClusterPoll&) = delete;
  ClusterPoll& operator=(const ClusterPoll&) = delete;

  /// As JobPoller's.
  void watch(JobPoller::Watcher& watcher, JobPoller::Watched job);
  void unwatch(JobPoller::Watcher& watcher);

 private:
  struct Seat {
    JobPoller::Watcher* watcher;
    JobPoller::Watched job;
    std::uint64_t number;  // tells a watcher of another job from the one before
    std::uint64_t since_ms;
    bool asked = false;
    bool listed = false;
    bool missed = false;    // another user was not shown it; its owner is being asked
    unsigned failures = 0;  // in a row
    std::string state;      // as last listed
    std::string nodes;
    std::optional<std::int64_t> starts_at;
  };
  using Seats = std::vector<std::uint64_t>;  // by number
  struct Question {
    std::string user;  // whose login it goes over
    Seats seats;
  };

  Seat* find(std::uint64_t number);
  bool can_be_asked(const Seat& seat) const;
  bool login_is_up(const std::string& user) const;
  bool asks_per_user() const;
  std::map<std::string, Seats> by_user(const Seats& seats) const;
  std::optional<std::string> login_for(const std::map<std::string, Seats>& users) const;

  void on_alarm();
  void begin_tick(const Seats& seats);
  void add_questions(const std::string& user, const Seats& seats);
  void ask_next();
  void ask(const Question& question);
  void on_answer(std::uint64_t number, const Question& question, const Result<ExecOutput>& output,
                 const std::string& marker);
  void take_failure(const Question& question, const std::string& why);
  void take_listing(const Question& question, const JobListing& listing);
  void tell_listed(Seat& seat, const ListedJob& job, bool by_owner);
  void tell_unlisted(Seat& seat);
  void ask_owners(const Seats& seats);
  void ask_per_user_from_now();
  void end_tick();
  void hurry(std::uint64_t wait_ms);
  void plan(std::uint64_t wait_ms);
  std::uint64_t wait_for(std::span<const Seat> seats) const;

  Parts parts_;
  std::string cluster_;
  std::function<std::uint64_t()> poll_min_ms_;
  std::unique_ptr<Alarm> alarm_;
  std::optional<std::uint64_t> due_ms_;    // of the alarm
  std::optional<std::uint64_t> begun_ms_;  // the last tick
  std::vector<Seat> seats_;
  std::uint64_t next_number_ = 1;

  // The tick that runs.
  bool ticking_ = false;
  bool learned_ = false;
  bool changed_ = false;
  std::deque<Question> waiting_;
  std::map<std::uint64_t, std::unique_ptr<Pending>> running_;

  PolledCluster ticks_;
  std::string answered_last_;                    // whose login
  std::map<std::string, std::uint64_t> failed_;  // by user: the number of his last failed question
  std::optional<std::uint64_t> per_user_until_ms_;
  bool said_per_user_ = false;
};

}  // namespace hpc
