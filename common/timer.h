#pragma once
#include <cstdint>
#include <functional>
#include <utility>

#include "common/loop.h"

namespace hpc {

/// One-shot timer on the loop's monotonic clock, exact to a millisecond: an entry of the loop's
/// timing wheel with a function. Destroying or stopping it cancels the callback. `fired` may start
/// the timer again, and may defer_delete its owner; it must not destroy the timer directly.
/// The loop must outlive it.
class Timer final : private TimerWheel::Entry {
 public:
  Timer(Loop& loop, std::function<void()> fired) : loop_(loop), fired_(std::move(fired)) {}
  ~Timer() { stop(); }
  /// Fires once after `delay_ms`; a running timer is set anew.
  void start(std::uint64_t delay_ms) { loop_.start_timer(*this, delay_ms); }
  void stop() { loop_.stop_timer(*this); }
  bool active() const { return waits(); }

 private:
  void on_due() noexcept override { fired_(); }

  Loop& loop_;
  std::function<void()> fired_;
};

}  // namespace hpc
