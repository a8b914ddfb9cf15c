#include "manager/session/session_journal.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "manager/session/json.h"
#include "tests/support/fake_store.h"
#include "tests/support/manual_scheduler.h"
#include "tests/support/store_rows.h"

namespace hpc {
namespace {

struct Watcher final : EventLog::Subscriber {
  void on_event(const Event& event) override { seen.push_back(event); }
  void on_gap() override { ++gaps; }
  std::vector<Event> seen;
  int gaps = 0;
};

struct SessionJournalTest : testing::Test {
  SessionJournalTest() {
    info.row = session_row("s1");
    info.url = "http://h/user/alice/main/vscode~2/";
    events.add_session("s1", "alice");
    watch = events.watch_session("s1", std::nullopt, watcher);
  }
  Store::Committed note() {
    return [this](const Status& status) {
      ++answers;
      answer = status;
    };
  }
  ManualScheduler scheduler;
  FakeStore store;
  EventLog events{scheduler};
  std::string logged;
  Log log{LogLevel::kInfo, LogFormat::kText, [this](auto line) { logged += line; }};
  SessionJournal journal{scheduler, store, events, [] { return std::int64_t{5'000}; }, log};
  SessionInfo info;
  Watcher watcher;
  std::unique_ptr<EventLog::Subscription> watch;
  int answers = 0;
  Status answer;
};

TEST_F(SessionJournalTest, RowAndEventAreOneWriteAndTheEventComesBehindIt) {
  journal.record(info, {SetActive{"alice", "s1"}}, note());
  EXPECT_EQ(store.waiting(), 1U);
  EXPECT_TRUE(watcher.seen.empty());
  store.commit();
  ASSERT_EQ(store.stored.size(), 3U);
  EXPECT_EQ(std::get<PutSession>(store.stored[0]).row, info.row);
  EXPECT_EQ(std::get<SetActive>(store.stored[1]).session, "s1");
  ASSERT_EQ(watcher.seen.size(), 1U);
  const Event& event = watcher.seen.front();
  EXPECT_EQ(std::get<AppendEvent>(store.stored[2]).event.number, event.number);
  EXPECT_EQ(event.type, "state");
  EXPECT_EQ(event.unix_ms, 5'000);
  const auto json = parse_json(event.data);
  ASSERT_TRUE(json) << event.data;
  EXPECT_EQ(json_text(json->get(), "id"), "s1");
  EXPECT_EQ(json_text(json->get(), "state"), "running");
  EXPECT_TRUE(answer);
  EXPECT_EQ(answers, 1);
}

TEST_F(SessionJournalTest, WhatIsNotStoredIsNotShown) {
  journal.record(info, {}, note());
  journal.record(info, {}, nullptr);
  store.commit(fail(Errc::kSystem, "store", "the disk is full"));
  EXPECT_FALSE(answer);
  journal.record(info, {}, nullptr);
  store.commit();
  ASSERT_EQ(watcher.seen.size(), 1U);
  EXPECT_EQ(watcher.seen[0].number, 3U);
  EXPECT_NE(logged.find("the disk is full"), std::string::npos) << logged;
}

TEST_F(SessionJournalTest, AFullQueueIsToldInALaterTurn) {
  store.refuse = fail(Errc::kUnavailable, "store", "10,000 changes wait for the disk");
  journal.record(info, {}, note());
  EXPECT_EQ(answers, 0);
  scheduler.run();
  EXPECT_EQ(answers, 1);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kUnavailable);
  EXPECT_TRUE(watcher.seen.empty());
}

TEST_F(SessionJournalTest, ProgressIsALineOfItsOwn) {
  journal.progress("s1", "connecting to \"login01\" ...");
  store.commit();
  ASSERT_EQ(store.stored.size(), 1U) << "the row is not written again";
  ASSERT_EQ(watcher.seen.size(), 1U);
  EXPECT_EQ(watcher.seen[0].type, "progress");
  EXPECT_EQ(watcher.seen[0].data, R"({"id":"s1","text":"connecting to \"login01\" ..."})");
}

TEST_F(SessionJournalTest, AnEndedSessionIsStoredWithoutAnEvent) {
  events.end_session("s1");
  journal.record(info, {}, note());
  store.commit();
  EXPECT_EQ(store.stored.size(), 1U);
  EXPECT_TRUE(watcher.seen.empty());
  EXPECT_TRUE(answer);
}

TEST_F(SessionJournalTest, ActivityIsNoNews) {
  journal.keep(info.row);
  store.commit();
  ASSERT_EQ(store.stored.size(), 1U);
  EXPECT_TRUE(watcher.seen.empty());
}

TEST_F(SessionJournalTest, NothingIsCalledAfterItsEnd) {
  store.refuse = fail(Errc::kUnavailable, "store", "full");
  {
    SessionJournal other(
        scheduler, store, events, [] { return std::int64_t{1}; }, log);
    other.record(info, {}, note());
  }
  scheduler.run();
  EXPECT_EQ(answers, 0);
}

}  // namespace
}  // namespace hpc
