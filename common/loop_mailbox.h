#pragma once
#include <functional>
#include <mutex>
#include <vector>

#include "common/loop.h"

namespace hpc {

/// Brings tasks from worker threads to the loop.
///
/// Two owners: whoever lives on the loop and calls close(), and the threads. send() after close()
/// drops the task.
class LoopMailbox {
 public:
  explicit LoopMailbox(Loop& loop);
  ~LoopMailbox();
  LoopMailbox(const LoopMailbox&) = delete;
  LoopMailbox& operator=(const LoopMailbox&) = delete;
  /// From any thread.
  void send(std::function<void()> task);
  /// Loop thread: nothing is run any more.
  void close();
  /// Loop thread: whether waiting for a task keeps the loop running.
  void keep_loop(bool keep);

 private:
  void deliver();

  std::mutex mutex_;
  UvPtr<uv_async_t> async_;
  std::vector<std::function<void()>> tasks_;
  bool closed_ = false;
};

}  // namespace hpc
