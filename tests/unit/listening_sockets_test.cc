#include "node-proxy/listening_sockets.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "common/peer_owner.h"
#include "node-proxy/socket_tables.h"

namespace hpc {
namespace {

constexpr std::uint32_t kUid = 20001;
constexpr std::uint32_t kSequence = 7;

struct Message {
  std::uint16_t port = 5500;
  std::uint32_t uid = kUid;
  std::uint32_t inode = 1000;
  std::uint8_t state = kTcpStateListen;
  std::uint32_t sequence = kSequence;
  std::uint8_t family = AF_INET;
  std::uint16_t type = SOCK_DIAG_BY_FAMILY;
  std::uint32_t length = sizeof(nlmsghdr) + sizeof(inet_diag_msg);
};

std::string text_of(const Message& wanted) {
  struct {
    nlmsghdr header;
    inet_diag_msg socket;
  } message{};
  message.header.nlmsg_len = wanted.length;
  message.header.nlmsg_type = wanted.type;
  message.header.nlmsg_seq = wanted.sequence;
  message.socket.idiag_family = wanted.family;
  message.socket.idiag_state = wanted.state;
  message.socket.id.idiag_sport = htons(wanted.port);
  message.socket.idiag_uid = wanted.uid;
  message.socket.idiag_inode = wanted.inode;
  return {reinterpret_cast<const char*>(&message), sizeof message};
}

std::string end_of_dump() { return text_of({.type = NLMSG_DONE}); }

std::string kernel_error(int number) {
  std::string text = text_of({.type = NLMSG_ERROR});
  std::memcpy(text.data() + sizeof(nlmsghdr), &number, sizeof number);
  return text;
}

struct DumpCase {
  const char* name;
  std::string datagram;
  int sockets;  // -1: refused
  bool ended;
};
void PrintTo(const DumpCase& c, std::ostream* os) { *os << c.name; }

const DumpCase kDumps[] = {
    {"Empty", "", 0, false},
    {"One", text_of({}), 1, false},
    {"TwoAndEnd", text_of({}) + text_of({.port = 5501}) + end_of_dump(), 2, true},
    {"EndAlone", end_of_dump(), 0, true},
    {"NothingIsReadAfterTheEnd", end_of_dump() + "rubbish", 0, true},
    {"V6", text_of({.family = AF_INET6}), 1, false},
    {"OtherUser", text_of({.uid = kUid + 1}), 0, false},
    {"Root", text_of({.uid = 0}), 0, false},
    {"HeldByNobody", text_of({.inode = 0}), 0, false},
    {"NoListener", text_of({.state = 1}), 0, false},
    {"OtherQuestion", text_of({.sequence = kSequence + 1}), -1, false},
    {"OtherQuestionsEnd", text_of({.sequence = 1, .type = NLMSG_DONE}), -1, false},
    {"HeaderCutShort", text_of({}) + std::string(15, '\0'), -1, false},
    {"LengthZero", text_of({.length = 0}), -1, false},
    {"LengthBelowTheHeader", text_of({.length = 15}), -1, false},
    {"LengthOfTheHeaderOnly", text_of({.length = 16}), -1, false},
    {"LengthPastTheDatagram", text_of({.length = 89}), -1, false},
    {"LengthHuge", text_of({.length = 0xFFFFFFFF}), -1, false},
    {"OtherType", text_of({.type = 99}), -1, false},
    {"NoSuchModule", kernel_error(-ENOENT), -1, false},
    {"NotAllowed", kernel_error(-EPERM), -1, false},
};

class DumpTest : public testing::TestWithParam<DumpCase> {};

TEST_P(DumpTest, Parses) {
  std::vector<SocketEntry> out;
  const auto ended =
      parse_diag_dump(std::as_bytes(std::span(GetParam().datagram)), kSequence, kUid, out);
  ASSERT_EQ(ended.has_value(), GetParam().sockets >= 0);
  if (!ended) return;
  EXPECT_EQ(*ended, GetParam().ended);
  EXPECT_EQ(out.size(), static_cast<std::size_t>(GetParam().sockets));
}
INSTANTIATE_TEST_SUITE_P(All, DumpTest, testing::ValuesIn(kDumps),
                         [](const auto& c) { return std::string(c.param.name); });

TEST(ListeningSocketsTest, TellsWhatTheKernelSaid) {
  std::vector<SocketEntry> out;
  const std::string text = text_of({.port = 8787, .inode = 77});
  ASSERT_TRUE(parse_diag_dump(std::as_bytes(std::span(text)), kSequence, kUid, out));
  EXPECT_EQ(out[0].local, *make_socket_end("0.0.0.0", 8787));
  EXPECT_EQ(out[0].inode, 77U);
}

TEST(ListeningSocketsTest, DumpCutAnywhereIsRefusedOrAWholeNumberOfSockets) {
  const std::string whole = text_of({}) + text_of({}) + end_of_dump();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    // Bytes of its own, so that a read past the end is seen by a sanitizer.
    const std::vector<char> part(whole.begin(), whole.begin() + static_cast<long>(cut));
    std::vector<SocketEntry> out;
    const auto ended = parse_diag_dump(std::as_bytes(std::span(part)), kSequence, kUid, out);
    EXPECT_EQ(ended.has_value(), cut % text_of({}).size() == 0) << cut;
    EXPECT_FALSE(ended.value_or(false)) << cut;
  }
}

TEST(ListeningSocketsTest, KeepsSoManyAndNoMore) {
  std::vector<SocketEntry> out(kOwnSocketsMax - 1);
  const std::string two = text_of({}) + text_of({});
  ASSERT_TRUE(parse_diag_dump(std::as_bytes(std::span(two)), kSequence, kUid, out));
  EXPECT_EQ(out.size(), kOwnSocketsMax);
}

TEST(ListeningSocketsTest, ReadsTheTablesOfProc) {
  const auto dir = std::filesystem::path(testing::TempDir()) / "listening_sockets_test";
  std::filesystem::create_directories(dir);
  const auto line = [](const char* address, const char* state, std::uint32_t uid) {
    return std::string("   0: ") + address + ":157C 00000000:0000 " + state +
           " 00000000:00000000 00:00000000 00000000 " + std::to_string(uid) + " 0 4242 1 x\n";
  };
  std::ofstream(dir / "tcp") << "  sl  local_address rem_address   st\n"
                             << line("0100007F", "0A", kUid) << line("0100007F", "01", kUid)
                             << line("0100007F", "0A", 0) << "rubbish\n"
                             << std::string(2000, 'x') << "\n"
                             << line("00000000", "0A", kUid);
  std::filesystem::remove(dir / "tcp6");
  const auto got = read_listening_sockets(dir, kUid);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 2U);
  EXPECT_EQ((*got)[0].local, *make_socket_end("127.0.0.1", 5500));
  std::filesystem::remove_all(dir);
  EXPECT_EQ(read_listening_sockets(dir, kUid).error().code, Errc::kSystem);
}

TEST(ListeningSocketsTest, AsksAgainAndAgainOverASocketThatIsGiven) {
  const int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  ASSERT_GE(fd, 0);
  for (int round = 0; round < 3; ++round) {
    const auto own = own_listening_sockets_over(fd, geteuid());
    ASSERT_TRUE(own) << round << ": " << describe(own.error());
    // A question that nobody has read the answer of must not be taken for the next one's.
    const auto cut =
        dump_sockets_over(fd, AF_INET, IPPROTO_TCP, kAllSocketStates, [](const auto&) {});
    ASSERT_TRUE(cut);
    struct {
      nlmsghdr header;
      inet_diag_req_v2 request;
    } left{};
    left.header = {sizeof left, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 99, 0};
    left.request.sdiag_family = AF_INET;
    left.request.sdiag_protocol = IPPROTO_TCP;
    left.request.idiag_states = kAllSocketStates;
    ASSERT_GT(send(fd, &left, sizeof left, 0), 0);
  }
  close(fd);
  EXPECT_EQ(own_listening_sockets_over(fd, geteuid()).error().code, Errc::kSystem);
}

TEST(ListeningSocketsTest, FindsARealListener) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  const auto wanted = *make_socket_end("127.0.0.1", ntohs(address.sin_port));
  const auto is_there = [&](const Result<std::vector<SocketEntry>>& list) {
    return list && std::any_of(list->begin(), list->end(),
                               [&](const auto& entry) { return entry.local == wanted; });
  };
  EXPECT_TRUE(is_there(own_listening_sockets(geteuid())));
  EXPECT_TRUE(is_there(read_listening_sockets("/proc/net", geteuid())));
  EXPECT_FALSE(is_there(own_listening_sockets(geteuid() + 1)));
  EXPECT_TRUE(own_listening_sockets(kOverflowUid)->empty());
  close(fd);
}

}  // namespace
}  // namespace hpc
