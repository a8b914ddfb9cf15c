#include "manager/ssh/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "common/unique_fd.h"

extern char** environ;

namespace hpc {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kPollSliceMs = 100;  // how late a cancellation may be noticed

struct Pipe {
  UniqueFd read;
  UniqueFd write;
  bool open() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read.reset(ends[0]);
    write.reset(ends[1]);
    return true;
  }
};

/// The attributes of posix_spawn, freed on every path.
class SpawnPlan {
 public:
  SpawnPlan(int out, int err) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, out, 1);
    posix_spawn_file_actions_adddup2(&actions_, err, 2);
    // Our worker threads block all signals and the program must not; its own group lets us end
    // whatever it has started.
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int run(const std::vector<std::string>& arguments, pid_t& pid) {
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    return posix_spawnp(&pid, argv[0], &actions_, &attributes_, argv.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// Takes what is there. False: past the limit.
bool drain(UniqueFd& fd, std::string& into, std::size_t limit) {
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count <= 0) {
    fd.reset();
    return true;
  }
  into.append(buffer.data(), static_cast<std::size_t>(count));
  return into.size() <= limit;
}

Status collect(Pipe& out, Pipe& err, const ProgramLimits& limits, ProgramOutput& output) {
  const auto deadline = SteadyClock::now() + std::chrono::milliseconds(limits.timeout_ms);
  while (out.read || err.read) {
    if (SteadyClock::now() >= deadline || (limits.cancelled && limits.cancelled())) {
      return fail(Errc::kTimeout, "run", "did not end in time");
    }
    std::array<pollfd, 2> fds{{{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}}};
    if (poll(fds.data(), fds.size(), kPollSliceMs) <= 0) continue;
    const bool fits =
        (fds[0].revents == 0 || drain(out.read, output.out, limits.output_bytes_max)) &&
        (fds[1].revents == 0 || drain(err.read, output.err, limits.output_bytes_max));
    if (!fits) return fail(Errc::kTooLarge, "run", "printed too much");
  }
  return {};
}

}  // namespace

Result<ProgramOutput> run_program(const std::vector<std::string>& arguments,
                                  const ProgramLimits& limits) {
  Pipe out;
  Pipe err;
  if (!out.open() || !err.open()) return fail(Errc::kSystem, "run", std::strerror(errno));
  pid_t pid = -1;
  const int rc = SpawnPlan(out.write.get(), err.write.get()).run(arguments, pid);
  if (rc == ENOENT) return fail(Errc::kNotFound, "run", arguments[0] + " is not installed");
  if (rc != 0) return fail(Errc::kSystem, "run", arguments[0] + ": " + std::strerror(rc));
  out.write.reset();
  err.write.reset();
  ProgramOutput output;
  const Status collected = collect(out, err, limits, output);
  if (!collected) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!collected) {
    return fail(collected.error().code, "run", arguments[0] + " " + collected.error().detail);
  }
  if (WIFEXITED(status)) output.exit_status = WEXITSTATUS(status);
  return output;
}

}  // namespace hpc
