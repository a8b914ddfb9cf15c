#pragma once
#include <gtest/gtest.h>

#include <functional>

#include "common/loop.h"
#include "common/timer.h"

namespace hpc {

/// Turns `loop` until `done` holds. The bound is no assertion about speed: it only keeps a broken
/// test from hanging.
inline bool run_until(Loop& loop, const std::function<bool()>& done) {
  constexpr std::uint64_t kGiveUpMs = 10'000;
  bool gave_up = false;
  Timer guard(loop, [&gave_up] { gave_up = true; });
  guard.start(kGiveUpMs);
  while (!done() && !gave_up) uv_run(loop.uv(), UV_RUN_ONCE);
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
