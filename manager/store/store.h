#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/result.h"
#include "manager/session/event_log.h"
#include "manager/session/session_key.h"
#include "manager/session/session_state.h"

namespace hpc {

// What `serve` must still know after it was killed: the store of the architecture. Values in,
// values out; nobody but manager/store knows that there is a database behind it.
//
// All times are milliseconds since 1970 (wall clock); one that is not known is nothing.

/// Tells them. From any thread.
using UnixClock = std::function<std::int64_t()>;

/// A session, live or ended. Ended ones stay as history, for accounting.
struct SessionRow {
  std::string id;  // opaque, never used again
  SessionKey key;
  SessionState state = SessionState::kQueued;
  std::string reason;  // of the state, for people
  std::string job_id;  // SLURM's; empty: none
  std::string node;
  std::string spec;  // what was asked for, as one line of JSON that the store does not read
  std::int64_t created_at = 0;
  std::optional<std::int64_t> started_at;
  std::optional<std::int64_t> ended_at;  // with kEnded, and only with it
  std::optional<std::int64_t> ends_at;   // when the job's time is up
  std::optional<std::int64_t> last_activity;

  bool operator==(const SessionRow&) const = default;
};

/// A local port that is lent to a session: at most one of each range.
struct LeaseRow {
  std::string session;
  std::string range;
  std::uint16_t port = 0;

  bool operator==(const LeaseRow&) const = default;
};

using TokenHash = std::array<unsigned char, 32>;  // SHA-256 of the token's text

enum class TokenKind : std::uint8_t {
  kApi,    // made by the user, for programs
  kLogin,  // a browser's cookie
};

struct TokenRow {
  std::string id;  // what people call it by; tells nothing about the token
  std::string user;
  TokenHash hash{};
  TokenKind kind = TokenKind::kApi;
  std::string label;
  std::int64_t created_at = 0;
  std::optional<std::int64_t> expires_at;
  std::optional<std::int64_t> last_used_at;
  std::optional<std::int64_t> revoked_at;

  bool operator==(const TokenRow&) const = default;
};

/// A session that waits to be launched. `submit_started_at` is to be stored before sbatch runs:
/// where it is found at a start, a job may exist already and must be looked for, not made again.
struct QueueRow {
  std::string session;
  std::int64_t position = 0;  // smaller ones first; no two are equal
  std::string spec;           // the launch as one line of JSON that the store does not read
  std::optional<std::int64_t> submit_started_at;

  bool operator==(const QueueRow&) const = default;
};

// ------------------------------------------------------------------------------------- changes
/// Inserts the session, or replaces what is stored under its id. Two that have not ended cannot
/// have one key. An ended one loses its leases, its place in the queue and being active.
struct PutSession {
  SessionRow row;
};
/// The port must be free in the store; the session's port of that range is replaced.
struct PutLease {
  LeaseRow row;
};
/// All of the session's.
struct DropLeases {
  std::string session;
};
struct PutToken {
  TokenRow row;
};
struct TouchToken {
  std::string id;
  std::int64_t last_used_at = 0;
};
/// Of a user; nothing: none is active any more.
struct SetActive {
  std::string user;
  std::optional<std::string> session;
};
/// Its number must be higher than any before, its session known. The oldest events of a session go
/// when it has more than the ring of EventLog would keep.
struct AppendEvent {
  Event event;
};
struct PutQueued {
  QueueRow row;
};
struct DropQueued {
  std::string session;
};

using Change = std::variant<PutSession, PutLease, DropLeases, PutToken, TouchToken, SetActive,
                            AppendEvent, PutQueued, DropQueued>;

// ------------------------------------------------------------------------------------- contents
// Ended sessions that a start is told about: enough for pages that say why a session is gone.
constexpr std::size_t kEndedSessionsLoaded = 1000;
// How long history is kept, and how much of it at most: a year's accounting by quarters.
constexpr std::int64_t kHistoryKeptMs = std::int64_t{100} * 24 * 3600 * 1000;
constexpr std::size_t kHistorySessionsMax = 100'000;
// How long a token that expired or was revoked can still be named, by support for example.
constexpr std::int64_t kDeadTokenKeptMs = std::int64_t{30} * 24 * 3600 * 1000;

struct StoredSession {
  SessionRow row;
  std::uint64_t lost_through = 0;  // highest number of its events that is not there any more

  bool operator==(const StoredSession&) const = default;
};

/// Everything at one moment.
struct StoreContents {
  std::vector<StoredSession> sessions;  // oldest first: all live ones, the latest ended ones
  std::vector<LeaseRow> leases;
  std::vector<TokenRow> tokens;               // neither revoked nor expired
  std::map<std::string, std::string> active;  // user and session
  std::vector<Event> events;                  // by number; of sessions that are in `sessions`
  std::uint64_t last_event_number = 0;        // the highest ever stored, still there or not
  // Per user: the highest number of an event of a session whose events are all gone.
  std::map<std::string, std::uint64_t> forgotten_through;
  std::vector<QueueRow> queue;  // by position
};

// ---------------------------------------------------------------------------------------- store
// What may wait for the disk. A busy manager makes some hundred changes a second, so this is a
// minute of a disk that does not answer.
constexpr std::size_t kQueuedChangesMax = 10'000;
constexpr std::size_t kQueuedBytesMax = std::size_t{16} * 1024 * 1024;

/// Owner: `main`; must outlive whoever writes to it. All calls on the loop's thread.
class Store {
 public:
  /// On the loop's thread, in a later turn. May call the store, may not destroy it.
  using Committed = std::function<void(const Status&)>;

  virtual ~Store() = default;

  /// What was stored when the manager ended. Blocks; once, before the first write(). kConfig or
  /// kSystem: it cannot be read, the program must not go on.
  virtual Result<StoreContents> load() = 0;

  /// All of `changes` in their order, or none. Returns kUnavailable when kQueuedChangesMax or
  /// kQueuedBytesMax would be passed: then nothing is written and `done` is never called. Else
  /// `done` is called once, in the order of the calls: success means that neither a kill nor a
  /// power cut undoes it; kSystem that nothing of it was stored (the disk is full, say),
  /// kBadRequest that a change contradicts what is stored.
  virtual Status write(std::vector<Change> changes, Committed done) = 0;

  /// Why nothing can be stored just now, for /readyz. Heals by itself: without writes, too.
  virtual Status healthy() const = 0;
};

}  // namespace hpc
