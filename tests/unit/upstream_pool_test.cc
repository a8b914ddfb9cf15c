#include "common/upstream_pool.h"

#include <string>
#include <vector>

#include "tests/support/fake_upstream.h"
#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

struct UpstreamPoolTest : LoopFixture {
  FakeConnector connector;

  FakeStream* give_back(UpstreamPool& pool, const std::string& key) {
    auto stream = std::make_unique<FakeStream>();
    auto* raw = stream.get();
    pool.give_back(key, std::move(stream));
    return raw;
  }
  static UpstreamLease take(UpstreamPool& pool, const std::string& key) {
    UpstreamLease lease;
    const auto pending = pool.take(key, false, lease, [](auto) {});
    return lease;
  }
};

TEST_F(UpstreamPoolTest, TakesTheYoungestOfTheSameKey) {
  UpstreamPool pool(loop, connector);
  give_back(pool, "a");
  auto* youngest = give_back(pool, "a");
  give_back(pool, "b");
  const auto lease = take(pool, "a");
  EXPECT_EQ(lease.stream.get(), youngest);
  EXPECT_TRUE(lease.reused);
  EXPECT_EQ(pool.idle_count(), 2U);
}

TEST_F(UpstreamPoolTest, AsksTheConnectorWhenNothingIsIdle) {
  UpstreamPool pool(loop, connector);
  UpstreamLease lease;
  UpstreamLease taken;
  const auto pending =
      pool.take("a", false, lease, [&](auto result) { taken = std::move(*result); });
  EXPECT_FALSE(lease.stream);
  connector.accept();
  EXPECT_TRUE(taken.stream);
  EXPECT_FALSE(taken.reused);
}

TEST_F(UpstreamPoolTest, FreshOnlyLeavesTheIdleOnes) {
  UpstreamPool pool(loop, connector);
  give_back(pool, "a");
  UpstreamLease lease;
  const auto pending = pool.take("a", true, lease, [](auto) {});
  EXPECT_FALSE(lease.stream);
  EXPECT_EQ(connector.attempts.size(), 1U);
}

TEST_F(UpstreamPoolTest, CancelledTakeNeverCallsBack) {
  UpstreamPool pool(loop, connector);
  UpstreamLease lease;
  bool called = false;
  auto pending = pool.take("a", false, lease, [&](auto) { called = true; });
  pending.reset();
  EXPECT_EQ(connector.accept(), nullptr);
  EXPECT_FALSE(called);
}

TEST_F(UpstreamPoolTest, KeepsAtMostItsLimits) {
  UpstreamPool pool(loop, connector, {.idle_ms = 4000, .idle_per_key_max = 2, .idle_max = 3});
  for (int i = 0; i < 3; ++i) give_back(pool, "a");
  EXPECT_EQ(pool.idle_count(), 2U);
  for (int i = 0; i < 2; ++i) give_back(pool, "b");
  EXPECT_EQ(pool.idle_count(), 3U);
}

TEST_F(UpstreamPoolTest, PastTheLimitOfAKeyTheOldestIsClosedAndTheNewOneKept) {
  UpstreamPool pool(loop, connector);
  const std::size_t limit = UpstreamPoolOptions{}.idle_per_key_max;
  EXPECT_EQ(limit, 1024U);
  std::vector<FakeStream*> streams;
  for (std::size_t i = 0; i < limit + 1; ++i) streams.push_back(give_back(pool, "a"));
  EXPECT_EQ(pool.idle_count(), limit);
  for (std::size_t i = limit; i > 0; --i) EXPECT_EQ(take(pool, "a").stream.get(), streams[i]);
  EXPECT_FALSE(take(pool, "a").stream);
}

TEST_F(UpstreamPoolTest, PastTheLimitOfAllKeysTheNewOneIsClosed) {
  UpstreamPool pool(loop, connector);
  const std::size_t limit = UpstreamPoolOptions{}.idle_max;
  EXPECT_EQ(limit, 2048U);
  for (std::size_t i = 0; i < limit + 1; ++i) give_back(pool, std::to_string(i));
  EXPECT_EQ(pool.idle_count(), limit);
  EXPECT_TRUE(take(pool, std::to_string(limit - 1)).stream);
  EXPECT_FALSE(take(pool, std::to_string(limit)).stream);
}

TEST_F(UpstreamPoolTest, LastWordsOfADroppedConnectionDoNotEndItsSuccessor) {
  UpstreamPool pool(loop, connector);
  auto* dropped = give_back(pool, "a");
  dropped->deliver("x");
  give_back(pool, "a");
  dropped->deliver_end();
  EXPECT_EQ(pool.idle_count(), 1U);
  EXPECT_FALSE(dropped->failure()) << "an idle connection ends in good order";
}

TEST_F(UpstreamPoolTest, WhateverAnIdleConnectionSaysEndsIt) {
  UpstreamPool pool(loop, connector);
  give_back(pool, "a")->deliver("x");
  EXPECT_EQ(pool.idle_count(), 0U);
  give_back(pool, "a")->deliver_end();
  EXPECT_EQ(pool.idle_count(), 0U);
  auto* broken = give_back(pool, "a");
  broken->abort({Errc::kNetwork, "peer", "reset"});
  broken->turn();
  EXPECT_EQ(pool.idle_count(), 0U);
}

TEST_F(UpstreamPoolTest, DropsWhatIsIdleTooLong) {
  UpstreamPool pool(loop, connector, {.idle_ms = 1, .idle_per_key_max = 2, .idle_max = 2});
  give_back(pool, "a");
  EXPECT_TRUE(wait_for([&] { return pool.idle_count() == 0; }));
}

TEST_F(UpstreamPoolTest, SweepLeavesWhatIsYoung) {
  UpstreamPool pool(loop, connector, {.idle_ms = 1000, .idle_per_key_max = 8, .idle_max = 8});
  give_back(pool, "old");
  give_back(pool, "both");
  const auto begun_ms = loop.now_ms();
  EXPECT_TRUE(wait_for([&] { return loop.now_ms() >= begun_ms + 700; }));
  auto* young = give_back(pool, "both");
  EXPECT_TRUE(wait_for([&] { return pool.idle_count() == 1; }));
  EXPECT_EQ(take(pool, "both").stream.get(), young);
}

TEST_F(UpstreamPoolTest, ClosedPoolKeepsNothing) {
  UpstreamPool pool(loop, connector);
  give_back(pool, "a");
  pool.close();
  EXPECT_EQ(pool.idle_count(), 0U);
  give_back(pool, "a");
  EXPECT_EQ(pool.idle_count(), 0U);
}

}  // namespace
}  // namespace hpc
