#include "manager/session/session_journal.h"

#include <utility>

#include "common/rfc3339.h"
#include "manager/session/json.h"

namespace hpc {

void SessionJournal::record(const SessionInfo& info, std::vector<Change> more,
                            Store::Committed done) {
  more.insert(more.begin(), PutSession{info.row});
  write(info.row.id, "state", session_json(info), std::move(more), done);
}

void SessionJournal::keep(const SessionRow& row) {
  // The next record() has the same and more.
  static_cast<void>(store_.write({PutSession{row}}, nullptr));
}

void SessionJournal::progress(const std::string& session, const std::string& text) {
  const JsonPtr object(cJSON_CreateObject());
  add_text(object.get(), "id", session);
  add_text(object.get(), "text", text);
  write(session, "progress", json_line(object.get()), {}, nullptr);
}

void SessionJournal::expiring(const SessionRow& row, unsigned minutes) {
  const JsonPtr object(cJSON_CreateObject());
  add_text(object.get(), "id", row.id);
  add_number(object.get(), "minutes", minutes);
  add_text_or_null(object.get(), "ends_at", row.ends_at ? format_rfc3339(*row.ends_at) : "");
  write(row.id, "expiring", json_line(object.get()), {}, nullptr);
}

void SessionJournal::write(const std::string& session, const char* type, std::string data,
                           std::vector<Change> changes, const Store::Committed& done) {
  Event event{0, now_(), session, type, std::move(data)};
  const auto number = events_.append(event);
  if (number != 0) {
    event.number = number;
    changes.push_back(AppendEvent{std::move(event)});
  }
  const auto finish = [this, number, done](const Status& status) {
    if (!status) {
      events_.discard(number);
      log_.error("a change could not be stored", {{"cause", status.error().detail}});
    } else {
      events_.commit(number);
    }
    if (done) done(status);
  };
  if (auto queued = store_.write(std::move(changes), finish); !queued) {
    scheduler_.post([finish, queued, alive = alive_] {
      if (*alive) finish(queued);
    });
  }
}

}  // namespace hpc
