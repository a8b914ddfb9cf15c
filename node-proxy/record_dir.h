#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/job_record.h"
#include "common/result.h"
#include "common/unique_fd.h"

namespace hpc {

/// ".HOST-PID.tmp": under this name this process makes its files in the directories of records.
std::string temporary_name(const std::string& host, std::int64_t pid);

/// A record and the name of its file without ".json".
struct StoredRecord {
  std::string id;
  JobRecord record;
};

/// ~/.hpc-proxy: the file `port` and the directory `jobs` (contract 1.1). Everything is done
/// relative to directory descriptors that were checked once, so that nobody can put a symbolic
/// link in the way afterwards.
///
/// Errors are kSystem with the path and the cause. Nothing here waits but for the file system.
class RecordDir {
 public:
  // More records than this are not one user's jobs; the rest is not looked at.
  static constexpr std::size_t kRecordsMax = 1000;

  /// Makes the directory where it is missing, and tightens one of ours that is wider than 0700. A
  /// symbolic link, something else than a directory, or one of another user is refused.
  static Result<RecordDir> open(const std::string& given);
  /// The same without making or changing anything, for commands that only look. kNotFound when
  /// there is none.
  static Result<RecordDir> open_existing(const std::string& given);

  const std::string& path() const { return path_; }
  int fd() const { return dir_.get(); }

  /// Every readable record of this user, in no order. What is not one is passed over: it may be
  /// another version's, or half of a crash.
  std::vector<StoredRecord> read_all() const;
  std::optional<JobRecord> read(std::string_view id) const;
  /// Writes DIR/jobs/ID.json, 0600, to a temporary name first; replaces a record of that id.
  Status write(std::string_view id, const JobRecord& record) const;
  /// Removes the record only while host, pid and started_at are those of `own`.
  void remove_own(std::string_view id, const JobRecord& own) const;
  /// Writes `changed` in the place of our own record. One that was removed or replaced meanwhile is
  /// somebody's will: it stays as it is, and kNotFound says so.
  Status update_own(std::string_view id, const JobRecord& own, const JobRecord& changed) const;

  /// Writes the port and a newline to DIR/port, or to `port_file` where that is not empty.
  Status write_port(std::uint16_t port, const std::string& port_file) const;
  /// Removes that file only while it names `port`.
  void remove_port(std::uint16_t port, const std::string& port_file) const;

  /// Removes the records of dead processes of this host, what a crash left half written, and the
  /// port file unless it names a live one of this host. Job scripts that wait for the port file
  /// must not see a stale one.
  void remove_stale(const std::string& host, const std::string& port_file) const;

 private:
  RecordDir(std::string path, UniqueFd dir, UniqueFd jobs);
  void remove_stale_port(const std::string& host, const std::string& port_file) const;

  std::string path_;
  UniqueFd dir_;
  UniqueFd jobs_;
};

/// Is the process of this record running, on this host?
bool is_live(const JobRecord& record, const std::string& host);

/// May this be the name of a record's file? Letters, digits, '.', '-', '_', no leading dot or dash.
bool is_record_id(std::string_view id);

}  // namespace hpc
