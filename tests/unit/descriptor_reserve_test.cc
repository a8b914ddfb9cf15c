#include "common/descriptor_reserve.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "common/tcp_stream.h"
#include "common/unix_stream.h"
#include "tests/support/fake_stream.h"
#include "tests/support/loop_fixture.h"

namespace hpc {
namespace {

/// Lets this process have `more` descriptors besides the ones it has, while it lives.
class FewDescriptors {
 public:
  explicit FewDescriptors(int more) {
    getrlimit(RLIMIT_NOFILE, &before_);
    // So many that the reserve is not cut to a quarter of the limit.
    while (taken_.empty() || taken_.back() < 4 * kDescriptorReserve) {
      taken_.push_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(taken_.back() + 1 + more);
    setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() {
    for (const int fd : taken_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

TEST(DescriptorReserveTest, BeginsExactlyWhereTheLastOnesDo) {
  {
    const FewDescriptors few(kDescriptorReserve + 1);
    EXPECT_FALSE(descriptors_are_short());
  }
  {
    const FewDescriptors few(kDescriptorReserve);
    EXPECT_TRUE(descriptors_are_short());
  }
  const FewDescriptors none(0);
  EXPECT_TRUE(descriptors_are_short());
}

TEST(DescriptorReserveTest, TellsByItsNumberWhetherADescriptorIsOneOfTheLast) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  ASSERT_GE(limit.rlim_cur, 8U * kDescriptorReserve);
  const int first = static_cast<int>(limit.rlim_cur) - kDescriptorReserve;
  EXPECT_FALSE(is_of_the_last(first - 1));
  EXPECT_TRUE(is_of_the_last(first));
}

TEST(DescriptorReserveTest, ShortagesAreToldFromOtherErrors) {
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL}) {
    EXPECT_TRUE(is_shortage(error)) << error;
  }
  for (const int error : {0, ECONNREFUSED, EACCES, ETIMEDOUT}) EXPECT_FALSE(is_shortage(error));
}

struct ShortageTest : LoopFixture {
  template <class Connect>
  std::optional<Error> error_of(const Connect& connect) {
    std::optional<Error> error;
    const auto pending = connect([&error](auto result) {
      if (!result) error = result.error();
    });
    wait_for([&error] { return error.has_value(); });
    return error;
  }
};

TEST_F(ShortageTest, NoConnectionTakesOneOfTheLast) {
  const FewDescriptors few(kDescriptorReserve / 2);
  const auto tcp =
      error_of([&](auto done) { return connect_tcp(loop, "127.0.0.1", 9, 5000, done); });
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->code, Errc::kUnavailable);
  const auto unix_socket =
      error_of([&](auto done) { return connect_unix(loop, "/nowhere", geteuid(), 5000, done); });
  ASSERT_TRUE(unix_socket);
  EXPECT_EQ(unix_socket->code, Errc::kUnavailable);
}

// The two ends of the connection take two; one more must be there for its app before the reserve.
TEST_F(ShortageTest, ListenerServesUpToTheReserveAndRefusesFromThereOn) {
  int served = 0;
  const auto listener = TcpListener::listen(loop, "127.0.0.1", 0, [&](auto) { ++served; });
  ASSERT_TRUE(listener);
  for (const int more : {kDescriptorReserve + 3, kDescriptorReserve + 2}) {
    served = 0;
    const FewDescriptors few(more);
    const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto where = make_sockaddr("127.0.0.1", (*listener)->port());
    ASSERT_EQ(
        connect(client.get(), reinterpret_cast<const sockaddr*>(&*where), sizeof(sockaddr_in)), 0);
    char byte = 0;
    ASSERT_TRUE(wait_for([&] {
      return recv(client.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;  // a 503, or the end
    }));
    EXPECT_EQ(served, more == kDescriptorReserve + 3 ? 1 : 0);
    EXPECT_EQ(byte, served == 1 ? '\0' : 'H');
  }
  settle(loop);
}

struct RefusedClientsTest : LoopFixture {
  RefusedClients clients{loop};
  FakeStream* refuse() {
    auto stream = std::make_unique<FakeStream>();
    auto* raw = stream.get();
    clients.refuse(std::move(stream));
    return raw;
  }
};

TEST_F(RefusedClientsTest, GetA503ThatSaysWhenToComeAgain) {
  auto* client = refuse();
  EXPECT_TRUE(client->written.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_NE(client->written.find("\r\nRetry-After: 2\r\n"), std::string::npos);
  EXPECT_NE(client->written.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client->half_closed);
  client->deliver("GET / HTTP/1.1\r\n\r\n");  // what comes is thrown away
  client->drain();
  client->deliver_end();
  client->turn();
  EXPECT_EQ(clients.waiting(), 0U);
  settle(loop);
}

TEST_F(RefusedClientsTest, OnlySoManyWaitAndTheOldestGoesFirst) {
  for (std::size_t i = 0; i < RefusedClients::kWaitingMax; ++i) refuse();
  EXPECT_EQ(clients.waiting(), RefusedClients::kWaitingMax);
  refuse();
  EXPECT_EQ(clients.waiting(), RefusedClients::kWaitingMax);
  settle(loop);
}

TEST_F(RefusedClientsTest, DoNotWaitForEver) {
  refuse();
  EXPECT_TRUE(wait_for([&] { return clients.waiting() == 0; }));
  settle(loop);
}

TEST_F(RefusedClientsTest, MayBeLeftWhileOneIsBeingGivenUp) {
  auto owner = std::make_unique<RefusedClients>(loop);
  auto stream = std::make_unique<FakeStream>();
  auto* client = stream.get();
  owner->refuse(std::move(stream));
  client->abort({Errc::kNetwork, "test", "cut"});
  client->turn();
  owner.reset();
  settle(loop);
}

}  // namespace
}  // namespace hpc
