#include "tests/support/stream_contract.h"

namespace hpc {

TEST_P(StreamContractTest, CarriesBytesInOrderBothWays) {
  const auto down = numbered_bytes(3'000'000);
  const auto up = numbered_bytes(2'000'001);
  pair.theirs->write(as_bytes(down));
  pair.ours->write(as_bytes(up));
  ASSERT_TRUE(wait_for(
      [&] { return ours.received.size() >= down.size() && theirs.received.size() >= up.size(); }));
  EXPECT_TRUE(ours.received == down);
  EXPECT_TRUE(theirs.received == up);
}

TEST_P(StreamContractTest, GathersPartsInOrder) {
  const Bytes parts[] = {as_bytes("one "), as_bytes(""), as_bytes("two "), as_bytes("three")};
  pair.ours->write_parts(parts);
  ASSERT_TRUE(wait_for([&] { return theirs.received.size() == 13; }));
  EXPECT_EQ(theirs.received, "one two three");
}

TEST_P(StreamContractTest, HalfCloseKeepsTheOtherDirection) {
  pair.ours->write(as_bytes("request"));
  pair.ours->shutdown_write();
  ASSERT_TRUE(wait_for([&] { return theirs.ends == 1; }));
  EXPECT_EQ(theirs.received, "request");
  EXPECT_EQ(theirs.closes, 0);
  pair.theirs->write(as_bytes("late answer"));
  pair.theirs->shutdown_write();
  ASSERT_TRUE(wait_for([&] { return ours.closes == 1 && theirs.closes == 1; }));
  EXPECT_EQ(ours.received, "late answer");
  EXPECT_EQ(ours.ends, 1);
  EXPECT_TRUE(ours.why.has_value());
  EXPECT_TRUE(theirs.why.has_value());
}

TEST_P(StreamContractTest, ShutdownFlushesWhatIsQueued) {
  const auto text = numbered_bytes(8'000'000);
  pair.ours->write(as_bytes(text));
  pair.ours->shutdown_write();
  ASSERT_TRUE(wait_for([&] { return theirs.ends == 1; }));
  EXPECT_TRUE(theirs.received == text);
}

TEST_P(StreamContractTest, WriteAfterShutdownIsIgnored) {
  pair.ours->write(as_bytes("a"));
  pair.ours->shutdown_write();
  pair.ours->write(as_bytes("b"));
  ASSERT_TRUE(wait_for([&] { return theirs.ends == 1; }));
  EXPECT_EQ(theirs.received, "a");
}

TEST_P(StreamContractTest, EveryPauseReasonMustBeResumed) {
  pair.ours->pause_read(PauseReason::kPeerQueueFull);
  pair.ours->pause_read(PauseReason::kMessageDone);
  pair.theirs->write(as_bytes("hidden"));
  settle(environment->loop());
  EXPECT_EQ(ours.received, "");
  pair.ours->resume_read(PauseReason::kPeerQueueFull);
  settle(environment->loop());
  EXPECT_EQ(ours.received, "");
  pair.ours->resume_read(PauseReason::kMessageDone);
  EXPECT_TRUE(wait_for([&] { return ours.received == "hidden"; }));
}

TEST_P(StreamContractTest, DrainComesWhenTheQueueIsShortAgain) {
  pair.theirs->pause_read(PauseReason::kPeerQueueFull);
  const std::string block(std::size_t{64} * 1024, 'x');
  std::size_t written = 0;
  while (pair.ours->queued_bytes() < kQueueBytesMax) {
    pair.ours->write(as_bytes(block));
    written += block.size();
    environment->loop().turn();
    ASSERT_LT(written, std::size_t{512} * 1024 * 1024) << "the queue never fills";
  }
  const int before = ours.drains;  // while the transport took whole blocks at once
  settle(environment->loop());
  EXPECT_EQ(ours.drains, before) << "it is still long";
  pair.theirs->resume_read(PauseReason::kPeerQueueFull);
  ASSERT_TRUE(wait_for([&] { return ours.drains > before; }));
  EXPECT_LE(pair.ours->queued_bytes(), kQueueBytesLow);
  ASSERT_TRUE(wait_for([&] { return theirs.received.size() == written; }));
  EXPECT_LE(ours.drains, before + 2) << "once when it is short, and once when it is empty";
}

// Else whoever was paused for a queue that never got long would wait for ever.
TEST_P(StreamContractTest, DrainComesWhenAShortQueueIsEmptyAgain) {
  pair.theirs->pause_read(PauseReason::kPeerQueueFull);
  const std::string block(std::size_t{16} * 1024, 'x');
  std::size_t written = 0;
  for (int quiet = 0; quiet < 20; quiet = pair.ours->queued_bytes() == 0 ? 0 : quiet + 1) {
    if (pair.ours->queued_bytes() == 0) {
      pair.ours->write(as_bytes(block));
      written += block.size();
    }
    environment->loop().turn();
    ASSERT_LT(written, std::size_t{512} * 1024 * 1024) << "the kernel takes everything";
  }
  ASSERT_LE(pair.ours->queued_bytes(), kQueueBytesLow);
  const int before = ours.drains;
  pair.theirs->resume_read(PauseReason::kPeerQueueFull);
  EXPECT_TRUE(wait_for([&] { return ours.drains > before; }));
  EXPECT_EQ(pair.ours->queued_bytes(), 0U);
  EXPECT_TRUE(wait_for([&] { return theirs.received.size() == written; }));
}

TEST_P(StreamContractTest, AbortClosesInALaterTurnExactlyOnce) {
  pair.ours->abort({Errc::kNetwork, "test", "cut"});
  EXPECT_EQ(ours.closes, 0);
  ASSERT_TRUE(wait_for([&] { return ours.closes == 1 && theirs.closes + theirs.ends > 0; }));
  ASSERT_FALSE(ours.why.has_value());
  EXPECT_EQ(ours.why.error().detail, "cut");
  if (environment->abort_is_seen_as_failure()) {
    EXPECT_FALSE(theirs.why.has_value());
  }
  pair.ours->abort({Errc::kNetwork, "test", "again"});
  settle(environment->loop());
  EXPECT_EQ(ours.closes, 1);
}

TEST_P(StreamContractTest, AbortDropsTheQueue) {
  pair.theirs->pause_read(PauseReason::kPeerQueueFull);
  pair.ours->write(as_bytes(std::string(std::size_t{32} * 1024 * 1024, 'x')));
  pair.ours->abort({Errc::kNetwork, "test", "cut"});
  EXPECT_TRUE(wait_for([&] { return ours.closes == 1; }));
}

TEST_P(StreamContractTest, DestroyingIsSilentForUsAndSeenByThePeer) {
  pair.ours.reset();
  ASSERT_TRUE(wait_for([&] { return theirs.ends + theirs.closes > 0; }));
  EXPECT_EQ(ours.ends + ours.closes + ours.drains, 0);
}

TEST_P(StreamContractTest, DestroyingWhileAWriteIsQueuedIsSafe) {
  pair.theirs->pause_read(PauseReason::kPeerQueueFull);
  pair.ours->write(as_bytes(std::string(std::size_t{32} * 1024 * 1024, 'x')));
  pair.ours.reset();
  settle(environment->loop());
  EXPECT_EQ(ours.closes, 0);
}

TEST_P(StreamContractTest, AnotherListenerTakesOver) {
  pair.theirs->write(as_bytes("first"));
  ASSERT_TRUE(wait_for([&] { return ours.received == "first"; }));
  Recorder second;
  pair.ours->start(second);
  pair.theirs->write(as_bytes("second"));
  ASSERT_TRUE(wait_for([&] { return second.received == "second"; }));
  EXPECT_EQ(ours.received, "first");
  pair.ours->start(ours);  // `second` dies before the stream
}

}  // namespace hpc
