#pragma once
#include <gtest/gtest.h>

#include <functional>

#include "common/loop.h"
#include "common/timer.h"

namespace hpc {

/// Turns `loop` until `done` holds. The bound is no assertion about speed: it only keeps a broken
/// test from hanging.
inline bool run_until(Loop& loop, const std::function<bool()>& done) {
  constexpr int kGiveUpTicks = 2000;
  constexpr std::uint64_t kTickMs = 5;  // a turn may make `done` true and then wait for nothing
  int ticks = 0;
  Timer* again = nullptr;
  Timer tick(loop, [&] {
    ++ticks;
    again->start(kTickMs);
  });
  again = &tick;
  tick.start(kTickMs);
  while (!done() && ticks < kGiveUpTicks) uv_run(loop.uv(), UV_RUN_ONCE);
  return done();
}

/// A few turns in which whatever is ready happens. For showing that something does *not* happen.
inline void settle(Loop& loop) {
  for (int i = 0; i < 20; ++i) loop.turn();
}

/// Owns the loop of a test; ~Loop asserts that no handle is left.
struct LoopFixture : ::testing::Test {
  Loop loop;
  bool wait_for(const std::function<bool()>& done) { return run_until(loop, done); }
};

}  // namespace hpc
