#include "manager/session/back_off.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

TEST(BackOffTest, DoublesUpToTheMost) {
  BackOff back_off(1'000, 60'000, [](std::uint32_t n) { return n - 1; });
  EXPECT_EQ(back_off.next_ms(), 1'000U);
  EXPECT_EQ(back_off.next_ms(), 2'000U);
  EXPECT_EQ(back_off.next_ms(), 4'000U);
  for (int i = 0; i < 100; ++i) EXPECT_LE(back_off.next_ms(), 60'000U);
  EXPECT_EQ(back_off.next_ms(), 60'000U);
}

TEST(BackOffTest, NeverShorterThanTheFirst) {
  BackOff back_off(1'000, 60'000, [](std::uint32_t) { return 0U; });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(back_off.next_ms(), 1'000U);
}

TEST(BackOffTest, ResetStartsAgain) {
  BackOff back_off(500, 8'000, [](std::uint32_t n) { return n - 1; });
  for (int i = 0; i < 10; ++i) back_off.next_ms();
  back_off.reset();
  EXPECT_EQ(back_off.next_ms(), 500U);
}

}  // namespace
}  // namespace hpc
