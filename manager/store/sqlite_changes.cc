#include "manager/store/sqlite_changes.h"

#include <utility>
#include <variant>

namespace hpc {

namespace {

constexpr const char* kPutSession = R"sql(
INSERT INTO sessions (id, user, cluster, ide, slot, state, reason, job_id, node, spec,
                      created_at, started_at, ended_at, ends_at, last_activity)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (id) DO UPDATE SET
  user = ?2, cluster = ?3, ide = ?4, slot = ?5, state = ?6, reason = ?7, job_id = ?8, node = ?9,
  spec = ?10, created_at = ?11, started_at = ?12, ended_at = ?13, ends_at = ?14,
  last_activity = ?15
)sql";
constexpr const char* kPutLease = R"sql(
INSERT INTO leases (session, range, port) VALUES (?1, ?2, ?3)
ON CONFLICT (session, range) DO UPDATE SET port = ?3
)sql";
constexpr const char* kPutToken = R"sql(
INSERT INTO tokens (id, user, hash, kind, label, created_at, expires_at, last_used_at, revoked_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (id) DO UPDATE SET
  user = ?2, hash = ?3, kind = ?4, label = ?5, created_at = ?6, expires_at = ?7,
  last_used_at = ?8, revoked_at = ?9
)sql";
constexpr const char* kSetActive = R"sql(
INSERT INTO users (user, active_session) VALUES (?1, ?2)
ON CONFLICT (user) DO UPDATE SET active_session = ?2
)sql";
constexpr const char* kAddEvent = R"sql(
INSERT INTO events (number, session, unix_ms, type, data, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
)sql";
constexpr const char* kCountEvent = R"sql(
UPDATE sessions SET event_count = event_count + 1, event_bytes = event_bytes + ?2 WHERE id = ?1
)sql";
constexpr const char* kLoseEvent = R"sql(
UPDATE sessions SET event_count = event_count - 1, event_bytes = event_bytes - ?3,
  lost_through = ?2 WHERE id = ?1
)sql";
constexpr const char* kPutQueued = R"sql(
INSERT INTO queue (session, position, spec, submit_started_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (session) DO UPDATE SET position = ?2, spec = ?3, submit_started_at = ?4
)sql";

}  // namespace

std::string_view token_kind_name(TokenKind kind) {
  return kind == TokenKind::kLogin ? "login" : "api";
}

std::optional<TokenKind> parse_token_kind(std::string_view name) {
  if (name == "api") return TokenKind::kApi;
  if (name == "login") return TokenKind::kLogin;
  return std::nullopt;
}

struct SqliteChanges::Statements {
  SqliteStatement put_session;
  SqliteStatement put_lease;
  SqliteStatement drop_leases;
  SqliteStatement put_token;
  SqliteStatement touch_token;
  SqliteStatement set_active;
  SqliteStatement unset_active;
  SqliteStatement add_event;
  SqliteStatement count_event;
  SqliteStatement event_totals;
  SqliteStatement oldest_event;
  SqliteStatement drop_event;
  SqliteStatement lose_event;
  SqliteStatement put_queued;
  SqliteStatement drop_queued;
};

void SqliteChanges::FreeStatements::operator()(Statements* statements) const noexcept {
  delete statements;
}

Result<std::unique_ptr<SqliteChanges>> SqliteChanges::make(SqliteDb& db) {
  Status prepared;
  const auto prepare = [&](const char* sql) -> SqliteStatement {
    auto statement = db.prepare(sql);
    if (statement) return std::move(*statement);
    prepared = tl::unexpected(statement.error());
    return {db, nullptr};
  };
  OwnedStatements statements(new Statements{
      prepare(kPutSession),
      prepare(kPutLease),
      prepare("DELETE FROM leases WHERE session = ?1"),
      prepare(kPutToken),
      prepare("UPDATE tokens SET last_used_at = ?2 WHERE id = ?1"),
      prepare(kSetActive),
      prepare("UPDATE users SET active_session = NULL WHERE active_session = ?1"),
      prepare(kAddEvent),
      prepare(kCountEvent),
      prepare("SELECT event_count, event_bytes FROM sessions WHERE id = ?1"),
      prepare("SELECT number, bytes FROM events WHERE session = ?1 ORDER BY number LIMIT 1"),
      prepare("DELETE FROM events WHERE number = ?1"),
      prepare(kLoseEvent),
      prepare(kPutQueued),
      prepare("DELETE FROM queue WHERE session = ?1"),
  });
  if (!prepared) return tl::unexpected(prepared.error());
  return std::unique_ptr<SqliteChanges>(new SqliteChanges(db, std::move(statements)));
}

SqliteChanges::SqliteChanges(SqliteDb& db, OwnedStatements statements)
    : db_(db), statements_(std::move(statements)) {}

/// What each change does. Returns at the first failure; the savepoint undoes the rest.
struct SqliteChanges::Apply {
  Statements& use;

  Status operator()(const PutSession& put) {
    const SessionRow& row = put.row;
    auto done = use.put_session.run(row.id, row.key.user, row.key.cluster, row.key.ide,
                                    std::int64_t{row.key.slot}, state_name(row.state), row.reason,
                                    row.job_id, row.node, row.spec, row.created_at, row.started_at,
                                    row.ended_at, row.ends_at, row.last_activity);
    if (!done || row.state != SessionState::kEnded) return done;
    // What has ended holds nothing.
    if (done) done = use.drop_leases.run(row.id);
    if (done) done = use.drop_queued.run(row.id);
    if (done) done = use.unset_active.run(row.id);
    return done;
  }
  Status operator()(const PutLease& put) {
    return use.put_lease.run(put.row.session, put.row.range, std::int64_t{put.row.port});
  }
  Status operator()(const DropLeases& drop) { return use.drop_leases.run(drop.session); }
  Status operator()(const PutToken& put) {
    const TokenRow& row = put.row;
    return use.put_token.run(row.id, row.user, std::span<const unsigned char>(row.hash),
                             token_kind_name(row.kind), row.label, row.created_at, row.expires_at,
                             row.last_used_at, row.revoked_at);
  }
  Status operator()(const TouchToken& touch) {
    return use.touch_token.run(touch.id, touch.last_used_at);
  }
  Status operator()(const SetActive& set) { return use.set_active.run(set.user, set.session); }
  Status operator()(const AppendEvent& append) {
    const Event& event = append.event;
    const auto bytes =
        static_cast<std::int64_t>(event.session.size() + event.type.size() + event.data.size());
    auto done = use.add_event.run(static_cast<std::int64_t>(event.number), event.session,
                                  event.unix_ms, event.type, event.data, bytes);
    if (done) done = use.count_event.run(event.session, bytes);
    if (done) done = drop_oldest_events(event.session);
    return done;
  }
  Status operator()(const PutQueued& put) {
    return use.put_queued.run(put.row.session, put.row.position, put.row.spec,
                              put.row.submit_started_at);
  }
  Status operator()(const DropQueued& drop) { return use.drop_queued.run(drop.session); }

 private:
  Result<bool> has_too_many(const std::string& session) {
    use.event_totals.start(session);
    auto row = use.event_totals.step();
    if (!row || !*row) return row;
    const auto count = use.event_totals.integer(0);
    const auto bytes = use.event_totals.integer(1);
    use.event_totals.reset();
    // The ring counts some bytes of bookkeeping as well, so it never holds more than the store.
    return count > static_cast<std::int64_t>(kEventsPerSessionMax) ||
           bytes > static_cast<std::int64_t>(kEventBytesPerSessionMax);
  }
  Status drop_oldest_events(const std::string& session) {
    while (true) {
      const auto more = has_too_many(session);
      if (!more) return tl::unexpected(more.error());
      if (!*more) return {};
      use.oldest_event.start(session);
      const auto row = use.oldest_event.step();
      if (!row) return tl::unexpected(row.error());
      if (!*row) return {};
      const auto number = use.oldest_event.integer(0);
      const auto bytes = use.oldest_event.integer(1);
      use.oldest_event.reset();
      auto done = use.drop_event.run(number);
      if (done) done = use.lose_event.run(session, number, bytes);
      if (!done) return done;
    }
  }
};

Status SqliteChanges::apply_all(const std::vector<Change>& changes) {
  Apply apply{*statements_};
  for (const Change& change : changes) {
    if (auto done = std::visit(apply, change); !done) return done;
  }
  return {};
}

Status SqliteChanges::apply(const std::vector<Change>& changes) {
  if (auto begun = db_.run("SAVEPOINT one_write"); !begun) return begun;
  auto done = apply_all(changes);
  if (!done && done.error().code != Errc::kBadRequest) return done;
  if (!done) {
    if (auto undone = db_.run("ROLLBACK TO one_write"); !undone) return undone;
  }
  if (auto released = db_.run("RELEASE one_write"); !released) return released;
  return done;
}

}  // namespace hpc
