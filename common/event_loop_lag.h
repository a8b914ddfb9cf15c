#pragma once
#include <cstdint>
#include <utility>

#include "common/timer.h"

namespace hpc {

// How often the loop is asked to be in time. A stall that begins in the middle of it is seen as
// that much shorter; shorter periods would only wake an idle program more often.
constexpr std::uint64_t kLagPeriodMs = 20;
// From here on a person at a terminal in a browser feels it.
constexpr std::uint64_t kStallMs = 100;

/// How late the loop's timers are, because something on its one thread takes long: the metric
/// event_loop_lag. `loop` must outlive it; it keeps the loop running.
class EventLoopLag {
 public:
  struct Reading {
    std::uint64_t last_ms = 0;       // of the last timer
    std::uint64_t max_ms = 0;        // since take() before
    std::uint64_t stalls_total = 0;  // timers that were kStallMs late or more, since the start
  };

  explicit EventLoopLag(Loop& loop);
  /// The maximum begins anew.
  Reading take();

 private:
  void fired();
  void begin();

  Loop& loop_;
  Timer timer_;
  std::uint64_t due_ms_ = 0;
  Reading reading_;
};

}  // namespace hpc
