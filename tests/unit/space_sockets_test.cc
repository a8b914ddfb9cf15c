// Sockets of another network namespace in the hands of this process: they reach what is there, and
// the kernel tells of them apart from ours.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <algorithm>
#include <optional>

#include "common/http_server.h"
#include "common/peer_owner.h"
#include "common/target_owner.h"
#include "common/tcp_stream.h"
#include "node-proxy/access.h"
#include "node-proxy/listening_sockets.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/network_space_fixture.h"

namespace hpc {
namespace {

struct SpaceSocketsTest : LoopFixture {
  void SetUp() override {
    if (const auto works = probe_network_space(); !works) GTEST_SKIP() << describe(works.error());
    space.emplace();
  }
  UniqueFd tcp(int family = AF_INET) const { return space->make(family, SOCK_STREAM); }
  UniqueFd diag() const { return space->make(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG); }

  std::unique_ptr<TcpListener> listen_inside(const std::string& address, std::uint16_t port,
                                             std::unique_ptr<TcpStream>& accepted) {
    auto listener = TcpListener::listen(loop, tcp(address == "::1" ? AF_INET6 : AF_INET), address,
                                        port, [&](auto stream) { accepted = std::move(stream); });
    if (!listener) ADD_FAILURE() << listener.error().detail;
    return listener ? std::move(*listener) : nullptr;
  }
  std::unique_ptr<TcpListener> listen_outside(std::uint16_t port,
                                              std::unique_ptr<TcpStream>& accepted) {
    auto listener = TcpListener::listen(loop, "127.0.0.1", port,
                                        [&](auto stream) { accepted = std::move(stream); });
    return listener ? std::move(*listener) : nullptr;
  }
  /// Empty `fd`: from outside.
  Result<std::unique_ptr<TcpStream>> connect(UniqueFd fd, const std::string& address,
                                             std::uint16_t port) {
    std::optional<Result<std::unique_ptr<TcpStream>>> result;
    const auto pending = connect_tcp(loop, std::move(fd), address, port, 5000,
                                     [&](auto got) { result.emplace(std::move(got)); });
    wait_for([&] { return result.has_value(); });
    return std::move(*result);
  }

  std::optional<NetworkSpaceMaker> space;
  std::unique_ptr<TcpStream> inside, outside;
};

TEST_F(SpaceSocketsTest, SamePortIsAnotherOneInside) {
  const auto in = listen_inside("127.0.0.1", 0, inside);
  ASSERT_TRUE(in);
  const auto out = listen_outside(in->port(), outside);
  if (!out) GTEST_SKIP() << "the port is taken outside";
  const auto connected = connect(tcp(), "127.0.0.1", in->port());
  ASSERT_TRUE(connected);
  ASSERT_TRUE(wait_for([&] { return inside != nullptr; }));
  EXPECT_FALSE(outside);
  const auto other = connect({}, "127.0.0.1", in->port());
  ASSERT_TRUE(other);
  EXPECT_TRUE(wait_for([&] { return outside != nullptr; }));
}

TEST_F(SpaceSocketsTest, BothFamiliesWork) {
  for (const std::string address : {"127.0.0.1", "::1"}) {
    const auto listener = listen_inside(address, 0, inside);
    ASSERT_TRUE(listener);
    const auto connected =
        connect(tcp(address == "::1" ? AF_INET6 : AF_INET), address, listener->port());
    ASSERT_TRUE(connected) << connected.error().detail;
    EXPECT_EQ((*connected)->peer().address, address);
  }
}

TEST_F(SpaceSocketsTest, WhatListensOutsideIsNotReached) {
  const auto out = listen_outside(0, outside);
  const auto connected = connect(tcp(), "127.0.0.1", out->port());
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, Errc::kRefused);
}

TEST_F(SpaceSocketsTest, WhatListensInsideIsNotReachedFromOutside) {
  const auto in = listen_inside("127.0.0.1", 0, inside);
  const auto connected = connect({}, "127.0.0.1", in->port());
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, Errc::kRefused);
}

TEST_F(SpaceSocketsTest, TakenPortInsideIsSaid) {
  const auto first = listen_inside("127.0.0.1", 0, inside);
  const auto second = TcpListener::listen(loop, tcp(), "127.0.0.1", first->port(), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().detail,
            "127.0.0.1:" + std::to_string(first->port()) + ": address in use");
}

TEST_F(SpaceSocketsTest, SocketOfTheWrongFamilyIsAnError) {
  EXPECT_FALSE(connect(tcp(AF_INET), "::1", 5500));
  EXPECT_FALSE(TcpListener::listen(loop, tcp(AF_INET), "::1", 0, {}));
}

TEST_F(SpaceSocketsTest, NoSocketIsLeftOfAFailure) {
  const int next = dup(0);
  close(next);
  EXPECT_FALSE(connect(tcp(), "127.0.0.1", 9));
  EXPECT_FALSE(connect(tcp(), "nobody", 9));
  EXPECT_FALSE(TcpListener::listen(loop, tcp(), "10.1.2.3", 0, {}));
  settle(loop);
  const int again = dup(0);
  close(again);
  EXPECT_EQ(again, next);
}

/// Asks both tables about the peer of one accepted connection.
struct OwnerSpaceTest : SpaceSocketsTest {
  void SetUp() override {
    SpaceSocketsTest::SetUp();
    if (IsSkipped()) return;
    auto lookup = make_netlink_lookup(diag());
    ASSERT_TRUE(lookup);
    lookup_inside = std::move(*lookup);
    owner_inside = make_peer_owner(lookup_inside);
    owner_outside = make_peer_owner(make_system_lookup());
  }
  static bool is_mine(PeerOwner& owner, const TcpStream& stream) {
    return owner.peer_belongs_to(stream.peer(), stream.local(), geteuid()).value_or(false);
  }
  std::shared_ptr<SocketLookup> lookup_inside;
  std::unique_ptr<PeerOwner> owner_inside, owner_outside;
};

TEST_F(OwnerSpaceTest, InsidersConnectionIsKnownInsideOnly) {
  const auto listener = listen_inside("127.0.0.1", 0, inside);
  const auto connected = connect(tcp(), "127.0.0.1", listener->port());
  ASSERT_TRUE(connected && wait_for([&] { return inside != nullptr; }));
  EXPECT_TRUE(is_mine(*owner_inside, *inside));
  EXPECT_TRUE(owner_inside->peer_is_open(inside->peer(), inside->local()));
  EXPECT_FALSE(is_mine(*owner_outside, *inside));
  EXPECT_FALSE(owner_outside->peer_is_open(inside->peer(), inside->local()));
}

TEST_F(OwnerSpaceTest, OutsidersConnectionIsKnownOutsideOnly) {
  const auto listener = listen_outside(0, outside);
  const auto connected = connect({}, "127.0.0.1", listener->port());
  ASSERT_TRUE(connected && wait_for([&] { return outside != nullptr; }));
  EXPECT_TRUE(is_mine(*owner_outside, *outside));
  EXPECT_FALSE(is_mine(*owner_inside, *outside));
}

TEST_F(OwnerSpaceTest, AppInsideIsOurs) {
  const auto listener = listen_inside("127.0.0.1", 0, inside);
  const auto connected = connect(tcp(), "127.0.0.1", listener->port());
  ASSERT_TRUE(connected);
  const auto verdict_of = [&](std::shared_ptr<SocketLookup> lookup) {
    return *make_target_owner(std::move(lookup))
                ->owner_of((*connected)->peer(), (*connected)->local(), geteuid());
  };
  EXPECT_EQ(verdict_of(lookup_inside), TargetVerdict::kOurs);
  EXPECT_EQ(verdict_of(make_system_lookup()), TargetVerdict::kGone);
}

/// Says the same of every connection.
class CertainOwner final : public PeerOwner {
 public:
  explicit CertainOwner(bool ours) : ours_(ours) {}
  Result<bool> peer_belongs_to(const SocketAddress&, const SocketAddress&, std::uint32_t) override {
    ++asked;
    return ours_;
  }
  bool peer_is_open(const SocketAddress&, const SocketAddress&) override { return ours_; }
  bool peer_has_closed(const SocketAddress&, const SocketAddress&) override { return ours_; }
  int asked = 0;

 private:
  bool ours_;
};

// The same four numbers are a connection of ours on one side, and a stranger's on the other.
TEST(PeerOfSpaceTest, OnlyTheTableOfItsOwnSideIsAsked) {
  for (const bool ours_inside : {true, false}) {
    CertainOwner inside(ours_inside), outside(!ours_inside);
    const Access access(std::string(64, '7'), false, 20001, outside);
    ClientInfo of_inside;
    of_inside.loopback = true;
    ClientInfo of_outside = of_inside;
    of_inside.peer_owner = &inside;
    EXPECT_EQ(access.same_user(of_inside), ours_inside);
    EXPECT_EQ(outside.asked, 0);
    EXPECT_EQ(access.same_user(of_outside), !ours_inside);
    EXPECT_EQ(inside.asked, 1);

    HttpServerOptions options;
    ask_about_peers(options, outside);
    EXPECT_EQ(options.peer_still_open(of_inside), ours_inside);
    EXPECT_EQ(options.peer_has_closed(of_inside), ours_inside);
    EXPECT_EQ(options.peer_still_open(of_outside), !ours_inside);
    EXPECT_EQ(options.peer_has_closed(of_outside), !ours_inside);
  }
}

bool lists(const Result<std::vector<SocketEntry>>& sockets, const TcpListener& listener) {
  const auto wanted = make_socket_end("127.0.0.1", listener.port());
  return sockets && std::any_of(sockets->begin(), sockets->end(),
                                [&](const auto& entry) { return entry.local == *wanted; });
}

TEST_F(SpaceSocketsTest, ListeningSocketsAreThoseInside) {
  const UniqueFd fd = diag();
  const auto in = listen_inside("127.0.0.1", 0, inside);
  const auto out = listen_outside(0, outside);
  EXPECT_TRUE(lists(own_listening_sockets_over(fd.get(), geteuid()), *in));
  EXPECT_FALSE(lists(own_listening_sockets_over(fd.get(), geteuid()), *out));
  EXPECT_FALSE(lists(own_listening_sockets(geteuid()), *in));
}

TEST_F(SpaceSocketsTest, ListIsAskedForManyTimes) {
  const UniqueFd fd = diag();
  auto in = listen_inside("127.0.0.1", 0, inside);
  const auto later = listen_inside("127.0.0.1", 0, inside);
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(lists(own_listening_sockets_over(fd.get(), geteuid()), *in)) << i;
  const auto port = in->port();
  in.reset();
  settle(loop);
  const auto now = own_listening_sockets_over(fd.get(), geteuid());
  ASSERT_TRUE(now);
  EXPECT_EQ(now->size(), 1U) << port;
}

TEST_F(SpaceSocketsTest, AnswersToSomethingElseAreNoList) {
  const UniqueFd fd = diag();
  // What an earlier dump has left unread: two pieces, and the socket is still busy with them.
  struct {
    nlmsghdr header;
    char request[56];
  } question{};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = 20;  // SOCK_DIAG_BY_FAMILY
  question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.header.nlmsg_seq = 1;
  question.request[0] = AF_INET;
  question.request[1] = IPPROTO_TCP;
  const auto in = listen_inside("127.0.0.1", 0, inside);
  ASSERT_EQ(send(fd.get(), &question, sizeof question, 0), static_cast<ssize_t>(sizeof question));
  EXPECT_TRUE(lists(own_listening_sockets_over(fd.get(), geteuid()), *in));
}

TEST_F(SpaceSocketsTest, NothingIsListedWhereNobodyListens) {
  const UniqueFd fd = diag();
  const auto listed = own_listening_sockets_over(fd.get(), geteuid());
  ASSERT_TRUE(listed);
  EXPECT_TRUE(listed->empty());
}

TEST(ListOfSpaceTest, NoSocketMeansNoList) {
  EXPECT_EQ(own_listening_sockets_over(-1, geteuid()).error().code, Errc::kSystem);
  EXPECT_FALSE(make_netlink_lookup(UniqueFd()));
}

}  // namespace
}  // namespace hpc
