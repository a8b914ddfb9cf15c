#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/log.h"
#include "manager/session/event_log.h"
#include "manager/session/scheduler.h"
#include "manager/session/session_info.h"
#include "manager/store/store.h"

namespace hpc {

/// Writes down what happens to sessions: the row and the event that tells of it in one
/// transaction. The event is shown when it is stored and not before.
///
/// Everything handed to the constructor must outlive it; the store calls nobody any more when it
/// goes away.
class SessionJournal {
 public:
  SessionJournal(Scheduler& scheduler, Store& store, EventLog& events, UnixClock now, Log& log)
      : scheduler_(scheduler), store_(store), events_(events), now_(std::move(now)), log_(log) {}
  ~SessionJournal() { *alive_ = false; }
  SessionJournal(const SessionJournal&) = delete;
  SessionJournal& operator=(const SessionJournal&) = delete;

  /// The session as it is now, with the event "state"; `more` belongs to the same transaction.
  /// `done` in a later turn: with an error nothing was stored and nobody has seen the event.
  void record(const SessionInfo& info, std::vector<Change> more, Store::Committed done);
  /// The row without an event: what nobody watches for (the time of the last use).
  void keep(const SessionRow& row);
  /// An event "progress", {"id","text"}: one line for people. Not worth a retry.
  void progress(const std::string& session, const std::string& text);
  /// An event "expiring", {"id","minutes","ends_at"}: its job ends in so many minutes.
  void expiring(const SessionRow& row, unsigned minutes);

 private:
  void write(const std::string& session, const char* type, std::string data,
             std::vector<Change> changes, const Store::Committed& done);

  Scheduler& scheduler_;
  Store& store_;
  EventLog& events_;
  const UnixClock now_;
  Log& log_;
  // Posted steps find out through this whether we still live.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hpc
