#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "manager/session/job_poller.h"

namespace hpc {

/// SLURM's news for tests of those who follow jobs: the test says what is listed, when it wants.
class FakeJobPoller final : public JobPoller {
 public:
  void watch(Watcher& watcher, Watched job) override {
    unwatch(watcher);
    seats_.emplace_back(&watcher, std::move(job));
  }
  void unwatch(Watcher& watcher) override {
    std::erase_if(seats_, [&](const auto& seat) { return seat.first == &watcher; });
  }

  /// As it is watched just now; nothing: by nobody.
  std::optional<Watched> watched(const std::string& job) const {
    for (const auto& [watcher, one] : seats_) {
      if (one.job == job) return one;
    }
    return std::nullopt;
  }
  std::size_t size() const { return seats_.size(); }

  void list(const ListedJob& job) {
    tell(job.id, [&job](Watcher& watcher) { watcher.on_job_listed(job); });
  }
  void list(const std::string& id, const std::string& state, const std::string& nodes = "",
            const std::string& reason = "") {
    ListedJob job;
    job.id = id;
    job.state = state;
    job.nodes = nodes;
    job.reason = reason;
    list(job);
  }
  void unlist(const std::string& id) {
    tell(id, [](Watcher& watcher) { watcher.on_job_unlisted(); });
  }
  void unknown(const std::string& id, const std::string& why) {
    tell(id, [&why](Watcher& watcher) { watcher.on_job_unknown(why); });
  }

 private:
  template <class News>
  void tell(const std::string& id, const News& news) {
    const auto found = std::find_if(seats_.begin(), seats_.end(),
                                    [&](const auto& seat) { return seat.second.job == id; });
    if (found != seats_.end()) news(*found->first);
  }

  std::vector<std::pair<Watcher*, Watched>> seats_;
};

}  // namespace hpc
