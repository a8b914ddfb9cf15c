#include "common/event_loop_lag.h"

#include <algorithm>

namespace hpc {

EventLoopLag::EventLoopLag(Loop& loop) : loop_(loop), timer_(loop, [this] { fired(); }) { begin(); }

EventLoopLag::Reading EventLoopLag::take() {
  const Reading reading = reading_;
  reading_.max_ms = 0;
  return reading;
}

void EventLoopLag::fired() {
  const std::uint64_t now_ms = loop_.now_ms();
  reading_.last_ms = now_ms > due_ms_ ? now_ms - due_ms_ : 0;
  reading_.max_ms = std::max(reading_.max_ms, reading_.last_ms);
  if (reading_.last_ms >= kStallMs) ++reading_.stalls_total;
  begin();
}

void EventLoopLag::begin() {
  due_ms_ = loop_.now_ms() + kLagPeriodMs;
  timer_.start(kLagPeriodMs);
}

}  // namespace hpc
