#include "common/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace hpc {
namespace {

struct TimerWheelTest : ::testing::Test {
  struct Mark final : TimerWheel::Entry {
    Mark(TimerWheelTest& test, std::string name) : test_(test), name_(std::move(name)) {}
    void on_due() noexcept override {
      test_.log += name_;
      if (then) then();
    }
    TimerWheelTest& test_;
    std::string name_;
    std::function<void()> then;
  };
  TimerWheel wheel;
  std::string log;
  Mark a{*this, "a"}, b{*this, "b"}, c{*this, "c"};

  std::string at(std::uint64_t now_ms) {
    log.clear();
    wheel.advance(now_ms);
    return log;
  }
  void TearDown() override {
    for (Mark* mark : {&a, &b, &c}) wheel.stop(*mark);
  }
};

TEST_F(TimerWheelTest, IsExactToTheMillisecondInEveryLevel) {
  std::uint64_t now = 0;
  for (unsigned bit = 0; bit < 42; ++bit) {
    for (const int offset : {-1, 0, 1}) {
      const std::uint64_t delay = (std::uint64_t{1} << bit) + static_cast<std::uint64_t>(offset);
      if (delay == 0 || now + delay > TimerWheel::kDueMax) continue;
      wheel.start(a, now + delay);
      EXPECT_EQ(at(now + delay - 1), "") << delay;
      EXPECT_TRUE(a.waits());
      EXPECT_EQ(at(now + delay), "a") << delay;
      EXPECT_FALSE(a.waits());
      now += delay;
    }
  }
}

TEST_F(TimerWheelTest, WhatIsPastTheLastTimeIsDueThen) {
  wheel.start(a, TimerWheel::kDueMax + 1);
  EXPECT_EQ(wheel.next_ms().has_value(), true);
  EXPECT_EQ(at(TimerWheel::kDueMax - 1), "");
  EXPECT_EQ(at(TimerWheel::kDueMax + 5), "a");
}

TEST_F(TimerWheelTest, CallsInTheOrderOfTimesAndOfStarts) {
  wheel.start(c, 5000);
  wheel.start(b, 70);
  wheel.start(a, 5000);
  EXPECT_EQ(at(9000), "bca");
}

TEST_F(TimerWheelTest, PassedTimesAreDueAtOnce) {
  EXPECT_EQ(at(100), "");
  wheel.start(a, 40);
  wheel.start(b, 100);
  EXPECT_EQ(wheel.next_ms(), 100U);
  EXPECT_EQ(at(100), "ab");
  EXPECT_FALSE(wheel.next_ms());
}

TEST_F(TimerWheelTest, WhatIsStoppedIsNotCalled) {
  wheel.start(a, 10);
  wheel.start(b, 10);
  wheel.start(c, 10);
  wheel.stop(b);
  wheel.stop(b);
  a.then = [&] { wheel.stop(c); };  // due as well, and not called yet
  EXPECT_EQ(at(10), "a");
  EXPECT_TRUE(wheel.empty());
  EXPECT_FALSE(wheel.next_ms());
}

TEST_F(TimerWheelTest, NobodyWakesForWhatIsStopped) {
  wheel.start(a, 10);
  wheel.start(b, 10);
  wheel.start(c, 100'000);
  wheel.stop(a);
  EXPECT_EQ(wheel.next_ms(), 10U);
  wheel.stop(b);
  EXPECT_GT(*wheel.next_ms(), 10U);
  wheel.stop(c);
  EXPECT_FALSE(wheel.next_ms());
}

TEST_F(TimerWheelTest, StartingAgainSetsANewTime) {
  wheel.start(a, 10);
  wheel.start(a, 2000);
  EXPECT_EQ(at(1999), "");
  wheel.start(a, 2001);
  EXPECT_EQ(at(2000), "");
  EXPECT_EQ(at(2001), "a");
}

TEST_F(TimerWheelTest, WhatIsStartedWhileCallingWaitsForTheNextCall) {
  a.then = [&] { wheel.start(a, 0); };
  wheel.start(a, 10);
  EXPECT_EQ(at(10), "a");
  EXPECT_EQ(wheel.next_ms(), 10U);
  EXPECT_EQ(at(10), "a");
  a.then = nullptr;
}

TEST_F(TimerWheelTest, TellsATimeThatIsNeverTooLateAndSeldomTooEarly) {
  std::uint64_t now = 0;
  for (const unsigned delay : {1U, 63U, 64U, 65U, 4096U, 75'000U, 86'400'000U}) {
    const std::uint64_t due = now + delay;
    wheel.start(a, due);
    int calls = 0;
    log.clear();
    while (a.waits()) {
      const auto next = wheel.next_ms();
      ASSERT_TRUE(next && *next <= due) << due;
      wheel.advance(*next);
      ++calls;
    }
    EXPECT_LE(calls, 7) << due;
    EXPECT_EQ(log, "a");
    now = due;
  }
}

// Against the plainest thing that does the same.
TEST_F(TimerWheelTest, DoesWhatASortedListDoes) {
  std::mt19937_64 random(7);
  std::deque<Mark> marks;
  for (int i = 0; i < 200; ++i) marks.emplace_back(*this, std::to_string(i) + " ");
  std::multimap<std::uint64_t, Mark*> model;  // equal times in the order of insertion
  const auto forget = [&](Mark* mark) {
    std::erase_if(model, [&](const auto& entry) { return entry.second == mark; });
  };
  std::uint64_t now = 12345;
  wheel.advance(now);
  for (int step = 0; step < 20000; ++step) {
    Mark* mark = &marks[random() % marks.size()];
    forget(mark);
    if (random() % 4 == 0) {
      wheel.stop(*mark);
    } else {
      const std::uint64_t due = now + 1 + random() % (std::uint64_t{1} << (random() % 20));
      wheel.start(*mark, due);
      model.emplace(due, mark);
    }
    if (random() % 8 != 0) continue;
    now += random() % (std::uint64_t{1} << (random() % 16));
    std::vector<Mark*> due;
    for (const auto& [when, waiting] : model) {
      if (when <= now) due.push_back(waiting);
    }
    std::string expected;
    for (Mark* fired : due) {
      expected += fired->name_;
      forget(fired);
    }
    ASSERT_EQ(at(now), expected) << "step " << step;
    ASSERT_EQ(wheel.empty(), model.empty());
    if (!model.empty()) {
      ASSERT_LE(*wheel.next_ms(), model.begin()->first);
    }
  }
  for (auto& mark : marks) wheel.stop(mark);
}

}  // namespace
}  // namespace hpc
