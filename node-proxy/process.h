#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace hpc {

/// This machine's name, as gethostname(2) has it; at most 253 bytes of a host name's characters,
/// others replaced by '-'.
std::string host_name();

/// Milliseconds since 1970.
std::int64_t unix_ms();

/// When a process started, in milliseconds since 1970 (to about 20 ms). Nothing when there is no
/// such process, it has ended and waits for its parent, or /proc does not show it.
std::optional<std::int64_t> process_start_ms(std::int64_t pid);

/// Is there a process with this id that was already there at `at_ms`? The id alone proves nothing:
/// the kernel gives it to somebody else. True when the process is there and /proc hides its start.
bool process_lived_at(std::int64_t pid, std::int64_t at_ms);

}  // namespace hpc
