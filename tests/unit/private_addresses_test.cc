#include "node-proxy/run/private_addresses.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <sstream>

#include "common/unique_fd.h"
#include "node-proxy/run/private_blocks.h"

namespace hpc {
namespace {

constexpr std::uint32_t kUid = 20001;

/// An id that no other test of this machine uses at the same time.
std::string own_id(const char* name) { return std::string(name) + "-" + std::to_string(getpid()); }

/// A socket that is bound to the address, on any port; it does not listen.
UniqueFd bound(int family, int type, const std::string& address) {
  UniqueFd fd(socket(family, type | SOCK_CLOEXEC, 0));
  sockaddr_in6 v6{};
  sockaddr_in v4{};
  v6.sin6_family = AF_INET6;
  v4.sin_family = AF_INET;
  inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr);
  inet_pton(AF_INET, address.c_str(), &v4.sin_addr);
  const auto* const end = family == AF_INET ? reinterpret_cast<const sockaddr*>(&v4)
                                            : reinterpret_cast<const sockaddr*>(&v6);
  const socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
  return UniqueFd(bind(fd.get(), end, size) == 0 ? fd.release() : -1);
}

std::string choice(const std::string& id, int attempt, unsigned offset = 0) {
  return choose_private_block(kUid, id, attempt).address(offset);
}

TEST(PrivateAddressesTest, FirstChoiceIsClaimedAndFreeAgainAfterwards) {
  const std::string id = own_id("first");
  for (int round = 0; round < 2; ++round) {
    const auto got = claim_private_addresses(kUid, id);
    ASSERT_TRUE(got) << describe(got.error());
    EXPECT_EQ(got->v4, choice(id, 0));
    EXPECT_EQ(got->v6, choice(id, 0, 1));
    EXPECT_EQ(got->list(), (std::vector<std::string>{got->v4, got->v6}));
  }
}

TEST(PrivateAddressesTest, ClaimIsClosedOnExecAndTakesNoConnection) {
  const auto got = claim_private_addresses(kUid, own_id("quiet"));
  ASSERT_TRUE(got);
  EXPECT_NE(fcntl(got->claim.get(), F_GETFD) & FD_CLOEXEC, 0);
  sockaddr_in end{};
  socklen_t size = sizeof end;
  ASSERT_EQ(getsockname(got->claim.get(), reinterpret_cast<sockaddr*>(&end), &size), 0);
  const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&end), size), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
}

TEST(PrivateAddressesTest, ClaimedAddressesArePassedOver) {
  const std::string id = own_id("twice");
  const auto first = claim_private_addresses(kUid, id);
  const auto second = claim_private_addresses(kUid, id);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->v4, choice(id, 1));
}

struct InTheWay {
  const char* name;
  int family;
  int type;
  const char* mapped;
  unsigned offset;
  bool listens;
};
void PrintTo(const InTheWay& c, std::ostream* os) { *os << c.name; }

constexpr InTheWay kInTheWay[] = {
    {"tcp_listener", AF_INET, SOCK_STREAM, "", 0, true},
    {"tcp_listener_second_address", AF_INET, SOCK_STREAM, "", 1, true},
    {"tcp_listener_claim_address", AF_INET, SOCK_STREAM, "", 2, true},
    {"tcp_listener_last_address", AF_INET, SOCK_STREAM, "", 3, true},
    {"tcp_mapped_listener", AF_INET6, SOCK_STREAM, "::ffff:", 0, true},
    {"udp", AF_INET, SOCK_DGRAM, "", 0, false},
    {"udp_mapped", AF_INET6, SOCK_DGRAM, "::ffff:", 1, false},
};

class PrivateAddressesInUseTest : public testing::TestWithParam<InTheWay> {};
TEST_P(PrivateAddressesInUseTest, ArePassedOver) {
  const InTheWay& way = GetParam();
  const std::string id = own_id(way.name);
  const auto other = bound(way.family, way.type, way.mapped + choice(id, 0, way.offset));
  ASSERT_GE(other.get(), 0);
  ASSERT_TRUE(!way.listens || listen(other.get(), 1) == 0);
  const auto got = claim_private_addresses(kUid, id);
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(got->v4, choice(id, 1));
}
INSTANTIATE_TEST_SUITE_P(Table, PrivateAddressesInUseTest, testing::ValuesIn(kInTheWay),
                         [](const auto& c) { return c.param.name; });

TEST(PrivateAddressesTest, NeighboursAreNotInTheWay) {
  const std::string id = own_id("neighbours");
  const std::uint32_t first = choose_private_block(kUid, id, 0).first;
  const auto below = bound(AF_INET, SOCK_DGRAM, PrivateBlock{first - 4}.address(3));
  const auto above = bound(AF_INET, SOCK_DGRAM, PrivateBlock{first + 4}.address(0));
  ASSERT_TRUE(below.get() >= 0 && above.get() >= 0);
  EXPECT_EQ(claim_private_addresses(kUid, id)->v4, choice(id, 0));
}

TEST(PrivateAddressesTest, GivesUpAfterSoManyThatAreTaken) {
  const std::string id = own_id("full");
  std::vector<PrivateAddresses> held;
  for (int i = 0; i < kClaimsMax; ++i) {
    auto got = claim_private_addresses(kUid, id);
    ASSERT_TRUE(got) << i << ": " << describe(got.error());
    held.push_back(std::move(*got));
  }
  const auto got = claim_private_addresses(kUid, id);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::kSystem);
  EXPECT_NE(got.error().detail.find("taken"), std::string::npos);
}

/// In a process of its own, as another user where we are root: claims, tells, and holds what it
/// has until `hold` ends.
[[noreturn]] void claim_many(int process, int claims, const std::string& id, int tell, int hold) {
  if (geteuid() == 0) [[maybe_unused]]
    const int rc = setuid(static_cast<uid_t>(20001 + process));
  std::vector<PrivateAddresses> held;
  std::string text;
  for (int i = 0; i < claims; ++i) {
    // The same few ids in all processes, so that they want the same addresses.
    auto got = claim_private_addresses(kUid, id + std::to_string(i % 10));
    text += got ? got->v4 + "\n" : "failed: " + describe(got.error()) + "\n";
    if (got) held.push_back(std::move(*got));
  }
  [[maybe_unused]] const ssize_t written = write(tell, text.data(), text.size());
  close(tell);
  char end = 0;
  [[maybe_unused]] const ssize_t ended = read(hold, &end, 1);
  _exit(0);
}

TEST(PrivateAddressesTest, TwoHundredClaimsAtOnceAreAllDifferent) {
  constexpr int kProcesses = 4;
  constexpr int kClaimsEach = 50;
  int tell[2];
  int hold[2];
  ASSERT_TRUE(pipe(tell) == 0 && pipe(hold) == 0);
  const std::string id = own_id("race");
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      close(hold[1]);
      claim_many(process, kClaimsEach, id, tell[1], hold[0]);
    }
    children.push_back(pid);
  }
  close(tell[1]);
  std::string text;
  char piece[4096];
  for (ssize_t size = 0; (size = read(tell[0], piece, sizeof piece)) > 0;) {
    text.append(piece, static_cast<std::size_t>(size));
  }
  for (const int fd : {tell[0], hold[0], hold[1]}) close(fd);
  for (const pid_t pid : children) waitpid(pid, nullptr, 0);
  std::istringstream lines(text);
  std::set<std::string> different;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.starts_with("127.")) << line;
    EXPECT_TRUE(different.insert(line).second) << line << " twice";
  }
  EXPECT_EQ(different.size(), std::size_t{kProcesses * kClaimsEach});
}

}  // namespace
}  // namespace hpc
