#include "node-proxy/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "common/unique_fd.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

// Two readings of a start time differ by the rounding of the clocks only.
constexpr std::int64_t kStartSlackMs = 2000;

std::optional<pid_t> slurm_task_pid(const Environment& environment) {
  if (!environment("SLURM_JOB_ID")) return std::nullopt;
  const auto text = environment("SLURM_TASK_PID");
  if (!text) return std::nullopt;
  pid_t pid = 0;
  const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), pid);
  // Inside a container the number may be of another pid namespace, and then nobody is there.
  if (failed != std::errc{} || end != text->data() + text->size() || pid <= 1 ||
      (kill(pid, 0) != 0 && errno == ESRCH)) {
    return std::nullopt;
  }
  return pid;
}

/// The calling process: waits for the child's word and goes as it went.
[[noreturn]] void wait_for_child(pid_t child, int report) {
  char word = 0;
  ssize_t size = 0;
  do {
    size = read(report, &word, 1);
  } while (size < 0 && errno == EINTR);
  if (size == 1) std::_Exit(0);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::_Exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

}  // namespace

std::optional<Bond> bond_to_caller(const Environment& environment) {
  Bond bond;
  bond.pid = slurm_task_pid(environment).value_or(getppid());
  if (bond.pid <= 1) return std::nullopt;
  const long fd = syscall(SYS_pidfd_open, bond.pid, 0);
  if (fd >= 0) {
    bond.pidfd = UniqueFd(static_cast<int>(fd));  // close-on-exec by itself
    return bond;
  }
  if (errno == ESRCH) return std::nullopt;
  const auto start_ms = process_start_ms(bond.pid);
  if (!start_ms) return std::nullopt;
  bond.start_ms = *start_ms;
  return bond;
}

BondWatch::BondWatch(Loop& loop, Bond bond, std::function<void()> ended, std::uint64_t poll_ms)
    : bond_(std::move(bond)),
      ended_(std::move(ended)),
      poll_ms_(poll_ms),
      timer_(loop, [this] { check(); }) {
  if (bond_.pidfd.get() < 0) {
    timer_.start(poll_ms_);
    return;
  }
  auto raw = std::make_unique<uv_poll_t>();
  if (uv_poll_init(loop.uv(), raw.get(), bond_.pidfd.get()) != 0) return;
  poll_.reset(raw.release());
  poll_->data = this;
  uv_poll_start(poll_.get(), UV_READABLE,
                [](uv_poll_t* handle, int, int) { static_cast<BondWatch*>(handle->data)->end(); });
}

void BondWatch::check() {
  const auto start_ms = process_start_ms(bond_.pid);
  const bool same = start_ms && std::llabs(*start_ms - bond_.start_ms) <= kStartSlackMs;
  if (!same) return end();
  timer_.start(poll_ms_);
}

void BondWatch::end() {
  if (poll_) uv_poll_stop(poll_.get());
  timer_.stop();
  if (const auto ended = std::exchange(ended_, nullptr)) ended();
}

void DaemonChild::ready(int log_fd) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const int out = log_fd >= 0 ? log_fd : null.get();
  dup2(null.get(), STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  const char word = 'R';
  // The calling process may have been killed meanwhile: then nobody waits for the word.
  [[maybe_unused]] const ssize_t size = write(report_.get(), &word, 1);
  report_ = UniqueFd();
}

Result<DaemonChild> become_daemon() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(Errc::kSystem, "daemon", std::strerror(errno));
  }
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t child = fork();
  if (child < 0) return fail(Errc::kSystem, "daemon", std::strerror(errno));
  if (child > 0) {
    writing = UniqueFd();
    wait_for_child(child, reading.get());
  }
  setsid();
  return DaemonChild(std::move(writing));
}

}  // namespace hpc
