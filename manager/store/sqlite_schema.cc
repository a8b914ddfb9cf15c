#include "manager/store/sqlite_schema.h"

#include <array>
#include <string>

namespace hpc {

namespace {

constexpr const char* kVersion1 = R"sql(
CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  user TEXT NOT NULL,
  cluster TEXT NOT NULL,
  ide TEXT NOT NULL,
  slot INTEGER NOT NULL CHECK (slot >= 1),
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  job_id TEXT NOT NULL,
  node TEXT NOT NULL,
  spec TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  ends_at INTEGER,
  last_activity INTEGER,
  -- Kept by the store: what is left of the session's events.
  lost_through INTEGER NOT NULL DEFAULT 0,
  event_count INTEGER NOT NULL DEFAULT 0,
  event_bytes INTEGER NOT NULL DEFAULT 0,
  CHECK ((state = 'ended') = (ended_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sessions_live ON sessions (user, cluster, ide, slot) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_ended_with_events ON sessions (ended_at)
  WHERE ended_at IS NOT NULL AND event_count > 0;

CREATE TABLE leases (
  session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  range TEXT NOT NULL,
  port INTEGER NOT NULL UNIQUE CHECK (port BETWEEN 1 AND 65535),
  PRIMARY KEY (session, range)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: SQLite remembers the highest number after the event is gone.
CREATE TABLE events (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  unix_ms INTEGER NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL,
  bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_session ON events (session, number);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  user TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  kind TEXT NOT NULL CHECK (kind IN ('api', 'login')),
  label TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
  user TEXT PRIMARY KEY,
  active_session TEXT REFERENCES sessions (id) ON DELETE SET NULL,
  forgotten_through INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX users_by_active ON users (active_session) WHERE active_session IS NOT NULL;

CREATE TABLE queue (
  session TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
  position INTEGER NOT NULL UNIQUE,
  spec TEXT NOT NULL,
  submit_started_at INTEGER
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array kMigrations = {Migration{1, kVersion1}};

Status apply(SqliteDb& db, const Migration& step) {
  // The header's fields are part of the transaction.
  const std::string mark = "PRAGMA application_id = " + std::to_string(kApplicationId) +
                           "; PRAGMA user_version = " + std::to_string(step.version);
  auto done = db.begin();
  if (done) done = db.run(step.sql);
  if (done) done = db.run(mark.c_str());
  if (done) done = db.commit();
  if (!done) db.rollback();
  return done;
}

}  // namespace

std::span<const Migration> migrations() { return kMigrations; }

Status check_owner(SqliteDb& db, std::span<const Migration> steps) {
  const auto owner = db.number("PRAGMA application_id");
  if (!owner) return tl::unexpected(owner.error());
  const auto tables = db.number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tl::unexpected(tables.error());
  const auto version = db.number("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  if (*owner != kApplicationId && (*owner != 0 || *tables != 0 || *version != 0)) {
    return fail(Errc::kConfig, "state file " + db.path(),
                "is an SQLite file of another program; name another one with --state");
  }
  const int newest = steps.back().version;
  if (*version > newest) {
    return fail(Errc::kConfig, "state file " + db.path(),
                "was written by a newer hpc-manager (layout " + std::to_string(*version) +
                    ", this one knows " + std::to_string(newest) +
                    "); start that version again, or name another file with --state");
  }
  return {};
}

Status migrate(SqliteDb& db, std::span<const Migration> steps) {
  const auto version = db.number("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  for (const Migration& step : steps) {
    if (step.version <= *version) continue;
    if (auto done = apply(db, step); !done) return done;
  }
  return {};
}

}  // namespace hpc
