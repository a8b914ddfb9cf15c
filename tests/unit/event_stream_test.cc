#include "manager/gateway/event_stream.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/fake_sink.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

/// What an EventSource makes of the text: the ids in their order, "gap" for a gap.
std::vector<std::string> seen_in(const std::string& text) {
  std::vector<std::string> seen;
  std::istringstream lines(text);
  std::string id;
  std::string type;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("id: ")) id = line.substr(4);
    if (line.starts_with("event: ")) type = line.substr(7);
    if (!line.empty()) continue;
    if (!type.empty()) seen.push_back(type == "gap" ? type : id);
    type.clear();
  }
  return seen;
}

std::vector<std::string> ids(std::uint64_t first, std::uint64_t last) {
  std::vector<std::string> all;
  for (auto number = first; number <= last; ++number) all.push_back(std::to_string(number));
  return all;
}

struct EventStreamTest : testing::Test {
  EventStreamTest() {
    log.add_session("s1", "alice");
    log.add_session("s2", "alice");
    log.add_session("s3", "bob");
  }
  void add(const std::string& session, int count = 1, const std::string& data = "{}") {
    for (int i = 0; i < count; ++i) log.commit(log.append({0, 0, session, "state", data}));
  }
  EventSource of_session(std::optional<std::uint64_t> after = std::nullopt) {
    EventSource source;
    source.session = "s1";
    source.after = after;
    source.still_allowed = [this] { return allowed; };
    return source;
  }
  EventSource of_alice(std::optional<std::uint64_t> after = std::nullopt) {
    auto source = of_session(after);
    source.session.clear();
    source.user = "alice";
    return source;
  }
  void open(EventSource source) {
    stream.reset();
    sink = FakeSink();
    stream = make_event_stream(log, scheduler, std::move(source));
    stream->start(sink);
  }
  std::vector<std::string> seen() const { return seen_in(sink.written); }

  ManualScheduler scheduler;
  EventLog log{scheduler};
  bool allowed = true;
  FakeSink sink;
  std::unique_ptr<Responder> stream;
};

TEST_F(EventStreamTest, WritesEventsAsTheyCome) {
  open(of_session());
  EXPECT_EQ(sink.status, 200);
  EXPECT_EQ(sink.field("Content-Type"), "text/event-stream");
  EXPECT_EQ(sink.field("Cache-Control"), "no-store");
  EXPECT_EQ(sink.field("X-Accel-Buffering"), "no");
  add("s1", 1, R"({"state":"running"})");
  EXPECT_EQ(sink.written, "retry: 2000\n\nid: 1\nevent: state\ndata: {\"state\":\"running\"}\n\n");
  EXPECT_FALSE(sink.ended);
}

TEST_F(EventStreamTest, WithoutANumberWhatWasIsNotTold) {
  add("s1", 3);
  open(of_session());
  EXPECT_EQ(seen(), ids(1, 0));
  add("s1");
  EXPECT_EQ(seen(), ids(4, 4));
}

TEST_F(EventStreamTest, ResumesAtEveryCutPointWithoutLossOrDouble) {
  constexpr std::uint64_t kEvents = 30;
  for (std::uint64_t cut = 0; cut <= kEvents; ++cut) {
    EventLog fresh(scheduler);
    fresh.add_session("a", "alice");
    fresh.add_session("b", "alice");
    const auto add_one = [&fresh](std::uint64_t number) {
      fresh.commit(fresh.append({0, 0, number % 3 == 0 ? "b" : "a", "state", "{}"}));
    };
    FakeSink first;
    auto one = make_event_stream(fresh, scheduler, of_alice(0));
    one->start(first);
    for (std::uint64_t i = 1; i <= cut; ++i) add_one(i);
    one.reset();
    for (std::uint64_t i = cut + 1; i <= kEvents; ++i) add_one(i);
    const auto before = seen_in(first.written);
    FakeSink second;
    const auto other = make_event_stream(fresh, scheduler,
                                         of_alice(before.empty() ? 0 : std::stoull(before.back())));
    other->start(second);
    add_one(kEvents + 1);
    auto all = before;
    const auto after = seen_in(second.written);
    all.insert(all.end(), after.begin(), after.end());
    EXPECT_EQ(all, ids(1, kEvents + 1)) << "cut after " << cut;
  }
}

// The client's last id is that of the last event that came whole, wherever TCP was cut.
TEST_F(EventStreamTest, ResumesAtEveryByteOfTheText) {
  add("s1", 12);
  open(of_session(0));
  const std::string whole = sink.written;
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    auto all = seen_in(whole.substr(0, cut));
    open(of_session(all.empty() ? 0 : std::stoull(all.back())));
    const auto rest = seen();
    all.insert(all.end(), rest.begin(), rest.end());
    EXPECT_EQ(all, ids(1, 12)) << "cut at byte " << cut;
  }
}

TEST_F(EventStreamTest, AUsersStreamHasAllOfHisSessionsAndNobodyElses) {
  add("s1");
  add("s3");
  add("s2");
  open(of_alice(0));
  add("s3");
  add("s1");
  EXPECT_EQ(seen(), (std::vector<std::string>{"1", "3", "5"}));
}

TEST_F(EventStreamTest, WhatTheRingHasLostIsAGapWithoutANumber) {
  add("s1", kEventsPerSessionMax + 2);
  open(of_session(1));
  EXPECT_EQ(seen().front(), "gap");
  EXPECT_EQ(seen()[1], "3");
  EXPECT_NE(sink.written.find("\n\nevent: gap\ndata: {}\n\nid: 3\n"), std::string::npos);
}

TEST_F(EventStreamTest, SaysEvery15SecondsThatItIsThere) {
  open(of_session());
  sink.written.clear();
  scheduler.advance(14'999);
  EXPECT_EQ(sink.written, "");
  scheduler.advance(1);
  EXPECT_EQ(sink.written, ": still here\n\n");
  scheduler.advance(15'000);
  EXPECT_EQ(sink.written, ": still here\n\n: still here\n\n");
}

TEST_F(EventStreamTest, EndsSoonAfterTheLogin) {
  open(of_session());
  allowed = false;
  scheduler.advance(15'000);
  EXPECT_TRUE(sink.ended);
  sink.written.clear();
  add("s1");
  EXPECT_EQ(sink.written, "");
  EXPECT_EQ(log.subscriber_count(), 0U);
}

TEST_F(EventStreamTest, EndsBehindTheLastEventOfItsSession) {
  open(of_session());
  const auto last = log.append({0, 0, "s1", "state", "{}"});
  log.end_session("s1");
  EXPECT_FALSE(sink.ended);
  log.commit(last);
  EXPECT_EQ(seen(), ids(1, 1));
  EXPECT_TRUE(sink.ended);
}

TEST_F(EventStreamTest, ASessionThatEndsWithoutAnEventIsNoticed) {
  open(of_session());
  log.end_session("s1");
  EXPECT_FALSE(sink.ended);
  scheduler.advance(15'000);
  EXPECT_TRUE(sink.ended);
}

TEST_F(EventStreamTest, AUsersStreamGoesOnWhenASessionEnds) {
  open(of_alice());
  add("s1");
  log.end_session("s1");
  add("s2");
  scheduler.advance(15'000);
  EXPECT_EQ(seen(), ids(1, 2));
  EXPECT_FALSE(sink.ended);
}

TEST_F(EventStreamTest, AnEndedSessionIsReplayedAndEnds) {
  add("s1", 3);
  log.end_session("s1");
  open(of_session());
  EXPECT_EQ(seen(), ids(1, 3)) << "there is nothing else to wait for";
  EXPECT_TRUE(sink.ended);
  open(of_session(2));
  EXPECT_EQ(seen(), ids(3, 3));
  EXPECT_TRUE(sink.ended);
}

TEST_F(EventStreamTest, WhoHasAllOfAnEndedSessionIsToldNotToComeAgain) {
  add("s1", 3);
  log.end_session("s1");
  open(of_session(3));
  ASSERT_TRUE(sink.answered);
  EXPECT_EQ(sink.answered->status, 204);
}

TEST_F(EventStreamTest, ASessionThatTheLogDoesNotKnowIsNotThere) {
  auto source = of_session(0);
  source.session = "s9";
  open(source);
  ASSERT_TRUE(sink.answered);
  EXPECT_EQ(sink.answered->status, 404);
}

TEST_F(EventStreamTest, AHeadIsOverAtOnce) {
  auto source = of_session(0);
  source.head_only = true;
  open(source);
  EXPECT_EQ(sink.status, 200);
  EXPECT_TRUE(sink.ended);
  EXPECT_EQ(log.subscriber_count(), 0U);
}

TEST_F(EventStreamTest, AReaderThatIsBehindIsNotWrittenTo) {
  sink.reads = true;
  open(of_session());
  sink.reads = false;
  const std::string data(10'000, 'x');
  add("s1", 40, data);
  EXPECT_LE(sink.queued, kEventQueueBytesMax);
  EXPECT_GT(sink.queued, kEventQueueBytesMax - 2 * data.size());
  const auto had = seen().size();
  scheduler.advance(15'000);
  EXPECT_EQ(seen().size(), had);
  EXPECT_FALSE(sink.cut_for);
}

TEST_F(EventStreamTest, AReaderThatCatchesUpHasMissedNothing) {
  open(of_session());
  sink.reads = false;
  const std::string data(10'000, 'x');
  // The ring holds 25 of this size, the queue as many.
  add("s1", 40, data);
  sink.queued = kEventQueueBytesLow + 1;
  scheduler.advance(kEventCatchUpMs);
  EXPECT_LT(seen().size(), 40U) << "not yet";
  sink.queued = kEventQueueBytesLow;
  sink.reads = true;
  scheduler.advance(kEventCatchUpMs);
  EXPECT_EQ(seen(), ids(1, 40));
  add("s1");
  EXPECT_EQ(seen(), ids(1, 41));
}

TEST_F(EventStreamTest, AReaderThatIsBehindTheRingIsToldOfTheGap) {
  open(of_session());
  sink.reads = false;
  add("s1", 40, std::string(10'000, 'x'));
  const auto had = seen();
  add("s1", 1'000);
  sink.queued = 0;
  sink.reads = true;
  scheduler.advance(kEventCatchUpMs);
  ASSERT_GT(seen().size(), had.size());
  EXPECT_EQ(seen()[had.size()], "gap");
  EXPECT_EQ(seen().back(), "1040");
}

TEST_F(EventStreamTest, AReaderThatNeverReadsIsCut) {
  open(of_session());
  sink.reads = false;
  add("s1", 40, std::string(10'000, 'x'));
  scheduler.advance(kEventSlowReaderMs - 1);
  EXPECT_FALSE(sink.cut_for);
  scheduler.advance(kEventCatchUpMs);
  EXPECT_TRUE(sink.cut_for);
  EXPECT_EQ(log.subscriber_count(), 0U);
  EXPECT_EQ(scheduler.next_alarm_in(), std::nullopt) << "nothing is left to happen";
}

TEST_F(EventStreamTest, AReplayLargerThanTheQueueComesInPieces) {
  log.add_session("s4", "alice");
  for (const char* session : {"s1", "s2", "s4"}) add(session, 24, std::string(10'000, 'x'));
  sink.reads = false;
  stream = make_event_stream(log, scheduler, of_alice(0));
  stream->start(sink);
  EXPECT_LE(sink.queued, kEventQueueBytesMax);
  for (int turns = 0; turns < 10; ++turns) {
    sink.queued = 0;
    scheduler.advance(kEventCatchUpMs);
    EXPECT_LE(sink.queued, kEventQueueBytesMax);
  }
  EXPECT_EQ(seen(), ids(1, 72));
}

TEST_F(EventStreamTest, EndsWithTheProgramSoThatItsClientComesAgain) {
  open(of_session());
  add("s1");
  stream->on_drain();
  EXPECT_TRUE(sink.ended);
  EXPECT_EQ(log.subscriber_count(), 0U);
}

TEST_F(EventStreamTest, OneThatIsGoneLeavesNoTrace) {
  open(of_session());
  stream.reset();
  EXPECT_EQ(log.subscriber_count(), 0U);
  EXPECT_EQ(scheduler.next_alarm_in(), std::nullopt);
}

struct NumberCase {
  const char* name;
  const char* field;
  const char* query;
  std::optional<std::uint64_t> number;
  bool good = true;
};

void PrintTo(const NumberCase& one, std::ostream* out) { *out << one.name; }

class LastEventNumberTest : public testing::TestWithParam<NumberCase> {};

TEST_P(LastEventNumberTest, IsADecimalNumber) {
  const auto& want = GetParam();
  FieldList fields;
  if (want.field != nullptr) fields.add("Last-Event-ID", want.field);
  const auto got = last_event_number(fields, want.query);
  ASSERT_EQ(got.has_value(), want.good);
  if (got) {
    EXPECT_EQ(*got, want.number);
  } else {
    EXPECT_EQ(got.error().code, Errc::kBadRequest);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Numbers, LastEventNumberTest,
    testing::Values(
        NumberCase{"none", nullptr, "", std::nullopt}, NumberCase{"field", "42", "", 42},
        NumberCase{"zero", "0", "", 0}, NumberCase{"query", nullptr, "x=1&last-event-id=7", 7},
        NumberCase{"the_field_is_newer", "42", "last-event-id=7", 42},
        NumberCase{"largest", "18446744073709551615", "", 18'446'744'073'709'551'615ULL},
        NumberCase{"too_large", "18446744073709551616", "", {}, false},
        NumberCase{"empty", "", "", {}, false},
        NumberCase{"empty_query", nullptr, "last-event-id=", {}, false},
        NumberCase{"minus", "-1", "", {}, false}, NumberCase{"plus", "+1", "", {}, false},
        NumberCase{"hex", "0x1", "", {}, false}, NumberCase{"behind", "1 ", "", {}, false},
        NumberCase{"word", "abc", "", {}, false}),
    [](const auto& i) { return std::string(i.param.name); });

}  // namespace
}  // namespace hpc
