#include "manager/operator_verbs.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>

#include "common/exit_code.h"
#include "common/text_table.h"
#include "manager/console.h"
#include "manager/operator_follow.h"
#include "manager/session/json.h"

namespace hpc {

namespace {

constexpr const char* kSessionsPath = "/api/v1/sessions";
constexpr const char* kTokensPath = "/api/v1/tokens";

// What a table shows of each; its heading is the member's name where there is no other.
struct Column {
  const char* member;
  std::string_view heading = {};
};
constexpr auto kSessionColumns = std::to_array<Column>({{"id"},
                                                        {"user"},
                                                        {"cluster"},
                                                        {"ide"},
                                                        {"slot"},
                                                        {"state"},
                                                        {"job_id"},
                                                        {"node"},
                                                        {"reason"}});
constexpr auto kTokenColumns = std::to_array<Column>(
    {{"id"}, {"user"}, {"kind"}, {"label"}, {"created_at"}, {"expires_at"}, {"last_used_at"}});
constexpr auto kQueueColumns = std::to_array<Column>({{"queue_position", "PLACE"},
                                                      {"id"},
                                                      {"user"},
                                                      {"cluster"},
                                                      {"ide"},
                                                      {"slot"},
                                                      {"created_at", "SINCE"}});
constexpr auto kRangeColumns = std::to_array<Column>({{"allocated"}, {"available"}, {"total"}});

std::string heading_of(const Column& column) {
  if (!column.heading.empty()) return std::string(column.heading);
  std::string heading(column.member);
  for (char& c : heading) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '_') c = ' ';
  }
  return heading;
}

/// "" for null and for what is not there.
std::string cell_of(const cJSON* value) {
  if (cJSON_IsString(value)) return json_safe(value->valuestring);
  if (cJSON_IsNumber(value) || cJSON_IsBool(value)) return json_line(value);
  return "";
}

TableRow row_of(const cJSON* object, std::span<const Column> columns) {
  TableRow row;
  for (const auto& one : columns) row.push_back(cell_of(json_member(object, one.member)));
  return row;
}

std::string table_of(const cJSON* list, std::span<const Column> columns, bool terminal) {
  TableRow heading;
  for (const auto& one : columns) heading.push_back(heading_of(one));
  std::vector<TableRow> rows;
  for (const cJSON* one = list->child; one != nullptr; one = one->next) {
    rows.push_back(row_of(one, columns));
  }
  return text_table(heading, rows, terminal);
}

std::string ranges_table(const cJSON* ranges, bool terminal) {
  TableRow heading = {"RANGE"};
  for (const auto& one : kRangeColumns) heading.push_back(heading_of(one));
  std::vector<TableRow> rows;
  for (const cJSON* one = ranges->child; one != nullptr; one = one->next) {
    TableRow row = row_of(one, kRangeColumns);
    row.insert(row.begin(), json_safe(one->string));
    rows.push_back(std::move(row));
  }
  return text_table(heading, rows, terminal);
}

/// Every member on a line of its own.
std::string lines_of(const cJSON* object, bool terminal) {
  std::vector<TableRow> rows;
  for (const cJSON* one = object->child; one != nullptr; one = one->next) {
    rows.push_back({json_safe(one->string), cell_of(one)});
  }
  const auto text = text_table({}, rows, terminal);
  // No heading: the names are in the first column.
  return terminal && !text.empty() ? text.substr(text.find('\n') + 1) : text;
}

std::string with_user(const std::string& path, const std::string& user) {
  return user.empty() ? path : path + "?user=" + user;
}

std::string start_body(const VerbOptions& options) {
  const JsonPtr body(cJSON_CreateObject());
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) add_text(body.get(), name, value);
  };
  const auto number = [&](const char* name, const std::optional<std::uint64_t>& value) {
    if (value) add_number(body.get(), name, *value);
  };
  text("user", options.user);
  text("cluster", options.cluster);
  text("ide", options.ide);
  text("job", options.job);
  if (options.attach) add_bool(body.get(), "attach", true);
  number("slot", options.slot);
  number("cpus", options.cpus);
  number("gpus", options.gpus);
  text("memory", options.memory);
  text("time", options.time);
  text("partition", options.partition);
  text("account", options.account);
  return json_line(body.get());
}

std::string extend_body(const VerbOptions& options) {
  const JsonPtr body(cJSON_CreateObject());
  add_number(body.get(), "minutes", options.minutes);
  return json_line(body.get());
}

std::string token_body(const VerbOptions& options) {
  const JsonPtr body(cJSON_CreateObject());
  add_text(body.get(), "user", options.user);
  if (!options.label.empty()) add_text(body.get(), "label", options.label);
  if (options.expires_s) add_number(body.get(), "expires_in", *options.expires_s);
  return json_line(body.get());
}

tl::unexpected<Error> strange() {
  return fail(Errc::kNetwork, "serve",
              "its answer is not what was expected; is it another version?");
}

/// What is said on stderr where there is nothing for stdout, or where more is to be known.
const char* remark_on(const VerbOptions& options, bool empty) {
  switch (options.verb) {
    case OperatorVerb::kSessionsList:
      return empty ? "no sessions" : "";
    case OperatorVerb::kQueue:
      return empty ? "no session waits" : "";
    case OperatorVerb::kPorts:
      return empty ? "serve has no range of ports" : "";
    case OperatorVerb::kTokensList:
      return empty ? "no tokens" : "";
    case OperatorVerb::kTokensCreate:
      return "the token is shown this once only; who has it can log in as its user";
    case OperatorVerb::kTokensRevoke:
      return "the token is revoked";
    case OperatorVerb::kSessionsExtend:
      return "SLURM took it; ends_at follows once SLURM is asked again";
    default:
      return "";
  }
}

void say(const std::string& text) { std::fputs(console_text(text).c_str(), stderr); }

}  // namespace

OperatorRequest verb_request(const VerbOptions& options) {
  const std::string session = kSessionsPath + ("/" + options.id);
  switch (options.verb) {
    case OperatorVerb::kSessionsList:
      return {"GET", with_user(kSessionsPath, options.user), ""};
    case OperatorVerb::kSessionsShow:
      return {"GET", session, ""};
    case OperatorVerb::kSessionsStart:
      return {"POST", kSessionsPath, start_body(options)};
    case OperatorVerb::kSessionsStop:
      return {"DELETE", session, ""};
    case OperatorVerb::kSessionsLogs:
      return {"GET", session + (options.follow ? "/log?follow=1" : "/log"), ""};
    case OperatorVerb::kSessionsExtend:
      return {"POST", session + "/extend", extend_body(options)};
    case OperatorVerb::kQueue:
      return {"GET", "/api/v1/queue", ""};
    case OperatorVerb::kPorts:
      return {"GET", "/api/v1/admin/ports/stats", ""};
    case OperatorVerb::kTokensCreate:
      return {"POST", kTokensPath, token_body(options)};
    case OperatorVerb::kTokensList:
      return {"GET", with_user(kTokensPath, options.user), ""};
    case OperatorVerb::kTokensRevoke:
      return {"DELETE", kTokensPath + ("/" + options.id), ""};
  }
  return {};
}

Result<std::string> verb_output(const VerbOptions& options, const OperatorAnswer& answer,
                                bool terminal) {
  if (options.json) return answer.body;
  if (options.verb == OperatorVerb::kTokensRevoke) return std::string();
  const auto value = parse_json(answer.body);
  if (!value) return strange();
  const cJSON* object = value->get();
  const auto list = [&](const char* name, std::span<const Column> columns) -> Result<std::string> {
    const cJSON* found = json_member(object, name);
    if (!cJSON_IsArray(found)) return strange();
    return table_of(found, columns, terminal);
  };
  switch (options.verb) {
    case OperatorVerb::kSessionsList:
      return list("sessions", kSessionColumns);
    case OperatorVerb::kQueue:
      return list("sessions", kQueueColumns);
    case OperatorVerb::kTokensList:
      return list("tokens", kTokenColumns);
    case OperatorVerb::kPorts:
      if (!cJSON_IsObject(json_member(object, "ranges"))) return strange();
      return ranges_table(json_member(object, "ranges"), terminal);
    case OperatorVerb::kTokensCreate:
      if (!json_text(object, "token")) return strange();
      return *json_text(object, "token") + "\n";
    default:
      if (!json_text(object, "id")) return strange();
      return lines_of(object, terminal);
  }
}

Error verb_failure(const OperatorAnswer& answer) {
  Error error{Errc::kUnavailable, "serve", ""};
  if (answer.status == 404) error.code = Errc::kNotFound;
  if (answer.status == 401 || answer.status == 403) error.code = Errc::kForbidden;
  if (answer.status == 400) error.code = Errc::kUsage;
  if (answer.status == 504) error.code = Errc::kTimeout;
  if (const auto problem = parse_json(answer.body)) {
    error.detail = json_safe(json_text(problem->get(), "detail").value_or(""));
  }
  if (error.detail.empty()) error.detail = "it answered " + std::to_string(answer.status);
  return error;
}

bool is_verb(std::string_view word) {
  constexpr std::array<std::string_view, 4> kVerbs = {"ports", "queue", "sessions", "tokens"};
  return std::find(kVerbs.begin(), kVerbs.end(), word) != kVerbs.end();
}

int run_verb(const std::vector<std::string>& arguments) {
  const auto failed = [](const Error& error) {
    say(error.detail);
    return exit_code(error.code);
  };
  const auto line = parse_verb_line(arguments);
  if (!line) return failed(line.error());
  if (const auto* print = std::get_if<PrintText>(&*line)) {
    std::fputs(print->text.c_str(), stdout);
    return 0;
  }
  const auto& options = std::get<VerbOptions>(*line);
  if (options.verb == OperatorVerb::kSessionsLogs) return print_log(options);
  const auto answer = ask_operator_socket(options.socket, verb_request(options));
  if (!answer) {
    say(describe(answer.error()));
    return exit_code(answer.error().code);
  }
  if (answer->status < 200 || answer->status > 299) return failed(verb_failure(*answer));
  if (options.verb == OperatorVerb::kSessionsStart && options.wait) {
    return follow_start(options, answer->body);
  }
  const auto output = verb_output(options, *answer, isatty(STDOUT_FILENO) == 1);
  if (!output) return failed(output.error());
  std::fputs(output->c_str(), stdout);
  const std::string remark = options.json ? "" : remark_on(options, output->empty());
  if (!remark.empty()) say(remark);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace hpc
