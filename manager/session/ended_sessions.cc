#include "manager/session/ended_sessions.h"

#include <iterator>
#include <utility>

namespace hpc {

void EndedSessions::add(SessionRow row) {
  if (by_id_.contains(row.id)) return;
  if (rows_.size() >= kEndedSessionsLoaded) drop_oldest();
  rows_.push_back(std::move(row));
  const auto last = std::prev(rows_.end());
  by_id_[last->id] = last;
  last_of_[last->key] = last;
}

void EndedSessions::drop_oldest() {
  const auto oldest = rows_.begin();
  by_id_.erase(oldest->id);
  if (const auto last = last_of_.find(oldest->key); last->second == oldest) last_of_.erase(last);
  rows_.erase(oldest);
}

const SessionRow* EndedSessions::find(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

const SessionRow* EndedSessions::find(const SessionKey& key) const {
  const auto found = last_of_.find(key);
  return found == last_of_.end() ? nullptr : &*found->second;
}

}  // namespace hpc
