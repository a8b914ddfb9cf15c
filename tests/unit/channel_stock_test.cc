#include "manager/session/channel_stock.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/fake_stream.h"
#include "tests/support/manual_scheduler.h"

namespace hpc {
namespace {

struct ChannelStockTest : ::testing::Test {
  ManualScheduler scheduler;
  std::vector<Error> failures;
  ChannelStock stock{scheduler, [this](const Error& error) { failures.push_back(error); }};
  std::vector<ConnectDone> openings;  // asked for and not yet answered
  int channels = 0;
  std::vector<std::unique_ptr<Pending>> tickets;

  // What each taker got: "channel" or the error's code as text.
  std::vector<std::string> got;

  void open() {
    stock.open([this](ConnectDone done) -> std::unique_ptr<Pending> {
      openings.push_back(std::move(done));
      return std::make_unique<Pending>();
    });
    scheduler.run();
  }
  void answer_all() {
    while (!openings.empty()) {
      auto done = std::move(openings.front());
      openings.erase(openings.begin());
      ++channels;
      done(std::make_unique<FakeStream>());
      scheduler.run();
    }
  }
  void fail_one(Errc code) {
    auto done = std::move(openings.front());
    openings.erase(openings.begin());
    done(fail(code, "test", "no channel"));
    scheduler.run();
  }
  void take(bool may_wait) {
    tickets.push_back(stock.take(may_wait, [this](auto stream) {
      got.push_back(stream ? "channel"
                           : (stream.error().code == Errc::kUnavailable ? "unavailable" : "other"));
    }));
  }
  void down() { stock.close({Errc::kUnavailable, "test", "down"}); }
};

TEST_F(ChannelStockTest, KeepsWarmChannelsReady) {
  open();
  EXPECT_EQ(openings.size(), kWarmChannels);
  answer_all();
  EXPECT_EQ(stock.warm_count(), kWarmChannels);
  take(false);
  scheduler.run();
  EXPECT_EQ(got, std::vector<std::string>{"channel"});
  EXPECT_EQ(openings.size(), 1U) << "refilled at once";
}

TEST_F(ChannelStockTest, NeverAnswersFromInsideTheCall) {
  open();
  answer_all();
  take(false);
  EXPECT_TRUE(got.empty());
}

TEST_F(ChannelStockTest, ABurstOpensOneEachUpToTheBound) {
  open();
  for (int i = 0; i < 100; ++i) take(false);
  scheduler.run();
  EXPECT_EQ(openings.size(), kChannelOpeningsMax);
  answer_all();
  EXPECT_EQ(got.size(), 100U);
  EXPECT_EQ(stock.warm_count(), kWarmChannels);
}

TEST_F(ChannelStockTest, WhileClosedOnlyThoseWhoMayWaitDo) {
  take(false);
  take(true);
  scheduler.run();
  EXPECT_EQ(got, std::vector<std::string>{"unavailable"});
  open();
  answer_all();
  EXPECT_EQ(got, (std::vector<std::string>{"unavailable", "channel"}));
}

TEST_F(ChannelStockTest, WaitingEndsAfterTenSeconds) {
  take(true);
  scheduler.advance(kWaitingRequestMs - 1);
  EXPECT_TRUE(got.empty());
  scheduler.advance(1);
  EXPECT_EQ(got, std::vector<std::string>{"unavailable"});
}

TEST_F(ChannelStockTest, AtMostSixtyFourWait) {
  for (std::size_t i = 0; i < kWaitingRequestsMax; ++i) take(true);
  scheduler.run();
  EXPECT_TRUE(got.empty());
  take(true);
  scheduler.run();
  EXPECT_EQ(got, std::vector<std::string>{"unavailable"});
  EXPECT_EQ(stock.waiting_count(), kWaitingRequestsMax);
}

TEST_F(ChannelStockTest, AUsersTunnelsShareTheSeats) {
  const auto room = std::make_shared<WaitingRoom>();
  ChannelStock one(
      scheduler, [](const Error&) {}, room);
  ChannelStock two(
      scheduler, [](const Error&) {}, room);
  int refused = 0;
  const auto wait_at = [&](ChannelStock& at) {
    tickets.push_back(at.take(true, [&refused](auto stream) { refused += stream ? 0 : 1; }));
    scheduler.run();
  };
  for (std::size_t i = 0; i < kWaitingRequestsMax / 2; ++i) {
    wait_at(one);
    wait_at(two);
  }
  EXPECT_EQ(room->taken(), kWaitingRequestsMax);
  EXPECT_EQ(refused, 0);
  wait_at(two);
  EXPECT_EQ(refused, 1) << "the 65th, wherever it comes";
  take(true);
  scheduler.run();
  EXPECT_TRUE(got.empty()) << "another user's seats are his own";
  tickets.erase(tickets.begin());
  wait_at(two);
  EXPECT_EQ(refused, 1) << "one had gone";
  tickets.clear();
  EXPECT_EQ(room->taken(), 0U);
}

TEST_F(ChannelStockTest, WhoWaitsForAnOpeningNeedsNoSeat) {
  const auto room = std::make_shared<WaitingRoom>();
  ChannelStock shared(
      scheduler, [](const Error&) {}, room);
  const auto ticket = shared.take(true, [](auto) {});
  scheduler.run();
  EXPECT_EQ(room->taken(), 1U);
  shared.open([](const ConnectDone&) { return std::make_unique<Pending>(); });
  EXPECT_EQ(room->taken(), 0U);
  shared.close({Errc::kUnavailable, "test", "down"});
  scheduler.run();
  EXPECT_EQ(room->taken(), 1U);
  scheduler.advance(kWaitingRequestMs);
  EXPECT_EQ(room->taken(), 0U);
}

TEST_F(ChannelStockTest, AWithdrawnRequestIsForgotten) {
  take(true);
  tickets.clear();
  EXPECT_EQ(stock.waiting_count(), 0U);
  open();
  answer_all();
  EXPECT_TRUE(got.empty());
  EXPECT_EQ(stock.warm_count(), kWarmChannels);
}

TEST_F(ChannelStockTest, ClosingDropsTheStockAndRefusesWhoMayNotWait) {
  open();
  answer_all();
  for (int i = 0; i < 3; ++i) take(false);
  take(true);
  down();
  scheduler.run();
  EXPECT_EQ(stock.warm_count(), 0U);
  EXPECT_EQ(got.size(), 3U);
  EXPECT_EQ(stock.waiting_count(), 1U);
}

TEST_F(ChannelStockTest, AWarmChannelIsReplacedBeforeTheFarEndClosesIt) {
  open();
  answer_all();
  scheduler.advance(kWarmChannelMs - 1);
  EXPECT_TRUE(openings.empty());
  scheduler.advance(1);
  EXPECT_EQ(openings.size(), kWarmChannels);
}

TEST_F(ChannelStockTest, AWarmChannelThatDiesIsReplaced) {
  auto* stream = new FakeStream;
  stock.put(std::unique_ptr<Stream>(stream));
  open();
  answer_all();
  const int before = channels;
  stream->deliver_end();
  scheduler.run();
  answer_all();
  EXPECT_EQ(channels, before + 1);
  EXPECT_EQ(stock.warm_count(), kWarmChannels);
}

TEST_F(ChannelStockTest, AFailedOpeningIsTheTunnelsBusiness) {
  open();
  fail_one(Errc::kRefused);
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].code, Errc::kRefused);
}

TEST_F(ChannelStockTest, ABusyFarEndFailsTheOldestRequestOnly) {
  open();
  answer_all();
  for (int i = 0; i < 4; ++i) take(true);
  scheduler.run();
  EXPECT_EQ(got.size(), 2U);
  fail_one(Errc::kUnavailable);
  EXPECT_TRUE(failures.empty());
  EXPECT_EQ(got.back(), "unavailable");
  EXPECT_EQ(stock.waiting_count(), 1U);
}

TEST_F(ChannelStockTest, ARequestDoesNotWaitForEverForAnOpening) {
  open();
  take(false);
  scheduler.advance(kWaitingRequestMs);
  EXPECT_EQ(got, std::vector<std::string>{"unavailable"});
}

}  // namespace
}  // namespace hpc
