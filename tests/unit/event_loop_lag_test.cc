#include "common/event_loop_lag.h"

#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

struct EventLoopLagTest : LoopFixture {
  /// Something that takes long on the loop's thread.
  void stall(std::uint64_t ms) {
    loop.post([ms] {
      const std::uint64_t until = uv_hrtime() + ms * 1'000'000;
      while (uv_hrtime() < until) continue;
    });
  }
};

// A loaded machine may be late by itself, so only what must be there is looked for.
TEST_F(EventLoopLagTest, AStallIsSeenLessOnePeriodAtMost) {
  EventLoopLag lag(loop);
  EXPECT_EQ(lag.take().max_ms, 0U);
  stall(60);
  std::uint64_t max_ms = 0;
  ASSERT_TRUE(wait_for([&] {
    max_ms = std::max(max_ms, lag.take().max_ms);
    return max_ms >= 60 - kLagPeriodMs;
  }));
}

TEST_F(EventLoopLagTest, TheMaximumIsOfTheTimeSinceItWasTaken) {
  EventLoopLag lag(loop);
  stall(50);
  std::uint64_t max_ms = 0;
  ASSERT_TRUE(wait_for([&] {
    max_ms = std::max(max_ms, lag.take().max_ms);
    return max_ms > 0;
  }));
  EXPECT_EQ(lag.take().max_ms, 0U);
}

TEST_F(EventLoopLagTest, LongStallsAreCounted) {
  EventLoopLag lag(loop);
  EXPECT_EQ(lag.take().stalls_total, 0U);
  stall(kStallMs + kLagPeriodMs + 5);
  ASSERT_TRUE(wait_for([&] { return lag.take().stalls_total > 0; }));
  EXPECT_GT(lag.take().stalls_total, 0U) << "a counter never goes back";
}

}  // namespace
}  // namespace hpc
