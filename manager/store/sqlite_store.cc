#include "manager/store/sqlite_store.h"

#include <optional>
#include <utility>

#include "manager/store/sqlite_schema.h"

namespace hpc {

namespace {

Error in_use(const std::string& path) {
  const auto holder = lock_holder(path);
  const std::string who = holder ? "the process " + std::to_string(*holder) : "another process";
  return {Errc::kUnavailable, "state file " + path,
          "is in use by " + who +
              ": two managers cannot share one; stop that one, or name another file with --state"};
}

/// The lock is kept until the end, and without memory that other processes could map.
Status take_lock(SqliteDb& db) {
  auto done = db.run("PRAGMA locking_mode = EXCLUSIVE");
  if (done) done = db.run("BEGIN EXCLUSIVE; COMMIT");
  if (!done && done.error().code == Errc::kUnavailable) return tl::unexpected(in_use(db.path()));
  return done;
}

/// What a look at the file says. quick_check leaves out whether indexes fit their tables, which
/// takes many times as long.
Status check_content(SqliteDb& db) {
  const auto verdict = db.text("PRAGMA quick_check(1)");
  if (!verdict) return tl::unexpected(verdict.error());
  if (*verdict == "ok") return {};
  return tl::unexpected(sqlite_error(SQLITE_CORRUPT, db.path(), "the check", *verdict));
}

Status make_ours(SqliteDb& db) {
  // In this order: nothing may be written before we know whose file it is and that it is sound.
  // What SQLite notes while it works stays in memory: a file of it in /var/tmp would be one more
  // place with our data, and one more disk that can be full.
  auto done = db.run(
      "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY");
  if (done) done = take_lock(db);
  if (done) done = check_owner(db, migrations());
  if (done) done = check_content(db);
  if (!done) return done;
  const auto mode = db.text("PRAGMA journal_mode = WAL");
  if (!mode) return tl::unexpected(mode.error());
  if (*mode != "wal") {
    return fail(Errc::kSystem, "state file " + db.path(), "cannot have a write-ahead log");
  }
  // The log is cut to this after a burst; 4 MiB are a thousand pages, when it is emptied anyway.
  done = db.run("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304");
  if (done) done = migrate(db, migrations());
  if (done) done = db.run("PRAGMA foreign_keys = ON");
  return done;
}

void checkpoint_at_end(SqliteDb& db, bool yes) {
  sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, yes ? 0 : 1, nullptr);
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(Loop& loop, const Options& options) {
  const auto path = prepare_state_file(options.path, options.file_system);
  if (!path) return tl::unexpected(path.error());
  auto db = SqliteDb::open(*path);
  if (!db) return tl::unexpected(db.error());
  checkpoint_at_end(**db, false);
  if (auto ours = make_ours(**db); !ours) return tl::unexpected(ours.error());
  checkpoint_at_end(**db, true);
  auto changes = SqliteChanges::make(**db);
  if (!changes) return tl::unexpected(changes.error());
  auto backend = std::make_unique<Backend>(std::move(*db), std::move(*changes), options.now);
  return std::unique_ptr<SqliteStore>(new SqliteStore(loop, std::move(backend), options.times));
}

SqliteStore::SqliteStore(Loop& loop, std::unique_ptr<Backend> backend, StoreWriter::Times times)
    : mailbox_(loop), backend_(std::move(backend)) {
  const auto to_loop = [this](std::function<void()> task) { mailbox_.send(std::move(task)); };
  writer_ = std::make_unique<StoreWriter>(*backend_, to_loop, times);
}

SqliteStore::~SqliteStore() {
  writer_.reset();
  mailbox_.close();
}

Result<StoreContents> SqliteStore::load() { return backend_->load(); }

Status SqliteStore::write(std::vector<Change> changes, Committed done) {
  return writer_->write(std::move(changes), std::move(done));
}

Status SqliteStore::healthy() const { return writer_->health(); }

Result<StoreContents> SqliteStore::Backend::load() {
  auto done = db_->begin();
  if (done) done = trim();
  if (done) done = db_->commit();
  if (!done) {
    db_->rollback();
    return tl::unexpected(done.error());
  }
  return load_store(*db_, now_());
}

std::vector<Status> SqliteStore::Backend::commit(const Writes& writes) {
  std::vector<Status> statuses;
  auto done = still_there();
  if (done) done = db_->begin();
  if (done) done = apply(writes, statuses);
  if (done) done = trim();
  if (done) done = db_->commit();
  if (!done) {
    db_->rollback();
    statuses.assign(writes.size(), done);
  }
  return statuses;
}

Status SqliteStore::Backend::apply(const Writes& writes, std::vector<Status>& statuses) {
  for (const auto& changes : writes) {
    auto done = changes_->apply(changes);
    if (!done && done.error().code != Errc::kBadRequest) return done;
    statuses.push_back(std::move(done));
  }
  return {};
}

Status SqliteStore::Backend::trim() {
  const auto now = now_();
  if (now < trim_at_ && trim_at_ <= now + kTrimEveryMs) return {};  // the clock may have jumped
  const auto more = trim_store(*db_, now);
  if (!more) return tl::unexpected(more.error());
  trim_at_ = *more ? now : now + kTrimEveryMs;
  return {};
}

/// Takes the room that a small write takes.
Status SqliteStore::Backend::probe() {
  auto done = still_there();
  if (done) done = db_->begin();
  if (done) {
    done =
        db_->run(("PRAGMA user_version = " + std::to_string(migrations().back().version)).c_str());
  }
  if (done) done = db_->commit();
  if (!done) db_->rollback();
  return done;
}

/// Somebody may have removed the file or put another in its place: what we write would be gone.
Status SqliteStore::Backend::still_there() {
  int moved = 0;
  sqlite3_file_control(db_->handle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (moved == 0) return {};
  return fail(Errc::kSystem, "state file " + db_->path(),
              "was removed or replaced while hpc-manager runs: nothing can be stored. Put it back, "
              "or start hpc-manager again");
}

}  // namespace hpc
