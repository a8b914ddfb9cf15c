#include "node-proxy/run/space_dialer.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "common/unique_fd.h"
#include "node-proxy/run/space_reach.h"
#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

/// A keeper that gives sockets of this process's own network, when the test says so.
struct SpaceDialerTest : LoopFixture {
  struct Wish final : Pending {
    explicit Wish(SpaceDialerTest& owner) : test(owner) {}
    ~Wish() override { test.done = nullptr; }
    SpaceDialerTest& test;
  };
  AskSocket ask = [this](const SocketWish& wish, KeeperLink::SocketDone then) {
    asked = wish;
    ++asked_times;
    done = std::move(then);
    return std::make_unique<Wish>(*this);
  };
  UniqueFd tcp() const {
    return UniqueFd(socket(asked.family, asked.type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  }
  void dial(const std::string& address, std::uint16_t port, std::uint64_t timeout_ms = 5000) {
    pending = make_space_dial(loop, ask)(address, port, timeout_ms,
                                         [this](auto got) { result.emplace(std::move(got)); });
  }
  Errc error() {
    if (!wait_for([this] { return result.has_value(); })) return Errc::kUsage;
    return *result ? Errc::kConflict : result->error().code;
  }

  SocketWish asked;
  int asked_times = 0;
  KeeperLink::SocketDone done;
  std::unique_ptr<TcpStream> accepted;
  std::unique_ptr<TcpListener> listener = std::move(*TcpListener::listen(
      loop, "127.0.0.1", 0, [this](auto stream) { accepted = std::move(stream); }));
  std::unique_ptr<Pending> pending;
  std::optional<Result<std::unique_ptr<TcpStream>>> result;
};

TEST_F(SpaceDialerTest, ConnectsWithTheSocketItGot) {
  dial("127.0.0.1", listener->port());
  EXPECT_EQ(asked.family, AF_INET);
  EXPECT_EQ(asked.type, SOCK_STREAM);
  done(tcp());
  ASSERT_TRUE(wait_for([this] { return result && accepted; }));
  ASSERT_TRUE(*result);
  EXPECT_EQ((**result)->peer().port, listener->port());
  EXPECT_EQ((**result)->local().port, accepted->peer().port);
}

TEST_F(SpaceDialerTest, FamilyIsThatOfTheAddress) {
  dial("::1", 5500);
  EXPECT_EQ(asked.family, AF_INET6);
}

TEST_F(SpaceDialerTest, ClosedPortIsRefused) {
  const auto port = listener->port();
  listener.reset();
  settle(loop);
  dial("127.0.0.1", port);
  done(tcp());
  EXPECT_EQ(error(), Errc::kRefused);
}

TEST_F(SpaceDialerTest, NamesAreNotResolved) {
  dial("localhost", 5500);
  EXPECT_FALSE(result) << "only in a later turn";
  EXPECT_EQ(error(), Errc::kBadRequest);
  EXPECT_EQ(asked_times, 0);
}

TEST_F(SpaceDialerTest, KeeperThatCannotIsUnavailable) {
  dial("127.0.0.1", listener->port());
  done(fail(Errc::kSystem, "keeper", "it is gone"));
  EXPECT_FALSE(result) << "only in a later turn";
  EXPECT_EQ(error(), Errc::kUnavailable);
  EXPECT_EQ(result->error().detail,
            "127.0.0.1 port " + std::to_string(listener->port()) + ": it is gone");
}

// What came would be one of the last, so it is not even asked for.
TEST_F(SpaceDialerTest, NoSocketIsAskedForWhenDescriptorsAreShort) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = dup(0);
  close(next);
  const rlimit few = {static_cast<rlim_t>(next) + 2, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  dial("127.0.0.1", listener->port());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(error(), Errc::kUnavailable);
  EXPECT_EQ(asked_times, 0);
}

TEST_F(SpaceDialerTest, SilentKeeperIsATimeout) {
  dial("127.0.0.1", listener->port(), 1);
  EXPECT_EQ(error(), Errc::kTimeout);
}

TEST_F(SpaceDialerTest, SocketThatComesTooLateIsClosed) {
  dial("127.0.0.1", listener->port(), 1);
  EXPECT_EQ(error(), Errc::kTimeout);
  result.reset();
  UniqueFd late = tcp();
  const int number = late.get();
  done(std::move(late));
  settle(loop);
  EXPECT_FALSE(result);
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

TEST_F(SpaceDialerTest, CancelledWhileAskingNeverCallsBack) {
  dial("127.0.0.1", listener->port());
  pending.reset();
  EXPECT_EQ(done, nullptr) << "the question is cancelled, too";
  settle(loop);
  EXPECT_FALSE(result);
}

TEST_F(SpaceDialerTest, CancelledWhileConnectingNeverCallsBack) {
  dial("127.0.0.1", listener->port());
  done(tcp());
  pending.reset();
  settle(loop);
  EXPECT_FALSE(result);
}

TEST_F(SpaceDialerTest, CancelledBetweenFailureAndItsNewsNeverCallsBack) {
  dial("127.0.0.1", listener->port());
  done(fail(Errc::kSystem, "keeper", "it is gone"));
  pending.reset();
  settle(loop);
  EXPECT_FALSE(result);
}

TEST_F(SpaceDialerTest, MayBeDestroyedByItsOwnCallback) {
  pending = make_space_dial(loop, ask)("127.0.0.1", listener->port(), 5000, [this](auto got) {
    pending.reset();
    result.emplace(std::move(got));
  });
  done(tcp());
  ASSERT_TRUE(wait_for([this] { return result.has_value(); }));
  EXPECT_TRUE(*result);
}

/// Gives every socket that is wished for in the next turn, but the one with the number `missing`.
struct SpaceReachTest : LoopFixture {
  struct Nothing final : Pending {};
  AskSocket ask = [this](const SocketWish& wish, KeeperLink::SocketDone then) {
    loop.post([this, wish, then = std::move(then)] {
      if (++made == missing) return then(fail(Errc::kSystem, "keeper", "no"));
      then(UniqueFd(socket(wish.family, wish.type | SOCK_CLOEXEC | SOCK_NONBLOCK, wish.protocol)));
    });
    return std::make_unique<Nothing>();
  };
  int made = 0;
  int missing = 0;
};

TEST_F(SpaceReachTest, HasAllThatIsNeeded) {
  const auto reach = reach_into_space(loop, ask);
  ASSERT_TRUE(reach);
  EXPECT_TRUE(reach->dial);
  EXPECT_TRUE(reach->lookup);
  ASSERT_EQ(reach->entrance.size(), 2U);
  EXPECT_EQ(reach->entrance[0].address, "127.0.0.1");
  EXPECT_EQ(reach->entrance[1].address, "::1");
  EXPECT_TRUE(reach->private_addresses.empty());
}

TEST_F(SpaceReachTest, NoneButIpv6MayBeMissing) {
  for (missing = 1; missing <= 3; ++missing) {
    made = 0;
    const auto reach = reach_into_space(loop, ask);
    ASSERT_FALSE(reach) << missing;
    EXPECT_EQ(reach.error().detail, "no");
  }
  made = 0;
  const auto reach = reach_into_space(loop, ask);
  ASSERT_TRUE(reach);
  EXPECT_EQ(reach->entrance.size(), 1U);
}

}  // namespace
}  // namespace hpc
