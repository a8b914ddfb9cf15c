#include "common/buffer_budget.h"

#include <gtest/gtest.h>

#include "common/stream.h"

namespace hpc {
namespace {

TEST(BufferBudgetTest, IsFullAtItsLimitAndNotOneByteBefore) {
  BufferBudget budget(100);
  BudgetShare share(budget, [] {});
  share.hold(99);
  EXPECT_FALSE(budget.full());
  share.hold(100);
  EXPECT_TRUE(budget.full());
}

TEST(BufferBudgetTest, WakesInOrderAsFarAsThereIsRoom) {
  BufferBudget budget(2 * kQueueBytesMax);
  std::string woken;
  BudgetShare holder(budget, [] {});
  BudgetShare a(budget, [&] { woken += "a"; });
  BudgetShare b(budget, [&] { woken += "b"; });
  BudgetShare c(budget, [&] { woken += "c"; });
  holder.hold(2 * kQueueBytesMax);
  a.wait();
  b.wait();
  b.wait();
  c.wait();
  holder.hold(2 * kQueueBytesMax - 1);
  EXPECT_EQ(woken, "a");
  holder.hold(0);
  EXPECT_EQ(woken, "abc");
}

TEST(BufferBudgetTest, ReleasedShareIsForgotten) {
  BufferBudget budget(10);
  bool woken = false;
  BudgetShare holder(budget, [] {});
  {
    BudgetShare waiting(budget, [&] { woken = true; });
    holder.hold(10);
    waiting.wait();
    waiting.release();
  }
  holder.release();
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_FALSE(woken);
}

}  // namespace
}  // namespace hpc
