#include "node-proxy/ports_verb.h"

#include <rapidjson/document.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>
#include <vector>

#include "common/text_table.h"
#include "node-proxy/loopback_client.h"
#include "node-proxy/ports_text.h"
#include "node-proxy/url_template.h"

namespace hpc {

namespace {

using Json = rapidjson::Document;

// Looking for the programs of a busy node takes it a few turns of its loop.
constexpr int kAsksMax = 10;
constexpr timespec kBetweenAsks = {0, 100'000'000};

std::string text_of(const rapidjson::Value& port, const char* name) {
  const auto found = port.FindMember(name);
  if (found == port.MemberEnd()) return {};
  if (found->value.IsString()) return {found->value.GetString(), found->value.GetStringLength()};
  return found->value.IsInt64() ? std::to_string(found->value.GetInt64()) : std::string();
}

TableRow row_of(const rapidjson::Value& port, const std::string& url_template) {
  const auto age = port.FindMember("age_seconds");
  const bool known = age != port.MemberEnd() && age->value.IsInt64();
  std::string url = text_of(port, "url");
  if (!url.empty() && !url_template.empty()) url = fill_url(url_template, text_of(port, "port"));
  return {text_of(port, "port"), text_of(port, "process"), text_of(port, "pid"),
          known ? duration_text(age->value.GetInt64()) : std::string(), url};
}

bool is_private(const rapidjson::Value& port) {
  const auto found = port.FindMember("private");
  return found != port.MemberEnd() && found->value.IsTrue();
}

bool names_complete(const std::string& body) {
  Json json;
  json.Parse<rapidjson::kParseIterativeFlag>(body.data(), body.size());
  return !json.IsObject() || !json.HasMember("names_complete") || !json["names_complete"].IsFalse();
}

}  // namespace

Result<std::string> ports_lines(const std::string& body, const std::string& url_template,
                                bool terminal) {
  Json json;
  json.Parse<rapidjson::kParseIterativeFlag>(body.data(), body.size());
  if (!json.IsObject() || !json.HasMember("ports") || !json["ports"].IsArray()) {
    return fail(Errc::kNetwork, "hpc-proxy", "its list of ports is not what was expected");
  }
  std::vector<TableRow> rows;
  bool any_private = false;
  for (const auto& port : json["ports"].GetArray()) {
    if (!port.IsObject()) continue;
    rows.push_back(row_of(port, url_template));
    rows.back().emplace_back(is_private(port) ? "yes" : "no");
    any_private = any_private || is_private(port);
  }
  TableRow heading = {"PORT", "PROGRAM", "PROCESS", "RUNS FOR", "URL", "PRIVATE"};
  if (!any_private) {  // a column that nobody needs
    heading.pop_back();
    for (TableRow& row : rows) row.pop_back();
  }
  return text_table(heading, rows, terminal);
}

bool has_port(const std::string& body, std::uint16_t port) {
  Json json;
  json.Parse<rapidjson::kParseIterativeFlag>(body.data(), body.size());
  if (!json.IsObject() || !json.HasMember("ports") || !json["ports"].IsArray()) return false;
  for (const auto& entry : json["ports"].GetArray()) {
    if (entry.IsObject() && text_of(entry, "port") == std::to_string(port)) return true;
  }
  return false;
}

Status look_in_ports(const JobRecord& record, std::uint16_t port) {
  const auto body = get_with_token(record, "/ports");
  if (!body) return tl::unexpected<Error>(body.error());
  if (has_port(*body, port)) return {};
  return fail(Errc::kRefused, "hpc-proxy",
              "nothing listens on port " + std::to_string(port) + " yet");
}

Status print_ports(const JobRecord& record, const Options& options) {
  auto body = get_with_token(record, "/ports");
  for (int asks = 1; asks < kAsksMax && body && !names_complete(*body); ++asks) {
    nanosleep(&kBetweenAsks, nullptr);
    body = get_with_token(record, "/ports");
  }
  if (!body) return tl::unexpected<Error>(body.error());
  if (options.json) return std::fputs(body->c_str(), stdout), Status();
  const auto lines = ports_lines(*body, options.url_template, isatty(STDOUT_FILENO) == 1);
  if (!lines) return tl::unexpected<Error>(lines.error());
  if (lines->empty()) {
    std::fputs("no program of yours listens on a port of this node that can be reached\n", stderr);
  }
  std::fputs(lines->c_str(), stdout);
  return {};
}

}  // namespace hpc
