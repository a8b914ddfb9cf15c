#include "manager/ssh/worker_pool.h"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace hpc {

LoopMailbox::LoopMailbox(Loop& loop) {
  auto raw = std::make_unique<uv_async_t>();
  uv_async_init(loop.uv(), raw.get(),
                [](uv_async_t* handle) { static_cast<LoopMailbox*>(handle->data)->deliver(); });
  raw->data = this;
  async_.reset(raw.release());
  keep_loop(false);
}

LoopMailbox::~LoopMailbox() = default;

void LoopMailbox::send(std::function<void()> task) {
  const std::scoped_lock lock(mutex_);
  if (closed_) return;
  tasks_.push_back(std::move(task));
  uv_async_send(async_.get());
}

void LoopMailbox::close() {
  std::vector<std::function<void()>> dropped;
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  dropped.swap(tasks_);
  async_.reset();
}

void LoopMailbox::keep_loop(bool keep) {
  auto* handle = reinterpret_cast<uv_handle_t*>(async_.get());
  if (keep) {
    uv_ref(handle);
  } else {
    uv_unref(handle);
  }
}

void LoopMailbox::deliver() {
  std::vector<std::function<void()>> tasks;
  {
    const std::scoped_lock lock(mutex_);
    tasks.swap(tasks_);
  }
  for (auto& task : tasks) {
    if (closed_) return;  // written on this thread only
    task();
  }
}

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
    return found == running_.end() || found->second < kPerKeyMax;
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
