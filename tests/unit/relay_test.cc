#include "common/relay.h"

#include <gtest/gtest.h>

#include "tests/support/fake_stream.h"

namespace hpc {
namespace {

struct RelayTest : ::testing::Test, Relay::Owner {
  FakeStream* client = new FakeStream;  // owned by `relay`
  FakeStream* target = new FakeStream;
  int done_count = 0;
  BufferBudget budget{kQueueBytesMax};
  Relay relay{std::unique_ptr<Stream>(client), std::unique_ptr<Stream>(target), &budget, this};
  std::size_t bytes_up = 0;
  std::size_t bytes_down = 0;
  Status last_word;
  void on_relay_done(const Status& why) noexcept override {
    ++done_count;
    last_word = why;
  }
  void on_relay_bytes(std::size_t from_client, std::size_t from_target) noexcept override {
    bytes_up += from_client;
    bytes_down += from_target;
  }
  void SetUp() override { relay.start(); }
  void turn() {
    client->turn();
    target->turn();
  }
};

TEST_F(RelayTest, SlowTargetPausesClientUntilItDrains) {
  client->deliver(std::string(300 * 1024, 'x'));
  EXPECT_TRUE(client->paused);
  EXPECT_FALSE(target->paused);
  target->drain();
  EXPECT_FALSE(client->paused);
}

TEST_F(RelayTest, UsedUpBudgetPausesTheSideThatDeliversUntilThereIsRoom) {
  constexpr auto kMemory = static_cast<unsigned>(PauseReason::kMemoryBound);
  BudgetShare other(budget, [] {});
  other.hold(kQueueBytesMax - 10);
  target->deliver(std::string(9, 'x'));
  EXPECT_EQ(target->paused & kMemory, 0U);
  target->deliver("x");
  EXPECT_TRUE(target->paused & kMemory);
  EXPECT_FALSE(client->paused) << "nothing of its own waits";
  other.hold(0);
  EXPECT_FALSE(target->paused);
}

TEST_F(RelayTest, GivesItsShareBackAtTheEnd) {
  client->deliver("1234");
  EXPECT_EQ(budget.used(), 4U);
  target->drain();
  EXPECT_EQ(budget.used(), 0U);
  client->deliver("5678");
  client->abort({Errc::kNetwork, "test", "cut"});
  turn();
  turn();
  EXPECT_EQ(done_count, 1);
  EXPECT_EQ(budget.used(), 0U);
}

TEST_F(RelayTest, HalfCloseIsPassedOn) {
  client->deliver_end();
  EXPECT_TRUE(target->half_closed);
  target->deliver("late answer");
  EXPECT_EQ(client->written, "late answer");
}

TEST_F(RelayTest, CleanEndKeepsQueuedBytes) {
  client->deliver("tail");
  client->deliver_end();
  target->deliver_end();
  turn();
  EXPECT_TRUE(client->closed);
  EXPECT_FALSE(target->closed) << "4 bytes are still in its queue";
  target->drain();
  turn();
  EXPECT_EQ(done_count, 1);
}

TEST_F(RelayTest, FailureOnOneSideEndsBothOnce) {
  target->abort({Errc::kNetwork, "tcp.read", "reset"});
  turn();
  turn();
  target->turn();
  EXPECT_TRUE(client->closed);
  EXPECT_EQ(done_count, 1);
}

TEST_F(RelayTest, TellsTheFirstFailure) {
  client->abort({Errc::kTimeout, "client", "slow"});
  turn();
  turn();
  ASSERT_FALSE(last_word);
  EXPECT_EQ(last_word.error().code, Errc::kTimeout);
  EXPECT_EQ(last_word.error().detail, "slow");
}

TEST_F(RelayTest, CountsTheBytesOfEachDirection) {
  client->deliver("123");
  target->deliver("1234567");
  client->deliver("4");
  EXPECT_EQ(bytes_up, 4U);
  EXPECT_EQ(bytes_down, 7U);
}

}  // namespace
}  // namespace hpc
