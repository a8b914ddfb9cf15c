#pragma once
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "manager/store/store.h"

namespace hpc {

/// Where the writer puts what it has grouped. Called by one thread at a time, never by the loop's.
class StoreBackend {
 public:
  using Writes = std::vector<std::vector<Change>>;
  virtual ~StoreBackend() = default;
  /// One transaction with all of `writes`; returns how each of them ended, as many as there are.
  /// One that contradicts what is stored fails alone; what the disk refuses fails all.
  virtual std::vector<Status> commit(const Writes& writes) = 0;
  /// Whether a transaction would work. Called when the last one failed.
  virtual Status probe() = 0;
};

/// The queue in front of the backend, and the thread that empties it.
///
/// A change that comes alone is written at once. Under load a transaction begins at most every
/// Times::group and takes all that is waiting, so that a hundred changes cost one sync of the disk.
class StoreWriter {
 public:
  /// Runs a task on the loop's thread, in the order of the calls. Called by the writer's thread.
  using ToLoop = std::function<void(std::function<void()>)>;

  struct Times {
    // Contract 2.3: an event waits at most 50 ms for others.
    std::chrono::milliseconds group{50};
    // A full disk is looked at so often: soon enough for /readyz, rarely enough for the disk.
    std::chrono::milliseconds probe{2000};
  };

  /// `backend` must outlive the writer. The thread starts with the first write.
  StoreWriter(StoreBackend& backend, ToLoop to_loop, Times times);
  /// Writes what is waiting, and ends. Their callers are told only if the loop still runs `to_loop`
  /// tasks, which then must not touch the writer: whoever owns it drops them.
  ~StoreWriter();
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;

  /// As Store::write().
  Status write(std::vector<Change> changes, Store::Committed done);
  const Status& health() const { return health_; }

 private:
  struct Waiting {
    std::vector<Change> changes;
    Store::Committed done;
  };
  struct Finished {
    Store::Committed done;
    std::size_t changes = 0;
    std::size_t bytes = 0;
    Status status;
  };
  using Lock = std::unique_lock<std::mutex>;

  void run();
  bool wait_for_writes(Lock& lock);
  void commit(std::deque<Waiting> group);
  void probe();
  void report(std::vector<Finished> finished);

  StoreBackend& backend_;
  const ToLoop to_loop_;
  const Times times_;

  // The loop's thread only. Accepted and not reported yet.
  std::size_t queued_changes_ = 0;
  std::size_t queued_bytes_ = 0;
  Status health_;

  // The writer's thread only.
  std::chrono::steady_clock::time_point next_commit_{};
  bool failing_ = false;

  std::mutex mutex_;  // for the next two
  std::deque<Waiting> waiting_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::thread thread_;
};

/// What a change takes in the queue, about: its texts and its own size.
std::size_t change_bytes(const Change& change);

}  // namespace hpc
