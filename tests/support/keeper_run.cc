// keeper_run [--end-after MS] [--run-dir DIR] [--state-dir DIR] [--no-link] -- COMMAND...
// What `hpc-proxy run` does with its keeper, and nothing else. Says "proxy PID keeper PID" on the
// descriptor that HPC_KEEPER_TEST_FD names, when COMMAND was asked for.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/loop.h"
#include "common/timer.h"
#include "node-proxy/process.h"
#include "node-proxy/run/keeper.h"

namespace {

struct Ended final : hpc::KeeperLink::Listener {
  explicit Ended(hpc::Loop& loop) : loop_(loop) {}
  void on_command_ended(int exit_code) noexcept override {
    code = exit_code;
    loop_.stop();
  }
  hpc::Loop& loop_;
  int code = 1;
};

struct Arguments {
  hpc::KeeperPlan plan;
  hpc::KeeperCommand command;
  std::uint64_t end_after_ms = 0;
};

Arguments parse(const std::vector<std::string>& words) {
  Arguments out;
  std::size_t i = 0;
  for (; i < words.size() && words[i] != "--"; i += 2) {
    const std::string value = i + 1 < words.size() ? words[i + 1] : "";
    if (words[i] == "--end-after") out.end_after_ms = std::stoul(value);
    if (words[i] == "--run-dir") out.plan.run_dir = value;
    if (words[i] == "--state-dir") out.plan.state_dir = value;
    if (words[i] == "--set") out.command.environment.push_back(value);
    if (words[i] == "--netns") out.plan.own_network = value == "yes";
  }
  out.plan.host = hpc::host_name();
  for (++i; i < words.size(); ++i) out.command.words.push_back(words[i]);
  return out;
}

void raise_limit() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

int complain(const hpc::Error& error) {
  std::fprintf(stderr, "keeper_run: %s\n", hpc::describe(error).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  auto arguments = parse(std::vector<std::string>(argv + 1, argv + argc));
  const char* report = std::getenv("HPC_KEEPER_TEST_FD");
  const int report_fd = report != nullptr ? std::atoi(report) : -1;
  if (report_fd >= 0) fcntl(report_fd, F_SETFD, FD_CLOEXEC);
  auto keeper = hpc::fork_keeper(arguments.plan);
  if (!keeper) return complain(keeper.error());
  raise_limit();
  const pid_t keeper_pid = keeper->pid;
  hpc::Loop loop;
  Ended ended(loop);
  hpc::KeeperLink link(loop, std::move(*keeper), ended);
  if (auto started = link.start(arguments.command); !started) return complain(started.error());
  if (report_fd >= 0) {
    dprintf(report_fd, "%d %d\n", getpid(), keeper_pid);
    close(report_fd);
  }
  hpc::Timer timer(loop, [&] { link.end(arguments.end_after_ms); });
  if (arguments.end_after_ms != 0) timer.start(arguments.end_after_ms);
  loop.run();
  return ended.code;
}
