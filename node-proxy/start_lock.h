#pragma once
#include <cstdint>
#include <string>

#include "common/result.h"
#include "node-proxy/record_dir.h"

namespace hpc {

/// Held from the look for a running hpc-proxy until our own record is there: of two that start at
/// once with the same ID the second sees the record of the first.
///
/// A file DIR/.HOST.lock that names its process, made whole by link(2). No lock of the kernel:
/// those hang on an NFS home whose lock manager is down, and Lustre and others may have none, while
/// link() is one step everywhere. Per host, because an ID is one host's, so that what a killed
/// process left is always seen: its process can be looked for.
class StartLock {
 public:
  static constexpr std::uint64_t kWaitMs =
      10'000;  // a start takes milliseconds, on a slow home too

  /// Waits for up to `wait_ms` for another one that starts. kSystem with the path and the cause.
  /// `dir` must outlive the lock.
  static Result<StartLock> take(const RecordDir& dir, const std::string& host,
                                std::uint64_t wait_ms = kWaitMs);
  ~StartLock() { release(); }
  StartLock(StartLock&& other) noexcept;
  StartLock(const StartLock&) = delete;
  StartLock& operator=(const StartLock&) = delete;
  StartLock& operator=(StartLock&&) = delete;

  /// Removes the file while it is still ours.
  void release();

 private:
  StartLock(const RecordDir& dir, std::string host, std::string text);
  const RecordDir* dir_;  // null: released
  std::string host_;
  std::string text_;
};

}  // namespace hpc
