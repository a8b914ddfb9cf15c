#pragma once
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hpc {

/// A few threads for what blocks, started when they are first needed. Jobs of one key run at most
/// `per_key_max` at a time, in the order they came.
class WorkerPool {
 public:
  // Connecting costs a thread little but waiting; more would only hit servers and agents at once.
  static constexpr std::size_t kThreadsMax = 8;

  explicit WorkerPool(int per_key_max) : per_key_max_(per_key_max) {}
  ~WorkerPool();  // waits for running jobs; waiting ones are dropped
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  void submit(std::string key, std::function<void()> job);

 private:
  struct Job {
    std::string key;
    std::function<void()> run;
  };
  void work();
  std::list<Job>::iterator next_job();  // with mutex_ held

  const int per_key_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Job> waiting_;
  std::map<std::string, int> running_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hpc
