#include "node-proxy/run/unmoved_watch.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>

#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

constexpr pid_t kKeeper = 100;
const std::vector<std::string> kPrivate = {"127.64.12.8", "127.64.12.9"};

SocketEntry listener(const char* address, std::uint16_t port, std::uint32_t inode) {
  return {*make_socket_end(address, port), {}, kTcpStateListen, geteuid(), inode};
}

std::string ports_of(const std::vector<SocketEntry>& sockets) {
  std::string text;
  for (const SocketEntry& socket : sockets) text += std::to_string(socket.local.port) + " ";
  return text;
}

TEST(UnmovedSocketsTest, AreThoseThatEverybodyReaches) {
  const std::vector<SocketEntry> sockets = {listener("127.0.0.1", 1001, 1),
                                            listener("0.0.0.0", 1002, 2),
                                            listener("::1", 1003, 3),
                                            listener("::", 1004, 4),
                                            listener("127.0.0.2", 1005, 5),
                                            listener("10.0.0.1", 1006, 6),
                                            listener(kPrivate[0].c_str(), 1007, 7),
                                            listener("127.64.99.4", 1008, 8)};
  EXPECT_EQ(ports_of(unmoved_sockets(sockets, kPrivate, {})), "1001 1002 1003 1004 ");
}

TEST(UnmovedSocketsTest, SharedPortsAreMeantToBeThere) {
  EXPECT_EQ(ports_of(unmoved_sockets({listener("0.0.0.0", 8785, 1), listener("0.0.0.0", 8786, 2),
                                      listener("0.0.0.0", 8787, 3), listener("0.0.0.0", 8788, 4)},
                                     kPrivate, *PortSet::parse("8786-8787"))),
            "8785 8788 ");
}

TEST(UnmovedSocketsTest, PortThatHasAPrivateAddressTooIsReachedThere) {
  // Tornado: [::] alone stays where it is when 0.0.0.0 was moved.
  EXPECT_EQ(ports_of(unmoved_sockets(
                {listener("::", 8888, 1), listener(kPrivate[0].c_str(), 8888, 2)}, kPrivate, {})),
            "");
}

/// Processes in a directory that looks like /proc.
class UnmovedWatchTest : public TempDirFixture {
 protected:
  struct Program {
    int pid = 0;
    int parent = kKeeper;
    const char* name = "go-server";
    bool is_static = true;
    bool loaded = false;
    char state = 'S';
  };

  void add(const Program& program, std::initializer_list<std::uint32_t> inodes) {
    const auto at = proc / std::to_string(program.pid);
    std::filesystem::create_directories(at / "fd");
    std::ofstream(at / "stat") << program.pid << " (x) " << program.state << " " << program.parent
                               << " 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0\n";
    std::ofstream(at / "cmdline") << program.name << '\0';
    std::ofstream(at / "comm") << program.name << '\n';
    std::ofstream(at / "environ") << "";
    std::ofstream(at / "maps") << (program.loaded ? "1-2 r-xp 0 0:0 1 /x/libhpc_ports.so\n" : "");
    const std::uint64_t vector[] = {
        AT_PHENT, sizeof(Elf64_Phdr), AT_BASE, program.is_static ? 0U : 4096U, AT_NULL, 0};
    std::ofstream(at / "auxv").write(reinterpret_cast<const char*>(vector), sizeof vector);
    int fd = 3;
    for (const std::uint32_t inode : inodes) {
      const auto link = at / "fd" / std::to_string(fd++);
      std::filesystem::remove(link);
      std::filesystem::create_symlink("socket:[" + std::to_string(inode) + "]", link);
    }
  }
  void remove(int pid) { std::filesystem::remove_all(proc / std::to_string(pid)); }

  /// Looks, and lets the loop turn until every program was looked for.
  void look_at(const std::vector<SocketEntry>& sockets) {
    watch.look_at(sockets);
    while (watch.is_looking()) loop.turn();
  }

  static bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  std::filesystem::path proc = dir;
  Loop loop;
  std::vector<std::string> lines;
  UnmovedWatch watch{loop,
                     {geteuid(), kKeeper, kPrivate, *PortSet::parse("8786"), dir},
                     [this](const std::string& line) { lines.push_back(line); }};
};

TEST_F(UnmovedWatchTest, NamesAStaticProgramOnce) {
  add({.pid = 200}, {7});
  for (int looks = 0; looks < 3; ++looks) look_at({listener("0.0.0.0", 8080, 7)});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(contains(lines[0], "go-server (pid 200) listens on port 8080")) << lines[0];
  EXPECT_TRUE(contains(lines[0], "statically linked")) << lines[0];
}

TEST_F(UnmovedWatchTest, NamesItNotAnewWhenItIsRestarted) {
  add({.pid = 200}, {7});
  look_at({listener("0.0.0.0", 8080, 7)});
  remove(200);
  add({.pid = 201}, {8});
  look_at({listener("0.0.0.0", 8080, 8)});
  EXPECT_EQ(lines.size(), 1U);
  look_at({listener("0.0.0.0", 8080, 8), listener("127.0.0.1", 8081, 9)});
  EXPECT_EQ(lines.size(), 1U) << "9 is nobody's";
  add({.pid = 201}, {8, 10});
  look_at({listener("0.0.0.0", 8080, 8), listener("127.0.0.1", 8082, 10)});
  EXPECT_EQ(lines.size(), 2U) << "another port";
}

TEST_F(UnmovedWatchTest, NumberOfAClosedSocketMayBeANewOnes) {
  add({.pid = 200}, {7});
  look_at({listener("0.0.0.0", 8080, 7)});
  look_at({});
  look_at({listener("0.0.0.0", 9090, 7)});
  EXPECT_EQ(lines.size(), 2U);
}

TEST_F(UnmovedWatchTest, ParentsAreFollowedUpToTheKeeper) {
  add({.pid = 200, .name = "bash", .is_static = false}, {});
  add({.pid = 300, .parent = 200}, {7});
  add({.pid = 400, .parent = 1, .name = "elsewhere"}, {8});
  add({.pid = kKeeper, .parent = 50, .name = "hpc-proxy"}, {9});
  look_at(
      {listener("0.0.0.0", 8080, 7), listener("0.0.0.0", 8081, 8), listener("0.0.0.0", 8082, 9)});
  ASSERT_EQ(lines.size(), 1U) << "another session's programs are not the command's";
  EXPECT_TRUE(contains(lines[0], "pid 300"));
}

TEST_F(UnmovedWatchTest, CircleOfParentsEnds) {
  add({.pid = 200, .parent = 300}, {7});
  add({.pid = 300, .parent = 200}, {});
  look_at({listener("0.0.0.0", 8080, 7)});
  EXPECT_TRUE(lines.empty());
}

TEST_F(UnmovedWatchTest, LibraryLeavesPortsAloneThatTheKernelChose) {
  std::filesystem::create_directories(proc / "sys/net/ipv4");
  std::ofstream(proc / "sys/net/ipv4/ip_local_port_range") << "20000\t30000\n";
  std::vector<std::string> said;
  UnmovedWatch other(loop, {geteuid(), kKeeper, kPrivate, {}, dir},
                     [&said](const std::string& line) { said.push_back(line); });
  add({.pid = 200, .is_static = false, .loaded = true}, {6, 7, 8, 9});
  other.look_at({listener("127.0.0.1", 19999, 6), listener("127.0.0.1", 20000, 7),
                 listener("127.0.0.1", 30000, 8), listener("127.0.0.1", 30001, 9)});
  while (other.is_looking()) loop.turn();
  ASSERT_EQ(said.size(), 2U);
  EXPECT_TRUE(contains(said[0], "19999") && contains(said[1], "30001"));
  EXPECT_TRUE(contains(said[0], "asks the kernel itself"));
}

TEST_F(UnmovedWatchTest, ProgramThatHangsIsLookedAtAgain) {
  add({.pid = 200, .state = 'D'}, {7});
  look_at({listener("0.0.0.0", 8080, 7)});
  EXPECT_TRUE(lines.empty());
  add({.pid = 200}, {7});
  look_at({listener("0.0.0.0", 8080, 7)});
  EXPECT_EQ(lines.size(), 1U);
}

TEST_F(UnmovedWatchTest, SoManyWarningsAndNoMore) {
  std::vector<SocketEntry> sockets;
  add({.pid = 200}, {});
  for (std::uint32_t i = 0; i <= UnmovedWatch::kWarningsMax; ++i) {
    add({.pid = static_cast<int>(200 + i)}, {i + 1});
    sockets.push_back(listener("0.0.0.0", static_cast<std::uint16_t>(2000 + i), i + 1));
  }
  sockets.pop_back();
  look_at(sockets);
  EXPECT_EQ(lines.size(), UnmovedWatch::kWarningsMax);
  sockets.push_back(listener("0.0.0.0", 2999, UnmovedWatch::kWarningsMax + 1));
  look_at(sockets);
  EXPECT_EQ(lines.size(), UnmovedWatch::kWarningsMax);
}

TEST_F(UnmovedWatchTest, PrivateAndSharedPortsAreNotLookedFor) {
  add({.pid = 200}, {7, 8});
  look_at({listener("0.0.0.0", 8786, 7), listener(kPrivate[1].c_str(), 8080, 8)});
  EXPECT_TRUE(lines.empty());
}

}  // namespace
}  // namespace hpc
