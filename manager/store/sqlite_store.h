#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/loop.h"
#include "common/loop_mailbox.h"
#include "manager/store/sqlite_changes.h"
#include "manager/store/sqlite_db.h"
#include "manager/store/state_file.h"
#include "manager/store/store.h"
#include "manager/store/store_writer.h"

namespace hpc {

/// The store in one SQLite file, which it owns alone as long as it lives.
///
/// Every transaction is synced before it is reported (PRAGMA synchronous = FULL). A kill -9 would
/// not need that, the kernel still has what was written; a power cut does: numbers of events that
/// browsers have seen would be given again to others, a revoked token would be good again, and a
/// job whose submit was noted would be submitted twice. Transactions are at most twenty a second
/// and not on the loop's thread, so it costs nobody anything.
class SqliteStore final : public Store {
 public:
  struct Options {
    std::string path;
    UnixClock now;
    FileSystemOf file_system = file_system_of;
    StoreWriter::Times times = {};
  };

  // How often what is past its time is deleted: it is kept for an hour at least.
  static constexpr std::int64_t kTrimEveryMs = 60'000;

  /// Opens or makes the file, takes its lock, checks it and brings it to our layout; blocks. The
  /// message says what to do. kConfig: another path or program is needed; kUnavailable: another
  /// process has it; kSystem: read-only, full, damaged (then nothing in it has been changed).
  static Result<std::unique_ptr<SqliteStore>> open(Loop& loop, const Options& options);
  /// Writes what was accepted; blocks. Nobody is called any more.
  ~SqliteStore() override;

  Result<StoreContents> load() override;
  Status write(std::vector<Change> changes, Committed done) override;
  Status healthy() const override;

 private:
  /// The writer thread's side.
  class Backend final : public StoreBackend {
   public:
    Backend(std::unique_ptr<SqliteDb> db, std::unique_ptr<SqliteChanges> changes, UnixClock now)
        : db_(std::move(db)), changes_(std::move(changes)), now_(std::move(now)) {}
    Result<StoreContents> load();
    std::vector<Status> commit(const Writes& writes) override;
    Status probe() override;

   private:
    Status apply(const Writes& writes, std::vector<Status>& statuses);
    Status trim();
    Status still_there();

    std::unique_ptr<SqliteDb> db_;
    std::unique_ptr<SqliteChanges> changes_;  // before db_ at the end
    UnixClock now_;
    std::int64_t trim_at_ = 0;
  };

  SqliteStore(Loop& loop, std::unique_ptr<Backend> backend, StoreWriter::Times times);

  LoopMailbox mailbox_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<StoreWriter> writer_;  // ends before the backend
};

}  // namespace hpc
