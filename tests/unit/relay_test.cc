#include "common/relay.h"

#include <gtest/gtest.h>

#include "tests/support/fake_stream.h"

namespace hpc {
namespace {

struct RelayTest : ::testing::Test {
  FakeStream* client = new FakeStream;  // owned by `relay`
  FakeStream* target = new FakeStream;
  int done_count = 0;
  Relay relay{std::unique_ptr<Stream>(client), std::unique_ptr<Stream>(target),
              [this](const Status&) { ++done_count; }};
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

}  // namespace
}  // namespace hpc
