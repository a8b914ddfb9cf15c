#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "manager/gateway/api_handler.h"
#include "manager/session/json.h"
#include "tests/support/fake_sessions.h"
#include "tests/support/fake_sink.h"
#include "tests/support/fake_store.h"
#include "tests/support/loop_fixture.h"
#include "tests/support/manual_scheduler.h"
#include "tests/support/openapi.h"

namespace hpc {

/// The API over fakes: alice and bob have sessions, root is an administrator.
struct ApiFixture : LoopFixture {
  static constexpr std::int64_t kNow = 1'772'366'400'000;
  using Fields = std::vector<std::pair<std::string, std::string>>;

  ApiFixture() {
    alices = sessions.add({"alice", "main", "vscode", 1}).row.id;
    bobs = sessions.add({"bob", "main", "vscode", 1}).row.id;
    events.add_session(alices, "alice");
    events.add_session(bobs, "bob");
  }
  ~ApiFixture() override { settle(loop); }

  static Caller caller(const std::string& user, bool admin = false) {
    return {Caller::By::kBearer, user, admin, ""};
  }
  static Caller op() { return {Caller::By::kOperator, "", false, ""}; }
  static inline const Fields kJson = {{"Content-Type", "application/json"}};

  /// Asks and plays everything that is due; what is answered at once and what comes later alike.
  /// Each answer is held against docs/openapi.json.
  LocalAnswer ask(const std::string& line, const Caller& who, const std::string& body = "",
                  const Fields& fields = kJson, bool passes_cross_site_rule = true) {
    auto answer = play(line, who, body, fields, passes_cross_site_rule);
    hold_against_file(line, answer);
    return answer;
  }
  void hold_against_file(const std::string& line, const LocalAnswer& answer) const {
    const auto space = line.find(' ');
    const std::string method = line.starts_with("HEAD ") ? "GET" : line.substr(0, space);
    const auto route = find_api_route(method, line.substr(space + 1));
    if (!route.call || answer.status == 0) return;
    for (const ApiRow& row : api_rows()) {
      if (row.call != *route.call) continue;
      EXPECT_EQ(file.fault_of(row.method, row.path, answer.status, field(answer, "Content-Type"),
                              answer.body),
                "")
          << line << ": " << answer.body;
    }
  }
  LocalAnswer play(const std::string& line, const Caller& who, const std::string& body,
                   const Fields& fields, bool passes_cross_site_rule) {
    RequestHead head;
    const auto space = line.find(' ');
    head.method = line.substr(0, space);
    head.target = line.substr(space + 1);
    head.host = "hpc.example.org";
    for (const auto& [name, value] : fields) head.fields.add(name, value);
    auto decision = api.handle(head, who, passes_cross_site_rule);
    if (auto* answer = std::get_if<LocalAnswer>(&decision)) return std::move(*answer);
    responder = std::move(std::get<Serve>(decision).responder);
    sink = FakeSink();
    responder->start(sink);
    if (!body.empty()) responder->on_body(as_bytes(body));
    responder->on_request_end();
    sessions.run();
    store.commit();
    scheduler.run();
    return sink.answered.value_or(LocalAnswer{0, {}, "not answered", false});
  }
  int status(const std::string& line, const Caller& who, const std::string& body = "") {
    return ask(line, who, body).status;
  }

  static std::string field(const LocalAnswer& answer, std::string_view name) {
    for (const auto& [key, value] : answer.fields) {
      if (key == name) return value;
    }
    return "";
  }
  static JsonPtr json(const LocalAnswer& answer) {
    auto value = parse_json(answer.body);
    EXPECT_TRUE(value.has_value()) << answer.body;
    return value ? std::move(*value) : JsonPtr();
  }
  /// The member of an answer's object, as JSON.
  static std::string member(const LocalAnswer& answer, const char* name) {
    const auto object = json(answer);
    const cJSON* found = json_member(object.get(), name);
    return found == nullptr ? "(none)" : json_line(found);
  }

  ManualScheduler scheduler;
  FakeSessions sessions{loop};
  EventLog events{scheduler};
  FakeStore store;
  std::int64_t now = kNow;
  TokenTable tokens{store, [this] { return now; }};
  std::string log_lines;
  Log log{LogLevel::kInfo, LogFormat::kText, [this](auto line) { log_lines += line; }};
  AuditLog audit{log};
  ApiHandler api{sessions, events, tokens, scheduler, [this] { return now; }, &audit};
  const OpenApi file;
  std::string alices, bobs;
  std::unique_ptr<Responder> responder;
  FakeSink sink;
};

}  // namespace hpc
