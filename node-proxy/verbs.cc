#include "node-proxy/verbs.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/exit_code.h"
#include "common/rfc3339.h"
#include "node-proxy/access.h"
#include "node-proxy/app_target.h"
#include "node-proxy/job.h"
#include "node-proxy/loopback_client.h"
#include "node-proxy/ports_verb.h"
#include "node-proxy/process.h"
#include "node-proxy/url_template.h"

namespace hpc {

namespace {

// Soon enough for a person and a script, rare enough not to load a shared file system.
constexpr std::int64_t kPollMs = 100;
// The drain of 10 s and what removing the records takes.
constexpr std::uint64_t kStopMs = 15'000;

using Json = rapidjson::Document;
using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;

void pause_ms(std::int64_t ms) {
  timespec length{ms / 1000, ms % 1000 * 1'000'000};
  nanosleep(&length, nullptr);
}

Result<StoredRecord> find_running(const Options& options, const Environment& environment) {
  const auto not_running = [](const std::string& why) {
    return fail(Errc::kNotFound, "hpc-proxy",
                "is not running here (" + why + "); start it with: hpc-proxy --daemon");
  };
  if (options.state_dir.empty()) return not_running("HOME is not set");
  const auto dir = RecordDir::open_existing(options.state_dir);
  if (!dir && dir.error().code == Errc::kNotFound) return not_running("no " + options.state_dir);
  if (!dir) return tl::unexpected<Error>(dir.error());
  const std::string host = host_name();
  auto records = dir->read_all();
  std::erase_if(records, [&host](const auto& stored) { return !is_live(stored.record, host); });
  auto chosen = choose_record(std::move(records), environment("SLURM_JOB_ID").value_or(""),
                              environment(kRunVariable).value_or(""));
  if (!chosen) return not_running("no live record of " + host + " in " + options.state_dir);
  return std::move(*chosen);
}

/// "loopback (127.64.12.8, 127.64.12.9)"
std::string private_text(const rapidjson::Value& value) {
  std::string text;
  if (value.HasMember("mode") && value["mode"].IsString()) text = value["mode"].GetString();
  if (!value.HasMember("addresses") || !value["addresses"].IsArray()) return text;
  const char* before = " (";
  for (const auto& address : value["addresses"].GetArray()) {
    if (!address.IsString()) continue;
    text.append(before).append(address.GetString());
    before = ", ";
  }
  return value["addresses"].Empty() ? text : text + ")";
}

std::string member(const Json& json, const char* name) {
  const auto found = json.FindMember(name);
  if (found == json.MemberEnd()) return {};
  if (found->value.IsString()) return found->value.GetString();
  if (found->value.IsUint64()) return std::to_string(found->value.GetUint64());
  if (found->value.IsBool()) return found->value.GetBool() ? "yes" : "no";
  if (found->value.IsObject()) return private_text(found->value);
  return "unknown";
}

Result<Json> read_status(const JobRecord& record, std::string& text) {
  auto body = get_with_token(record, "/status");
  if (!body) return tl::unexpected<Error>(body.error());
  text = std::move(*body);
  Json json;
  json.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
  if (json.HasParseError() || !json.IsObject()) {
    return fail(Errc::kNetwork, "hpc-proxy", "its status is not JSON");
  }
  return json;
}

Status print_status(const Options& options, const Environment& environment) {
  const auto running = find_running(options, environment);
  if (!running) return tl::unexpected<Error>(running.error());
  std::string text;
  const auto json = read_status(running->record, text);
  if (!json) return tl::unexpected<Error>(json.error());
  if (options.json) return std::fputs(text.c_str(), stdout), Status();
  for (const auto& entry : json->GetObject()) {
    std::string name = entry.name.GetString();
    std::replace(name.begin(), name.end(), '_', ' ');
    std::printf("%-20s %s\n", name.c_str(), member(*json, entry.name.GetString()).c_str());
  }
  return {};
}

/// The template that the running one was started with, where it is asked for in no other way.
std::string template_of(const Options& options, const Result<StoredRecord>& running) {
  if (!options.url_template.empty()) return options.url_template;
  if (running) {
    std::string text;
    const auto json = read_status(running->record, text);
    if (json && !member(*json, "url_template").empty()) return member(*json, "url_template");
  }
  return std::string(kDefaultUrlTemplate);
}

Result<std::uint16_t> port_argument(const Options& options) {
  const auto range = parse_port_range(options.arguments.front());
  if (range && range->first == range->last) return range->first;
  return fail(Errc::kUsage, "hpc-proxy",
              "'" + options.arguments.front() + "' is not a port from 1 to 65535");
}

void print_json_object(const std::vector<std::pair<const char*, std::string>>& members) {
  rapidjson::StringBuffer buffer;
  JsonWriter json(buffer);
  json.StartObject();
  for (const auto& [name, value] : members) {
    json.Key(name);
    json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  }
  json.EndObject();
  std::printf("%s\n", buffer.GetString());
}

Status print_url(const Options& options, const Environment& environment) {
  const auto port = port_argument(options);
  if (!port) return tl::unexpected<Error>(port.error());
  const auto running = find_running(options, environment);
  const std::string url = fill_url(template_of(options, running), std::to_string(*port));
  if (options.json) return print_json_object({{"url", url}}), Status();
  std::printf("%s\n", url.c_str());
  return {};
}

Status print_env(const Options& options, const Environment& environment) {
  const auto running = find_running(options, environment);
  if (!running) return tl::unexpected<Error>(running.error());
  const std::string shown = template_of(options, running);
  const std::uint16_t port = running->record.port;
  if (options.json) {
    return print_json_object({{"HPC_PROXY_PORT", std::to_string(port)},
                              {"HPC_PROXY_URL_TEMPLATE", shown},
                              {"VSCODE_PROXY_URI", vscode_template(shown)}}),
           Status();
  }
  std::fputs(env_lines(port, shown).c_str(), stdout);
  return {};
}

Status list_ports(const Options& options, const Environment& environment) {
  const auto running = find_running(options, environment);
  if (!running) return tl::unexpected<Error>(running.error());
  return print_ports(running->record, options);
}

/// Does a program listen there, where hpc-proxy reaches it?
Status look_for(const JobRecord& record, std::uint16_t port, bool anybody) {
  const auto& private_ports = record.private_ports;
  // Of a network space only hpc-proxy knows, also when we are inside.
  if (private_ports && private_ports->mode == "netns") return look_in_ports(record, port);
  return look_for_listener(port, anybody,
                           private_ports ? private_ports->addresses : std::vector<std::string>());
}

/// Is there what `wait` waits for? Why not, as an error that may pass.
Status look_once(const Options& options, const Environment& environment, std::uint16_t port) {
  const auto running = find_running(options, environment);
  if (!running) return tl::unexpected<Error>(running.error());
  if (!check_hello(running->record)) {
    return fail(Errc::kNotFound, "hpc-proxy", "is not running yet");
  }
  if (port == 0) return {};
  const auto there = look_for(running->record, port, options.allow_foreign_ports.contains(port));
  if (there) return {};
  // Whoever has the port now may leave it.
  return fail(Errc::kRefused, there.error().where, there.error().detail);
}

Status wait_until(const Options& options, const Environment& environment) {
  std::uint16_t port = 0;
  if (!options.arguments.empty()) {
    const auto given = port_argument(options);
    if (!given) return tl::unexpected<Error>(given.error());
    port = *given;
  }
  const std::uint64_t deadline = monotonic_ms() + options.timeout_ms;
  while (true) {
    auto there = look_once(options, environment, port);
    if (there) return {};
    const Errc why = there.error().code;
    if (why != Errc::kNotFound && why != Errc::kRefused) return there;
    if (monotonic_ms() >= deadline) {
      return fail(Errc::kTimeout, there.error().where, there.error().detail);
    }
    pause_ms(kPollMs);
  }
}

Status stop_running(const Options& options, const Environment& environment) {
  const auto running = find_running(options, environment);
  if (!running) return tl::unexpected<Error>(running.error());
  const JobRecord& record = running->record;
  const std::string host = host_name();
  if (kill(static_cast<pid_t>(record.pid), SIGTERM) != 0 && errno != ESRCH) {
    return fail(Errc::kSystem, "hpc-proxy",
                "cannot be told to stop: " + std::string(std::strerror(errno)));
  }
  const std::uint64_t deadline = monotonic_ms() + kStopMs;
  while (is_live(record, host)) {
    if (monotonic_ms() >= deadline) {
      return fail(Errc::kTimeout, "hpc-proxy",
                  "process " + std::to_string(record.pid) + " has not ended yet");
    }
    pause_ms(kPollMs);
  }
  return {};
}

Status change_app(const Options& options, const Environment& environment) {
  const std::string& target = options.arguments.front();
  if (const auto parsed = parse_app_target(target); !parsed) {
    return fail(Errc::kUsage, "hpc-proxy", "'" + target + "' " + parsed.error().detail);
  }
  const auto running = find_running(options, environment);
  if (!running) return tl::unexpected<Error>(running.error());
  std::string fields = std::string(kAppField) + ": " + target + "\r\n";
  if (options.keep_prefix) fields.append(kKeepPrefixField).append(": 1\r\n");
  return post_with_token(running->record, "/.hpc-proxy/app", fields);
}

Status dispatch(const Options& options, const Environment& environment) {
  switch (options.verb) {
    case Verb::kStatus:
      return print_status(options, environment);
    case Verb::kPorts:
      return list_ports(options, environment);
    case Verb::kUrl:
      return print_url(options, environment);
    case Verb::kEnv:
      return print_env(options, environment);
    case Verb::kWait:
      return wait_until(options, environment);
    case Verb::kApp:
      return change_app(options, environment);
    case Verb::kStop:
      return stop_running(options, environment);
    default:
      return fail(Errc::kUsage, "hpc-proxy", "no such command");
  }
}

}  // namespace

std::optional<StoredRecord> choose_record(std::vector<StoredRecord> live, const std::string& job_id,
                                          const std::string& run_id) {
  if (live.empty()) return std::nullopt;
  const auto better = [&](const StoredRecord& a, const StoredRecord& b) {
    const bool a_own = a.record.job_id == job_id;
    const bool b_own = b.record.job_id == job_id;
    // sbatch hands on the environment of a run's command to a job that is not in that run.
    const bool a_encloses = a.id == run_id && (a_own || job_id.empty());
    const bool b_encloses = b.id == run_id && (b_own || job_id.empty());
    if (a_encloses != b_encloses) return a_encloses;
    if (a_own != b_own) return a_own;
    return parse_rfc3339(a.record.started_at) > parse_rfc3339(b.record.started_at);
  };
  return *std::min_element(live.begin(), live.end(), better);
}

std::string env_lines(std::uint16_t port, const std::string& url_template) {
  // Single quotes are safe: --url-template refuses a template that has one in it.
  return "export HPC_PROXY_PORT=" + std::to_string(port) + "\nexport HPC_PROXY_URL_TEMPLATE='" +
         url_template + "'\nexport VSCODE_PROXY_URI='" + vscode_template(url_template) + "'\n";
}

int run_verb(const Options& options, const Environment& environment) {
  const auto done = dispatch(options, environment);
  if (done) return 0;
  std::fprintf(stderr, "%s\n", describe(done.error()).c_str());
  return exit_code(done.error().code);
}

}  // namespace hpc
