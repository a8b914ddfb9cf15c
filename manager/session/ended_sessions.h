#pragma once
#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "manager/session/session_key.h"
#include "manager/store/store.h"

namespace hpc {

/// The sessions that ended lately, for pages that say why one is gone. At most
/// kEndedSessionsLoaded, the oldest go first; all of them are in the store's history. Pure.
class EndedSessions {
 public:
  void add(SessionRow row);
  const SessionRow* find(const std::string& id) const;
  /// The last of that key.
  const SessionRow* find(const SessionKey& key) const;
  std::size_t size() const { return rows_.size(); }

 private:
  using Rows = std::list<SessionRow>;
  void drop_oldest();

  Rows rows_;  // oldest first
  std::map<std::string, Rows::iterator> by_id_;
  std::map<SessionKey, Rows::iterator> last_of_;
};

}  // namespace hpc
