#include <string>
#include <vector>

#include "manager/store/sqlite_changes.h"

namespace hpc {

namespace {

// Until whose end a session is too old, by its place among the ended ones.
constexpr const char* kDropHistory = R"sql(
DELETE FROM sessions WHERE id IN (
  SELECT id FROM sessions
  WHERE ended_at IS NOT NULL AND event_count = 0 AND
    (ended_at < ?1 OR ended_at < (SELECT ended_at FROM sessions WHERE ended_at IS NOT NULL
                                  ORDER BY ended_at DESC LIMIT 1 OFFSET ?2))
  ORDER BY ended_at LIMIT ?3)
)sql";
constexpr const char* kOldEvents = R"sql(
SELECT id, user FROM sessions
WHERE ended_at IS NOT NULL AND event_count > 0 AND ended_at < ?1 ORDER BY ended_at LIMIT ?2
)sql";
constexpr const char* kLastEvent = "SELECT max(number) FROM events WHERE session = ?1";
constexpr const char* kForget = R"sql(
INSERT INTO users (user, forgotten_through) VALUES (?1, ?2)
ON CONFLICT (user) DO UPDATE SET forgotten_through = max(forgotten_through, ?2)
)sql";
constexpr const char* kForgetIn = R"sql(
UPDATE sessions SET event_count = 0, event_bytes = 0, lost_through = max(lost_through, ?2)
WHERE id = ?1
)sql";
constexpr const char* kDropTokens = "DELETE FROM tokens WHERE revoked_at < ?1 OR expires_at < ?1";

struct Found {
  std::string id;
  std::string user;
};

Result<std::vector<Found>> sessions_with_old_events(SqliteDb& db, std::int64_t before) {
  auto query = db.prepare(kOldEvents);
  if (!query) return tl::unexpected(query.error());
  query->start(before, std::int64_t{kTrimmedAtOnce});
  std::vector<Found> found;
  while (true) {
    const auto row = query->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return found;
    found.push_back({query->text(0), query->text(1)});
  }
}

template <class... Args>
Status run_once(SqliteDb& db, const char* sql, const Args&... args) {
  auto statement = db.prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  return statement->run(args...);
}

Status forget_events(SqliteDb& db, const Found& session) {
  auto query = db.prepare(kLastEvent);
  if (!query) return tl::unexpected(query.error());
  query->start(session.id);
  const auto row = query->step();
  if (!row) return tl::unexpected(row.error());
  const std::int64_t last = query->integer(0);
  auto done = run_once(db, kForget, session.user, last);
  if (done) done = run_once(db, "DELETE FROM events WHERE session = ?1", session.id);
  if (done) done = run_once(db, kForgetIn, session.id, last);
  return done;
}

}  // namespace

Result<bool> trim_store(SqliteDb& db, std::int64_t now_unix_ms) {
  const auto old_events =
      sessions_with_old_events(db, now_unix_ms - static_cast<std::int64_t>(kEventsKeptAfterEndMs));
  if (!old_events) return tl::unexpected(old_events.error());
  for (const Found& session : *old_events) {
    if (auto done = forget_events(db, session); !done) return tl::unexpected(done.error());
  }
  auto done =
      run_once(db, kDropHistory, now_unix_ms - kHistoryKeptMs,
               static_cast<std::int64_t>(kHistorySessionsMax - 1), std::int64_t{kTrimmedAtOnce});
  const bool more =
      old_events->size() == kTrimmedAtOnce || sqlite3_changes(db.handle()) == kTrimmedAtOnce;
  if (done) done = run_once(db, kDropTokens, now_unix_ms - kDeadTokenKeptMs);
  if (!done) return tl::unexpected(done.error());
  return more;
}

}  // namespace hpc
