#include "node-proxy/process_finder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <utility>

#include "common/unique_fd.h"
#include "node-proxy/process.h"
#include "node-proxy/process_label.h"

namespace hpc {

namespace {

std::int64_t now_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

template <class T>
bool parse_whole(std::string_view text, T& value) {
  const char* last = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), last, value);
  return failed == std::errc{} && end == last;
}

std::string read_start(const std::string& path, std::size_t bytes_max) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(bytes_max, '\0');
  const ssize_t size = fd.get() < 0 ? 0 : read(fd.get(), text.data(), text.size());
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

std::optional<ProcessFinder::Process> read_process(const std::string& proc, std::int64_t pid) {
  const auto stat = read_process_stat(proc, pid);
  if (!stat) return std::nullopt;
  const std::string directory = proc + "/" + std::to_string(pid);
  // The command line lies in the process's memory. Where one of its threads hangs in a page fault
  // on a dead file system (state D), reading it would hang this process too.
  const std::string command_line =
      stat->state == 'D' ? std::string()
                         : read_start(directory + "/cmdline", ProcessFinder::kCommandLineBytesMax);
  return ProcessFinder::Process{
      pid, stat->start_ticks, start_unix_ms(*stat),
      process_label(command_line, read_start(directory + "/comm", kProcessLabelBytesMax))};
}

}  // namespace

ProcessFinder::ProcessFinder(std::string proc, std::uint32_t uid, const Clock& clock,
                             std::size_t looks_max)
    : proc_(std::move(proc)), uid_(uid), clock_(clock), looks_max_(looks_max) {}

void ProcessFinder::want(const std::vector<std::uint32_t>& inodes) {
  wanted_ = {inodes.begin(), inodes.end()};
  std::erase_if(found_, [this](const auto& entry) {
    if (wanted_.count(entry.first) == 0) return true;
    // It may have ended and left the socket to a child.
    const auto stat = read_process_stat(proc_, entry.second.pid);
    return !stat || stat->start_ticks != entry.second.start_ticks;
  });
  std::erase_if(missing_, [this](const auto& entry) {
    return wanted_.count(entry.first) == 0 || entry.second <= clock_.now_ms();
  });
}

bool ProcessFinder::step(std::int64_t budget_us) {
  const std::int64_t end = now_us() + budget_us;
  while (true) {
    if (!processes_ && !begin()) return true;
    if (!look()) finish();
    if (now_us() >= end) return false;
  }
}

const ProcessFinder::Process* ProcessFinder::find(std::uint32_t inode) const {
  const auto found = found_.find(inode);
  return found == found_.end() ? nullptr : &found->second;
}

bool ProcessFinder::begin() {
  searched_.clear();
  for (const std::uint32_t inode : wanted_) {
    if (found_.count(inode) == 0 && missing_.count(inode) == 0) searched_.insert(inode);
  }
  if (searched_.empty()) return false;
  looks_ = 0;
  processes_.reset(opendir(proc_.c_str()));
  if (!processes_) finish();  // no descriptor is left, or there is no /proc
  return processes_ != nullptr;
}

void ProcessFinder::finish() {
  for (const std::uint32_t inode : searched_) missing_[inode] = clock_.now_ms() + kMissingMs;
  searched_.clear();
  fds_.reset();
  processes_.reset();
}

bool ProcessFinder::look() {
  if (searched_.empty() || looks_ >= looks_max_) return false;
  ++looks_;
  const dirent* const entry = readdir(fds_ ? fds_.get() : processes_.get());
  if (entry != nullptr) {
    fds_ ? look_at_fd(entry->d_name) : open_process(entry->d_name);
    return true;
  }
  if (!fds_) return false;
  fds_.reset();
  return true;
}

void ProcessFinder::open_process(const char* name) {
  struct stat info {};
  // The owner of the directory is root for processes that may not be looked at.
  if (!parse_whole(name, pid_) || fstatat(dirfd(processes_.get()), name, &info, 0) != 0 ||
      info.st_uid != uid_) {
    return;
  }
  fds_.reset(opendir((proc_ + "/" + name + "/fd").c_str()));
}

void ProcessFinder::look_at_fd(const char* name) {
  std::array<char, 64> text{};
  const ssize_t size = readlinkat(dirfd(fds_.get()), name, text.data(), text.size());
  if (size <= 0) return;
  const auto inode = parse_socket_link({text.data(), static_cast<std::size_t>(size)});
  if (!inode || searched_.count(*inode) == 0) return;
  auto process = read_process(proc_, pid_);
  if (!process) return;
  found_[*inode] = std::move(*process);
  searched_.erase(*inode);
}

std::optional<std::uint32_t> parse_socket_link(std::string_view text) {
  constexpr std::string_view kBegin = "socket:[";
  if (!text.starts_with(kBegin) || !text.ends_with(']')) return std::nullopt;
  text.remove_prefix(kBegin.size());
  text.remove_suffix(1);
  std::uint32_t inode = 0;
  if (!parse_whole(text, inode)) return std::nullopt;
  return inode;
}

}  // namespace hpc
