#include "manager/session/event_log.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

/// Writes down what it is shown: numbers, and 0 for a gap.
struct Watcher final : EventLog::Subscriber {
  void on_event(const Event& event) override { seen.push_back(event.number); }
  void on_gap() override { seen.push_back(0); }
  std::vector<std::uint64_t> seen;
};

using Numbers = std::vector<std::uint64_t>;

Numbers from_to(std::uint64_t first, std::uint64_t last) {
  Numbers numbers;
  for (auto number = first; number <= last; ++number) numbers.push_back(number);
  return numbers;
}

struct EventLogTest : testing::Test {
  EventLogTest() {
    log.add_session("s1", "alice");
    log.add_session("s2", "alice");
    log.add_session("s3", "bob");
  }
  std::uint64_t append(const std::string& session, const std::string& data = "{}") {
    return log.append({0, 0, session, "state", data});
  }
  void add(const std::string& session, int count = 1) {
    for (int i = 0; i < count; ++i) log.commit(append(session));
  }
  ManualScheduler clock;
  EventLog log{clock};
};

TEST_F(EventLogTest, AnEventIsShownOnlyOnceItIsStored) {
  Watcher watcher;
  const auto watch = log.watch_session("s1", std::nullopt, watcher);
  const auto first = append("s1");
  const auto second = append("s1");
  EXPECT_EQ(watcher.seen, Numbers());
  log.commit(first);
  EXPECT_EQ(watcher.seen, Numbers({first}));
  log.commit(second);
  EXPECT_EQ(watcher.seen, Numbers({first, second}));
}

TEST_F(EventLogTest, WhatCouldNotBeStoredIsSeenByNobody) {
  add("s1");
  const auto before = log.bytes();
  Watcher watcher;
  const auto watch = log.watch_session("s1", std::nullopt, watcher);
  const auto lost = append("s1");
  const auto kept = append("s1");
  log.discard(lost);
  log.discard(lost);
  log.discard(99);
  log.commit(kept);
  EXPECT_EQ(watcher.seen, Numbers({kept}));
  Watcher later;
  const auto again = log.watch_session("s1", 0, later);
  EXPECT_EQ(later.seen, Numbers({1, kept})) << "and it is no gap";
  EXPECT_EQ(log.bytes(), 2 * before);
  log.discard(kept);
  EXPECT_EQ(log.bytes(), 2 * before) << "too late";
}

TEST_F(EventLogTest, AReplayLeavesOutWhatIsNotStored) {
  add("s1");
  append("s1");
  Watcher watcher;
  const auto watch = log.watch_session("s1", 0, watcher);
  EXPECT_EQ(watcher.seen, Numbers({1}));
  log.commit(2);
  EXPECT_EQ(watcher.seen, Numbers({1, 2})) << "not lost either";
}

TEST_F(EventLogTest, ASessionsWatcherSeesOnlyItsEvents) {
  Watcher watcher;
  const auto watch = log.watch_session("s1", 0, watcher);
  add("s2");
  add("s3");
  add("s1");
  EXPECT_EQ(watcher.seen, Numbers({3}));
}

TEST_F(EventLogTest, AUsersWatcherSeesAllOfHisSessionsInOrder) {
  add("s1");
  add("s3");
  add("s2");
  add("s1");
  Watcher watcher;
  const auto watch = log.watch_user("alice", 0, watcher);
  EXPECT_EQ(watcher.seen, Numbers({1, 3, 4}));
  log.add_session("s4", "alice");
  add("s4");
  EXPECT_EQ(watcher.seen, Numbers({1, 3, 4, 5})) << "a session that began later";
}

TEST_F(EventLogTest, ResumesAtEveryPointWithoutLossOrDouble) {
  constexpr std::uint64_t kEvents = 40;
  for (std::uint64_t cut = 0; cut <= kEvents; ++cut) {
    EventLog fresh(clock);
    fresh.add_session("s", "alice");
    const auto add_until = [&](std::uint64_t last) {
      for (std::uint64_t number = 0; number < last;) {
        number = fresh.append({0, 0, "s", "state", "{}"});
        fresh.commit(number);
      }
    };
    Watcher watcher;
    auto watch = fresh.watch_session("s", 0, watcher);
    for (std::uint64_t i = 0; i < cut; ++i) fresh.commit(fresh.append({0, 0, "s", "state", "{}"}));
    watch.reset();
    add_until(kEvents);
    const auto last_seen = watcher.seen.empty() ? 0 : watcher.seen.back();
    const auto again = fresh.watch_session("s", last_seen, watcher);
    fresh.commit(fresh.append({0, 0, "s", "state", "{}"}));
    EXPECT_EQ(watcher.seen, from_to(1, watcher.seen.size())) << "cut after " << cut;
  }
}

TEST_F(EventLogTest, WithoutANumberOnlyWhatComesIsShown) {
  add("s1", 3);
  Watcher watcher;
  const auto watch = log.watch_session("s1", std::nullopt, watcher);
  add("s1");
  EXPECT_EQ(watcher.seen, Numbers({4}));
}

TEST_F(EventLogTest, ASessionThatIsNotThereCannotBeWatched) {
  Watcher watcher;
  EXPECT_EQ(log.watch_session("s9", 0, watcher), nullptr);
  EXPECT_EQ(append("s9"), 0U);
}

TEST_F(EventLogTest, ARingHoldsJustTheEventsAllowed) {
  add("s1", kEventsPerSessionMax);
  Watcher watcher;
  const auto watch = log.watch_session("s1", 0, watcher);
  EXPECT_EQ(watcher.seen, from_to(1, kEventsPerSessionMax));
}

TEST_F(EventLogTest, OneEventMoreDropsTheOldestAndIsAGap) {
  add("s1", kEventsPerSessionMax + 1);
  Watcher from_start;
  const auto watch = log.watch_session("s1", 0, from_start);
  ASSERT_EQ(from_start.seen.size(), kEventsPerSessionMax + 1);
  EXPECT_EQ(from_start.seen[0], 0U);
  EXPECT_EQ(from_start.seen[1], 2U);
  Watcher from_first;
  const auto other = log.watch_session("s1", 1, from_first);
  EXPECT_EQ(from_first.seen.front(), 2U) << "who has seen the dropped one misses nothing";
}

TEST_F(EventLogTest, ARingIsBoundedInBytes) {
  const std::string big(10'000, 'x');
  for (int i = 0; i < 100; ++i) log.commit(append("s1", big));
  EXPECT_LE(log.bytes(), kEventBytesPerSessionMax);
  EXPECT_GT(log.bytes(), kEventBytesPerSessionMax - 2 * big.size());
}

TEST_F(EventLogTest, AnEventLargerThanTheRingIsAGapToWhoWatches) {
  Watcher watcher;
  const auto watch = log.watch_session("s1", std::nullopt, watcher);
  log.commit(append("s1", std::string(kEventBytesPerSessionMax, 'x')));
  EXPECT_EQ(watcher.seen, Numbers({0}));
  EXPECT_EQ(log.bytes(), 0U);
}

TEST_F(EventLogTest, AGapInOneSessionIsAGapForItsUserOnly) {
  add("s1", kEventsPerSessionMax + 1);
  add("s3");
  Watcher alice;
  const auto watch = log.watch_user("alice", 0, alice);
  EXPECT_EQ(alice.seen.front(), 0U);
  Watcher bob;
  const auto other = log.watch_user("bob", 0, bob);
  EXPECT_EQ(bob.seen, Numbers({kEventsPerSessionMax + 2}));
}

TEST_F(EventLogTest, ANumberThatWasNeverGivenIsAGap) {
  add("s1", 2);
  Watcher watcher;
  const auto watch = log.watch_session("s1", 99, watcher);
  EXPECT_EQ(watcher.seen, Numbers({0, 1, 2}));
}

TEST_F(EventLogTest, EndedSessionsAreKeptForAnHour) {
  add("s1");
  log.end_session("s1");
  EXPECT_EQ(append("s1"), 0U) << "nothing comes after the end";
  clock.advance(kEventsKeptAfterEndMs - 1);
  log.expire();
  Watcher watcher;
  EXPECT_NE(log.watch_session("s1", 0, watcher), nullptr);
  EXPECT_EQ(watcher.seen, Numbers({1}));
  clock.advance(1);
  log.expire();
  EXPECT_EQ(log.watch_session("s1", 0, watcher), nullptr);
}

TEST_F(EventLogTest, AForgottenSessionIsAGapForAUserWhoMissedIt) {
  add("s1");
  add("s2");
  log.end_session("s1");
  clock.advance(kEventsKeptAfterEndMs);
  log.expire();
  Watcher missed;
  const auto watch = log.watch_user("alice", 0, missed);
  EXPECT_EQ(missed.seen, Numbers({0, 2}));
  Watcher knew;
  const auto other = log.watch_user("alice", 1, knew);
  EXPECT_EQ(knew.seen, Numbers({2}));
}

TEST_F(EventLogTest, TenThousandDeadSessionsLeaveNothing) {
  for (int i = 0; i < 10'000; ++i) {
    const auto id = "d" + std::to_string(i);
    log.add_session(id, "alice");
    add(id, 3);
    log.end_session(id);
    clock.advance(kEventsKeptAfterEndMs);
    log.expire();
  }
  EXPECT_EQ(log.session_count(), 3U);
  EXPECT_EQ(log.bytes(), 0U);
}

TEST_F(EventLogTest, ARestoredLogGoesOnWithItsNumbers) {
  EventLog restored(clock, 3);
  restored.add_session("s1", "alice", 6);
  restored.restore({7, 0, "s1", "state", "{}"});
  restored.restore({8, 0, "s1", "state", "{}"});
  restored.restore({9, 0, "gone", "state", "{}"});
  Watcher watcher;
  const auto watch = restored.watch_session("s1", 5, watcher);
  restored.commit(restored.append({0, 0, "s1", "state", "{}"}));
  EXPECT_EQ(watcher.seen, Numbers({0, 7, 8, 9}));
}

TEST_F(EventLogTest, WhatWasForgottenBeforeARestartIsAGapForItsUserOnly) {
  EventLog restored(clock, 3);
  restored.restore_forgotten("alice", 7);
  restored.add_session("s1", "alice");
  restored.restore({5, 0, "s1", "state", "{}"});
  Watcher missed;
  const auto watch = restored.watch_user("alice", 6, missed);
  EXPECT_EQ(missed.seen, Numbers({0}));
  Watcher knew;
  const auto other = restored.watch_user("alice", 7, knew);
  EXPECT_EQ(knew.seen, Numbers());
  Watcher bob;
  const auto third = restored.watch_user("bob", 0, bob);
  EXPECT_EQ(bob.seen, Numbers());
  EXPECT_EQ(restored.append({0, 0, "s1", "state", "{}"}), 8U) << "no number is given twice";
}

TEST_F(EventLogTest, ASessionIsOverWhenItsLastEventWasShown) {
  EXPECT_FALSE(log.is_over("s1"));
  const auto last = append("s1");
  log.end_session("s1");
  EXPECT_FALSE(log.is_over("s1")) << "nobody has seen its last event";
  log.commit(last);
  EXPECT_TRUE(log.is_over("s1"));
  EXPECT_FALSE(log.is_over("s2"));
  log.end_session("s2");
  EXPECT_TRUE(log.is_over("s2")) << "it never had one";
  EXPECT_TRUE(log.is_over("s9")) << "not known";
  EXPECT_EQ(log.last_shown(), last);
}

TEST_F(EventLogTest, AWatcherThatEndedSeesNothingMore) {
  Watcher watcher;
  auto watch = log.watch_session("s1", 0, watcher);
  watch.reset();
  add("s1");
  EXPECT_EQ(watcher.seen, Numbers());
  EXPECT_EQ(log.subscriber_count(), 0U);
}

/// Ends another's subscription, and its own, from inside on_event.
struct Ender final : EventLog::Subscriber {
  void on_event(const Event&) override {
    ++seen;
    mine.reset();
    other.reset();
  }
  void on_gap() override {}
  int seen = 0;
  std::unique_ptr<EventLog::Subscription> mine;
  std::unique_ptr<EventLog::Subscription> other;
};

TEST_F(EventLogTest, SubscriptionsMayEndInsideACall) {
  Watcher watcher;
  Ender ender;
  ender.mine = log.watch_session("s1", std::nullopt, ender);
  ender.other = log.watch_session("s1", std::nullopt, watcher);
  add("s1", 2);
  EXPECT_EQ(ender.seen, 1);
  EXPECT_LE(watcher.seen.size(), 1U);
  EXPECT_EQ(log.subscriber_count(), 0U);
}

}  // namespace
}  // namespace hpc
