#include "node-proxy/process_finder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <ostream>

#include "node-proxy/process.h"

namespace hpc {
namespace {

namespace fs = std::filesystem;

struct TestClock final : Clock {
  std::uint64_t now_ms() const override { return now; }
  std::uint64_t now = 1000;
};

/// A directory that looks like /proc.
class ProcessFinderTest : public testing::Test {
 protected:
  ProcessFinderTest() {
    fs::remove_all(proc);
    fs::create_directories(proc / "sys");
  }
  ~ProcessFinderTest() override { fs::remove_all(proc); }

  void process(int pid, const std::string& command, const std::vector<std::string>& links,
               char state = 'S', int ticks = 500) const {
    const auto dir = proc / std::to_string(pid);
    fs::remove_all(dir);
    fs::create_directories(dir / "fd");
    std::ofstream(dir / "stat") << pid << " (x) y) " << state
                                << " 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " << ticks << " 0\n";
    std::ofstream(dir / "cmdline") << command << '\0';
    std::ofstream(dir / "comm") << "comm" << pid << "\n";
    int fd = 0;
    for (const auto& link : links) fs::create_symlink(link, dir / "fd" / std::to_string(fd++));
  }
  ProcessFinder finder(std::size_t looks_max = ProcessFinder::kLooksMax,
                       std::uint32_t uid = geteuid()) const {
    return {proc, uid, clock, looks_max};
  }
  /// What is found of the inodes, as "pid name"; "" for what is not.
  static std::vector<std::string> names(ProcessFinder& finder,
                                        const std::vector<std::uint32_t>& inodes) {
    finder.want(inodes);
    while (!finder.step(0)) {
    }
    std::vector<std::string> out;
    for (const auto inode : inodes) {
      const auto* const found = finder.find(inode);
      out.push_back(found == nullptr ? "" : std::to_string(found->pid) + " " + found->name);
    }
    return out;
  }
  using Names = std::vector<std::string>;

  const fs::path proc =
      fs::path(testing::TempDir()) / ("process_finder_test." + std::to_string(getpid()));
  TestClock clock;
};

TEST_F(ProcessFinderTest, FindsTheProcessesOfSockets) {
  process(10, "/usr/bin/node", {"/dev/null", "pipe:[7]", "socket:[7]"});
  process(20, "R", {"socket:[8]", "anon_inode:[eventpoll]", "socket:[9]"});
  auto found = finder();
  EXPECT_EQ(names(found, {7, 8, 9, 10}), (Names{"10 node", "20 R", "20 R", ""}));
  EXPECT_EQ(found.find(7)->start_ticks, 500);
  EXPECT_GT(found.find(7)->started_unix_ms, 0);
}

TEST_F(ProcessFinderTest, LooksAtTheUsersOwnProcessesOnly) {
  process(10, "node", {"socket:[7]"});
  auto found = finder(ProcessFinder::kLooksMax, geteuid() + 1);
  EXPECT_EQ(names(found, {7}), Names{""});
}

TEST_F(ProcessFinderTest, DoesWithoutWhatIsNotThere) {
  process(10, "node", {"socket:[7]"});
  fs::remove_all(proc / "10/fd");
  process(11, "node", {"socket:[8]"});
  fs::remove(proc / "11/stat");
  process(12, "node", {"socket:[9]"});
  fs::remove(proc / "12/cmdline");
  auto found = finder();
  EXPECT_EQ(names(found, {7, 8, 9}), (Names{"", "", "12 comm12"}));
  fs::remove_all(proc);
  auto nothing = finder();
  EXPECT_EQ(names(nothing, {7}), Names{""});
}

TEST_F(ProcessFinderTest, ReadsNoMemoryOfAProcessThatHangsOnADisk) {
  process(10, "node", {"socket:[7]"}, 'D');
  auto found = finder();
  EXPECT_EQ(names(found, {7}), Names{"10 comm10"});
}

TEST_F(ProcessFinderTest, KeepsAnswersWhileTheProcessLives) {
  process(10, "node", {"socket:[7]"});
  auto found = finder();
  EXPECT_EQ(names(found, {7}), Names{"10 node"});
  fs::remove(proc / "10/fd/0");
  EXPECT_EQ(names(found, {7}), Names{"10 node"}) << "not looked for again";
  process(10, "other", {}, 'S', 501);
  process(11, "child", {"socket:[7]"});
  EXPECT_EQ(names(found, {7}), Names{"11 child"}) << "another process with the same id";
  fs::remove_all(proc / "11");
  EXPECT_EQ(names(found, {7}), Names{""});
}

TEST_F(ProcessFinderTest, ForgetsWhatIsNotWanted) {
  process(10, "node", {"socket:[7]"});
  auto found = finder();
  names(found, {7});
  found.want({});
  EXPECT_EQ(found.find(7), nullptr);
  EXPECT_TRUE(found.step(0)) << "nothing to do";
}

TEST_F(ProcessFinderTest, LooksAgainForWhatWasMissingAfterAWhile) {
  auto found = finder();
  EXPECT_EQ(names(found, {7}), Names{""});
  process(10, "node", {"socket:[7]"});
  clock.now += ProcessFinder::kMissingMs - 1;
  EXPECT_EQ(names(found, {7}), Names{""});
  clock.now += 1;
  EXPECT_EQ(names(found, {7}), Names{"10 node"});
}

TEST_F(ProcessFinderTest, SliceIsOneEntryAtLeastAndNoMoreThanItMayTake) {
  process(10, "node", {"socket:[1]", "socket:[7]"});
  auto found = finder();
  found.want({7});
  int slices = 0;
  while (!found.step(0)) ++slices;
  EXPECT_GE(slices, 4) << "., .., 10, its descriptors";
  EXPECT_NE(found.find(7), nullptr);
}

TEST_F(ProcessFinderTest, LooksAtSoManyEntriesAndNoMore) {
  process(10, "node", {"socket:[7]"});
  std::size_t needed = 1;
  while (true) {
    auto found = finder(needed);
    if (names(found, {7}) == Names{"10 node"}) break;
    ASSERT_LT(++needed, 100U);
  }
  // "." and "..", the process (and perhaps "sys" before it), the same in fd, and the descriptor.
  EXPECT_GE(needed, 2U);
  auto one_less = finder(needed - 1);
  EXPECT_EQ(names(one_less, {7}), Names{""});
}

TEST_F(ProcessFinderTest, WantsThatChangeDuringASearchAreAllAnswered) {
  process(10, "node", {"socket:[7]"});
  process(20, "R", {"socket:[8]"});
  auto found = finder();
  found.want({7});
  found.step(0);
  EXPECT_EQ(names(found, {7, 8}), (Names{"10 node", "20 R"}));
}

TEST_F(ProcessFinderTest, SearchOfTheRealProcEnds) {
  ProcessFinder real("/proc", geteuid(), clock);
  constexpr std::uint32_t kNoInode = 4'000'000'000;
  real.want({kNoInode});
  while (!real.step(1000)) {
  }
  EXPECT_EQ(real.find(kNoInode), nullptr);
}

struct LinkCase {
  const char* text;
  std::int64_t inode;  // -1: none
};
TEST(SocketLinkTest, IsExact) {
  constexpr LinkCase kCases[] = {
      {"socket:[1]", 1},
      {"socket:[4294967295]", 4294967295},
      {"socket:[4294967296]", -1},
      {"socket:[]", -1},
      {"socket:[-1]", -1},
      {"socket:[+1]", -1},
      {"socket:[1", -1},
      {"socket:[1]x", -1},
      {"socket:[ 1]", -1},
      {"socket:[0x1]", -1},
      {"pipe:[1]", -1},
      {"", -1},
      {"/tmp/socket:[1]", -1},
      {"socket:[1] (deleted)", -1},
      {"socket:]", -1},
  };
  for (const auto& c : kCases) {
    const auto got = parse_socket_link(c.text);
    EXPECT_EQ(got ? std::int64_t{*got} : -1, c.inode) << c.text;
  }
}

TEST(ProcessStatTest, NameMayHoldAnything) {
  const std::string rest = " S 815 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n";
  for (const char* name : {"(node)", "(a b)", "(a) R 1 1 (b)", "(\n)", "()", "(<script>)"}) {
    const auto stat = parse_process_stat("7 " + std::string(name) + rest);
    ASSERT_TRUE(stat) << name;
    EXPECT_EQ(stat->state, 'S');
    EXPECT_EQ(stat->start_ticks, 4711);
    EXPECT_EQ(stat->parent, 815);
  }
  const std::string whole = "7 (x)" + rest;
  const std::size_t ticks = whole.find("4711");
  for (std::size_t cut = 0; cut <= ticks; ++cut) {
    EXPECT_FALSE(parse_process_stat(whole.substr(0, cut))) << cut;
  }
  EXPECT_FALSE(parse_process_stat("7 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 -1 0"));
  EXPECT_FALSE(parse_process_stat("7 (x) S -1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0"));
  EXPECT_FALSE(
      parse_process_stat("7 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 "
                         "9223372036854775807 0"));
}

}  // namespace
}  // namespace hpc
