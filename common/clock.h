#pragma once
#include <cstdint>

namespace hpc {

/// Where pure code takes the time from. Monotonic milliseconds: never wall-clock time, so that a
/// clock that jumps cannot end a connection. Tests use ManualClock (tests/support/manual_clock.h).
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::uint64_t now_ms() const = 0;
};

}  // namespace hpc
