#include "manager/session/idle_watch.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_tunnel_view.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

constexpr std::uint64_t kMinute = 60'000;
const std::string kToken(64, '7');
constexpr std::string_view kSome = R"({"last_activity":"2026-11-21T12:00:00.000Z"})";
constexpr std::string_view kMore = R"({"last_activity":"2026-11-21T12:00:00.001Z"})";
constexpr std::string_view kNone = R"({"last_activity":null})";

/// hpc-proxy answers each question with what the test has set.
struct IdleWatchTest : LoopFixture {
  using Warned = std::vector<unsigned>;

  IdleWatchTest() {
    tunnel.found.emplace();
    tunnel.found->token = kToken;
    watch_for(30 * kMinute);
  }
  void watch_for(std::uint64_t idle_ms) {
    watch = std::make_unique<IdleWatch>(
        scheduler, pool, tunnel, idle_ms,
        IdleWatch::Calls{[this](unsigned minutes) { warned.push_back(minutes); },
                         [this] { ++idle; }});
  }
  // Plays hpc-proxy for so long, a second at a time.
  void pass(std::uint64_t ms) {
    for (std::uint64_t passed = 0; passed <= ms; passed += 1'000) {
      answer();
      if (passed < ms) scheduler.advance(1'000);
    }
  }
  void answer() {
    scheduler.advance(0);
    while (!connector.attempts.empty()) {
      if (!body) {
        connector.fail(Errc::kUnavailable);
      } else if (auto* stream = connector.accept()) {
        ++asked;
        request = stream->written;
        stream->deliver("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " +
                        std::to_string(body->size()) + "\r\n\r\n" + *body);
      }
      scheduler.advance(0);
    }
  }

  ManualScheduler scheduler;
  FakeConnector connector;
  UpstreamPool pool{loop, connector};
  FakeTunnelView tunnel;
  std::optional<std::string> body = std::string(kSome);
  int status = 200;
  int asked = 0;
  std::string request;
  Warned warned;
  int idle = 0;
  std::unique_ptr<IdleWatch> watch;
};

TEST_F(IdleWatchTest, AsksNothingBeforeItsStart) {
  pass(5 * kMinute);
  EXPECT_EQ(asked, 0);
}

TEST_F(IdleWatchTest, AsksOnceAMinuteAsTheTokensHolder) {
  watch->start();
  pass(0);
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(request.starts_with("GET /status HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("X-HPC-Proxy-Token: " + kToken + "\r\n"), std::string::npos);
  pass(10 * kMinute);
  EXPECT_EQ(asked, 11);
  EXPECT_EQ(pool.idle_count(), 0U) << "each question closes its channel";
}

TEST_F(IdleWatchTest, WarnsFiveMinutesBeforeAndThenItIsIdle) {
  watch->start();
  pass(25 * kMinute - 1'000);
  EXPECT_EQ(warned, Warned{});
  pass(1'000);
  EXPECT_EQ(warned, Warned{5});
  pass(5 * kMinute - 1'000);
  EXPECT_EQ(idle, 0);
  pass(1'000);
  EXPECT_EQ(idle, 1);
  EXPECT_EQ(warned, Warned{5}) << "once";
  const int before = asked;
  pass(100 * kMinute);
  EXPECT_EQ(idle, 1);
  EXPECT_EQ(asked, before) << "nothing is asked any more";
}

TEST_F(IdleWatchTest, UseMakesTheTimeBeginAnewAndItIsWarnedAgain) {
  watch->start();
  pass(29 * kMinute);
  EXPECT_EQ(warned, Warned{5});
  body = kMore;
  pass(kMinute);
  EXPECT_EQ(idle, 0);
  pass(24 * kMinute);
  EXPECT_EQ(warned, Warned{5});
  pass(kMinute);
  EXPECT_EQ(warned, (Warned{5, 5}));
  pass(5 * kMinute);
  EXPECT_EQ(idle, 1);
}

TEST_F(IdleWatchTest, OneThatIsAlwaysUsedIsNeverIdle) {
  watch->start();
  for (int minute = 0; minute < 300; ++minute) {
    body = minute % 2 == 0 ? kSome : kMore;
    pass(kMinute);
  }
  EXPECT_EQ(warned, Warned{});
  EXPECT_EQ(idle, 0);
}

TEST_F(IdleWatchTest, NoByteYetCountsSinceTheStart) {
  body = kNone;
  watch->start();
  pass(29 * kMinute);
  EXPECT_EQ(warned, Warned{5});
  body = kSome;
  pass(kMinute);
  EXPECT_EQ(idle, 0) << "the first byte";
  body = kNone;  // another hpc-proxy, after a requeue
  pass(29 * kMinute);
  EXPECT_EQ(idle, 0);
  pass(2 * kMinute);  // the first of which shows the new one
  EXPECT_EQ(idle, 1);
}

TEST_F(IdleWatchTest, TheNodesClockDoesNotMatter) {
  body = R"({"last_activity":"1970-01-01T00:00:00.000Z"})";
  watch->start();
  pass(24 * kMinute);
  EXPECT_EQ(warned, Warned{}) << "a node whose clock is decades behind";
  body = R"({"last_activity":"1969-12-31T23:59:59.999Z"})";
  pass(24 * kMinute);
  EXPECT_EQ(warned, Warned{}) << "and was put back, which is a change";
}

TEST_F(IdleWatchTest, AQuestionThatFailsIsNoSignOfIdleness) {
  struct Bad {
    int status;
    std::optional<std::string> body;
  };
  const Bad bad[] = {{200, std::nullopt},
                     {503, std::string(kSome)},
                     {200, "no json"},
                     {200, "{}"},
                     {200, R"({"last_activity":7})"},
                     {200, R"({"last_activity":""})"},
                     {200, R"(["last_activity"])"},
                     {200, R"({"last_activity":")" + std::string(65, '1') + "\"}"}};
  for (const auto& each : bad) {
    warned.clear();
    status = 200;
    body = kSome;
    watch->start();
    pass(20 * kMinute);
    status = each.status;
    body = each.body;
    pass(100 * kMinute);
    EXPECT_EQ(warned, Warned{}) << each.body.value_or("no connection");
    status = 200;
    body = kSome;
    pass(5 * kMinute);
    EXPECT_EQ(warned, Warned{}) << "the time in which nobody knew does not count";
    pass(2 * kMinute);
    EXPECT_EQ(warned, Warned{5}) << "what was known before does";
  }
}

TEST_F(IdleWatchTest, AQuestionWithoutAnAnswerIsNoSignEither) {
  watch->start();
  pass(20 * kMinute);
  const int before = asked;
  for (int minute = 0; minute < 100; ++minute) scheduler.advance(kMinute);
  EXPECT_EQ(warned, Warned{});
  connector.attempts.clear();
  pass(2 * kMinute);
  EXPECT_GT(asked, before) << "it asks again";
}

TEST_F(IdleWatchTest, TheLongestTimeTextPasses) {
  body = R"({"last_activity":")" + std::string(64, '1') + "\"}";
  watch->start();
  pass(30 * kMinute);
  EXPECT_EQ(idle, 1);
}

TEST_F(IdleWatchTest, TheTimeInWhichTheTunnelIsDownIsNoSignOfIdleness) {
  watch->start();
  pass(20 * kMinute);
  const int before = asked;
  tunnel.up = false;
  pass(100 * kMinute);
  EXPECT_EQ(asked, before) << "nobody is asked";
  tunnel.up = true;
  tunnel.found.reset();
  pass(2 * kMinute);
  EXPECT_EQ(asked, before) << "nor while the proxy is unknown";
  tunnel.found.emplace();
  tunnel.found->token = kToken;
  pass(4 * kMinute);
  EXPECT_EQ(warned, Warned{});
  pass(3 * kMinute);
  EXPECT_EQ(warned, Warned{5});
}

TEST_F(IdleWatchTest, UseWhileTheTunnelWasDownIsUse) {
  watch->start();
  pass(29 * kMinute);
  tunnel.up = false;
  pass(kMinute);
  tunnel.up = true;
  body = kMore;
  pass(20 * kMinute);
  EXPECT_EQ(warned, Warned{5});
  EXPECT_EQ(idle, 0);
}

TEST_F(IdleWatchTest, AShortLimitIsWarnedOfAtOnce) {
  watch_for(3 * kMinute);
  watch->start();
  pass(0);
  EXPECT_EQ(warned, Warned{}) << "nobody knows yet";
  pass(kMinute);
  EXPECT_EQ(warned, Warned{3});
  pass(2 * kMinute);
  EXPECT_EQ(idle, 1);
  EXPECT_EQ(warned, Warned{3});
}

TEST_F(IdleWatchTest, EvenTheShortestLimitIsWarnedOf) {
  watch_for(kMinute);
  watch->start();
  pass(30'000);
  EXPECT_EQ(warned, Warned{1});
  EXPECT_EQ(idle, 0);
  pass(30'000);
  EXPECT_EQ(idle, 1);
}

TEST_F(IdleWatchTest, LimitsAtTheWarningAndPastIt) {
  watch_for(kIdleWarningMs);
  watch->start();
  pass(kMinute);
  EXPECT_EQ(warned, Warned{4}) << "with the first sign, a minute later";
  warned.clear();
  watch_for(kIdleWarningMs + 2 * kMinute);
  watch->start();
  pass(kMinute);
  EXPECT_EQ(warned, Warned{});
  pass(kMinute);
  EXPECT_EQ(warned, Warned{5});
}

TEST_F(IdleWatchTest, AStartBeginsAnew) {
  watch->start();
  pass(29 * kMinute);
  watch->start();
  EXPECT_EQ(warned, Warned{5});
  pass(29 * kMinute);
  EXPECT_EQ(warned, (Warned{5, 5}));
  EXPECT_EQ(idle, 0);
  pass(kMinute);
  EXPECT_EQ(idle, 1);
  watch->start();
  pass(30 * kMinute);
  EXPECT_EQ(idle, 2) << "also after it was idle";
}

TEST_F(IdleWatchTest, AStoppedOneAsksAndTellsNothing) {
  watch->start();
  pass(20 * kMinute);
  const int before = asked;
  watch->stop();
  pass(100 * kMinute);
  EXPECT_EQ(asked, before);
  watch->start();
  scheduler.advance(0);
  watch->stop();  // while a question is on its way
  EXPECT_EQ(connector.accept(), nullptr);
  EXPECT_EQ(warned, Warned{});
}

TEST_F(IdleWatchTest, AWarningAndAnEndMayDestroyIt) {
  const auto destroy = [this](auto...) {
    watch.reset();
    ++idle;
  };
  watch = std::make_unique<IdleWatch>(scheduler, pool, tunnel, 30 * kMinute,
                                      IdleWatch::Calls{destroy, [] { FAIL(); }});
  watch->start();
  pass(100 * kMinute);
  EXPECT_EQ(idle, 1);
  watch = std::make_unique<IdleWatch>(scheduler, pool, tunnel, 30 * kMinute,
                                      IdleWatch::Calls{[](unsigned) {}, destroy});
  watch->start();
  pass(100 * kMinute);
  EXPECT_EQ(idle, 2);
}

}  // namespace
}  // namespace hpc
