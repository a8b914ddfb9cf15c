#include "node-proxy/run/run_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

#include "common/unique_fd.h"
#include "node-proxy/open_dir.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

// Far more than one user's runs on one node; what is past it waits for the next start.
constexpr std::size_t kEntriesMax = 1000;

// Each new one is the end of another run in the moment between two system calls.
constexpr int kAttemptsMax = 100;

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

struct Failure {
  int cause = 0;     // errno
  std::string what;  // below DIR
};

/// Makes run/ID, or says what could not be made.
std::optional<Failure> try_to_make(const RecordDir& dir, const std::string& host,
                                   const std::string& id) {
  if (mkdirat(dir.fd(), "run", 0700) != 0 && errno != EEXIST) return Failure{errno, "run"};
  const UniqueFd runs(openat(dir.fd(), "run", kOpenDirectory));
  if (runs.get() < 0) return Failure{errno, "run"};
  for (const std::string& name : names_in(runs.get())) {
    if (is_of_dead_process(name, host)) remove_below(runs.get(), name);
  }
  remove_below(runs.get(), id);  // a process of this number that died here
  if (mkdirat(runs.get(), id.c_str(), 0700) != 0) return Failure{errno, "run/" + id};
  return std::nullopt;
}

}  // namespace

Result<std::string> make_run_dir(const RecordDir& dir, const std::string& host,
                                 const std::string& id) {
  for (int attempt = 1;; ++attempt) {
    const auto failure = try_to_make(dir, host, id);
    if (!failure) return dir.path() + "/run/" + id;
    // A run that ends, here or on another host, removed DIR/run, which was empty: see below.
    const bool removed = failure->cause == ENOENT || failure->cause == ESTALE;
    if (removed && attempt < kAttemptsMax) continue;
    return fail(Errc::kSystem, dir.path() + "/" + failure->what,
                "cannot be made: " + std::string(std::strerror(failure->cause)));
  }
}

void remove_run_dir(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return;
  const std::string runs = path.substr(0, slash);
  const UniqueFd parent(open(runs.c_str(), kOpenDirectory));
  if (parent.get() < 0) return;
  remove_below(parent.get(), path.substr(slash + 1));
  // Only when it is empty; a run that starts in this moment makes it again.
  if (runs.ends_with("/run")) rmdir(runs.c_str());
}

}  // namespace hpc
