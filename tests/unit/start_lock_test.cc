#include "node-proxy/start_lock.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "node-proxy/process.h"

namespace hpc {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHost = "node-07";
constexpr std::int64_t kNoSuchPid = 0x7FFFFFFF;

class StartLockTest : public testing::Test {
 protected:
  StartLockTest() {
    std::string name = fs::temp_directory_path() / "start-lock.XXXXXX";
    path_ = mkdtemp(name.data());
    auto dir = RecordDir::open(path_);
    EXPECT_TRUE(dir.has_value()) << describe(dir.error());
    dir_.emplace(std::move(*dir));
  }
  ~StartLockTest() override { fs::remove_all(path_); }

  std::string file() const { return path_ + "/.node-07.lock"; }
  void put(std::int64_t pid, std::int64_t since_ms) const {
    put(std::to_string(pid) + " " + std::to_string(since_ms) + "\n");
  }
  void put(const std::string& text) const { std::ofstream(file()) << text; }
  std::string text() const {
    std::ifstream stream(file());
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::size_t files() const {
    std::size_t found = 0;
    for (const auto& entry : fs::directory_iterator(path_)) found += entry.is_directory() ? 0 : 1;
    return found;
  }
  Result<StartLock> take(std::uint64_t wait_ms = 0) {
    return StartLock::take(*dir_, kHost, wait_ms);
  }

  std::string path_;
  std::optional<RecordDir> dir_;
};

TEST_F(StartLockTest, IsThereUntilItIsReleased) {
  auto lock = take();
  ASSERT_TRUE(lock.has_value()) << describe(lock.error());
  EXPECT_EQ(text().substr(0, text().find(' ')), std::to_string(getpid()));
  EXPECT_EQ(files(), 1U) << "nothing temporary is left";
  lock->release();
  EXPECT_EQ(files(), 0U);
}

TEST_F(StartLockTest, IsGoneWithItsObject) {
  { const auto lock = take(); }
  EXPECT_EQ(files(), 0U);
}

TEST_F(StartLockTest, SecondOneWaitsAndThenNamesTheFirst) {
  const auto lock = take();
  const auto second = take(20);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(describe(second.error()).find("process " + std::to_string(getpid())),
            std::string::npos);
  EXPECT_NE(describe(second.error()).find(file()), std::string::npos);
  EXPECT_EQ(files(), 1U);
}

TEST_F(StartLockTest, LockOfADeadProcessCountsNotAtAll) {
  put(kNoSuchPid, unix_ms());
  EXPECT_TRUE(take().has_value());
}

TEST_F(StartLockTest, LockOfAReusedProcessIdCountsNotAtAll) {
  constexpr std::int64_t kMonthMs = std::int64_t{30} * 24 * 3'600'000;
  put(getpid(), unix_ms() - kMonthMs);
  EXPECT_TRUE(take().has_value());
}

TEST_F(StartLockTest, WhatIsNoLockIsNamedAndStays) {
  for (const std::string odd : {"", "x", "12", "12 ", "12 34", "12x34\n"}) {
    put(odd);
    const auto lock = take();
    ASSERT_FALSE(lock.has_value()) << odd;
    EXPECT_NE(describe(lock.error()).find("remove it"), std::string::npos);
    EXPECT_EQ(text(), odd);
  }
}

TEST_F(StartLockTest, SymbolicLinkIsNotFollowed) {
  std::ofstream(path_ + "/elsewhere") << kNoSuchPid << " 1\n";
  fs::create_symlink(path_ + "/elsewhere", file());
  EXPECT_FALSE(take().has_value());
  EXPECT_TRUE(fs::exists(path_ + "/elsewhere"));
}

TEST_F(StartLockTest, OneThatIsNotOursAnyMoreStays) {
  auto lock = take();
  put(getpid() + 1, unix_ms());
  lock->release();
  EXPECT_EQ(files(), 1U);
}

// Each of them adds one to a number in a file, in two steps, while it holds the lock.
TEST_F(StartLockTest, OnlyOneProcessHoldsItAtATime) {
  constexpr int kProcesses = 12;
  constexpr std::uint64_t kPatienceMs = 20'000;
  put(kNoSuchPid, unix_ms());  // all of them find the same stale one first
  for (int i = 0; i < kProcesses; ++i) {
    if (fork() != 0) continue;
    auto lock = take(kPatienceMs);
    int number = 0;
    std::ifstream(path_ + "/number") >> number;
    std::ofstream(path_ + "/number") << number + 1;
    if (lock) lock->release();
    std::_Exit(lock ? 0 : 1);
  }
  int good = 0;
  for (int i = 0; i < kProcesses; ++i) {
    int status = 0;
    if (wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) ++good;
  }
  int number = 0;
  std::ifstream(path_ + "/number") >> number;
  EXPECT_EQ(good, kProcesses);
  EXPECT_EQ(number, kProcesses);
  EXPECT_EQ(files(), 1U) << "only the number";
}

}  // namespace
}  // namespace hpc
