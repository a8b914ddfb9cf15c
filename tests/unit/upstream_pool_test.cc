#include "common/upstream_pool.h"

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
