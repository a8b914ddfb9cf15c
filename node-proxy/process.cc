#include "node-proxy/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

namespace hpc {

namespace {

constexpr std::int64_t kSecondMs = 1000;
constexpr std::int64_t kNanosecondsPerMs = 1'000'000;
// /proc counts in hundredths of a second since boot, and clocks are set now and then.
constexpr std::int64_t kStartSlackMs = 2000;

std::int64_t clock_ms(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * kSecondMs + now.tv_nsec / kNanosecondsPerMs;
}

}  // namespace

std::string host_name() {
  std::array<char, 254> text{};
  if (gethostname(text.data(), text.size() - 1) != 0 || text[0] == '\0') return "unknown";
  std::string name = text.data();
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    if (!plain) c = '-';
  }
  if (name.front() == '.' || name.front() == '-') name.front() = '_';
  return name;
}

std::int64_t unix_ms() { return clock_ms(CLOCK_REALTIME); }

std::uint64_t monotonic_ms() { return static_cast<std::uint64_t>(clock_ms(CLOCK_MONOTONIC)); }

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= text.size()) return std::nullopt;
  text.remove_prefix(name_end + 2);
  ProcessStat stat;
  stat.state = text.front();
  constexpr int kFieldsToStart = 19;
  for (int i = 0; i < kFieldsToStart; ++i) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    text.remove_prefix(space + 1);
    if (i != 0) continue;
    const auto parent = std::from_chars(text.data(), text.data() + text.size(), stat.parent);
    if (parent.ec != std::errc{} || stat.parent < 0) return std::nullopt;
  }
  const auto [end, failed] =
      std::from_chars(text.data(), text.data() + text.size(), stat.start_ticks);
  // The kernel's are far below; more could not be turned into milliseconds.
  constexpr std::int64_t kTicksMax = std::int64_t{1} << 50U;
  if (failed != std::errc{} || stat.start_ticks < 0 || stat.start_ticks > kTicksMax) {
    return std::nullopt;
  }
  return stat;
}

std::optional<ProcessStat> read_process_stat(const std::string& proc, std::int64_t pid) {
  const std::string path = proc + "/" + std::to_string(pid) + "/stat";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::array<char, 1024> text{};
  const ssize_t size = read(fd, text.data(), text.size());
  close(fd);
  if (size <= 0) return std::nullopt;
  return parse_process_stat({text.data(), static_cast<std::size_t>(size)});
}

std::int64_t start_unix_ms(const ProcessStat& stat) {
  const std::int64_t ticks_per_second = sysconf(_SC_CLK_TCK);
  const std::int64_t since_boot_ms = stat.start_ticks * kSecondMs / ticks_per_second;
  return unix_ms() - clock_ms(CLOCK_BOOTTIME) + since_boot_ms;
}

std::optional<std::int64_t> process_start_ms(std::int64_t pid) {
  const auto stat = read_process_stat("/proc", pid);
  if (!stat || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
  return start_unix_ms(*stat);
}

bool process_lived_at(std::int64_t pid, std::int64_t at_ms) {
  if (pid <= 0 || kill(static_cast<pid_t>(pid), 0) != 0) return false;  // EPERM: not our process
  const auto start_ms = process_start_ms(pid);
  if (start_ms) return *start_ms <= at_ms + kStartSlackMs;
  // A zombie, or a /proc that is hidden (hidepid): only the first can be told apart.
  return access(("/proc/" + std::to_string(pid)).c_str(), F_OK) != 0;
}

}  // namespace hpc
