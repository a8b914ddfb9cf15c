#pragma once
#include <cstdint>
#include <functional>

#include "common/loop.h"

namespace hpc {

/// One-shot timer on the loop's monotonic clock. Destroying or stopping it cancels the callback.
/// `fired` may start the timer again, and may defer_delete its owner; it must not destroy the
/// timer directly.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> fired);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  /// Fires once after `delay_ms`; a running timer is set anew.
  void start(std::uint64_t delay_ms);
  void stop();
  bool active() const;

 private:
  std::function<void()> fired_;
  UvPtr<uv_timer_t> handle_;
};

}  // namespace hpc
