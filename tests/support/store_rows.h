#pragma once
#include <string>

#include "manager/store/store.h"

namespace hpc {

// Rows for tests of the store: all fields set, different for each id.

inline SessionRow session_row(const std::string& id, const std::string& ide = "vscode") {
  SessionRow row;
  row.id = id;
  row.key = {"alice", "main", ide, 2};
  row.state = SessionState::kRunning;
  row.reason = "job runs";
  row.job_id = "77_3";
  row.node = "c1";
  row.spec = R"({"cpus":4,"idle":"2h"})";
  row.created_at = 1'000;
  row.started_at = 2'000;
  row.ends_at = 4'000'000;
  row.last_activity = 3'000;
  return row;
}

inline SessionRow ended_row(const std::string& id, std::int64_t ended_at) {
  SessionRow row = session_row(id);
  row.state = SessionState::kEnded;
  row.reason = "job cancelled";
  row.ended_at = ended_at;
  return row;
}

inline AppendEvent event_of(std::uint64_t number, const std::string& session,
                            std::string data = "{}") {
  return {
      Event{number, static_cast<std::int64_t>(1'000 + number), session, "state", std::move(data)}};
}

inline TokenRow token_row(const std::string& id, unsigned char first_hash_byte) {
  TokenRow row;
  row.id = id;
  row.user = "alice";
  row.hash.fill(7);
  row.hash[0] = first_hash_byte;
  row.kind = TokenKind::kLogin;
  row.label = "Firefox, \"laptop\" \xC3\xBC";
  row.created_at = 1'000;
  row.expires_at = 90'000'000'000'000;
  row.last_used_at = 5'000;
  return row;
}

}  // namespace hpc
