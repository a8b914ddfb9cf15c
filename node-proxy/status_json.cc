#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <optional>
#include <string>

#include "common/rfc3339.h"
#include "node-proxy/node_proxy.h"

namespace hpc {

namespace {

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;

void put(JsonWriter& json, const char* name, std::string_view value) {
  json.Key(name);
  json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

void put(JsonWriter& json, const char* name, const std::optional<std::string>& value) {
  if (value) return put(json, name, std::string_view(*value));
  json.Key(name);
  json.Null();
}

void put(JsonWriter& json, const char* name, std::uint64_t value) {
  json.Key(name);
  json.Uint64(value);
}

void put_private(JsonWriter& json, const JobRecord::Private& value) {
  json.Key("private");
  json.StartObject();
  put(json, "mode", std::string_view(value.mode));
  json.Key("addresses");
  json.StartArray();
  for (const std::string& address : value.addresses) json.String(address.c_str());
  json.EndArray();
  json.EndObject();
}

}  // namespace

std::string status_json(const NodeProxyState& state, const HttpServerStats& stats,
                        std::int64_t now_unix_ms) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  const JobRecord& record = state.record;
  std::optional<std::string> last_activity;
  if (stats.last_activity_unix_ms > 0) last_activity = format_rfc3339(stats.last_activity_unix_ms);
  const std::int64_t uptime_ms = std::max<std::int64_t>(now_unix_ms - state.started_unix_ms, 0);
  json.StartObject();
  put(json, "version", std::string_view(record.program_version));
  put(json, "host", std::string_view(record.host));
  put(json, "port", std::uint64_t{record.port});
  put(json, "pid", static_cast<std::uint64_t>(record.pid));
  put(json, "job_id", std::string_view(record.job_id));
  put(json, "job_end", record.job_end);
  std::optional<std::string> app;
  if (record.app) app = record.app->target;
  put(json, "app", app);
  if (record.private_ports) put_private(json, *record.private_ports);
  json.Key("walltime_warning");
  json.Bool(state.walltime_warning);
  put(json, "started_at", std::string_view(record.started_at));
  put(json, "uptime_seconds", static_cast<std::uint64_t>(uptime_ms / 1000));
  put(json, "url_template", std::string_view(state.url_template));
  put(json, "requests", stats.requests);
  put(json, "open_connections", std::uint64_t{stats.open_connections});
  put(json, "open_exchanges", std::uint64_t{stats.open_exchanges});
  put(json, "open_websockets", std::uint64_t{stats.open_websockets});
  put(json, "bytes_from_clients", stats.bytes_from_clients);
  put(json, "bytes_to_clients", stats.bytes_to_clients);
  put(json, "last_activity", last_activity);
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace hpc
