#include "node-proxy/run/descendants.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace hpc {
namespace {

namespace fs = std::filesystem;

/// A directory that looks like /proc.
class DescendantsTest : public testing::Test {
 protected:
  DescendantsTest() {
    fs::remove_all(proc);
    fs::create_directories(proc / "sys");
  }
  ~DescendantsTest() override { fs::remove_all(proc); }

  void process(int pid, int parent, char state = 'S', const std::string& name = "x) y (") const {
    const auto dir = proc / std::to_string(pid);
    fs::create_directories(dir);
    std::ofstream(dir / "stat") << pid << " (" << name << ") " << state << " " << parent
                                << " 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " << pid * 10 << " 0\n";
  }
  std::vector<pid_t> below(pid_t root) const {
    std::vector<pid_t> pids;
    for (const Descendant& one : find_descendants(proc, root)) pids.push_back(one.pid);
    return pids;
  }
  std::vector<pid_t> sorted_below(pid_t root) const {
    auto pids = below(root);
    std::sort(pids.begin(), pids.end());
    return pids;
  }
  using Pids = std::vector<pid_t>;

  const fs::path proc =
      fs::path(testing::TempDir()) / ("descendants_test." + std::to_string(getpid()));
};

TEST_F(DescendantsTest, FindsAllBelowAndNothingElse) {
  process(1, 0);
  process(50, 1);
  process(60, 50);
  process(61, 60);
  process(62, 61);
  process(63, 50);
  process(70, 1);
  process(71, 70);
  EXPECT_EQ(sorted_below(50), (Pids{60, 61, 62, 63}));
  EXPECT_EQ(sorted_below(70), Pids{71});
  EXPECT_EQ(sorted_below(62), Pids{});
  EXPECT_EQ(sorted_below(999), Pids{});
}

TEST_F(DescendantsTest, FindsParentsBeforeTheirChildren) {
  process(62, 50);
  process(61, 62);
  process(60, 61);
  EXPECT_EQ(below(50), (Pids{62, 61, 60}));
}

TEST_F(DescendantsTest, SaysWhichHaveEnded) {
  process(60, 50, 'Z');
  process(61, 60, 'T');
  process(62, 60, 'X');
  const auto found = find_descendants(proc, 50);
  ASSERT_EQ(found.size(), 3U);
  for (const Descendant& one : found) {
    EXPECT_EQ(one.zombie, one.pid != 61) << one.pid;
    EXPECT_EQ(one.start_ticks, one.pid * 10);
  }
}

TEST_F(DescendantsTest, BelievesNoNameOfAProcess) {
  process(60, 50, 'S', ") S 1 (");
  process(61, 1, 'S', "a) S 50 1 1 0 -1 0");
  EXPECT_EQ(below(50), Pids{60});
}

TEST_F(DescendantsTest, EndsWhenProcShowsACircle) {
  process(50, 61);
  process(60, 50);
  process(61, 60);
  EXPECT_EQ(below(50), (Pids{60, 61})) << "the root itself is not below itself";
  process(80, 81);
  process(81, 80);
  EXPECT_EQ(below(50), (Pids{60, 61}));
  EXPECT_LE(below(80).size(), 4U);
}

TEST_F(DescendantsTest, PassesOverWhatItCannotRead) {
  process(60, 50);
  fs::create_directories(proc / "61");  // has ended while we read
  fs::create_directories(proc / "62");
  std::ofstream(proc / "62" / "stat") << "62 (x) S";  // cut
  fs::create_directories(proc / "63x");
  std::ofstream(proc / "63x" / "stat") << "63 (x) S 50 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9 0\n";
  EXPECT_EQ(below(50), Pids{60});
  fs::remove_all(proc);
  EXPECT_EQ(below(50), Pids{});
}

/// A child that waits for signals; ended at the latest by its own alarm.
class Child {
 public:
  explicit Child(bool ignores_sigterm) {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    pid_ = fork();
    if (pid_ == 0) {
      alarm(20);
      if (ignores_sigterm) signal(SIGTERM, SIG_IGN);
      [[maybe_unused]] const ssize_t size = write(ready[1], "r", 1);
      while (true) pause();
    }
    char word = 0;
    EXPECT_EQ(read(ready[0], &word, 1), 1);
    close(ready[0]);
    close(ready[1]);
  }
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  /// The signal that ended it; waits for that.
  int ended_by() {
    int status = 0;
    EXPECT_EQ(waitpid(std::exchange(pid_, 0), &status, 0) > 0, true);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  bool has_ended() const {
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid != 0;
  }

 private:
  pid_t pid_ = 0;
};

TEST(DescendantsEndTest, AsksFirst) {
  Child child(false);
  DescendantsEnd ending(1000);
  EXPECT_EQ(ending.step(0), DescendantsEnd::kLookMs);
  EXPECT_EQ(child.ended_by(), SIGTERM);
}

TEST(DescendantsEndTest, KillsAtTheDeadlineAndNotBefore) {
  Child child(true);
  DescendantsEnd ending(1000);
  ending.step(0);
  EXPECT_EQ(ending.step(999), 1U);
  EXPECT_FALSE(child.has_ended());
  EXPECT_EQ(ending.step(1000), DescendantsEnd::kKillLookMs);
  EXPECT_EQ(child.ended_by(), SIGKILL);
}

TEST(DescendantsEndTest, LooksOnlyNowAndThen) {
  DescendantsEnd ending(1000);
  EXPECT_EQ(ending.step(0), DescendantsEnd::kLookMs);
  Child child(false);
  EXPECT_EQ(ending.step(40), DescendantsEnd::kLookMs - 40);
  EXPECT_FALSE(child.has_ended());
  ending.step(DescendantsEnd::kLookMs);
  EXPECT_EQ(child.ended_by(), SIGTERM) << "and asks those that came later, too";
}

TEST(DescendantsEndTest, CanBeHastenedButNotDelayed) {
  Child child(true);
  DescendantsEnd ending(5000);
  ending.hasten(9000);
  ending.step(0);
  ending.hasten(50);
  EXPECT_EQ(ending.step(49), 1U);
  EXPECT_FALSE(child.has_ended());
  ending.step(50);
  EXPECT_EQ(child.ended_by(), SIGKILL);
}

TEST(DescendantsEndTest, GivesUpAfterAWhile) {
  const DescendantsEnd ending(1000);
  EXPECT_FALSE(ending.gave_up(1000 + DescendantsEnd::kKillLimitMs - 1));
  EXPECT_TRUE(ending.gave_up(1000 + DescendantsEnd::kKillLimitMs));
}

TEST(DescendantsEndTest, SaysWhatIsLeft) {
  EXPECT_TRUE(DescendantsEnd::left().empty());
  const Child child(false);
  EXPECT_EQ(DescendantsEnd::left().size(), 1U);
}

}  // namespace
}  // namespace hpc
