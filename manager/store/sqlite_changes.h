#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "manager/store/sqlite_db.h"
#include "manager/store/store.h"

namespace hpc {

/// Texts in the file for values of ours, and back.
std::string_view token_kind_name(TokenKind kind);
std::optional<TokenKind> parse_token_kind(std::string_view name);

/// Turns changes into SQL. Everything happens inside a transaction of the caller.
class SqliteChanges {
 public:
  /// Prepares all statements. `db` must outlive the object.
  static Result<std::unique_ptr<SqliteChanges>> make(SqliteDb& db);
  SqliteChanges(const SqliteChanges&) = delete;
  SqliteChanges& operator=(const SqliteChanges&) = delete;

  /// All or none of one write. kBadRequest: a change contradicts what is stored, the transaction
  /// may go on. Any other error: the transaction must be rolled back.
  Status apply(const std::vector<Change>& changes);

 private:
  struct Statements;
  struct Apply;
  // The statements are known to the .cc only.
  struct FreeStatements {
    void operator()(Statements* statements) const noexcept;
  };
  using OwnedStatements = std::unique_ptr<Statements, FreeStatements>;

  SqliteChanges(SqliteDb& db, OwnedStatements statements);
  Status apply_all(const std::vector<Change>& changes);

  SqliteDb& db_;
  OwnedStatements statements_;
};

/// Deletes what is past its time (store.h): events of ended sessions, history, dead tokens. Inside
/// a transaction of the caller. At most kTrimmedAtOnce sessions: true when there is more to do.
constexpr int kTrimmedAtOnce = 100;
Result<bool> trim_store(SqliteDb& db, std::int64_t now_unix_ms);

/// Everything, as Store::load(). kConfig for a row that this program cannot have written.
Result<StoreContents> load_store(SqliteDb& db, std::int64_t now_unix_ms);

}  // namespace hpc
