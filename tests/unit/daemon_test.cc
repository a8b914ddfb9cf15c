#include "node-proxy/daemon.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node-proxy/process.h"

namespace hpc {
namespace {

/// A process that waits to be ended.
class Sleeper {
 public:
  Sleeper() : pid_(fork()) {
    if (pid_ == 0) {
      for (;;) pause();
    }
  }
  ~Sleeper() { end(); }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  pid_t pid() const { return pid_; }
  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_;
};

Environment task(pid_t pid) {
  return [pid](const char* name) -> std::optional<std::string> {
    if (std::string_view(name) == "SLURM_JOB_ID") return "77";
    if (std::string_view(name) == "SLURM_TASK_PID") return std::to_string(pid);
    return std::nullopt;
  };
}

TEST(BondTest, IsToTheSlurmTaskElseToTheCaller) {
  const Sleeper sleeper;
  EXPECT_EQ(bond_to_caller(task(sleeper.pid()))->pid, sleeper.pid());
  const auto nothing = [](const char*) { return std::optional<std::string>(); };
  const auto caller = bond_to_caller(nothing);
  if (getppid() > 1) {
    EXPECT_EQ(caller->pid, getppid());
  }
  // A number of another pid namespace: nobody is there.
  const auto elsewhere = bond_to_caller(task(0x7FFFFFFF));
  EXPECT_TRUE(!elsewhere || elsewhere->pid == getppid());
}

/// Turns the loop until `ended`; the loop sleeps in between, so this waits and does not spin.
void run_until(Loop& loop, const bool& ended) {
  while (!ended) uv_run(loop.uv(), UV_RUN_ONCE);
}

TEST(BondWatchTest, SeesTheEndOverAPidfd) {
  Loop loop;
  Sleeper sleeper;
  auto bond = bond_to_caller(task(sleeper.pid()));
  ASSERT_TRUE(bond.has_value());
  if (bond->pidfd.get() < 0) GTEST_SKIP() << "this kernel has no pidfd";
  bool ended = false;
  const BondWatch watch(loop, std::move(*bond), [&] { ended = true; });
  loop.turn();
  EXPECT_FALSE(ended);
  sleeper.end();
  run_until(loop, ended);
  EXPECT_TRUE(ended);
}

TEST(BondWatchTest, SeesTheEndByTheStartTimeOnOldKernels) {
  Loop loop;
  Sleeper sleeper;
  Bond bond;
  bond.pid = sleeper.pid();
  bond.start_ms = process_start_ms(sleeper.pid()).value_or(0);
  bool ended = false;
  const BondWatch watch(
      loop, std::move(bond), [&] { ended = true; }, 1);
  for (int turns = 0; turns < 3; ++turns) uv_run(loop.uv(), UV_RUN_ONCE);
  EXPECT_FALSE(ended);
  sleeper.end();
  run_until(loop, ended);
  EXPECT_TRUE(ended);
}

TEST(BondWatchTest, ALaterProcessWithTheSameIdIsNotTheOne) {
  Loop loop;
  const Sleeper sleeper;
  Bond bond;
  bond.pid = sleeper.pid();
  bond.start_ms = process_start_ms(sleeper.pid()).value_or(0) - 60'000;
  bool ended = false;
  const BondWatch watch(
      loop, std::move(bond), [&] { ended = true; }, 1);
  run_until(loop, ended);
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace hpc
