#include "manager/gateway/local_ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <vector>

#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

/// A listening socket of somebody else's; closed at the end.
class ForeignListener {
 public:
  ForeignListener(int family, std::uint16_t port) : fd_(socket(family, SOCK_STREAM, 0)) {
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_storage storage{};
    socklen_t size = 0;
    if (family == AF_INET6) {
      auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
      address->sin6_family = AF_INET6;
      address->sin6_addr = in6addr_loopback;
      address->sin6_port = htons(port);
      size = sizeof *address;
    } else {
      auto* address = reinterpret_cast<sockaddr_in*>(&storage);
      address->sin_family = AF_INET;
      address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address->sin_port = htons(port);
      size = sizeof *address;
    }
    listens =
        bind(fd_, reinterpret_cast<const sockaddr*>(&storage), size) == 0 && listen(fd_, 1) == 0;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &size);
    taken = ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);  // at the same place in both
  }
  ~ForeignListener() { close(fd_); }
  ForeignListener(const ForeignListener&) = delete;
  ForeignListener& operator=(const ForeignListener&) = delete;
  bool listens = false;
  std::uint16_t taken = 0;

 private:
  int fd_;
};

std::size_t open_descriptors() {
  const auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

struct LocalPortsTest : LoopFixture {
  /// A range around a port that was free a moment ago.
  std::unique_ptr<PortPool> make_pool(std::uint16_t count) {
    const std::uint16_t port = ForeignListener(AF_INET, 0).taken;
    first = static_cast<std::uint16_t>(std::min<int>(port, 65536 - count));
    auto pool =
        PortPool::make({{"local", first, static_cast<std::uint16_t>(first + count - 1)}}, ports);
    EXPECT_TRUE(pool);
    return std::move(*pool);
  }
  std::unique_ptr<TcpStream> connect(const std::string& address, std::uint16_t port) {
    std::unique_ptr<TcpStream> stream;
    bool done = false;
    const auto pending = connect_tcp(loop, address, port, 5000, [&](auto result) {
      done = true;
      if (result) stream = std::move(*result);
    });
    wait_for([&] { return done; });
    return stream;
  }
  struct Arrival {
    std::unique_ptr<TcpStream> stream;
    ClientInfo client;
  };
  std::vector<Arrival> arrived;
  LocalPorts ports{loop, [this](auto stream, auto client) {
                     arrived.push_back({std::move(stream), std::move(client)});
                   }};
  std::uint16_t first = 0;
};

TEST_F(LocalPortsTest, AConnectionComesWithTheSessionThatThePortIsLentTo) {
  const auto pool = make_pool(20);
  const auto one = pool->allocate("session-1");
  const auto two = pool->allocate("session-2");
  ASSERT_TRUE(one && two);
  EXPECT_EQ(ports.held(), 2U);
  const auto client = connect("127.0.0.1", two->at("local"));
  ASSERT_TRUE(client);
  ASSERT_TRUE(wait_for([&] { return arrived.size() == 1; }));
  EXPECT_EQ(arrived[0].client.lent_to, "session-2");
  EXPECT_EQ(arrived[0].client.local_port, two->at("local"));
  EXPECT_TRUE(arrived[0].client.loopback);
  EXPECT_FALSE(arrived[0].client.authenticated);
}

TEST_F(LocalPortsTest, BothLoopbackAddressesAreLent) {
  const auto pool = make_pool(20);
  const auto lease = pool->allocate("session-1");
  ASSERT_TRUE(lease);
  const auto client = connect("::1", lease->at("local"));
  if (!client) GTEST_SKIP() << "no IPv6 loopback here";
  ASSERT_TRUE(wait_for([&] { return arrived.size() == 1; }));
  EXPECT_EQ(arrived[0].client.lent_to, "session-1");
  EXPECT_EQ(arrived[0].client.peer_address, "::1");
}

TEST_F(LocalPortsTest, TheBoundSocketIsTheLease) {
  const auto pool = make_pool(20);
  const auto lease = pool->allocate("session-1");
  ASSERT_TRUE(lease);
  EXPECT_FALSE(ForeignListener(AF_INET, lease->at("local")).listens);
  pool->release("session-1");
  EXPECT_EQ(ports.held(), 0U);
  EXPECT_TRUE(ForeignListener(AF_INET, lease->at("local")).listens) << "given back at once";
}

TEST_F(LocalPortsTest, APortThatAnotherProcessHoldsIsSkipped) {
  for (const int family : {AF_INET, AF_INET6}) {
    const ForeignListener foreign(family, 0);
    if (!foreign.listens) continue;  // no IPv6 here
    const auto last = static_cast<std::uint16_t>(std::min(foreign.taken + 20, 65535));
    const auto pool = PortPool::make({{"local", foreign.taken, last}}, ports);
    ASSERT_TRUE(pool);
    const auto lease = (*pool)->allocate("session-1");
    ASSERT_TRUE(lease) << describe(lease.error());
    EXPECT_NE(lease->at("local"), foreign.taken);
    EXPECT_EQ(ports.held(), 1U) << "nothing is left of the attempt";
    EXPECT_FALSE((*pool)->restore("session-2", {{"local", foreign.taken}}));
  }
}

TEST_F(LocalPortsTest, AConnectionOutlivesTheLease) {
  const auto pool = make_pool(20);
  const auto lease = pool->allocate("session-1");
  ASSERT_TRUE(lease);
  const auto client = connect("127.0.0.1", lease->at("local"));
  ASSERT_TRUE(wait_for([&] { return arrived.size() == 1; }));
  pool->release("session-1");
  ASSERT_TRUE(pool->restore("session-2", *lease));
  settle(loop);
  EXPECT_EQ(arrived[0].client.lent_to, "session-1") << "it is not the next one's";
  EXPECT_EQ(arrived[0].stream->far_end(), FarEnd::kOpen);
}

TEST_F(LocalPortsTest, TenThousandStartsAndEndsHoldNothing) {
  const auto pool = make_pool(50);
  ASSERT_TRUE(pool->allocate("first"));  // libuv keeps a descriptor in reserve from here on
  pool->release("first");
  settle(loop);
  const auto before = open_descriptors();
  for (int i = 0; i < 10'000; ++i) {
    const auto session = "s" + std::to_string(i);
    ASSERT_TRUE(pool->allocate(session)) << i;
    pool->release(session);
    if (i % 64 == 0) loop.turn();
  }
  EXPECT_EQ(ports.held(), 0U);
  EXPECT_EQ(pool->stats()["local"].allocated, 0U);
  settle(loop);
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace hpc
