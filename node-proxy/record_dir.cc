#include "node-proxy/record_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "common/rfc3339.h"
#include "common/unique_fd.h"
#include "node-proxy/open_dir.h"
#include "node-proxy/private_file.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

constexpr std::string_view kSuffix = ".json";
constexpr std::size_t kIdBytesMax = 240;  // with the suffix it must be a file's name

tl::unexpected<Error> refuse(const std::string& path, const std::string& cause) {
  return fail(Errc::kSystem, path, cause);
}

std::string errno_text() { return std::strerror(errno); }

/// Opens a directory that must be ours and closed to others. `name` under `parent`, or a path.
Result<UniqueFd> open_private_dir(int parent, const std::string& name, const std::string& shown,
                                  bool change) {
  if (change && mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST) {
    return refuse(shown,
                  "cannot be made: " + errno_text() + "; name another directory with --state-dir");
  }
  UniqueFd dir(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (dir.get() < 0 && errno == ENOENT) return fail(Errc::kNotFound, shown, "is not there");
  if (dir.get() < 0 && (errno == ELOOP || errno == ENOTDIR)) {
    return refuse(shown, "is a symbolic link or no directory; move it away");
  }
  if (dir.get() < 0) return refuse(shown, "cannot be opened: " + errno_text());
  struct stat info {};
  if (fstat(dir.get(), &info) != 0) return refuse(shown, errno_text());
  if (info.st_uid != geteuid()) {
    return refuse(shown, "belongs to another user; move it away or use --state-dir");
  }
  if (!change || (info.st_mode & 07777) == 0700) return dir;
  if (fchmod(dir.get(), 0700) != 0) {
    return refuse(shown, "cannot be closed to other users: " + errno_text());
  }
  return dir;
}

Result<std::pair<UniqueFd, UniqueFd>> open_both(const std::string& path, bool change) {
  auto dir = open_private_dir(AT_FDCWD, path, path, change);
  if (!dir) return tl::unexpected<Error>(dir.error());
  auto jobs = open_private_dir(dir->get(), "jobs", path + "/jobs", change);
  if (!jobs) return tl::unexpected<Error>(jobs.error());
  return std::pair(std::move(*dir), std::move(*jobs));
}

/// A file of ours that somebody else put there is no accident: say so and stop.
Status refuse_foreign_file(int dir, const std::string& name, const std::string& shown) {
  struct stat info {};
  if (fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (S_ISLNK(info.st_mode)) return refuse(shown, "is a symbolic link; remove it");
  if (info.st_uid != geteuid()) return refuse(shown, "belongs to another user; remove it");
  if (!S_ISREG(info.st_mode)) return refuse(shown, "is not a regular file; remove it");
  return {};
}

std::vector<std::string> list_names(int dir) {
  std::vector<std::string> names;
  const OpenDir listing = open_dir_at(dir, ".");
  while (const dirent* entry = listing ? readdir(listing.get()) : nullptr) {
    if (names.size() == RecordDir::kRecordsMax) break;
    names.emplace_back(entry->d_name);
  }
  return names;
}

/// Where the port file is: DIR/port, or a path of the user's own; and the name it is made under,
/// beside the file itself, so that a rename stays inside one directory.
struct PortPlace {
  int parent;
  std::string name;
  std::string temporary;
};
PortPlace port_place(int dir, const std::string& port_file) {
  const std::string temporary = temporary_name(host_name(), getpid());
  if (port_file.empty()) return {dir, "port", temporary};
  return {AT_FDCWD, port_file, port_file.substr(0, port_file.rfind('/') + 1) + temporary};
}

constexpr std::size_t kPortBytesMax = 16;

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failed != std::errc{}) return std::nullopt;
  return port;
}

std::optional<std::uint16_t> read_port(const PortPlace& place) {
  const auto text = read_private_file(place.parent, place.name, kPortBytesMax);
  return text ? parse_port(*text) : std::nullopt;
}

bool is_same_process(const JobRecord& a, const JobRecord& b) {
  return a.host == b.host && a.pid == b.pid && a.started_at == b.started_at;
}

/// Opening "link/" would follow the link.
std::string without_last_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

/// The process of a temporary_name() of this host.
std::optional<std::int64_t> writer_of(const std::string& name, const std::string& host) {
  const std::string begin = "." + host + "-";
  if (!name.starts_with(begin) || !name.ends_with(".tmp")) return std::nullopt;
  std::int64_t pid = 0;
  const auto [end, failed] =
      std::from_chars(name.data() + begin.size(), name.data() + name.size(), pid);
  if (failed != std::errc{} || std::string_view(end) != ".tmp") return std::nullopt;
  return pid;
}

}  // namespace

std::string temporary_name(const std::string& host, std::int64_t pid) {
  return "." + host + "-" + std::to_string(pid) + ".tmp";
}

bool is_record_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && id.front() != '.' && id.front() != '-' &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

bool is_live(const JobRecord& record, const std::string& host) {
  const auto started_ms = parse_rfc3339(record.started_at);
  return record.host == host && started_ms && process_lived_at(record.pid, *started_ms);
}

RecordDir::RecordDir(std::string path, UniqueFd dir, UniqueFd jobs)
    : path_(std::move(path)), dir_(std::move(dir)), jobs_(std::move(jobs)) {}

Result<RecordDir> RecordDir::open(const std::string& given) {
  const std::string path = without_last_slashes(given);
  auto fds = open_both(path, true);
  if (!fds) return tl::unexpected<Error>(fds.error());
  const auto usable = refuse_foreign_file(fds->first.get(), "port", path + "/port");
  if (!usable) return tl::unexpected<Error>(usable.error());
  return RecordDir(path, std::move(fds->first), std::move(fds->second));
}

Result<RecordDir> RecordDir::open_existing(const std::string& given) {
  const std::string path = without_last_slashes(given);
  auto fds = open_both(path, false);
  if (!fds) return tl::unexpected<Error>(fds.error());
  return RecordDir(path, std::move(fds->first), std::move(fds->second));
}

std::optional<JobRecord> RecordDir::read(std::string_view id) const {
  const auto text =
      read_private_file(jobs_.get(), std::string(id).append(kSuffix), kJobRecordBytesMax);
  if (!text) return std::nullopt;
  auto record = parse_job_record(*text);
  if (!record || record->uid != geteuid()) return std::nullopt;
  return std::move(*record);
}

std::vector<StoredRecord> RecordDir::read_all() const {
  std::vector<StoredRecord> records;
  for (const std::string& name : list_names(jobs_.get())) {
    if (!name.ends_with(kSuffix)) continue;
    const std::string id = name.substr(0, name.size() - kSuffix.size());
    if (!is_record_id(id)) continue;
    if (auto record = read(id)) records.push_back({id, std::move(*record)});
  }
  return records;
}

Status RecordDir::write(std::string_view id, const JobRecord& record) const {
  const std::string name = std::string(id).append(kSuffix);
  auto usable = refuse_foreign_file(jobs_.get(), name, path_ + "/jobs/" + name);
  if (!usable) return usable;
  const auto done = write_private_file(jobs_.get(), name, temporary_name(record.host, record.pid),
                                       write_job_record(record));
  if (!done) {
    return refuse(path_ + "/jobs/" + name,
                  done.error().detail + "; --state-dir names another directory");
  }
  return {};
}

Status RecordDir::update_own(std::string_view id, const JobRecord& own,
                             const JobRecord& changed) const {
  const auto there = read(id);
  if (!there || !is_same_process(*there, own)) {
    return fail(Errc::kNotFound, path_ + "/jobs/" + std::string(id).append(kSuffix),
                "was removed or replaced; it is left alone");
  }
  return write(id, changed);
}

void RecordDir::remove_own(std::string_view id, const JobRecord& own) const {
  remove_private_file(jobs_.get(), std::string(id).append(kSuffix),
                      temporary_name(host_name(), getpid()), kJobRecordBytesMax,
                      [&](std::string_view text) {
                        const auto there = parse_job_record(text);
                        return there && there->uid == geteuid() && is_same_process(*there, own);
                      });
}

Status RecordDir::write_port(std::uint16_t port, const std::string& port_file) const {
  const PortPlace place = port_place(dir_.get(), port_file);
  const std::string shown = port_file.empty() ? path_ + "/port" : port_file;
  auto usable = refuse_foreign_file(place.parent, place.name, shown);
  if (!usable) return usable;
  const auto done =
      write_private_file(place.parent, place.name, place.temporary, std::to_string(port) + "\n");
  if (!done) return refuse(shown, done.error().detail + "; --port-file names another place");
  return {};
}

void RecordDir::remove_port(std::uint16_t port, const std::string& port_file) const {
  const PortPlace place = port_place(dir_.get(), port_file);
  remove_private_file(place.parent, place.name, place.temporary, kPortBytesMax,
                      [&](std::string_view text) { return parse_port(text) == port; });
}

void RecordDir::remove_stale_port(const std::string& host, const std::string& port_file) const {
  const PortPlace place = port_place(dir_.get(), port_file);
  const auto port = read_port(place);
  for (const StoredRecord& stored : read_all()) {
    if (port && stored.record.port == *port && is_live(stored.record, host)) return;
  }
  if (port) return remove_port(*port, port_file);
  struct stat info {};
  const bool file = fstatat(place.parent, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                    !S_ISDIR(info.st_mode);
  if (file && port_file.empty()) unlinkat(place.parent, place.name.c_str(), 0);
}

void RecordDir::remove_stale(const std::string& host, const std::string& port_file) const {
  for (const StoredRecord& stored : read_all()) {
    if (stored.record.host == host && !is_live(stored.record, host)) {
      remove_own(stored.id, stored.record);
    }
  }
  for (const int dir : {dir_.get(), jobs_.get()}) {
    for (const std::string& name : list_names(dir)) {
      const auto pid = writer_of(name, host);
      if (pid && !process_lived_at(*pid, unix_ms())) unlinkat(dir, name.c_str(), 0);
    }
  }
  remove_stale_port(host, port_file);
}

}  // namespace hpc
