#include "common/tcp_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <vector>

#include "tests/support/stream_contract.h"

namespace hpc {
namespace {

class TcpEnvironment final : public StreamEnvironment {
 public:
  Loop& loop() override { return loop_; }
  StreamPair connect() override {
    StreamPair pair;
    auto listener = TcpListener::listen(
        loop_, "127.0.0.1", 0, [&pair](auto accepted) { pair.theirs = std::move(accepted); });
    if (!listener) return pair;
    const auto pending = connect_tcp(loop_, "127.0.0.1", (*listener)->port(), 5000,
                                     [&pair](auto result) { pair.ours = std::move(*result); });
    run_until(loop_, [&pair] { return pair.ours && pair.theirs; });
    return pair;
  }

 private:
  Loop loop_;
};

std::unique_ptr<StreamEnvironment> make_tcp() { return std::make_unique<TcpEnvironment>(); }

INSTANTIATE_TEST_SUITE_P(Tcp, StreamContractTest, ::testing::Values(StreamKind{"tcp", &make_tcp}));

struct TcpTest : LoopFixture {
  std::optional<Error> connect_error(const std::string& address, std::uint16_t port) {
    std::optional<Error> error;
    const auto pending = connect_tcp(loop, address, port, 5000, [&error](auto result) {
      if (!result) error = result.error();
    });
    EXPECT_FALSE(error) << "only in a later turn";
    wait_for([&error] { return error.has_value(); });
    return error;
  }
};

/// Of every socket of this process with that port at one of its ends: is Nagle off?
std::vector<bool> without_nagle(std::uint16_t port) {
  std::vector<bool> found;
  for (int fd = 3; fd < 1024; ++fd) {
    sockaddr_in ours{};
    sockaddr_in theirs{};
    socklen_t size = sizeof ours;
    int on = 0;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&ours), &size) != 0) continue;
    size = sizeof theirs;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&theirs), &size) != 0) continue;
    if (ntohs(ours.sin_port) != port && ntohs(theirs.sin_port) != port) continue;
    size = sizeof on;
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size);
    found.push_back(on != 0);
  }
  return found;
}

TEST_F(TcpTest, NagleIsOffAtBothEnds) {
  std::unique_ptr<TcpStream> theirs;
  std::unique_ptr<TcpStream> ours;
  const auto listener = TcpListener::listen(loop, "127.0.0.1", 0,
                                            [&](auto accepted) { theirs = std::move(accepted); });
  const auto port = (*listener)->port();
  const auto pending =
      connect_tcp(loop, "127.0.0.1", port, 5000, [&](auto result) { ours = std::move(*result); });
  ASSERT_TRUE(wait_for([&] { return ours && theirs; }));
  EXPECT_EQ(without_nagle(port), (std::vector{true, true}));
}

TEST_F(TcpTest, ClosedPortIsRefused) {
  std::uint16_t port = 0;
  {
    const auto listener = TcpListener::listen(loop, "127.0.0.1", 0, [](auto) {});
    port = (*listener)->port();
  }
  settle(loop);
  const auto error = connect_error("127.0.0.1", port);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::kRefused);
}

TEST_F(TcpTest, NamesAreNotResolved) {
  const auto error = connect_error("localhost", 80);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::kBadRequest);
}

TEST_F(TcpTest, BusyPortNamesAddressAndPort) {
  const auto first = TcpListener::listen(loop, "127.0.0.1", 0, [](auto) {});
  ASSERT_TRUE(first);
  const auto second = TcpListener::listen(loop, "127.0.0.1", (*first)->port(), [](auto) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().detail,
            "127.0.0.1:" + std::to_string((*first)->port()) + ": address in use");
}

TEST_F(TcpTest, CancelledConnectNeverCallsBack) {
  const auto listener = TcpListener::listen(loop, "127.0.0.1", 0, [](auto) {});
  bool called = false;
  auto pending =
      connect_tcp(loop, "127.0.0.1", (*listener)->port(), 5000, [&called](auto) { called = true; });
  pending.reset();
  settle(loop);
  EXPECT_FALSE(called);
}

// What a paused stream is asked: reading cannot tell it.
TEST_F(TcpTest, FarEndIsKnownWithoutReading) {
  for (const FarEnd far : {FarEnd::kEnded, FarEnd::kCut}) {
    TcpEnvironment environment;
    auto pair = environment.connect();
    ASSERT_TRUE(pair.ours && pair.theirs);
    Recorder ours, theirs;
    pair.ours->start(ours);
    pair.theirs->start(theirs);
    pair.ours->pause_read(PauseReason::kPeerQueueFull);
    pair.theirs->write(as_bytes("unread"));
    settle(environment.loop());
    EXPECT_EQ(pair.ours->far_end(), FarEnd::kOpen);
    if (far == FarEnd::kEnded) {
      pair.theirs->shutdown_write();
    } else {
      pair.theirs->abort({Errc::kNetwork, "test", "cut"});
    }
    EXPECT_TRUE(run_until(environment.loop(), [&] { return pair.ours->far_end() == far; }));
    EXPECT_EQ(ours.received, "");
    EXPECT_EQ(ours.ends + ours.closes, 0);
    pair = {};
    settle(environment.loop());
  }
}

TEST_F(TcpTest, TellsBothAddresses) {
  std::unique_ptr<TcpStream> accepted;
  const auto listener = TcpListener::listen(
      loop, "::1", 0, [&accepted](auto stream) { accepted = std::move(stream); });
  if (!listener) GTEST_SKIP() << "no IPv6 loopback here: " << listener.error().detail;
  std::unique_ptr<Stream> ours;
  const auto pending = connect_tcp(loop, "::1", (*listener)->port(), 5000,
                                   [&ours](auto result) { ours = std::move(*result); });
  ASSERT_TRUE(wait_for([&] { return accepted && ours; }));
  EXPECT_EQ(accepted->peer().address, "::1");
  EXPECT_EQ(accepted->local().port, (*listener)->port());
}

}  // namespace
}  // namespace hpc
