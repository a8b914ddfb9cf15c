#pragma once
#include <dirent.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/clock.h"
#include "node-proxy/open_dir.h"

namespace hpc {

/// Finds the processes that hold sockets: /proc/PID/fd of one user's processes, read in slices, so
/// that a node with thousands of processes does not stop the loop. A process that cannot be read
/// (setuid, not dumpable, another container's) is not found.
///
/// Every question costs at most kLooksMax entries of /proc and of fd directories; what lies behind
/// them is not found. Answers are kept while the process lives, failures for kMissingMs.
class ProcessFinder {
 public:
  static constexpr std::size_t kLooksMax = 65'536;
  // Sockets are handed on between processes now and then (a prefork server, a restart in place).
  static constexpr std::uint64_t kMissingMs = 10'000;
  // Enough for the interpreter, its options and the script.
  static constexpr std::size_t kCommandLineBytesMax = 4096;

  struct Process {
    std::int64_t pid = 0;
    std::int64_t start_ticks = 0;  // with the pid: which process it is
    std::int64_t started_unix_ms = 0;
    std::string name;  // process_label(): printable, not escaped; may be empty
  };

  /// `proc` is "/proc" but for tests. `clock` must outlive this object.
  ProcessFinder(std::string proc, std::uint32_t uid, const Clock& clock,
                std::size_t looks_max = kLooksMax);

  /// The sockets to be found from now on, by inode; forgets all others.
  void want(const std::vector<std::uint32_t>& inodes);
  /// Goes on looking for about `budget_us` (0: one entry). True when there is nothing left to do.
  bool step(std::int64_t budget_us);
  /// The process with the lowest id that holds the socket (a server, not its workers), if found.
  const Process* find(std::uint32_t inode) const;

 private:
  bool begin();
  void finish();
  /// One entry of /proc, or of the fd directory that is open.
  bool look();
  void open_process(const char* name);
  void look_at_fd(const char* name);

  std::string proc_;
  std::uint32_t uid_;
  const Clock& clock_;
  std::size_t looks_max_;
  std::unordered_set<std::uint32_t> wanted_;
  std::unordered_map<std::uint32_t, Process> found_;
  std::unordered_map<std::uint32_t, std::uint64_t> missing_;  // until when not to look again
  // Of the search that is under way.
  std::unordered_set<std::uint32_t> searched_;
  OpenDir processes_;
  OpenDir fds_;
  std::int64_t pid_ = 0;
  std::size_t looks_ = 0;
};

/// "socket:[12345]", what readlink(2) says of a descriptor: the inode. Nothing for other files.
std::optional<std::uint32_t> parse_socket_link(std::string_view text);

}  // namespace hpc
