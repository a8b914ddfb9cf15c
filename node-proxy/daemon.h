#pragma once
#include <sys/types.h>
#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "common/loop.h"
#include "common/timer.h"
#include "common/unique_fd.h"
#include "node-proxy/options.h"

namespace hpc {

/// The process that a daemon lives for: the SLURM task's shell, or the shell that called us.
struct Bond {
  pid_t pid = 0;
  UniqueFd pidfd;             // readable once it ends; empty on kernels before 5.3
  std::int64_t start_ms = 0;  // tells it from a later process with the same id
};

/// Call it in the calling process, before the fork: the shell is waiting for us, so it is there.
/// Nothing when there is no such process (started by init).
std::optional<Bond> bond_to_caller(const Environment& environment);

// Kernels without pidfd: how late the end of the job may be seen.
constexpr std::uint64_t kBondPollMs = 1000;

/// Calls `ended` once, in a turn of the loop, when the process of the bond has ended. `poll_ms` is
/// how often it looks where there is no pidfd.
class BondWatch {
 public:
  BondWatch(Loop& loop, Bond bond, std::function<void()> ended,
            std::uint64_t poll_ms = kBondPollMs);

 private:
  void check();
  void end();

  Bond bond_;
  std::function<void()> ended_;
  std::uint64_t poll_ms_;
  UvPtr<uv_poll_t> poll_;
  Timer timer_;
};

/// What is left to do of --daemon once it listens; made by become_daemon().
class DaemonChild {
 public:
  explicit DaemonChild(UniqueFd report) : report_(std::move(report)) {}
  /// Points standard input, output and error to /dev/null, or to `log_fd` where that is not -1, and
  /// lets the calling process return.
  void ready(int log_fd);

 private:
  UniqueFd report_;
};

/// Forks. In the child: a session of its own. The calling process does not return: it waits until
/// the child is ready or has ended, and exits as the child did. kSystem when it cannot fork.
Result<DaemonChild> become_daemon();

}  // namespace hpc
