#include "manager/session/session_json.h"

namespace hpc {

JsonPtr session_value(const SessionInfo& info) {
  const SessionRow& row = info.row;
  JsonPtr value(cJSON_CreateObject());
  cJSON* object = value.get();
  add_text(object, "id", row.id);
  add_text(object, "key", text_of(row.key));
  add_text(object, "user", row.key.user);
  add_text(object, "cluster", row.key.cluster);
  add_text(object, "ide", row.key.ide);
  add_number(object, "slot", row.key.slot);
  add_text(object, "state", state_name(row.state));
  add_text_or_null(object, "reason", row.reason);
  add_text_or_null(object, "job_id", row.job_id);
  add_text_or_null(object, "node", row.node);
  add_text_or_null(object, "url", info.url);
  add_number_or_null(object, "local_port", info.local_port);
  add_number_or_null(object, "queue_position", info.queue_position);
  add_time(object, "created_at", row.created_at);
  add_time(object, "started_at", row.started_at);
  add_time(object, "ends_at", row.ends_at);
  add_time(object, "last_activity", row.last_activity);
  return value;
}

std::string session_json(const SessionInfo& info) { return json_line(session_value(info).get()); }

}  // namespace hpc
