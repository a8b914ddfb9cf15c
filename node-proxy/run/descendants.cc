#include "node-proxy/run/descendants.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "common/unique_fd.h"
#include "node-proxy/open_dir.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

std::optional<pid_t> parse_pid(std::string_view name) {
  pid_t pid = 0;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (failed != std::errc{} || end != name.data() + name.size() || pid <= 0) return std::nullopt;
  return pid;
}

using Children = std::unordered_multimap<pid_t, Descendant>;

Children read_children(const std::string& proc) {
  Children children;
  const OpenDir dir(opendir(proc.c_str()));
  while (const dirent* entry = dir ? readdir(dir.get()) : nullptr) {
    const auto pid = parse_pid(entry->d_name);
    if (!pid) continue;
    const auto stat = read_process_stat(proc, *pid);
    if (!stat) continue;
    const bool zombie = stat->state == 'Z' || stat->state == 'X';
    children.emplace(static_cast<pid_t>(stat->parent), Descendant{*pid, stat->start_ticks, zombie});
  }
  return children;
}

/// Sends the signals to this process and not to one that has got its number meanwhile. Old kernels
/// (before 5.3) have no descriptors of processes; there the moment between is left.
void send_signals(const Descendant& to, std::initializer_list<int> numbers) {
  const UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, to.pid, 0)));
  if (fd.get() < 0 && errno == ESRCH) return;
  const auto stat = read_process_stat("/proc", to.pid);
  if (!stat || stat->start_ticks != to.start_ticks) return;
  for (const int number : numbers) {
    if (fd.get() < 0) kill(to.pid, number);
    if (fd.get() >= 0) syscall(SYS_pidfd_send_signal, fd.get(), number, nullptr, 0);
  }
}

}  // namespace

std::vector<Descendant> find_descendants(const std::string& proc, pid_t root) {
  const Children children = read_children(proc);
  std::vector<Descendant> found;
  std::vector<pid_t> parents{root};
  // Each process has one parent, so this ends; a /proc that changes while it is read may show a
  // circle, which the count of all cuts.
  while (!parents.empty() && found.size() <= children.size()) {
    const pid_t parent = parents.back();
    parents.pop_back();
    const auto [begin, end] = children.equal_range(parent);
    for (auto child = begin; child != end; ++child) {
      if (child->second.pid == root) continue;
      found.push_back(child->second);
      parents.push_back(child->second.pid);
    }
  }
  return found;
}

void DescendantsEnd::hasten(std::uint64_t deadline_ms) {
  if (deadline_ms >= deadline_ms_) return;
  deadline_ms_ = deadline_ms;
  next_look_ms_ = std::min(next_look_ms_, deadline_ms);
}

std::uint64_t DescendantsEnd::step(std::uint64_t now_ms) {
  if (now_ms < next_look_ms_) return next_look_ms_ - now_ms;
  if (now_ms >= deadline_ms_) {
    kill_all();
    next_look_ms_ = now_ms + kKillLookMs;
  } else {
    tell_to_end();
    next_look_ms_ = std::min(now_ms + kLookMs, deadline_ms_);
  }
  return next_look_ms_ - now_ms;
}

void DescendantsEnd::tell_to_end() {
  for (const Descendant& one : find_descendants("/proc", getpid())) {
    if (one.zombie) continue;
    const auto told = told_.find(one.pid);
    if (told != told_.end() && told->second == one.start_ticks) continue;
    told_[one.pid] = one.start_ticks;
    // A stopped process takes SIGTERM only when it goes on.
    send_signals(one, {SIGTERM, SIGCONT});
  }
}

void DescendantsEnd::kill_all() {
  std::map<pid_t, std::int64_t> killed;
  for (int look = 0; look < kLooksAtOnceMax; ++look) {
    bool all_known = true;
    for (const Descendant& one : find_descendants("/proc", getpid())) {
      const auto known = killed.find(one.pid);
      if (one.zombie || (known != killed.end() && known->second == one.start_ticks)) continue;
      killed[one.pid] = one.start_ticks;
      send_signals(one, {SIGKILL});
      all_known = false;
    }
    if (all_known) return;
  }
}

std::vector<pid_t> DescendantsEnd::left() {
  std::vector<pid_t> pids;
  for (const Descendant& one : find_descendants("/proc", getpid())) {
    if (!one.zombie) pids.push_back(one.pid);
  }
  return pids;
}

}  // namespace hpc
