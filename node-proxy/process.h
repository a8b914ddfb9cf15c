#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hpc {

/// This machine's name, as gethostname(2) has it; at most 253 bytes of a host name's characters,
/// others replaced by '-'.
std::string host_name();

/// Milliseconds since 1970.
std::int64_t unix_ms();

/// Milliseconds of a clock that never jumps (CLOCK_MONOTONIC), where there is no loop to ask.
std::uint64_t monotonic_ms();

/// What /proc/PID/stat says of a process (proc(5)).
struct ProcessStat {
  char state = '?';              // 'R', 'S', 'D', 'Z' ...
  std::int64_t start_ticks = 0;  // since boot
  std::int64_t parent = 0;       // pid of it
};

/// The third, the fourth and the 22nd field of it. The second is a name in parentheses that the
/// process chose and that may itself hold spaces and parentheses. Nothing when it is no such line.
std::optional<ProcessStat> parse_process_stat(std::string_view text);

/// Reads it below `proc`, which is "/proc" but for tests.
std::optional<ProcessStat> read_process_stat(const std::string& proc, std::int64_t pid);

/// In milliseconds since 1970 (to about 20 ms).
std::int64_t start_unix_ms(const ProcessStat& stat);

/// When a process started, in milliseconds since 1970 (to about 20 ms). Nothing when there is no
/// such process, it has ended and waits for its parent, or /proc does not show it.
std::optional<std::int64_t> process_start_ms(std::int64_t pid);

/// Is there a process with this id that was already there at `at_ms`? The id alone proves nothing:
/// the kernel gives it to somebody else. True when the process is there and /proc hides its start.
bool process_lived_at(std::int64_t pid, std::int64_t at_ms);

}  // namespace hpc
