#include "common/peer_owner.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <ostream>

namespace hpc {
namespace {

SocketEnd end(const char* address, std::uint16_t port) { return *make_socket_end(address, port); }

const SocketEnd kTheirs = end("127.0.0.1", 40000);
const SocketEnd kOurs = end("127.0.0.1", 9000);
constexpr std::uint32_t kUid = 20001;

struct RuleCase {
  const char* name;
  std::optional<SocketEntry> answer;
  bool proves;
  std::uint32_t uid = kUid;
};
void PrintTo(const RuleCase& c, std::ostream* os) { *os << c.name; }

const RuleCase kRules[] = {
    {"ours", SocketEntry{kTheirs, kOurs, 1, kUid, 77}, true},
    {"closing_but_held", SocketEntry{kTheirs, kOurs, 5, kUid, 77}, true},
    {"missing", std::nullopt, false},
    {"other_uid", SocketEntry{kTheirs, kOurs, 1, kUid + 1, 77}, false},
    {"root", SocketEntry{kTheirs, kOurs, 1, 0, 77}, false},
    {"inode_0", SocketEntry{kTheirs, kOurs, 1, kUid, 0}, false},
    {"listener", SocketEntry{kTheirs, kOurs, kTcpStateListen, kUid, 77}, false},
    {"listener_of_port", SocketEntry{kTheirs, end("0.0.0.0", 0), kTcpStateListen, kUid, 77}, false},
    {"other_local_port", SocketEntry{end("127.0.0.1", 1), kOurs, 1, kUid, 77}, false},
    {"other_remote", SocketEntry{kTheirs, end("127.0.0.2", 9000), 1, kUid, 77}, false},
    {"not_reversed", SocketEntry{kOurs, kTheirs, 1, kUid, 77}, false},
    {"overflow_uid", SocketEntry{kTheirs, kOurs, 1, 65534, 77}, false, 65534},
};

class PeerRuleTest : public testing::TestWithParam<RuleCase> {};
TEST_P(PeerRuleTest, Decides) {
  const auto& c = GetParam();
  EXPECT_EQ(proves_owner(c.answer, kTheirs, kOurs, c.uid), c.proves);
}
INSTANTIATE_TEST_SUITE_P(Table, PeerRuleTest, testing::ValuesIn(kRules),
                         [](const auto& c) { return c.param.name; });

TEST(OrphanRuleTest, OnlyTheVerySocketWithoutAHolderIsClosed) {
  EXPECT_TRUE(shows_orphan(SocketEntry{kTheirs, kOurs, 4, kUid, 0}, kTheirs, kOurs));
  EXPECT_FALSE(shows_orphan(SocketEntry{kTheirs, kOurs, 4, kUid, 77}, kTheirs, kOurs));
  EXPECT_FALSE(shows_orphan(SocketEntry{kTheirs, end("0.0.0.0", 0), kTcpStateListen, kUid, 0},
                            kTheirs, kOurs));
  EXPECT_FALSE(shows_orphan(SocketEntry{kTheirs, kOurs, kTcpStateListen, kUid, 0}, kTheirs, kOurs));
  EXPECT_FALSE(shows_orphan(std::nullopt, kTheirs, kOurs)) << "not knowing is no proof";
}

TEST(SocketEndTest, MappedAndPlainIpv4AreEqual) {
  EXPECT_EQ(end("::ffff:127.0.0.1", 80), end("127.0.0.1", 80));
  EXPECT_TRUE(end("::ffff:127.0.0.1", 80).is_v4());
  EXPECT_FALSE(end("::1", 80).is_v4());
  EXPECT_FALSE(make_socket_end("localhost", 80).has_value());
  EXPECT_FALSE(make_socket_end("", 80).has_value());
}

TEST(ProcNetTest, ReadsLinesOfBothTables) {
  const auto v4 = parse_proc_net_line(
      "   0: 0100007F:9C40 0100007F:2328 01 00000000:00000000 00:00000000 00000000 20001        0 "
      "77 1 0000000000000000 100 0 0 10 0\n");
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(v4->local, kTheirs);
  EXPECT_EQ(v4->remote, kOurs);
  EXPECT_EQ(v4->state, 1);
  EXPECT_EQ(v4->uid, kUid);
  EXPECT_EQ(v4->inode, 77U);
  const auto v6 = parse_proc_net_line(
      "   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000  1000        0 5 1 0 100 0 0 10 0\n");
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->local, end("::1", 8080));
  EXPECT_EQ(v6->state, kTcpStateListen);
}

TEST(ProcNetTest, RefusesWhatIsNotALine) {
  const std::string line = "0: 0100007F:9C40 0100007F:2328 01 0:0 00:0 0 20001 0 77";
  ASSERT_TRUE(parse_proc_net_line(line).has_value());
  for (std::size_t size = 0; size < line.size() - 2; ++size) {
    EXPECT_FALSE(parse_proc_net_line(line.substr(0, size)).has_value()) << size;
  }
  for (const char* text : {"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
                           "retrnsmt   uid  timeout",
                           "0: 0100007F9C40 0100007F:2328 01 0:0 00:0 0 1 0 77",
                           "0: 0100007X:9C40 0100007F:2328 01 0:0 00:0 0 1 0 77",
                           "0: 0100007F:9C400 0100007F:2328 01 0:0 00:0 0 1 0 77",
                           "0: 0100007F:9C40 0100007F:2328 01 0:0 00:0 0 -1 0 77",
                           "0: 0100007F:9C40 0100007F:2328 01 0:0 00:0 0 4294967296 0 77"}) {
    EXPECT_FALSE(parse_proc_net_line(text).has_value()) << text;
  }
}

TEST(DiagAnswerTest, EveryTruncationIsRefused) {
  const std::string zeros(512, '\0');
  for (std::size_t size = 0; size <= zeros.size(); ++size) {
    EXPECT_FALSE(parse_diag_answer(as_bytes(std::string_view(zeros).substr(0, size)), 0)) << size;
  }
  const auto other = parse_diag_answer(as_bytes(zeros), 7);
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, Errc::kUnavailable);
}

/// A lookup that answers as it is told and counts the questions.
class FakeLookup final : public SocketLookup {
 public:
  FakeLookup(Result<std::optional<SocketEntry>> answer, int* asked)
      : answer_(std::move(answer)), asked_(asked) {}
  Result<std::optional<SocketEntry>> find(const SocketEnd&, const SocketEnd&) override {
    ++*asked_;
    return answer_;
  }
  Result<SocketLooks> find_with_listener(const SocketEnd&, const SocketEnd&) override {
    ++*asked_;
    if (!answer_) return tl::unexpected<Error>(answer_.error());
    return SocketLooks{{}, *answer_};
  }

 private:
  Result<std::optional<SocketEntry>> answer_;
  int* asked_;
};

const SocketEntry kEntry{kTheirs, kOurs, 1, kUid, 77};

TEST(FallbackLookupTest, AsksProcWhereThereIsNoNetlink) {
  int asked = 0;
  const auto lookup = make_fallback_lookup(nullptr, std::make_unique<FakeLookup>(kEntry, &asked));
  EXPECT_TRUE(lookup->find(kTheirs, kOurs)->has_value());
  EXPECT_EQ(asked, 1);
}

TEST(FallbackLookupTest, ChecksNotFoundUntilNetlinkHasFoundOne) {
  int netlink = 0;
  int proc = 0;
  const auto lookup = make_fallback_lookup(std::make_unique<FakeLookup>(std::nullopt, &netlink),
                                           std::make_unique<FakeLookup>(kEntry, &proc));
  EXPECT_TRUE(lookup->find(kTheirs, kOurs)->has_value());
  EXPECT_EQ(proc, 1);
}

TEST(FallbackLookupTest, AsksProcForBothLooksToo) {
  for (const bool works : {false, true}) {
    int netlink = 0;
    int proc = 0;
    const std::optional<SocketEntry> found = works ? std::optional(kEntry) : std::nullopt;
    const auto lookup = make_fallback_lookup(std::make_unique<FakeLookup>(found, &netlink),
                                             std::make_unique<FakeLookup>(kEntry, &proc));
    EXPECT_TRUE(lookup->find_with_listener(kTheirs, kOurs)->connection.has_value());
    EXPECT_EQ(netlink, 1);
    EXPECT_EQ(proc, works ? 0 : 1);
  }
}

TEST(FallbackLookupTest, TrustsNetlinkThatWorks) {
  int netlink = 0;
  int proc = 0;
  const auto lookup = make_fallback_lookup(std::make_unique<FakeLookup>(kEntry, &netlink),
                                           std::make_unique<FakeLookup>(kEntry, &proc));
  EXPECT_TRUE(lookup->find(kTheirs, kOurs)->has_value());
  EXPECT_EQ(proc, 0);
}

TEST(FallbackLookupTest, AsksProcWhenNetlinkFails) {
  int netlink = 0;
  int proc = 0;
  const auto lookup = make_fallback_lookup(
      std::make_unique<FakeLookup>(fail(Errc::kSystem, "netlink", "no"), &netlink),
      std::make_unique<FakeLookup>(kEntry, &proc));
  EXPECT_TRUE(lookup->find(kTheirs, kOurs)->has_value());
  EXPECT_EQ(proc, 1);
}

TEST(ProcLookupTest, UnreadableTablesAreAFailure) {
  const auto lookup = make_proc_lookup("/nonexistent");
  EXPECT_EQ(lookup->find(kTheirs, kOurs).error().code, Errc::kSystem);
}

/// A real connection over loopback inside this process.
class RealConnectionTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener_, 1), 0);
    local_ = {"127.0.0.1", port_of(listener_)};
    address.sin_port = htons(local_.port);
    // The client of a dual-stack program: an IPv6 socket with a v4-mapped address.
    client_ = socket(GetParam() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (GetParam()) {
      sockaddr_in6 mapped{};
      mapped.sin6_family = AF_INET6;
      mapped.sin6_port = address.sin_port;
      inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
      if (client_ < 0) GTEST_SKIP() << "no IPv6 in this kernel";
      ASSERT_EQ(connect(client_, reinterpret_cast<sockaddr*>(&mapped), sizeof mapped), 0);
    } else {
      ASSERT_EQ(connect(client_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    peer_ = {"127.0.0.1", port_of(client_)};
  }
  void TearDown() override {
    if (client_ >= 0) close(client_);
    if (listener_ >= 0) close(listener_);
  }
  static std::uint16_t port_of(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
    return ntohs(
        reinterpret_cast<sockaddr_in*>(&storage)->sin_port);  // same place in both families
  }
  void expect_right(PeerOwner& owner) {
    EXPECT_TRUE(*owner.peer_belongs_to(peer_, local_, geteuid()));
    EXPECT_FALSE(*owner.peer_belongs_to(peer_, local_, geteuid() + 1));
    // No such connection: the kernel offers the listener, which must not count.
    EXPECT_FALSE(*owner.peer_belongs_to(local_, {"127.0.0.1", 1}, geteuid()));
    close(client_);
    client_ = -1;
    EXPECT_FALSE(*owner.peer_belongs_to(peer_, local_, geteuid()));
  }

  int listener_ = -1;
  int client_ = -1;
  SocketAddress peer_;
  SocketAddress local_;
};

TEST_P(RealConnectionTest, KernelSaysWhose) {
  auto owner = make_peer_owner();
  ASSERT_TRUE(owner.has_value());
  expect_right(**owner);
}

TEST_P(RealConnectionTest, ProcSaysTheSame) {
  expect_right(*make_peer_owner(make_proc_lookup("/proc/net")));
}

INSTANTIATE_TEST_SUITE_P(Families, RealConnectionTest, testing::Bool(),
                         [](const auto& c) { return c.param ? "mapped" : "plain"; });

}  // namespace
}  // namespace hpc
