#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "common/log.h"
#include "manager/session/cluster_login.h"
#include "manager/session/cluster_poll.h"
#include "manager/session/job_poller.h"
#include "manager/session/scheduler.h"
#include "manager/store/store.h"

namespace hpc {

/// The poller of `serve`: one ClusterPoll for each cluster in which jobs are watched. Begins no SSH
/// connection by itself: where no watching user's login is up, nothing is asked and nothing said.
///
/// Everything handed to the constructor must outlive it. Watchers must unwatch() before they go,
/// and may not destroy it from inside their calls.
class SlurmJobPoller final : public JobPoller {
 public:
  struct Options {
    std::uint64_t poll_min_ms = 0;  // `--poll-min`: from tick to tick, at least
  };
  SlurmJobPoller(Scheduler& scheduler, ClusterLogins& logins, UnixClock now, Log& log,
                 Options options);
  ~SlurmJobPoller() override;
  SlurmJobPoller(const SlurmJobPoller&) = delete;
  SlurmJobPoller& operator=(const SlurmJobPoller&) = delete;

  /// After a reload: holds from the next tick on.
  void set_options(Options options) { options_ = options; }

  void watch(Watcher& watcher, Watched job) override;
  void unwatch(Watcher& watcher) override;

 private:
  Scheduler& scheduler_;
  ClusterLogins& logins_;
  UnixClock now_;
  Log& log_;
  Options options_;
  std::map<std::string, std::unique_ptr<ClusterPoll>> clusters_;  // as many as are configured
  std::map<Watcher*, ClusterPoll*> watched_;
};

}  // namespace hpc
