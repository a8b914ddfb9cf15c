#pragma once
#include <span>

#include "manager/store/sqlite_db.h"

namespace hpc {

/// One step from the layout `version - 1` to `version`. Never changed once released: what a new
/// version needs is a new step.
struct Migration {
  int version;
  const char* sql;
};

// In the file's header, so that another program's SQLite file is never taken for ours: "hpcM".
constexpr std::int64_t kApplicationId = 0x6870634D;

/// All steps, from version 1.
std::span<const Migration> migrations();

/// Whether the file is ours, or has nothing in it: kConfig when another program or a newer
/// version of this one wrote it. Changes nothing.
Status check_owner(SqliteDb& db, std::span<const Migration> steps);

/// Brings the file to the newest layout, each step in a transaction of its own. A step that fails
/// leaves the layout before it.
Status migrate(SqliteDb& db, std::span<const Migration> steps);

}  // namespace hpc
