#include "node-proxy/run/doubled_signals.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

using Way = DoubledSignals::Way;
constexpr std::uint64_t kLastMs = DoubledSignals::kSameSignalMs - 1;

struct DoubledSignalsTest : testing::Test {
  DoubledSignals signals;
  std::uint64_t now_ms = 5'000'000;

  bool proxy(int number = SIGTERM) { return signals.is_first(number, Way::kProxy, now_ms); }
  bool keeper(int number = SIGTERM) { return signals.is_first(number, Way::kKeeper, now_ms); }
};

TEST_F(DoubledSignalsTest, OneToBothIsPassedOnOnce) {
  EXPECT_TRUE(proxy());
  EXPECT_FALSE(keeper());
  EXPECT_TRUE(keeper(SIGHUP));
  EXPECT_FALSE(proxy(SIGHUP));
}

TEST_F(DoubledSignalsTest, OneSendingHasATime) {
  EXPECT_TRUE(proxy());
  now_ms += kLastMs;
  EXPECT_FALSE(keeper());
  now_ms += DoubledSignals::kSameSignalMs;
  EXPECT_TRUE(keeper());
  now_ms += kLastMs;
  EXPECT_FALSE(proxy());
}

TEST_F(DoubledSignalsTest, WhatComesLaterIsAnother) {
  EXPECT_TRUE(proxy());
  now_ms += DoubledSignals::kSameSignalMs;
  EXPECT_TRUE(keeper());
  now_ms += DoubledSignals::kSameSignalMs;
  EXPECT_TRUE(proxy());
}

TEST_F(DoubledSignalsTest, EachByTheSameWayIsPassedOn) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(keeper()) << i;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(proxy(SIGINT)) << i;
}

TEST_F(DoubledSignalsTest, ThePairIsOverWithItsSecondHalf) {
  EXPECT_TRUE(proxy());
  EXPECT_FALSE(keeper());
  // A second sending, at once: its halves may come in the other order.
  EXPECT_TRUE(keeper());
  EXPECT_FALSE(proxy());
  EXPECT_TRUE(keeper());
}

TEST_F(DoubledSignalsTest, TheTimeIsThatOfTheLastOne) {
  EXPECT_TRUE(proxy());
  now_ms += kLastMs;
  EXPECT_TRUE(proxy());
  now_ms += kLastMs;
  EXPECT_FALSE(keeper());
}

TEST_F(DoubledSignalsTest, EachNumberIsAlone) {
  EXPECT_TRUE(proxy(1));
  EXPECT_TRUE(keeper(2));
  EXPECT_TRUE(keeper(NSIG - 1));
  EXPECT_FALSE(keeper(1));
  EXPECT_FALSE(proxy(NSIG - 1));
  EXPECT_FALSE(proxy(2));
}

}  // namespace
}  // namespace hpc
