#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"

namespace hpc {

// SQLite with our errors. One thread at a time, as everything in manager/store below StoreWriter.

/// What SQLite said, for people: `what` failed with `rc` on the file at `path`, why, and what to
/// do. kBadRequest for a constraint; kUnavailable for a lock; else kSystem.
Error sqlite_error(int rc, const std::string& path, std::string_view what,
                   std::string_view message);

struct SqliteFree {
  void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};

class SqliteDb;

/// One prepared statement, used again and again. The database must outlive it.
class SqliteStatement {
 public:
  SqliteStatement(SqliteDb& db, sqlite3_stmt* handle) : db_(&db), handle_(handle) {}

  /// Binds the arguments to ?1, ?2 ... and runs to the end; rows are dropped.
  template <class... Args>
  Status run(const Args&... args) {
    start(args...);
    return finish();
  }
  /// Binds; step() then brings the rows. Texts must live until the last step().
  template <class... Args>
  void start(const Args&... args) {
    sqlite3_reset(handle_.get());
    sqlite3_clear_bindings(handle_.get());
    int at = 0;
    (bind(++at, args), ...);
  }
  /// False behind the last row.
  Result<bool> step();
  /// Ends a query that was not read to its last row: an open one keeps the log from being emptied.
  void reset() { sqlite3_reset(handle_.get()); }

  // Of the row that step() brought. Views live until the next call of step(), run() or start().
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  std::optional<std::int64_t> maybe_integer(int column) const;
  std::string text(int column) const;
  std::span<const unsigned char> blob(int column) const;

 private:
  Status finish();
  void bind(int at, std::int64_t value) { sqlite3_bind_int64(handle_.get(), at, value); }
  void bind(int at, std::string_view text);
  void bind(int at, std::span<const unsigned char> bytes);
  template <class T>
  void bind(int at, const std::optional<T>& value) {
    if (value) bind(at, *value);  // else NULL, as all arguments are at first
  }

  SqliteDb* db_;
  std::unique_ptr<sqlite3_stmt, SqliteFree> handle_;
};

class SqliteDb {
 public:
  /// The file must exist. Nothing is read or locked yet.
  static Result<std::unique_ptr<SqliteDb>> open(const std::string& path);
  SqliteDb(const SqliteDb&) = delete;
  SqliteDb& operator=(const SqliteDb&) = delete;

  /// One or more statements without arguments.
  Status run(const char* sql);
  /// `sql` must be right; it can fail because of what is in the file. Used until the end.
  Result<SqliteStatement> prepare(const char* sql);
  /// The first column of the only row.
  Result<std::int64_t> number(const char* sql);
  Result<std::string> text(const char* sql);

  /// A transaction of the writer. rollback() after any failure inside.
  Status begin() { return run("BEGIN IMMEDIATE"); }
  Status commit() { return run("COMMIT"); }
  void rollback();

  const std::string& path() const { return path_; }
  sqlite3* handle() { return handle_.get(); }
  /// The error of the call that has just returned `rc`.
  Error error(int rc, std::string_view what) const;

 private:
  SqliteDb(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  const std::string path_;
  std::unique_ptr<sqlite3, SqliteFree> handle_;
};

}  // namespace hpc
