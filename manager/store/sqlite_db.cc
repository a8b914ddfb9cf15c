#include "manager/store/sqlite_db.h"

#include <utility>

namespace hpc {

namespace {

/// Why, and what somebody can do, by the primary code.
std::string advice(int rc, const std::string& path, std::string_view message) {
  switch (rc & 0xFF) {
    case SQLITE_FULL:
      return "the disk or the quota is full; free some space there";
    case SQLITE_READONLY:
      return "the file or its disk is read-only; make it writable or name another with --state";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "the file is damaged (" + std::string(message) +
             "). Nothing in it was changed. Save what can be read with: sqlite3 " + path +
             " .recover | sqlite3 " + path + ".new ; then put that in its place, or a backup";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process uses the file";
    case SQLITE_CANTOPEN:
      return "the file or those beside it (-wal, -journal) cannot be opened: check who owns them";
    case SQLITE_IOERR:
      return "the disk reports an error (" + std::string(message) + "); see the kernel's log";
    default:
      return std::string(message);
  }
}

Errc code_of(int rc) {
  switch (rc & 0xFF) {
    case SQLITE_CONSTRAINT:
      return Errc::kBadRequest;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::kUnavailable;
    default:
      return Errc::kSystem;
  }
}

}  // namespace

Error sqlite_error(int rc, const std::string& path, std::string_view what,
                   std::string_view message) {
  return {code_of(rc), "state file " + path,
          std::string(what) + " failed: " + advice(rc, path, message)};
}

Result<bool> SqliteStatement::step() {
  const int rc = sqlite3_step(handle_.get());
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) {
    sqlite3_reset(handle_.get());
    return false;
  }
  Error error = db_->error(rc, "reading or writing");
  sqlite3_reset(handle_.get());
  return tl::unexpected(std::move(error));
}

Status SqliteStatement::finish() {
  while (true) {
    const auto more = step();
    if (!more) return tl::unexpected(more.error());
    if (!*more) return {};
  }
}

std::optional<std::int64_t> SqliteStatement::maybe_integer(int column) const {
  if (sqlite3_column_type(handle_.get(), column) == SQLITE_NULL) return std::nullopt;
  return integer(column);
}

std::string SqliteStatement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

std::span<const unsigned char> SqliteStatement::blob(int column) const {
  const auto* bytes = static_cast<const unsigned char*>(sqlite3_column_blob(handle_.get(), column));
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

void SqliteStatement::bind(int at, std::string_view text) {
  // An empty view may have no address, which SQLite takes for NULL.
  const char* bytes = text.empty() ? "" : text.data();
  sqlite3_bind_text64(handle_.get(), at, bytes, text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void SqliteStatement::bind(int at, std::span<const unsigned char> bytes) {
  sqlite3_bind_blob64(handle_.get(), at, bytes.data(), bytes.size(), SQLITE_STATIC);
}

Result<std::unique_ptr<SqliteDb>> SqliteDb::open(const std::string& path) {
  sqlite3* handle = nullptr;
  // No mutex: one thread at a time.
  const int rc =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<SqliteDb> db(new SqliteDb(path, handle));
  if (rc != SQLITE_OK) return tl::unexpected(db->error(rc, "opening"));
  sqlite3_extended_result_codes(handle, 1);
  return db;
}

Status SqliteDb::run(const char* sql) {
  const int rc = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return tl::unexpected(error(rc, "reading or writing"));
  return {};
}

Result<SqliteStatement> SqliteDb::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int rc =
      sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (rc != SQLITE_OK) return tl::unexpected(error(rc, "reading"));
  return SqliteStatement(*this, statement);
}

Result<std::int64_t> SqliteDb::number(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return tl::unexpected(row.error());
  return *row ? statement->integer(0) : 0;
}

Result<std::string> SqliteDb::text(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return tl::unexpected(row.error());
  return *row ? statement->text(0) : std::string();
}

void SqliteDb::rollback() {
  // Some failures have rolled back already; then there is nothing to do.
  if (sqlite3_get_autocommit(handle_.get()) == 0) static_cast<void>(run("ROLLBACK"));
}

Error SqliteDb::error(int rc, std::string_view what) const {
  const char* message = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(rc);
  return sqlite_error(rc, path_, what, message);
}

}  // namespace hpc
