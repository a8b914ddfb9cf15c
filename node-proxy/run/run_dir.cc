#include "node-proxy/run/run_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "common/unique_fd.h"
#include "node-proxy/open_dir.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

// Far more than one user's runs on one node; what is past it waits for the next start.
constexpr std::size_t kEntriesMax = 1000;

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// The names in a directory; `fd` stays the caller's.
std::vector<std::string> names_in(int fd) {
  std::vector<std::string> names;
  const OpenDir listing = open_dir_at(fd, ".");
  while (listing && names.size() < kEntriesMax) {
    const dirent* entry = readdir(listing.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

void remove_below(int parent, const std::string& name) {
  const UniqueFd dir(openat(parent, name.c_str(), kOpenDirectory));
  if (dir.get() < 0) return;
  for (const std::string& file : names_in(dir.get())) unlinkat(dir.get(), file.c_str(), 0);
  unlinkat(parent, name.c_str(), AT_REMOVEDIR);
}

/// "4711-c1-815" is that of process 815 where this is c1.
bool is_of_dead_process(std::string_view id, const std::string& host) {
  const std::size_t dash = id.rfind('-');
  if (dash == std::string_view::npos) return false;
  const std::string_view before = id.substr(0, dash);
  if (before != host && !before.ends_with("-" + host)) return false;
  std::int64_t pid = 0;
  const char* last = id.data() + id.size();
  const auto [end, failed] = std::from_chars(id.data() + dash + 1, last, pid);
  return failed == std::errc{} && end == last && !process_start_ms(pid);
}

}  // namespace

Result<std::string> make_run_dir(const RecordDir& dir, const std::string& host,
                                 const std::string& id) {
  const auto failed = [&dir](const std::string& name) {
    return fail(Errc::kSystem, dir.path() + "/" + name,
                "cannot be made: " + std::string(std::strerror(errno)));
  };
  if (mkdirat(dir.fd(), "run", 0700) != 0 && errno != EEXIST) return failed("run");
  const UniqueFd runs(openat(dir.fd(), "run", kOpenDirectory));
  if (runs.get() < 0) return failed("run");
  for (const std::string& name : names_in(runs.get())) {
    if (is_of_dead_process(name, host)) remove_below(runs.get(), name);
  }
  remove_below(runs.get(), id);  // a process of this number that died here
  if (mkdirat(runs.get(), id.c_str(), 0700) != 0) return failed("run/" + id);
  return dir.path() + "/run/" + id;
}

void remove_run_dir(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return;
  const UniqueFd parent(open(path.substr(0, slash).c_str(), kOpenDirectory));
  if (parent.get() >= 0) remove_below(parent.get(), path.substr(slash + 1));
}

}  // namespace hpc
