#pragma once
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hpc {

/// A process below another one.
struct Descendant {
  pid_t pid = 0;
  std::int64_t start_ticks = 0;  // with the pid: which process it is
  bool zombie = false;           // has ended; its parent has not asked for it yet
};

/// All that descend from `root` as /proc shows it now, parents before children; `proc` is "/proc"
/// but for tests. What starts or ends meanwhile may be missing or gone.
std::vector<Descendant> find_descendants(const std::string& proc, pid_t root);

/// Ends all descendants of this process, which must be a subreaper, so that none gets away:
/// SIGTERM (and SIGCONT) to each once, SIGKILL to what is there at the deadline, and to what comes
/// after it, until none is left or kKillLimitMs have passed.
///
/// The owner reaps (waitpid) and says when it has no child left: then there is no descendant
/// either, because the orphans become its children.
class DescendantsEnd {
 public:
  // Processes of another uid (setuid programs) and those that hang in the kernel cannot be ended.
  static constexpr std::uint64_t kKillLimitMs = 10'000;
  // How often to look for new ones: before the deadline, and after it.
  static constexpr std::uint64_t kLookMs = 100;
  static constexpr std::uint64_t kKillLookMs = 10;
  // A process that forks faster than one look takes is caught by looking again at once.
  static constexpr int kLooksAtOnceMax = 50;

  /// SIGTERM is sent by the first step(); SIGKILL from `deadline_ms` on. Times are monotonic.
  explicit DescendantsEnd(std::uint64_t deadline_ms) : deadline_ms_(deadline_ms) {}

  /// SIGKILL comes at this time, if that is earlier.
  void hasten(std::uint64_t deadline_ms);
  /// Does what is to be done at `now_ms`. Milliseconds after which to call it again.
  std::uint64_t step(std::uint64_t now_ms);
  /// Has it tried for kKillLimitMs?
  bool gave_up(std::uint64_t now_ms) const { return now_ms >= deadline_ms_ + kKillLimitMs; }
  /// What is there now, without what has ended.
  static std::vector<pid_t> left();

 private:
  void tell_to_end();
  static void kill_all();

  std::uint64_t deadline_ms_;
  std::uint64_t next_look_ms_ = 0;
  std::map<pid_t, std::int64_t> told_;  // SIGTERM was sent; start time
};

}  // namespace hpc
