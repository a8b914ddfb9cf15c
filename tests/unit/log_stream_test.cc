#include "manager/gateway/log_stream.h"

#include <gtest/gtest.h>

#include "tests/support/fake_sessions.h"
#include "tests/support/fake_sink.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

struct LogStreamTest : LoopFixture {
  LogStreamTest() { id = sessions.add({"alice", "main", "plain", 1}).row.id; }
  ~LogStreamTest() override { settle(loop); }

  LogSource followed() {
    LogSource source;
    source.session = id;
    source.follow = true;
    source.still_allowed = [this] { return allowed; };
    return source;
  }
  LogSource once() {
    auto source = followed();
    source.follow = false;
    return source;
  }
  std::unique_ptr<Responder> stream_of(LogSource source) {
    return make_log_stream(sessions, scheduler, followers, std::move(source));
  }
  void open(LogSource source) {
    stream = stream_of(std::move(source));
    stream->start(sink);
    sessions.run();
  }
  /// The next look at the log, and what follows from it at once.
  void look(std::uint64_t ms = kLogFollowMs) {
    scheduler.advance(ms);
    for (int i = 0; i < 20; ++i) {
      sessions.run();
      scheduler.advance(0);
    }
  }
  void end_session() { sessions.info_of(id).row.state = SessionState::kEnded; }
  std::string& log() { return sessions.logs[id]; }

  ManualScheduler scheduler;
  FakeSessions sessions{loop};
  LogFollowers followers;
  std::string id;
  bool allowed = true;
  FakeSink sink;
  std::unique_ptr<Responder> stream;
};

TEST_F(LogStreamTest, OnceIsOneAnswer) {
  log() = "a\nb\n";
  open(once());
  ASSERT_TRUE(sink.answered);
  EXPECT_EQ(sink.answered->status, 200);
  EXPECT_EQ(sink.answered->body, "a\nb\n");
  const std::vector<std::pair<std::string, std::string>> wanted = {
      {"Content-Type", "text/plain; charset=utf-8"},
      {"Content-Disposition", "inline"},
      {"Cache-Control", "no-store"},
      {"X-Accel-Buffering", "no"},
      {"X-Content-Type-Options", "nosniff"}};
  EXPECT_EQ(sink.answered->fields, wanted);
  EXPECT_EQ(scheduler.next_alarm_in(), std::nullopt);
}

TEST_F(LogStreamTest, NoLogYetIsSaidWithTheReason) {
  for (const auto& source : {once(), followed()}) {
    sink = FakeSink();
    open(source);
    ASSERT_TRUE(sink.answered);
    EXPECT_EQ(sink.answered->status, 404);
    EXPECT_NE(sink.answered->body.find("there is no log yet"), std::string::npos);
    EXPECT_EQ(scheduler.next_alarm_in(), std::nullopt);
  }
}

TEST_F(LogStreamTest, FollowsWhatIsWritten) {
  log() = "one\n";
  open(followed());
  EXPECT_EQ(sink.status, 200);
  EXPECT_EQ(sink.field("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(sink.field("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(sink.written, "one\n");
  log() += "two\n";
  look(kLogFollowMs - 1);
  EXPECT_EQ(sink.written, "one\n");
  look(1);
  EXPECT_EQ(sink.written, "one\ntwo\n");
  look();
  EXPECT_EQ(sink.written, "one\ntwo\n");
  EXPECT_FALSE(sink.ended);
}

TEST_F(LogStreamTest, ALongLogComesInPartsWithoutWaiting) {
  log() = "0123456789";
  sessions.log_part_bytes = 3;
  open(followed());
  look(0);
  EXPECT_EQ(sink.written, "0123456789");
}

TEST_F(LogStreamTest, EndsWithTheSessionOnceAllIsRead) {
  log() = "one\n";
  open(followed());
  log() += "last words\n";
  sessions.log_part_bytes = 4;
  end_session();
  look();
  EXPECT_EQ(sink.written, "one\nlast words\n");
  EXPECT_TRUE(sink.ended);
}

// What is written between the last look and the end must not be missed.
TEST_F(LogStreamTest, LooksOnceMoreAfterTheEnd) {
  log() = "one\n";
  open(followed());
  scheduler.advance(kLogFollowMs);
  end_session();
  sessions.run();
  EXPECT_FALSE(sink.ended) << "it had not ended yet when the log was asked for";
  log() += "two\n";
  look();
  EXPECT_EQ(sink.written, "one\ntwo\n");
  EXPECT_TRUE(sink.ended);
}

TEST_F(LogStreamTest, ALogThatIsGoneIsWaitedForUntilTheSessionEnds) {
  log() = "one\n";
  open(followed());
  sessions.logs.clear();
  look();
  EXPECT_FALSE(sink.ended);
  log() = "one\ntwo\n";
  look();
  EXPECT_EQ(sink.written, "one\ntwo\n");
  sessions.logs.clear();
  end_session();
  look();
  EXPECT_TRUE(sink.ended);
}

TEST_F(LogStreamTest, ALogThatBecameShorterIsReadAnew) {
  log() = "long enough\n";
  open(followed());
  log() = "new\n";
  look();
  EXPECT_EQ(sink.written,
            "long enough\n\n[hpc-manager: the log has become shorter; here it is from its "
            "beginning]\nnew\n");
}

TEST_F(LogStreamTest, ALogOfTheSameLengthIsNotTold) {
  log() = "abc\n";
  open(followed());
  log() = "xyz\n";
  look();
  EXPECT_EQ(sink.written, "abc\n");
}

TEST_F(LogStreamTest, WhoReadsSlowlyIsWaitedFor) {
  log() = std::string(kLogQueueBytesMax, 'x');
  sink.reads = false;
  open(followed());
  log() += "y";
  look();
  EXPECT_EQ(sink.written.size(), kLogQueueBytesMax + 1) << "at the bound";
  log() += "z";
  look();
  EXPECT_EQ(sink.written.size(), kLogQueueBytesMax + 1) << "one past it";
  sink.queued = kLogQueueBytesMax;
  look(kLogCatchUpMs);
  EXPECT_EQ(sink.written.size(), kLogQueueBytesMax + 2);
  EXPECT_FALSE(sink.cut_for);
}

TEST_F(LogStreamTest, WhoDoesNotReadIsCut) {
  log() = std::string(kLogQueueBytesMax + 1, 'x');
  sink.reads = false;
  open(followed());
  look(kLogSlowReaderMs - 1);
  EXPECT_FALSE(sink.cut_for);
  look(kLogCatchUpMs);
  ASSERT_TRUE(sink.cut_for);
  EXPECT_EQ(sink.cut_for->code, Errc::kTimeout);
  EXPECT_EQ(scheduler.next_alarm_in(), std::nullopt);
}

TEST_F(LogStreamTest, AHeadHasNoBody) {
  log() = "one\n";
  auto source = followed();
  source.head_only = true;
  open(source);
  EXPECT_EQ(sink.status, 200);
  EXPECT_EQ(sink.written, "");
  EXPECT_TRUE(sink.ended);
}

TEST_F(LogStreamTest, EndsWithTheLogin) {
  log() = "one\n";
  open(followed());
  allowed = false;
  log() += "two\n";
  look();
  EXPECT_TRUE(sink.ended);
  EXPECT_EQ(sink.written, "one\n");
}

TEST_F(LogStreamTest, EndsWithTheProgram) {
  log() = "one\n";
  open(followed());
  stream->on_drain();
  EXPECT_TRUE(sink.ended);
  EXPECT_EQ(scheduler.next_alarm_in(), std::nullopt);
}

TEST_F(LogStreamTest, AnswersFirstWhereTheProgramEndsBefore) {
  log() = "one\n";
  stream = stream_of(followed());
  stream->start(sink);
  stream->on_drain();
  EXPECT_FALSE(sink.ended);
  sessions.run();
  EXPECT_EQ(sink.written, "one\n");
  EXPECT_TRUE(sink.ended);
}

TEST_F(LogStreamTest, AnEndInsideALookIsTheLast) {
  log() = "one\n";
  open(followed());
  scheduler.advance(kLogFollowMs);
  log() += "two\n";
  stream->on_drain();
  sessions.run();
  EXPECT_TRUE(sink.ended);
  EXPECT_EQ(scheduler.next_alarm_in(), std::nullopt);
}

TEST_F(LogStreamTest, SoManyFollowALogAndNoMore) {
  log() = "one\n";
  std::vector<std::unique_ptr<Responder>> others;
  for (std::size_t i = 0; i + 1 < kLogFollowersMax; ++i) others.push_back(stream_of(followed()));
  open(followed());
  EXPECT_EQ(sink.status, 200);
  sink = FakeSink();
  const auto one_more = stream_of(followed());
  one_more->start(sink);
  ASSERT_TRUE(sink.answered);
  EXPECT_EQ(sink.answered->status, 429);
  FakeSink other;
  const auto single = stream_of(once());
  single->start(other);
  sessions.run();
  EXPECT_EQ(other.answered->status, 200) << "who does not follow is not counted";
}

TEST_F(LogStreamTest, WhoHasGoneIsNotCounted) {
  log() = "one\n";
  open(followed());
  EXPECT_EQ(followers.size(), 1U);
  stream.reset();
  EXPECT_TRUE(followers.empty());
  scheduler.advance(kLogFollowMs);
  sessions.run();
  EXPECT_EQ(sink.written, "one\n");
}

}  // namespace
}  // namespace hpc
