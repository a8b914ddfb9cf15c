#include "common/target_owner.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>

#include "common/peer_owner.h"

namespace hpc {
namespace {

SocketEnd end(const char* address, std::uint16_t port) { return *make_socket_end(address, port); }

const SocketEnd kTarget = end("127.0.0.1", 5500);
const SocketEnd kLocal = end("127.0.0.1", 40000);
constexpr std::uint32_t kUid = 20001;
constexpr std::uint32_t kOther = 20002;
using Look = std::optional<SocketEntry>;

SocketEntry connection(std::uint32_t uid, std::uint32_t inode = 77, int state = TCP_ESTABLISHED) {
  return {kTarget, kLocal, state, uid, inode};
}
SocketEntry listener(std::uint32_t uid, const char* address = "127.0.0.1") {
  return {end(address, 5500), end(address, 0), kTcpStateListen, uid, 88};
}

/// What the look at the connection can show, and what follows from it.
struct LookCase {
  const char* name;
  Look look;
  bool tells;             // whose the connection is, whatever the listener
  TargetVerdict verdict;  // alone where it tells, else behind our listener
};
const LookCase kLooks[] = {
    {"Ours", connection(kUid), true, TargetVerdict::kOurs},
    {"OursClosing", connection(kUid, 77, TCP_CLOSE_WAIT), true, TargetVerdict::kOurs},
    {"Foreign", connection(kOther), true, TargetVerdict::kForeign},
    {"Root", connection(0), true, TargetVerdict::kForeign},
    {"Overflow", connection(65534), true, TargetVerdict::kForeign},
    {"Waiting", connection(0, 0), false, TargetVerdict::kOurs},
    {"WaitingWithOurUid", connection(kUid, 0), false, TargetVerdict::kOurs},
    {"Handshake", connection(0, 0, TCP_SYN_RECV), false, TargetVerdict::kOurs},
    {"Missing", std::nullopt, false, TargetVerdict::kGone},
    {"ListenerInstead", listener(kUid), false, TargetVerdict::kGone},
    {"NotReversed", SocketEntry{kLocal, kTarget, 1, kUid, 77}, false, TargetVerdict::kGone},
    {"OtherLocalPort", SocketEntry{end("127.0.0.1", 1), kLocal, 1, kUid, 77}, false,
     TargetVerdict::kGone},
    {"OtherRemote", SocketEntry{kTarget, end("127.0.0.1", 1), 1, kUid, 77}, false,
     TargetVerdict::kGone},
};

struct ListenerCase {
  const char* name;
  Look look;
  TargetVerdict verdict;  // where the connection tells nothing; kOurs: it may still be gone
};
const ListenerCase kListeners[] = {
    {"Ours", listener(kUid), TargetVerdict::kOurs},
    {"OursOnAny", listener(kUid, "0.0.0.0"), TargetVerdict::kOurs},
    {"OursDualStack", listener(kUid, "::"), TargetVerdict::kOurs},
    {"Foreign", listener(kOther), TargetVerdict::kForeign},
    {"Root", listener(0), TargetVerdict::kForeign},
    {"Overflow", listener(65534), TargetVerdict::kForeign},
    {"Missing", std::nullopt, TargetVerdict::kGone},
    {"NoListener", connection(kUid), TargetVerdict::kGone},
    {"OtherAddress", listener(kUid, "127.0.0.2"), TargetVerdict::kGone},
    {"OtherPort", SocketEntry{end("127.0.0.1", 5501), {}, kTcpStateListen, kUid, 88},
     TargetVerdict::kGone},
    {"HeldByNobody", SocketEntry{kTarget, {}, kTcpStateListen, kUid, 0}, TargetVerdict::kGone},
};

TEST(TargetRuleTest, EveryCombinationOfLooks) {
  for (const ListenerCase& listening : kListeners) {
    for (const LookCase& seen : kLooks) {
      const auto want = seen.tells                                  ? seen.verdict
                        : listening.verdict != TargetVerdict::kOurs ? listening.verdict
                                                                    : seen.verdict;
      EXPECT_EQ(rule_target({listening.look, seen.look}, kTarget, kLocal, kUid), want)
          << listening.name << ", then " << seen.name;
    }
  }
}

TEST(TargetRuleTest, OverflowUidIsNeverOurs) {
  const std::uint32_t overflow = 65534;
  EXPECT_EQ(rule_target({{}, connection(overflow)}, kTarget, kLocal, overflow),
            TargetVerdict::kForeign);
  EXPECT_EQ(rule_target({listener(overflow), connection(0, 0)}, kTarget, kLocal, overflow),
            TargetVerdict::kForeign);
}

TEST(ListenerFitTest, NearestAddressFirst) {
  EXPECT_GT(listener_fit(kTarget, kTarget), listener_fit(end("0.0.0.0", 5500), kTarget));
  EXPECT_GT(listener_fit(end("0.0.0.0", 5500), kTarget), listener_fit(end("::", 5500), kTarget));
  EXPECT_GT(listener_fit(end("::", 5500), kTarget), 0);
  EXPECT_GT(listener_fit(end("::", 5500), end("::1", 5500)), 0);
  EXPECT_EQ(listener_fit(end("0.0.0.0", 5500), end("::1", 5500)), 0);
  EXPECT_EQ(listener_fit(end("127.0.0.1", 5501), kTarget), 0);
  EXPECT_EQ(listener_fit(end("::1", 5500), kTarget), 0);
}

/// The kernel cannot be asked.
class FailingLookup final : public SocketLookup {
 public:
  Result<std::optional<SocketEntry>> find(const SocketEnd&, const SocketEnd&) override {
    return fail(Errc::kSystem, "netlink", "no");
  }
  Result<SocketLooks> find_with_listener(const SocketEnd&, const SocketEnd&) override {
    return fail(Errc::kSystem, "netlink", "no");
  }
};

TEST(TargetOwnerTest, NoAnswerIsAFailure) {
  const auto owner = make_target_owner(std::make_shared<FailingLookup>());
  const auto verdict = owner->owner_of({"127.0.0.1", 5500}, {"127.0.0.1", 40000}, kUid);
  ASSERT_FALSE(verdict.has_value());
  EXPECT_EQ(verdict.error().code, Errc::kSystem);
}

TEST(TargetOwnerTest, ConnectionWithoutEndsIsGone) {
  const auto owner = make_target_owner(make_proc_lookup("/proc/net"));
  EXPECT_EQ(*owner->owner_of({"127.0.0.1", 5500}, {}, kUid), TargetVerdict::kGone);
}

struct RealCase {
  const char* name;
  const char* bound;   // the app's address
  const char* target;  // what we connect to
  bool proc;           // /proc instead of netlink
};
void PrintTo(const RealCase& c, std::ostream* os) { *os << c.name; }

/// A real app inside this process that does not accept by itself.
class RealTargetTest : public testing::TestWithParam<RealCase> {
 protected:
  void SetUp() override {
    const auto bound = *make_sockaddr(GetParam().bound, 0);
    listener_ = socket(bound.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&bound), size_of(bound)) != 0) {
      GTEST_SKIP() << "no " << GetParam().bound << " here";
    }
    ASSERT_EQ(listen(listener_, 1), 0);
    target_ = {GetParam().target, local_of(listener_).port};
    const auto there = *make_sockaddr(target_.address, target_.port);
    client_ = socket(there.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(client_, reinterpret_cast<const sockaddr*>(&there), size_of(there)), 0);
    owner_ =
        make_target_owner(GetParam().proc ? make_proc_lookup("/proc/net") : make_system_lookup());
  }
  void TearDown() override {
    for (const int fd : {listener_, client_, accepted_}) {
      if (fd >= 0) close(fd);
    }
  }
  static socklen_t size_of(const sockaddr_storage& address) {
    return address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  }
  static SocketAddress local_of(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
    return socket_address(storage);
  }
  TargetVerdict verdict(std::uint32_t uid) {
    return *owner_->owner_of(target_, local_of(client_), uid);
  }

  int listener_ = -1;
  int client_ = -1;
  int accepted_ = -1;
  SocketAddress target_;
  std::unique_ptr<TargetOwner> owner_;
};

TEST_P(RealTargetTest, BeforeTheAppAccepts) {
  EXPECT_EQ(verdict(geteuid()), TargetVerdict::kOurs);
  EXPECT_EQ(verdict(geteuid() + 1), TargetVerdict::kForeign);
}

TEST_P(RealTargetTest, AfterTheAppAccepted) {
  accepted_ = accept(listener_, nullptr, nullptr);
  close(std::exchange(listener_, -1));  // the connection alone tells
  EXPECT_EQ(verdict(geteuid()), TargetVerdict::kOurs);
  EXPECT_EQ(verdict(geteuid() + 1), TargetVerdict::kForeign);
}

TEST_P(RealTargetTest, OneQuestionAfterTheOther) {
  // Answers that nobody took, or took twice, would be found by the next question.
  const int questions = GetParam().proc ? 2 : 50;  // /proc takes milliseconds, more on a busy node
  for (int i = 0; i < questions; ++i) ASSERT_EQ(verdict(geteuid()), TargetVerdict::kOurs) << i;
  close(std::exchange(client_, -1));
  const SocketAddress nowhere{GetParam().target, 1};
  for (int i = 0; i < questions; ++i) {
    ASSERT_EQ(*owner_->owner_of(target_, nowhere, geteuid()), TargetVerdict::kGone) << i;
    ASSERT_EQ(*owner_->owner_of(nowhere, target_, geteuid()), TargetVerdict::kGone) << i;
  }
}

TEST_P(RealTargetTest, AfterTheAppStoppedListening) {
  close(std::exchange(listener_, -1));
  EXPECT_EQ(verdict(geteuid()), TargetVerdict::kGone);
}

const RealCase kRealCases[] = {
    {"loopback", "127.0.0.1", "127.0.0.1", false},
    {"any", "0.0.0.0", "127.0.0.1", false},
    {"dual_stack", "::", "127.0.0.1", false},
    {"six", "::1", "::1", false},
    {"any_six", "::", "::1", false},
    {"proc", "127.0.0.1", "127.0.0.1", true},
    {"proc_any", "0.0.0.0", "127.0.0.1", true},
    {"proc_dual_stack", "::", "127.0.0.1", true},
    {"proc_six", "::1", "::1", true},
};
INSTANTIATE_TEST_SUITE_P(Table, RealTargetTest, testing::ValuesIn(kRealCases),
                         [](const auto& c) { return c.param.name; });

}  // namespace
}  // namespace hpc
