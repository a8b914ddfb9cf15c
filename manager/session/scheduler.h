#pragma once
#include <cstdint>
#include <functional>
#include <memory>

#include "common/clock.h"

namespace hpc {

/// One-shot alarm; destroying or stopping it cancels the callback.
class Alarm {
 public:
  virtual ~Alarm() = default;
  /// Fires once after `delay_ms`; a running alarm is set anew.
  virtual void start(std::uint64_t delay_ms) = 0;
  virtual void stop() = 0;
};

/// Time and turns of the loop, as the session layer sees them, so that its tests move the clock by
/// hand (tests/support/manual_scheduler.h) and never wait. Outlives every alarm it made.
class Scheduler : public Clock {
 public:
  virtual std::unique_ptr<Alarm> make_alarm(std::function<void()> fired) = 0;
  /// Calls `task` in the next turn, never from inside this call.
  virtual void post(std::function<void()> task) = 0;
};

class Loop;
/// The real one. `loop` must outlive it.
std::unique_ptr<Scheduler> make_loop_scheduler(Loop& loop);

}  // namespace hpc
