#include "common/loop.h"

#include <vector>

#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

struct LoopTest : LoopFixture {};

TEST_F(LoopTest, PostedTasksRunInALaterTurnInOrder) {
  std::vector<int> order;
  loop.post([&] {
    order.push_back(1);
    loop.post([&] { order.push_back(3); });
    order.push_back(2);
  });
  EXPECT_TRUE(order.empty());
  loop.turn();
  EXPECT_EQ(order, (std::vector{1, 2}));
  loop.turn();
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST_F(LoopTest, DeferredDeleteHappensInTheNextTurn) {
  struct Marks {
    explicit Marks(bool* gone) : gone_(gone) {}
    ~Marks() { *gone_ = true; }
    bool* gone_;
  };
  bool gone = false;
  loop.defer_delete(std::make_unique<Marks>(&gone));
  EXPECT_FALSE(gone);
  loop.turn();
  EXPECT_TRUE(gone);
}

TEST_F(LoopTest, StoppedTimerDoesNotFire) {
  bool fired = false;
  Timer timer(loop, [&fired] { fired = true; });
  timer.start(0);
  timer.stop();
  settle(loop);
  EXPECT_FALSE(fired);
}

TEST_F(LoopTest, TimerFiresOnceAndMayStartItselfAgain) {
  int fired = 0;
  Timer* self = nullptr;
  Timer timer(loop, [&] {
    if (++fired < 3) self->start(0);
  });
  self = &timer;
  timer.start(0);
  EXPECT_TRUE(wait_for([&] { return fired == 3; }));
  EXPECT_FALSE(timer.active());
}

}  // namespace
}  // namespace hpc
