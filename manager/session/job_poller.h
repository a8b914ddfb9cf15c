#pragma once
#include <cstdint>
#include <string>

#include "manager/slurm/job_listing.h"

namespace hpc {

// How long from one question to the next; a site may have a longer least (`--poll-min`).
constexpr std::uint64_t kPollSoonMs = 1'000;   // after a submit
constexpr std::uint64_t kPollFastMs = 2'000;   // while something changes
constexpr std::uint64_t kPollSlowMs = 60'000;  // when nothing does
constexpr unsigned kPollFailuresShown = 3;     // in a row: from then on users are told

/// Follows the jobs of sessions: one squeue per cluster and tick for all users, over any login of
/// that cluster that is up; where SLURM hides others' jobs (PrivateData), one for each user over
/// his own. What one user's shell says of another user's job is a hint and no more: whatever ends a
/// session is to be confirmed over its own user's login (job_inquiry.h).
class JobPoller {
 public:
  /// How soon news of a job is needed.
  enum class Urgency : std::uint8_t {
    kSteady,    // it runs, and nothing is expected
    kWaiting,   // pending: fast at first, the slower the longer it has waited
    kChanging,  // submitted just now, starting, reconnecting, ending
  };
  class Watcher {
   public:
    /// In each tick in which SLURM was asked and knows the job.
    virtual void on_job_listed(const ListedJob& job) = 0;
    /// SLURM answered, to this user himself, and does not list the job.
    virtual void on_job_unlisted() = 0;
    /// The question failed kPollFailuresShown times in a row: nothing is known since. Again after
    /// each so many more. `why` is one line, to stand behind a colon; without a login that is up
    /// nothing is asked, and nothing said.
    virtual void on_job_unknown(const std::string& why) = 0;

   protected:
    ~Watcher() = default;
  };
  struct Watched {
    std::string user, cluster, job;
    Urgency urgency = Urgency::kSteady;
  };

  virtual ~JobPoller() = default;
  /// From now on; a watcher has one job at most: the last one counts. It may be called, as may
  /// unwatch(), from inside the watcher's own calls.
  virtual void watch(Watcher& watcher, Watched job) = 0;
  virtual void unwatch(Watcher& watcher) = 0;
};

}  // namespace hpc
