// How libhpc_ports.so reads /proc/net/tcp where it cannot ask netlink.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "common/unique_fd.h"
#include "node-proxy/ports/proc_net.h"

namespace hpc {
namespace {

const std::string kLine =
    "   3: 0409407F:157C 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
    "30212 1 0000000000000000 100 0 0 10 0\n";

bool is_line_of(const std::string& line, const char* end = "0409407F:157C",
                const char* state = "0A", std::uint32_t uid = 1000) {
  return hpc_is_line_of(line.c_str(), end, state, uid) != 0;
}

TEST(PortsProcNetTest, EndStateAndOwnerMustAllBeTheOnesAskedFor) {
  EXPECT_TRUE(is_line_of(kLine));
  EXPECT_FALSE(is_line_of(kLine, "0409407F:157D"));
  EXPECT_FALSE(is_line_of(kLine, "0409407F:157"));
  EXPECT_FALSE(is_line_of(kLine, "00000000:0000"));
  EXPECT_FALSE(is_line_of(kLine, "0409407F:157C", "01"));
  EXPECT_FALSE(is_line_of(kLine, "0409407F:157C", "0A", 100));
  EXPECT_FALSE(is_line_of(kLine, "0409407F:157C", "0A", 10001));
  EXPECT_FALSE(is_line_of(kLine, "0409407F:157C", "0A", 0));
}

TEST(PortsProcNetTest, ALineThatIsCutIsNotOne) {
  const std::size_t whole = kLine.find(" 1000 ") + 6;
  for (std::size_t size = 0; size < kLine.size(); ++size) {
    EXPECT_EQ(is_line_of(kLine.substr(0, size)), size >= whole) << size;
  }
}

TEST(PortsProcNetTest, OtherLinesAreNotOne) {
  EXPECT_FALSE(is_line_of(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n"));
  EXPECT_FALSE(is_line_of("\n" + kLine));
  std::string other = kLine;
  other.replace(other.find(" 1000 "), 6, " 1000x");
  EXPECT_FALSE(is_line_of(other));
  other.replace(other.find(" 1000x"), 6, " 4294968296 ");  // 1000 in 32 bits
  EXPECT_FALSE(is_line_of(other));
}

/// A socket bound to 127.64.0.4 on any port, which the kernel shows in /proc/net.
struct BoundSocket {
  BoundSocket(int family, int type) : fd(socket(family, type, 0)) {
    sockaddr_in6 v6{};
    sockaddr_in v4{};
    v6.sin6_family = AF_INET6;
    v4.sin_family = AF_INET;
    inet_pton(AF_INET6, "::ffff:127.64.0.4", &v6.sin6_addr);
    inet_pton(AF_INET, "127.64.0.4", &v4.sin_addr);
    const int off = 0;
    if (family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    auto* address =
        family == AF_INET6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
    EXPECT_EQ(bind(fd.get(), address, family == AF_INET6 ? sizeof v6 : sizeof v4), 0);
    if (type == SOCK_STREAM) {
      EXPECT_EQ(listen(fd.get(), 1), 0);
    }
    socklen_t size = sizeof v6;
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&v6), &size);
    port = ntohs(v6.sin6_port);
  }
  UniqueFd fd;
  std::uint16_t port = 0;
};

TEST(PortsProcNetTest, FindsSocketsOfThisUserInTheKernelsOwnTables) {
  std::uint32_t host = 0;
  std::uint32_t other = 0;
  inet_pton(AF_INET, "127.64.0.4", &host);
  inet_pton(AF_INET, "127.64.0.5", &other);
  for (const int family : {AF_INET, AF_INET6}) {
    const BoundSocket tcp(family, SOCK_STREAM);
    const BoundSocket udp(family, SOCK_DGRAM);
    EXPECT_EQ(hpc_family_in_proc_net(IPPROTO_TCP, host, tcp.port), family);
    EXPECT_EQ(hpc_family_in_proc_net(IPPROTO_UDP, host, udp.port), family);
    EXPECT_EQ(hpc_family_in_proc_net(IPPROTO_TCP, other, tcp.port), 0);
    EXPECT_EQ(hpc_family_in_proc_net(IPPROTO_UDP, other, udp.port), 0);
  }
}

}  // namespace
}  // namespace hpc
