#include "manager/ssh/worker_pool.h"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace hpc {

WorkerPool::~WorkerPool() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    waiting_.clear();
    changed_.notify_all();
  }
  for (auto& thread : threads_) thread.join();
}

void WorkerPool::submit(std::string key, std::function<void()> job) {
  const std::scoped_lock lock(mutex_);
  waiting_.push_back({std::move(key), std::move(job)});
  if (idle_ >= waiting_.size() || threads_.size() >= kThreadsMax) {
    changed_.notify_one();
    return;
  }
  // Signals belong to the loop's thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  threads_.emplace_back([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::list<WorkerPool::Job>::iterator WorkerPool::next_job() {
  return std::find_if(waiting_.begin(), waiting_.end(), [this](const Job& job) {
    const auto found = running_.find(job.key);
    return found == running_.end() || found->second < per_key_max_;
  });
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto next = next_job();
    if (next == waiting_.end()) {
      ++idle_;
      changed_.wait(lock);
      --idle_;
      continue;
    }
    Job job = std::move(*next);
    waiting_.erase(next);
    ++running_[job.key];
    lock.unlock();
    job.run();
    job.run = nullptr;
    lock.lock();
    if (--running_[job.key] == 0) running_.erase(job.key);
    changed_.notify_all();
  }
}

}  // namespace hpc
