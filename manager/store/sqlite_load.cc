#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "manager/store/sqlite_changes.h"

namespace hpc {

namespace {

constexpr const char* kSessions = R"sql(
SELECT id, user, cluster, ide, slot, state, reason, job_id, node, spec,
       created_at, started_at, ended_at, ends_at, last_activity, lost_through
FROM sessions
WHERE ended_at IS NULL OR event_count > 0 OR id IN (
  SELECT id FROM sessions WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT ?1)
ORDER BY created_at, id
)sql";
constexpr const char* kTokens = R"sql(
SELECT id, user, hash, kind, label, created_at, expires_at, last_used_at
FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)
ORDER BY created_at, id
)sql";

tl::unexpected<Error> bad_row(const SqliteDb& db, std::string_view table, const std::string& id) {
  return fail(Errc::kConfig, "state file " + db.path(),
              "the row " + id + " of table " + std::string(table) +
                  " is nothing that hpc-manager writes. Nothing was changed; correct it with "
                  "sqlite3, or put a backup in its place");
}

/// Calls `take` with the statement at each row; `take` returns a Status.
template <class Take, class... Args>
Status each_row(SqliteDb& db, const char* sql, const Take& take, const Args&... args) {
  auto query = db.prepare(sql);
  if (!query) return tl::unexpected(query.error());
  query->start(args...);
  while (true) {
    const auto row = query->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    if (auto done = take(*query); !done) return done;
  }
}

Result<StoredSession> session_of(const SqliteDb& db, const SqliteStatement& row) {
  StoredSession session;
  SessionRow& to = session.row;
  to.id = row.text(0);
  to.key = {row.text(1), row.text(2), row.text(3), 0};
  const auto slot = row.integer(4);
  const auto state = parse_session_state(row.text(5));
  const bool names = is_session_name(to.key.user) && is_session_name(to.key.cluster) &&
                     is_session_name(to.key.ide);
  if (!state || !names || slot < 1 || slot > std::int64_t{kSlotMax}) {
    return bad_row(db, "sessions", to.id);
  }
  to.key.slot = static_cast<unsigned>(slot);
  to.state = *state;
  to.reason = row.text(6);
  to.job_id = row.text(7);
  to.node = row.text(8);
  to.spec = row.text(9);
  to.created_at = row.integer(10);
  to.started_at = row.maybe_integer(11);
  to.ended_at = row.maybe_integer(12);
  to.ends_at = row.maybe_integer(13);
  to.last_activity = row.maybe_integer(14);
  session.lost_through = static_cast<std::uint64_t>(row.integer(15));
  return session;
}

Status load_sessions(SqliteDb& db, StoreContents& all) {
  const auto take = [&](const SqliteStatement& row) -> Status {
    auto session = session_of(db, row);
    if (!session) return tl::unexpected(session.error());
    all.sessions.push_back(std::move(*session));
    return {};
  };
  return each_row(db, kSessions, take, static_cast<std::int64_t>(kEndedSessionsLoaded));
}

Status load_leases(SqliteDb& db, StoreContents& all) {
  const auto take = [&](const SqliteStatement& row) -> Status {
    all.leases.push_back({row.text(0), row.text(1), static_cast<std::uint16_t>(row.integer(2))});
    return {};
  };
  return each_row(db, "SELECT session, range, port FROM leases ORDER BY session, range", take);
}

Status load_tokens(SqliteDb& db, StoreContents& all, std::int64_t now_unix_ms) {
  const auto take = [&](const SqliteStatement& row) -> Status {
    TokenRow token;
    token.id = row.text(0);
    const auto kind = parse_token_kind(row.text(3));
    const auto hash = row.blob(2);
    if (!kind || hash.size() != token.hash.size()) return bad_row(db, "tokens", token.id);
    std::copy(hash.begin(), hash.end(), token.hash.begin());
    token.kind = *kind;
    token.user = row.text(1);
    token.label = row.text(4);
    token.created_at = row.integer(5);
    token.expires_at = row.maybe_integer(6);
    token.last_used_at = row.maybe_integer(7);
    all.tokens.push_back(std::move(token));
    return {};
  };
  return each_row(db, kTokens, take, now_unix_ms);
}

Status load_users(SqliteDb& db, StoreContents& all) {
  const auto take = [&](const SqliteStatement& row) -> Status {
    const std::string user = row.text(0);
    if (const std::string active = row.text(1); !active.empty()) all.active[user] = active;
    const auto forgotten = row.integer(2);
    if (forgotten > 0) all.forgotten_through[user] = static_cast<std::uint64_t>(forgotten);
    return {};
  };
  return each_row(db, "SELECT user, active_session, forgotten_through FROM users", take);
}

Status load_events(SqliteDb& db, StoreContents& all) {
  const auto take = [&](const SqliteStatement& row) -> Status {
    all.events.push_back({static_cast<std::uint64_t>(row.integer(0)), row.integer(2), row.text(1),
                          row.text(3), row.text(4)});
    return {};
  };
  auto done =
      each_row(db, "SELECT number, session, unix_ms, type, data FROM events ORDER BY number", take);
  if (!done) return done;
  const auto last = db.number("SELECT seq FROM sqlite_sequence WHERE name = 'events'");
  if (!last) return tl::unexpected(last.error());
  all.last_event_number = static_cast<std::uint64_t>(*last);
  return {};
}

Status load_queue(SqliteDb& db, StoreContents& all) {
  const auto take = [&](const SqliteStatement& row) -> Status {
    all.queue.push_back({row.text(0), row.integer(1), row.text(2), row.maybe_integer(3)});
    return {};
  };
  return each_row(
      db, "SELECT session, position, spec, submit_started_at FROM queue ORDER BY position", take);
}

}  // namespace

Result<StoreContents> load_store(SqliteDb& db, std::int64_t now_unix_ms) {
  StoreContents all;
  auto done = load_sessions(db, all);
  if (done) done = load_leases(db, all);
  if (done) done = load_tokens(db, all, now_unix_ms);
  if (done) done = load_users(db, all);
  if (done) done = load_events(db, all);
  if (done) done = load_queue(db, all);
  if (!done) return tl::unexpected(done.error());
  return all;
}

}  // namespace hpc
