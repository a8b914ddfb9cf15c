#include "node-proxy/run/run_dir.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/support/temp_dir.h"

namespace hpc {
namespace {

namespace fs = std::filesystem;

struct RunDirTest : TempDirFixture {
  RecordDir records = std::move(*RecordDir::open(dir + "/.hpc-proxy"));
  std::string runs = dir + "/.hpc-proxy/run";

  std::string make(const std::string& id) const {
    const auto made = make_run_dir(records, "c1", id);
    EXPECT_TRUE(made.has_value()) << describe(made.error());
    return made.value_or("");
  }
  static std::string own(const std::string& before) { return before + std::to_string(getpid()); }
  /// The id of a process that has ended.
  static std::string dead(const std::string& before) {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    waitpid(pid, nullptr, 0);
    return before + std::to_string(pid);
  }
};

TEST_F(RunDirTest, IsMadeForItsOwnerAlone) {
  const std::string made = make(own("4711-c1-"));
  EXPECT_EQ(made, runs + "/" + own("4711-c1-"));
  EXPECT_EQ(mode(made), 0700);
  EXPECT_EQ(mode(runs), 0700);
}

TEST_F(RunDirTest, WhatAnEarlierProcessOfThisNumberLeftIsRemoved) {
  put(make(own("c1-")) + "/old.so", "old");
  EXPECT_TRUE(fs::is_empty(make(own("c1-"))));
}

TEST_F(RunDirTest, DeadProcessesOfThisHostAreTidiedUp) {
  const std::string in_job = make(dead("4711-c1-"));
  const std::string outside = make(dead("c1-"));
  put(outside + "/lib.so", "text");
  const std::string other_host = make(dead("c2-"));
  const std::string longer_name = make(dead("4711-xc1-"));
  const std::string no_number = make("c1-4x");
  const std::string live = make(own("4712-c1-"));
  make(own("c1-"));
  EXPECT_FALSE(fs::exists(in_job));
  EXPECT_FALSE(fs::exists(outside));
  for (const auto& stays : {other_host, longer_name, no_number, live}) {
    EXPECT_TRUE(fs::exists(stays)) << stays;
  }
}

TEST_F(RunDirTest, RemovingFollowsNoLink) {
  const std::string made = make(own("c1-"));
  put(dir + "/kept", "text");
  fs::create_symlink(dir + "/kept", made + "/link");
  put(made + "/file", "text");
  remove_run_dir(made);
  EXPECT_FALSE(fs::exists(made));
  EXPECT_EQ(text(dir + "/kept"), "text");

  fs::create_directories(dir + "/elsewhere");
  fs::create_directories(runs);
  put(dir + "/elsewhere/kept", "text");
  fs::create_directory_symlink(dir + "/elsewhere", made);
  remove_run_dir(made);
  EXPECT_TRUE(fs::exists(dir + "/elsewhere/kept"));
}

TEST_F(RunDirTest, NothingStaysAfterTheLastOne) {
  const std::string first = make(own("4711-c1-"));
  const std::string last = make(own("4712-c1-"));
  remove_run_dir(first);
  EXPECT_TRUE(fs::exists(last));
  remove_run_dir(last);
  EXPECT_FALSE(fs::exists(runs));
  EXPECT_TRUE(fs::exists(dir + "/.hpc-proxy"));
}

TEST_F(RunDirTest, OnlyTheFolderOfRunsGoesWithTheLastOne) {
  fs::create_directories(dir + "/other/run-1");
  remove_run_dir(dir + "/other/run-1");
  EXPECT_FALSE(fs::exists(dir + "/other/run-1"));
  EXPECT_TRUE(fs::exists(dir + "/other"));
}

TEST_F(RunDirTest, StartsWhileOthersEnd) {
  const pid_t others = fork();
  // Runs of another host, which leave those of this one alone.
  while (others == 0) remove_run_dir(make_run_dir(records, "c2", "4711-c2-1").value_or(""));
  for (int i = 0; i < 500 && !HasFailure(); ++i) remove_run_dir(make(own("4711-c1-")));
  kill(others, SIGKILL);
  EXPECT_EQ(waitpid(others, nullptr, 0), others);
}

TEST_F(RunDirTest, RecordsThatAreGoneAreNoReasonToGoOnForever) {
  fs::remove_all(dir + "/.hpc-proxy");
  const auto made = make_run_dir(records, "c1", own("c1-"));
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Errc::kSystem);
  EXPECT_EQ(made.error().where, runs);
}

TEST_F(RunDirTest, RemovingTakesNoDirectoriesBelow) {
  const std::string made = make(own("c1-"));
  fs::create_directory(made + "/below");
  put(made + "/below/kept", "text");
  remove_run_dir(made);
  EXPECT_TRUE(fs::exists(made + "/below/kept"));
}

TEST_F(RunDirTest, LinkInThePlaceOfTheDirectoryIsRefused) {
  fs::create_directory(dir + "/elsewhere");
  fs::create_directory_symlink(dir + "/elsewhere", runs);
  const auto made = make_run_dir(records, "c1", own("c1-"));
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Errc::kSystem);
  EXPECT_EQ(made.error().where, runs);
  EXPECT_TRUE(fs::is_empty(dir + "/elsewhere"));
}

}  // namespace
}  // namespace hpc
