#include "manager/session/time_left.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kSecond = 1'000;

class TimeLeftTest : public testing::Test {
 protected:
  using Said = std::vector<unsigned>;

  // Alarms and the wall clock go together, unless a test moves the latter alone.
  std::int64_t now() const { return wall_ + static_cast<std::int64_t>(scheduler_.now_ms()); }
  void pass(std::int64_t ms) { scheduler_.advance(static_cast<std::uint64_t>(ms)); }
  void end_in(std::int64_t ms) { time_left_.set_end(now() + ms); }
  Said said() {
    scheduler_.advance(0);
    return std::exchange(said_, {});
  }

  ManualScheduler scheduler_;
  std::int64_t wall_ = 1'795'284'000'000;
  Said said_;
  TimeLeft time_left_{scheduler_, [this] { return now(); },
                      [this](unsigned minutes) { said_.push_back(minutes); }};
};

TEST_F(TimeLeftTest, SaysNothingOfAnEndThatNobodyKnows) {
  pass(100 * kMinute);
  time_left_.set_end(std::nullopt);
  pass(100 * kMinute);
  EXPECT_EQ(said(), Said{});
  EXPECT_EQ(scheduler_.next_alarm_in(), std::nullopt);
}

TEST_F(TimeLeftTest, SaysItAtThirtyTenFiveAndOneMinute) {
  end_in(100 * kMinute);
  for (const auto& [before, minutes] :
       std::vector<std::pair<std::int64_t, unsigned>>{{30, 30}, {10, 10}, {5, 5}, {1, 1}}) {
    const auto ends_in = 100 * kMinute - (now() - (wall_ + 1'000'000));
    pass(ends_in - before * kMinute - 1);
    EXPECT_EQ(said(), Said{}) << "a millisecond before " << before;
    pass(1);
    EXPECT_EQ(said(), Said{minutes});
  }
  pass(100 * kMinute);
  EXPECT_EQ(said(), Said{}) << "nothing when the time is up";
}

TEST_F(TimeLeftTest, NothingIsSaidFromInsideTheCall) {
  end_in(kMinute);
  EXPECT_EQ(said_, Said{});
  EXPECT_EQ(said(), Said{1});
}

TEST_F(TimeLeftTest, OfSeveralThatHavePassedOnlyTheLastIsSaidAndTruly) {
  end_in(4 * kMinute + 1);
  EXPECT_EQ(said(), Said{5});
  pass(3 * kMinute + 1);
  EXPECT_EQ(said(), Said{1});
}

TEST_F(TimeLeftTest, OneThatComesLateNamesTheMinutesThatAreLeft) {
  end_in(20 * kMinute);
  EXPECT_EQ(said(), Said{20}) << "a job of twenty minutes, or a manager that started again";
  pass(10 * kMinute);
  EXPECT_EQ(said(), Said{10});
}

TEST_F(TimeLeftTest, PassedEndsAreNotSpokenOf) {
  end_in(0);
  EXPECT_EQ(said(), Said{});
  end_in(-kMinute);
  EXPECT_EQ(said(), Said{});
  end_in(1);
  EXPECT_EQ(said(), Said{1}) << "the last millisecond";
}

TEST_F(TimeLeftTest, TheSameEndChangesNothing) {
  end_in(10 * kMinute);
  EXPECT_EQ(said(), Said{10});
  const auto end = now() + 10 * kMinute;
  for (int tick = 0; tick < 100; ++tick) {
    time_left_.set_end(end);
    pass(2 * kSecond);
  }
  EXPECT_EQ(said(), Said{});
}

TEST_F(TimeLeftTest, AnEndThatIsUnknownForATimeIsNoNewOne) {
  const auto end = now() + 10 * kMinute;
  time_left_.set_end(end);
  EXPECT_EQ(said(), Said{10});
  time_left_.set_end(std::nullopt);
  pass(6 * kMinute);
  EXPECT_EQ(said(), Said{}) << "nobody knows";
  time_left_.set_end(end);
  EXPECT_EQ(said(), Said{4});
}

TEST_F(TimeLeftTest, AnEndThatIsPutOffMakesNoticesDueAgain) {
  end_in(5 * kMinute);
  EXPECT_EQ(said(), Said{5});
  pass(2 * kMinute);
  end_in(63 * kMinute);
  pass(32 * kMinute);
  EXPECT_EQ(said(), Said{}) << "no longer";
  pass(kMinute);
  EXPECT_EQ(said(), Said{30});
  pass(20 * kMinute);
  EXPECT_EQ(said(), Said{10});
}

TEST_F(TimeLeftTest, AnEndThatIsPutOffALittleMakesThoseBehindItDueAgain) {
  end_in(kMinute);
  EXPECT_EQ(said(), Said{1});
  end_in(20 * kMinute);
  EXPECT_EQ(said(), Said{}) << "half an hour was said long ago";
  pass(10 * kMinute);
  EXPECT_EQ(said(), Said{10});
  pass(9 * kMinute);
  EXPECT_EQ(said(), (Said{5, 1}));
}

TEST_F(TimeLeftTest, AnEndThatTremblesSaysNothingTwice) {
  end_in(10 * kMinute);
  EXPECT_EQ(said(), Said{10});
  for (const auto later : {1, 59, 60}) {
    end_in(10 * kMinute + later * kSecond);
    pass(later * kSecond);
    EXPECT_EQ(said(), Said{}) << later;
  }
  end_in(10 * kMinute + kSecond * 60 + 1);
  pass(kMinute + 1);
  EXPECT_EQ(said(), Said{10}) << "more than a minute is no tremble";
}

TEST_F(TimeLeftTest, AnEndThatComesNearerIsSaidAtOnce) {
  end_in(100 * kMinute);
  EXPECT_EQ(said(), Said{});
  end_in(9 * kMinute);
  EXPECT_EQ(said(), Said{9});
  end_in(8 * kMinute);
  EXPECT_EQ(said(), Said{});
}

TEST_F(TimeLeftTest, ALaptopThatSleptIsRightWithinAMinute) {
  end_in(100 * kMinute);
  EXPECT_EQ(said(), Said{});
  wall_ += 92 * kMinute;  // the alarms' clock stood still
  pass(kMinute);
  EXPECT_EQ(said(), Said{7});
  EXPECT_LE(scheduler_.next_alarm_in(), std::uint64_t{kMinute});
}

TEST_F(TimeLeftTest, OneThatSleptPastTheEndSaysNothing) {
  end_in(100 * kMinute);
  wall_ += 200 * kMinute;
  pass(kMinute);
  EXPECT_EQ(said(), Said{});
}

TEST_F(TimeLeftTest, AClockThatWasWrongIsForgiven) {
  end_in(100 * kMinute);
  EXPECT_EQ(said(), Said{});
  wall_ += 99 * kMinute;
  pass(kSecond * 30);
  EXPECT_EQ(said(), Said{}) << "looks once a minute";
  pass(kSecond * 30);
  EXPECT_EQ(said(), Said{}) << "the time seems to be up";
  wall_ -= 60 * kMinute;
  pass(kMinute);
  wall_ -= 39 * kMinute;
  pass(70 * kMinute);
  EXPECT_EQ(said(), Said{30});
}

TEST_F(TimeLeftTest, ItLooksAtTheClockAtLeastOnceAMinute) {
  end_in(10'000 * kMinute);
  for (int looks = 0; looks < 100; ++looks) {
    scheduler_.advance(0);
    const auto next = scheduler_.next_alarm_in();
    ASSERT_TRUE(next);
    ASSERT_LE(*next, std::uint64_t{kMinute});
    pass(kMinute);
  }
}

TEST_F(TimeLeftTest, ANoticeMayEndIt) {
  std::unique_ptr<TimeLeft> own;
  std::vector<unsigned> heard;
  own = std::make_unique<TimeLeft>(
      scheduler_, [this] { return now(); },
      [&](unsigned minutes) {
        own.reset();
        heard.push_back(minutes);
      });
  own->set_end(now() + kMinute);
  pass(100 * kMinute);
  EXPECT_EQ(heard, Said{1});
}

TEST_F(TimeLeftTest, NothingIsSaidAfterItsEnd) {
  auto own = std::make_unique<TimeLeft>(
      scheduler_, [this] { return now(); }, [](unsigned) { FAIL(); });
  own->set_end(now() + kMinute);
  own.reset();
  pass(100 * kMinute);
}

}  // namespace
}  // namespace hpc
