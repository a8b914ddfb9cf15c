// What LiveSessions answers, without changing anything.
#include <algorithm>
#include <tuple>
#include <utility>

#include "manager/session/live_sessions.h"
#include "manager/session/session_key.h"

namespace hpc {

SessionInfo LiveSessions::info(const SessionRow& row, const PortLease& lease) const {
  SessionInfo out;
  out.row = row;
  out.url = options_.base_url + path_of(row.key) + "/";
  if (const auto local = lease.find(kLocalRange); local != lease.end()) {
    out.local_port = local->second;
  }
  const auto active = active_.find(row.key.user);
  out.queue_position = queue_.position(row.id);
  out.active = active != active_.end() && active->second == row.id;
  return out;
}

std::optional<SessionInfo> LiveSessions::find(const std::string& id) const {
  const auto entry = entries_.find(id);
  if (entry != entries_.end() && entry->second.stored) return info(entry->second);
  if (const SessionRow* row = ended_.find(id)) return info(*row, {});
  return std::nullopt;
}

std::optional<SessionInfo> LiveSessions::find(const SessionKey& key) const {
  if (const auto live = by_key_.find(key); live != by_key_.end()) {
    const auto& entry = entries_.at(live->second);
    if (entry.stored) return info(entry);
  }
  if (const SessionRow* row = ended_.find(key)) return info(*row, {});
  return std::nullopt;
}

std::vector<SessionInfo> LiveSessions::list(const std::optional<std::string>& user) const {
  std::vector<SessionInfo> out;
  const auto take = [&](const std::string& id) {
    const auto& entry = entries_.at(id);
    if (entry.stored) out.push_back(info(entry));
  };
  if (!user) {
    for (const auto& [id, entry] : entries_) take(id);
  } else if (const auto own = by_user_.find(*user); own != by_user_.end()) {
    for (const auto& id : own->second) take(id);
  }
  std::sort(out.begin(), out.end(), [](const SessionInfo& a, const SessionInfo& b) {
    return std::tie(a.row.created_at, a.row.id) < std::tie(b.row.created_at, b.row.id);
  });
  return out;
}

std::optional<SessionInfo> LiveSessions::active_of(const std::string& user) const {
  const auto active = active_.find(user);
  if (active == active_.end()) return std::nullopt;
  return find(active->second);
}

std::optional<SessionRoute> LiveSessions::route(const std::string& id) {
  const auto entry = entries_.find(id);
  if (entry == entries_.end() || !entry->second.stored) return std::nullopt;
  LiveSession& session = *entry->second.session;
  return SessionRoute{entry->first, session.pool(), session.tunnel()};
}

std::optional<SessionRoute> LiveSessions::route(const SessionKey& key) {
  const auto live = by_key_.find(key);
  return live == by_key_.end() ? std::nullopt : route(live->second);
}

std::vector<Sessions::ClusterInfo> LiveSessions::clusters(const std::string& user) const {
  constexpr std::string_view kStates[] = {"down", "connecting", "up", "waiting", "stopped"};
  std::vector<ClusterInfo> out;
  for (const auto& cluster : options_.clusters) {
    ClusterInfo one{cluster.name, cluster.host, std::string(kStates[0]), ""};
    if (const auto* login = parts_.logins.find(user, cluster.name)) {
      one.login = kStates[static_cast<std::size_t>(login->state())];
      one.trouble = login->trouble();
    }
    out.push_back(std::move(one));
  }
  return out;
}

std::optional<Sessions::PortReport> LiveSessions::port_report() const {
  if (ports_ == nullptr) return std::nullopt;
  return PortReport{ports_->stats(), ports_->max_sessions()};
}

std::map<SessionState, std::size_t> LiveSessions::count_by_state() const {
  std::map<SessionState, std::size_t> out;
  for (const auto& [id, entry] : entries_) ++out[entry.session->row().state];
  return out;
}

}  // namespace hpc
