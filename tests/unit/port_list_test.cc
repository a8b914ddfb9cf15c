#include "node-proxy/port_list.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace hpc {
namespace {

SocketEntry listener(const char* address, std::uint16_t port, std::uint32_t inode = 1) {
  return {*make_socket_end(address, port), {}, kTcpStateListen, 20001, inode};
}

TEST(PortsViewTest, IsWhatHpcProxyCanReach) {
  const auto view = make_ports_view(
      {listener("127.0.0.1", 5500), listener("0.0.0.0", 5501), listener("::1", 5502),
       listener("::", 5503), listener("127.0.0.2", 5504), listener("10.0.0.1", 5505),
       listener("fe80::1", 5506), listener("::ffff:127.0.0.1", 5507)},
      0);
  std::string text;
  for (const auto& port : view.ports) {
    text += std::to_string(port.port) + "@" + port.addresses.front() + " ";
  }
  EXPECT_EQ(text, "5500@127.0.0.1 5501@0.0.0.0 5502@::1 5503@:: 5507@127.0.0.1 ");
  EXPECT_TRUE(view.known);
}

TEST(PortsViewTest, PortIsOneLineHoweverManySocketsItHas) {
  const auto view = make_ports_view(
      {listener("::1", 5500, 3), listener("127.0.0.1", 5500, 4), listener("127.0.0.1", 5500, 5)},
      0);
  ASSERT_EQ(view.ports.size(), 1U);
  EXPECT_EQ(view.ports[0].addresses, (std::vector<std::string>{"::1", "127.0.0.1"}));
  EXPECT_EQ(view.ports[0].inodes, (std::vector<std::uint32_t>{3, 4}));
}

const PortScope kLoopback{{"127.64.12.8", "127.64.12.9"}, {}, {}};

TEST(PortsViewTest, PrivateAddressesOfThisRunCanBeReached) {
  const auto view =
      make_ports_view({listener("127.64.12.8", 5500), listener("127.64.12.9", 5501),
                       listener("::ffff:127.64.12.8", 5502), listener("127.0.0.1", 5503),
                       listener("127.64.12.10", 5504), listener("127.64.12.12", 5505)},
                      0, kLoopback);
  std::string text;
  for (const auto& port : view.ports) {
    text += std::to_string(port.port) + "@" + port.addresses.front() +
            (port.is_private ? " private " : " ");
  }
  EXPECT_EQ(text,
            "5500@127.64.12.8 private 5501@127.64.12.9 private 5502@127.64.12.8 private "
            "5503@127.0.0.1 ");
  EXPECT_EQ(make_ports_view({listener("127.64.12.8", 5500)}, 0).ports.size(), 0U)
      << "another run's, or hpc-proxy's own without a run";
}

TEST(PortsViewTest, PrivateAndCommonSocketsOfAPortAreOneLine) {
  const auto view = make_ports_view({listener("0.0.0.0", 5500, 3), listener("127.64.12.9", 5500, 4),
                                     listener("127.64.12.8", 5500, 5)},
                                    0, kLoopback);
  ASSERT_EQ(view.ports.size(), 1U);
  EXPECT_TRUE(view.ports[0].is_private);
  // In the order in which they are tried, so the program that is named is the one that answers.
  EXPECT_EQ(view.ports[0].addresses,
            (std::vector<std::string>{"127.64.12.8", "127.64.12.9", "0.0.0.0"}));
  EXPECT_EQ(view.ports[0].inodes, (std::vector<std::uint32_t>{5, 4, 3}));
}

TEST(PortsViewTest, EverythingInANetworkSpaceIsPrivate) {
  const PortScope inside{{}, [] { return PortScope::Sockets(); }, {}};
  const auto view =
      make_ports_view({listener("127.0.0.1", 5500), listener("0.0.0.0", 9000)}, 9000, inside);
  ASSERT_EQ(view.ports.size(), 1U) << "hpc-proxy's own number leads to itself";
  EXPECT_TRUE(view.ports[0].is_private);
}

TEST(PortsViewTest, OwnPortIsNotAnApp) {
  EXPECT_TRUE(make_ports_view({listener("127.64.12.8", 9000)}, 9000, kLoopback).ports.empty());
  EXPECT_TRUE(
      make_ports_view({listener("0.0.0.0", 9000), listener("::", 9000)}, 9000).ports.empty());
}

TEST(PortsViewTest, ShowsSoManyPortsAndSaysHowManyAreLeftOut) {
  std::vector<SocketEntry> sockets;
  for (std::size_t i = 0; i < kPortsMax; ++i) {
    sockets.push_back(listener("127.0.0.1", static_cast<std::uint16_t>(9999 - i)));
  }
  auto view = make_ports_view(sockets, 0);
  EXPECT_EQ(view.ports.size(), kPortsMax);
  EXPECT_EQ(view.left_out, 0U);
  sockets.push_back(listener("127.0.0.1", 20000));
  view = make_ports_view(sockets, 0);
  EXPECT_EQ(view.ports.size(), kPortsMax);
  EXPECT_EQ(view.left_out, 1U);
  EXPECT_EQ(view.ports.back().port, 9999) << "the highest";
}

/// A listener of this process.
struct Listener {
  Listener() : fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    listen(fd, 1);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(fd); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  int fd;
  std::uint16_t port = 0;
};

const ListeningPort* line_of(const PortsView& view, std::uint16_t port) {
  const auto found = std::find_if(view.ports.begin(), view.ports.end(),
                                  [port](const auto& line) { return line.port == port; });
  return found == view.ports.end() ? nullptr : &*found;
}

TEST(PortListTest, NamesThisProcessAndLooksAgainAfterAWhile) {
  Loop loop;
  PortList list(loop, geteuid());
  const Listener first;
  list.ports();
  while (!list.ports().names_complete) loop.turn();
  const auto* const line = line_of(list.ports(), first.port);
  ASSERT_NE(line, nullptr);
  ASSERT_TRUE(line->process) << "found in /proc";
  EXPECT_EQ(line->process->pid, getpid());
  EXPECT_EQ(line->process->name, "unit_tests");

  const Listener second;
  Timer soon(loop, [] {});
  soon.start(PortList::kFreshMs + 1);
  EXPECT_EQ(line_of(list.ports(), second.port), nullptr) << "one look for whoever asks at once";
  while (soon.active()) loop.turn();
  EXPECT_NE(line_of(list.ports(), second.port), nullptr);
  list.leave_out(second.port);
}

TEST(PortListTest, AsksAndTellsAsTheScopeSays) {
  Loop loop;
  int asked = 0;
  std::vector<SocketEntry> told;
  PortList list(loop, geteuid(),
                {{},
                 [&asked]() -> PortScope::Sockets {
                   if (++asked > 1) return fail(Errc::kSystem, "ports", "it is gone");
                   return std::vector<SocketEntry>{listener("127.0.0.1", 5500, 7)};
                 },
                 [&told](const auto& sockets) { told = sockets; }});
  ASSERT_EQ(list.ports().ports.size(), 1U);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].inode, 7U);
  Timer soon(loop, [] {});
  soon.start(PortList::kFreshMs + 1);
  while (soon.active()) loop.turn();
  EXPECT_FALSE(list.ports().known) << "this network's ports are not those of the run";
}

}  // namespace
}  // namespace hpc
