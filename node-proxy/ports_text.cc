#include "node-proxy/ports_text.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>

#include "common/answers.h"
#include "common/rfc3339.h"
#include "node-proxy/url_template.h"

namespace hpc {

namespace {

// Enough to find the right one in a sentence or on a page that is about something else.
constexpr std::size_t kSentencePortsMax = 5;
constexpr std::size_t kItemsMax = 12;

constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

std::string more_text(std::size_t count) { return " and " + std::to_string(count) + " more"; }

/// SLURM's ids are numbers, also those of arrays ("4711_2"); ours outside of it is HOST-PID.
bool is_slurm_job(std::string_view id) {
  return !id.empty() && id.find_first_not_of("0123456789_+") == std::string_view::npos;
}

std::string path_of(std::uint16_t port) { return "port/" + std::to_string(port) + "/"; }

std::string link_text(std::uint16_t port, const NodeProxyState& state, std::string_view home) {
  const std::string number = std::to_string(port);
  if (!state.allow_ports.contains(port)) return number;
  // Of an absolute home, whoever sent it chose the bytes.
  return "<a href=\"" + escape_html(std::string(home) + path_of(port)) + "\">" + number + "</a>";
}

std::string notes(const ListeningPort& port, const NodeProxyState& state) {
  std::string html = port.is_private ? " <small>(private)</small>" : "";
  if (!state.allow_ports.contains(port.port)) html += " <small>(outside --allow-ports)</small>";
  return html;
}

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;

void put(JsonWriter& json, const char* name, std::string_view value) {
  json.Key(name);
  json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

void put_process(JsonWriter& json, const ListeningPort& port, std::int64_t now_unix_ms) {
  if (!port.process) {
    for (const char* name : {"process", "pid", "started_at", "age_seconds"}) {
      json.Key(name);
      json.Null();
    }
    return;
  }
  put(json, "process", port.process->name);
  json.Key("pid");
  json.Int64(port.process->pid);
  put(json, "started_at", format_rfc3339(port.process->started_unix_ms));
  json.Key("age_seconds");
  json.Int64(std::max<std::int64_t>(now_unix_ms - port.process->started_unix_ms, 0) / 1000);
}

void put_port(JsonWriter& json, const ListeningPort& port, const NodeProxyState& state,
              std::int64_t now_unix_ms) {
  json.StartObject();
  json.Key("port");
  json.Uint(port.port);
  put_process(json, port, now_unix_ms);
  json.Key("addresses");
  json.StartArray();
  for (const auto& address : port.addresses) json.String(address.c_str());
  json.EndArray();
  json.Key("private");
  json.Bool(port.is_private);
  if (state.allow_ports.contains(port.port)) {
    put(json, "path", path_of(port.port));
    put(json, "url", fill_url(state.url_template, std::to_string(port.port)));
  } else {
    json.Key("path");
    json.Null();
    json.Key("url");
    json.Null();
  }
  json.EndObject();
}

}  // namespace

std::string duration_text(std::int64_t seconds) {
  seconds = std::max<std::int64_t>(seconds, 0);
  if (seconds < kMinute) return std::to_string(seconds) + " s";
  if (seconds < kHour) return std::to_string(seconds / kMinute) + " min";
  if (seconds < kDay) {
    return std::to_string(seconds / kHour) + " h " + std::to_string(seconds % kHour / kMinute) +
           " min";
  }
  return std::to_string(seconds / kDay) + " d " + std::to_string(seconds % kDay / kHour) + " h";
}

std::string minute_text(const std::string& rfc3339) {
  if (!parse_rfc3339(rfc3339)) return rfc3339;
  constexpr std::size_t kDate = 10;
  constexpr std::size_t kMinutes = 5;
  return rfc3339.substr(0, kDate) + " " + rfc3339.substr(kDate + 1, kMinutes) + " UTC";
}

std::string job_text(const NodeProxyState& state, std::int64_t now_unix_ms) {
  const JobRecord& record = state.record;
  std::string text = is_slurm_job(record.job_id) ? "Job " + record.job_id + " on " + record.host
                                                 : "Node " + record.host;
  if (!record.job_end) return text + ".";
  text += ", ends " + minute_text(*record.job_end);
  const auto end_ms = parse_rfc3339(*record.job_end);
  if (end_ms && *end_ms > now_unix_ms) {
    text += " (in " + duration_text((*end_ms - now_unix_ms) / 1000) + ")";
  }
  return text + ".";
}

std::string ports_sentence(const PortsView& view) {
  if (view.ports.empty()) return {};
  std::string text = "yours are ";
  const std::size_t shown = std::min(view.ports.size(), kSentencePortsMax);
  for (std::size_t i = 0; i < shown; ++i) {
    const ListeningPort& port = view.ports[i];
    if (i > 0) text += ", ";
    text += std::to_string(port.port);
    if (port.process && !port.process->name.empty()) text += " (" + port.process->name + ")";
  }
  const std::size_t more = view.ports.size() - shown + view.left_out;
  return more == 0 ? text : text + more_text(more);
}

std::string ports_array(const PortsView& view, const NodeProxyState& state,
                        std::int64_t now_unix_ms, std::size_t ports_max) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartArray();
  for (std::size_t i = 0; i < std::min(view.ports.size(), ports_max); ++i) {
    put_port(json, view.ports[i], state, now_unix_ms);
  }
  json.EndArray();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string ports_rows(const PortsView& view, const NodeProxyState& state,
                       std::int64_t now_unix_ms) {
  std::string html;
  for (const ListeningPort& port : view.ports) {
    html += "<tr><td>" + link_text(port.port, state, "") + notes(port, state);
    if (!port.process) {
      html += "</td><td>unknown</td><td></td><td></td></tr>\n";
      continue;
    }
    const auto& process = *port.process;
    html += "</td><td>" + escape_html(process.name) + "</td><td>" + std::to_string(process.pid) +
            "</td><td title=\"" + format_rfc3339(process.started_unix_ms) + "\">" +
            duration_text((now_unix_ms - process.started_unix_ms) / 1000) + "</td></tr>\n";
  }
  return html;
}

std::string ports_items(const PortsView& view, const NodeProxyState& state, std::string_view home) {
  std::string html;
  const std::size_t shown = std::min(view.ports.size(), kItemsMax);
  for (std::size_t i = 0; i < shown; ++i) {
    const ListeningPort& port = view.ports[i];
    html += "<li>" + link_text(port.port, state, home);
    if (port.process) html += " " + escape_html(port.process->name);
    html += notes(port, state);
    html += "</li>\n";
  }
  const std::size_t more = view.ports.size() - shown + view.left_out;
  if (more > 0) html += "<li>" + more_text(more).substr(1) + "</li>\n";
  return html;
}

}  // namespace hpc
