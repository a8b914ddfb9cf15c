#include "manager/session/slurm_job_poller.h"

#include <utility>

namespace hpc {

SlurmJobPoller::SlurmJobPoller(Scheduler& scheduler, ClusterLogins& logins, UnixClock now, Log& log,
                               Options options)
    : scheduler_(scheduler), logins_(logins), now_(std::move(now)), log_(log), options_(options) {}

SlurmJobPoller::~SlurmJobPoller() = default;

void SlurmJobPoller::watch(Watcher& watcher, Watched job) {
  auto& cluster = clusters_[job.cluster];
  if (cluster == nullptr) {
    cluster = std::make_unique<ClusterPoll>(ClusterPoll::Parts{scheduler_, logins_, now_, log_},
                                            job.cluster, [this] { return options_.poll_min_ms; });
  }
  auto& now = watched_[&watcher];
  if (now != nullptr && now != cluster.get()) now->unwatch(watcher);
  now = cluster.get();
  now->watch(watcher, std::move(job));
}

void SlurmJobPoller::unwatch(Watcher& watcher) {
  const auto found = watched_.find(&watcher);
  if (found == watched_.end()) return;
  found->second->unwatch(watcher);
  watched_.erase(found);
}

}  // namespace hpc
