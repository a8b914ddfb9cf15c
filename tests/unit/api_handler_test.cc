#include "manager/gateway/api_handler.h"

#include "manager/gateway/api_requests.h"
#include "manager/session/session_json.h"
#include "tests/support/api_fixture.h"

namespace hpc {
namespace {

struct ApiHandlerTest : ApiFixture {
  const Caller alice = caller("alice");
  const Caller root = caller("root", true);
  std::string of(const std::string& id, const std::string& rest = "") const {
    return "/api/v1/sessions/" + id + rest;
  }
  Caller alice_by_token() {
    Caller out = alice;
    const auto made = [&](const auto& token) { out.token_id = token->id; };
    EXPECT_TRUE(tokens.create("alice", TokenKind::kApi, "", std::nullopt, made).has_value());
    store.commit();
    return out;
  }
};

constexpr const char* kNew = R"({"cluster":"main","ide":"jupyter"})";

// ------------------------------------------------------------------------------ who may do what
TEST_F(ApiHandlerTest, WhoIsNotLoggedInLearnsNothing) {
  const auto known = ask("GET /api/v1/queue", Caller{});
  EXPECT_EQ(known.status, 401);
  EXPECT_EQ(field(known, "WWW-Authenticate"), "Bearer");
  EXPECT_EQ(field(known, "Content-Type"), "application/problem+json");
  for (const auto& line : {"GET /api/v1/nothing", "PUT /api/v1/queue", "POST /api/v1/sessions",
                           "GET /api/v1/admin/ports/stats"}) {
    const auto other = ask(line, Caller{});
    EXPECT_EQ(other.status, 401) << line;
    EXPECT_EQ(other.body, known.body) << line;
  }
}

TEST_F(ApiHandlerTest, AnotherSitesPageIsRefusedWithTheUsersCookie) {
  auto cookie = alice;
  cookie.by = Caller::By::kCookie;
  for (const std::string& line :
       std::vector<std::string>{"GET /api/v1/sessions", "POST /api/v1/sessions",
                                "DELETE " + of(alices), "GET " + of(bobs), "GET /api/v1/nothing"}) {
    EXPECT_EQ(ask(line, cookie, kNew, kJson, false).status, 403) << line;
  }
  EXPECT_TRUE(sessions.asked.empty());
  EXPECT_EQ(ask("GET /api/v1/sessions", alice, "", {}, false).status, 200)
      << "a token is no cookie";
}

TEST_F(ApiHandlerTest, SomebodyElsesSessionIsAnsweredLikeNone) {
  const std::string none = std::string(32, 'f');
  const std::pair<const char*, const char*> calls[] = {
      {"GET", ""},     {"HEAD", ""},       {"DELETE", ""},        {"GET", "/ports"},
      {"GET", "/log"}, {"GET", "/events"}, {"POST", "/activate"}, {"POST", "/extend"}};
  for (const auto& [method, rest] : calls) {
    const auto foreign = ask(std::string(method) + " " + of(bobs, rest), alice);
    const auto missing = ask(std::string(method) + " " + of(none, rest), alice);
    EXPECT_EQ(foreign.status, 404) << method << rest;
    EXPECT_EQ(foreign.body, missing.body) << method << rest;
    EXPECT_EQ(foreign.fields, missing.fields) << method << rest;
  }
  EXPECT_EQ(sessions.find(bobs)->row.state, SessionState::kRunning);
  EXPECT_FALSE(sessions.find(bobs)->active);
}

TEST_F(ApiHandlerTest, AnAdministratorAndAnOperatorSeeEverySession) {
  for (const auto& who : {root, op()}) {
    EXPECT_EQ(ask("GET " + of(bobs), who).status, 200);
    EXPECT_EQ(ask("GET " + of(std::string(32, 'f')), who).status, 404);
    EXPECT_EQ(member(ask("GET /api/v1/sessions?all=1", who), "count"), "2");
    EXPECT_EQ(member(ask("GET /api/v1/sessions?user=bob", who), "count"), "1");
    EXPECT_EQ(ask("GET /api/v1/sessions?user=B%20", who).status, 400);
  }
  EXPECT_EQ(member(ask("GET /api/v1/sessions", root), "count"), "0") << "his own";
  EXPECT_EQ(member(ask("GET /api/v1/sessions", op()), "count"), "2") << "he has none of his own";
}

TEST_F(ApiHandlerTest, OthersDoNotSeeWhatIsForAdministrators) {
  const auto missing = ask("GET " + of(std::string(32, 'f')), alice);
  for (const auto& line : {"GET /api/v1/sessions?all=1", "GET /api/v1/sessions?user=bob",
                           "GET /api/v1/admin/ports/stats", "GET /api/v1/queue?user=bob",
                           "GET /api/v1/tokens?user=bob", "GET /api/v1/events?user=bob",
                           "GET /api/v1/sessions/active?user=bob"}) {
    const auto answer = ask(line, alice);
    EXPECT_EQ(answer.status, 404) << line;
    EXPECT_EQ(answer.body, missing.body) << line;
  }
  EXPECT_EQ(ask("GET /api/v1/sessions?user=alice", alice).status, 200) << "his own name";
  EXPECT_EQ(ask("GET /api/v1/sessions?all=0", alice).status, 200);
}

TEST_F(ApiHandlerTest, AnOperatorSaysWhose) {
  for (const auto& line :
       {"GET /api/v1/sessions/active", "GET /api/v1/sessions/current", "GET /api/v1/events"}) {
    EXPECT_EQ(ask(line, op()).status, 400) << line;
  }
  sessions.set_active(alices);
  EXPECT_EQ(member(ask("GET /api/v1/sessions/active?user=alice", op()), "user"), "\"alice\"");
}

// ----------------------------------------------------------------------------------- the calls
TEST_F(ApiHandlerTest, ListsTheCallersSessions) {
  const auto answer = ask("GET /api/v1/sessions", alice);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(field(answer, "Content-Type"), "application/json");
  EXPECT_EQ(field(answer, "Cache-Control"), "no-store");
  EXPECT_EQ(answer.body,
            "{\"count\":1,\"sessions\":[" + session_json(*sessions.find(alices)) + "]}\n");
}

TEST_F(ApiHandlerTest, CreatesForTheCaller) {
  const auto answer = ask("POST /api/v1/sessions", alice,
                          R"({"cluster":"main","ide":"jupyter",)"
                          R"("slot":2,"job":"4711","cpus":4})");
  EXPECT_EQ(answer.status, 202);
  ASSERT_EQ(sessions.asked.size(), 1U);
  EXPECT_EQ(sessions.asked[0].user, "alice");
  EXPECT_EQ(sessions.asked[0].slot, 2U);
  EXPECT_EQ(sessions.asked[0].job, "4711");
  EXPECT_EQ(sessions.asked[0].spec, R"({"attach":true,"cpus":4})");
  const auto id = member(answer, "id");
  EXPECT_EQ(field(answer, "Location"), "/api/v1/sessions/" + id.substr(1, id.size() - 2));
  EXPECT_EQ(member(answer, "state"), "\"queued\"");
}

TEST_F(ApiHandlerTest, OnlyAdministratorsAndOperatorsBeginForOthers) {
  const std::string for_bob = R"({"cluster":"main","ide":"x","user":"bob"})";
  const auto refused = ask("POST /api/v1/sessions", alice, for_bob);
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.body.find("\\\"user\\\""), std::string::npos) << refused.body;
  EXPECT_TRUE(sessions.asked.empty());
  EXPECT_EQ(status("POST /api/v1/sessions", op(), for_bob), 202);
  EXPECT_EQ(sessions.asked.back().user, "bob");
  EXPECT_EQ(status("POST /api/v1/sessions", op(), kNew), 400) << "for whom?";
  EXPECT_EQ(status("POST /api/v1/sessions", root, kNew), 202);
  EXPECT_EQ(sessions.asked.back().user, "root");
  EXPECT_EQ(
      status("POST /api/v1/sessions", alice, R"({"cluster":"main","ide":"y","user":"alice"})"), 202)
      << "himself";
}

TEST_F(ApiHandlerTest, ABodyMustBeDeclaredAsJson) {
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                           "multipart/form-data; boundary=application/json", ""}) {
    for (const auto& line : {"POST /api/v1/sessions", "POST /api/v1/tokens"}) {
      EXPECT_EQ(ask(line, alice, kNew, {{"Content-Type", type}}).status, 415) << type;
    }
  }
  EXPECT_EQ(ask("POST /api/v1/sessions", alice, kNew, {}).status, 415);
  EXPECT_EQ(ask("POST /api/v1/sessions", alice, kNew,
                {{"Content-Type", "Application/JSON ; charset=utf-8"}})
                .status,
            202);
}

TEST_F(ApiHandlerTest, ABadBodyIsRefusedWithItsReason) {
  const auto answer =
      ask("POST /api/v1/sessions", alice, R"({"cluster":"main","ide":"x","cpu":1})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("\\\"cpu\\\" is no member"), std::string::npos) << answer.body;
  EXPECT_EQ(status("POST /api/v1/sessions", alice, ""), 400);
}

TEST_F(ApiHandlerTest, ABodyHasAtMost64KiB) {
  const std::string body(kNew);
  const auto padded = [&](std::size_t size) { return body + std::string(size - body.size(), ' '); };
  EXPECT_EQ(status("POST /api/v1/sessions", alice, padded(kApiBodyBytesMax)), 202);
  EXPECT_EQ(status("POST /api/v1/sessions", alice, padded(kApiBodyBytesMax + 1)), 413);
}

TEST_F(ApiHandlerTest, WhatTheSessionsRefuseIsAProblem) {
  const std::pair<Errc, int> codes[] = {{Errc::kNotFound, 404},
                                        {Errc::kConflict, 409},
                                        {Errc::kTooMany, 429},
                                        {Errc::kUnavailable, 503}};
  for (const auto& [code, expected] : codes) {
    sessions.refuse = Error{code, "session", "because"};
    const auto answer = ask("POST /api/v1/sessions", alice, kNew);
    EXPECT_EQ(answer.status, expected);
    EXPECT_EQ(member(answer, "detail"), "\"because\"");
    EXPECT_EQ(field(answer, "Retry-After").empty(), expected != 503);
  }
}

TEST_F(ApiHandlerTest, EndsOneAndLeavesTheOthers) {
  const auto other = sessions.add({"alice", "main", "vscode", 2}).row.id;
  const auto answer = ask("DELETE " + of(alices), alice);
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(member(answer, "state"), "\"ending\"");
  EXPECT_EQ(sessions.find(other)->row.state, SessionState::kRunning);
}

TEST_F(ApiHandlerTest, AnEndedSessionIsShownAndCannotBeEndedAgain) {
  auto& info = sessions.add({"alice", "main", "x", 1});
  info.row.state = SessionState::kEnded;
  info.row.reason = "the job ended";
  EXPECT_EQ(member(ask("GET " + of(info.row.id), alice), "reason"), "\"the job ended\"");
  EXPECT_EQ(status("DELETE " + of(info.row.id), alice), 404);
}

TEST_F(ApiHandlerTest, TheActiveSession) {
  EXPECT_EQ(ask("GET /api/v1/sessions/active", alice).status, 404);
  EXPECT_EQ(status("POST " + of(alices, "/activate"), alice), 200);
  EXPECT_EQ(member(ask("GET /api/v1/sessions/active", alice), "id"), "\"" + alices + "\"");
}

TEST_F(ApiHandlerTest, TheCurrentSessionIsDeprecated) {
  const auto answer = ask("GET /api/v1/sessions/current", alice);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(member(answer, "id"), "\"" + alices + "\"");
  EXPECT_EQ(field(answer, "Deprecation"), "@1772323200");
  EXPECT_EQ(field(answer, "Link"), "</api/v1/sessions/active>; rel=\"successor-version\"");
  const auto none = ask("GET /api/v1/sessions/current", root);
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(field(none, "Deprecation"), "@1772323200");
}

TEST_F(ApiHandlerTest, TheQueueIsInTheOrderOfItsPositions) {
  const std::optional<unsigned> positions[] = {3, std::nullopt, 1};
  unsigned slot = 10;
  for (const auto& position : positions) {
    auto& one = sessions.add({"alice", "main", "x", slot++}, SessionState::kQueued);
    one.queue_position = position;
  }
  const auto queue = json(ask("GET /api/v1/queue", alice));
  const cJSON* list = json_member(queue.get(), "sessions");
  std::vector<std::uint64_t> slots;
  for (const cJSON* one = list->child; one != nullptr; one = one->next) {
    slots.push_back(json_number(one, "slot").value_or(0));
  }
  EXPECT_EQ(slots, (std::vector<std::uint64_t>{12, 10, 11}));
  EXPECT_EQ(member(ask("GET /api/v1/queue", root), "count"), "0");
  EXPECT_EQ(member(ask("GET /api/v1/queue", op()), "count"), "3");
}

TEST_F(ApiHandlerTest, Clusters) {
  sessions.known_clusters = {{"main", "login01", "up", ""},
                             {"old", "login9", "stopped", "refused"}};
  EXPECT_EQ(ask("GET /api/v1/clusters", alice).body,
            R"({"count":2,"clusters":[{"name":"main","host":"login01","login":"up",)"
            R"("trouble":null},{"name":"old","host":"login9","login":"stopped",)"
            R"("trouble":"refused"}]})"
            "\n");
}

TEST_F(ApiHandlerTest, PortStatistics) {
  EXPECT_EQ(ask("GET /api/v1/admin/ports/stats", root).body,
            "{\"ranges\":{},\"max_sessions\":null}\n");
  sessions.ports.emplace();
  sessions.ports->ranges["local"] = {1, 99, 100};
  sessions.ports->max_sessions = 100;
  EXPECT_EQ(ask("GET /api/v1/admin/ports/stats", op()).body,
            R"({"ranges":{"local":{"allocated":1,"available":99,"total":100}},"max_sessions":100})"
            "\n");
}

TEST_F(ApiHandlerTest, TheLogIsTextAndNothingElse) {
  EXPECT_EQ(ask("GET " + of(alices, "/log"), alice).status, 404);
  sessions.logs[alices] = "<script>alert(1)</script>\n";
  const auto answer = ask("GET " + of(alices, "/log"), alice);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, sessions.logs[alices]);
  EXPECT_EQ(field(answer, "Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(field(answer, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(ask("GET " + of(alices, "/log?follow=0"), root).body, answer.body);
  EXPECT_EQ(ask("HEAD " + of(alices, "/log"), op()).status, 200);
}

TEST_F(ApiHandlerTest, ALogIsFollowedWhileTheTokenIsGood) {
  sessions.logs[alices] = "one\n";
  const auto bearer = alice_by_token();
  ask("GET " + of(alices, "/log?follow=1"), bearer);
  EXPECT_EQ(sink.written, "one\n");
  sessions.logs[alices] += "two\n";
  scheduler.advance(kLogFollowMs);
  sessions.run();
  EXPECT_EQ(sink.written, "one\ntwo\n");
  ASSERT_TRUE(tokens.revoke("alice", bearer.token_id, nullptr).has_value());
  EXPECT_FALSE(sink.ended);
  scheduler.advance(kLogFollowMs);
  EXPECT_TRUE(sink.ended);
}

TEST_F(ApiHandlerTest, MoreTimeIsAskedFor) {
  const auto answer = ask("POST " + of(alices, "/extend"), alice, R"({"minutes":90})");
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(member(answer, "id"), "\"" + alices + "\"");
  EXPECT_EQ(sessions.extended, (std::vector<std::pair<std::string, std::uint64_t>>{{alices, 90}}));
  EXPECT_EQ(ask("POST " + of(alices, "/extend"), alice, R"({"minutes":90})", {}).status, 415);
  EXPECT_EQ(status("POST " + of(alices, "/extend"), alice, "{}"), 400);
  EXPECT_EQ(sessions.extended.size(), 1U);
}

TEST_F(ApiHandlerTest, WhyThereIsNoMoreTimeIsSaid) {
  const std::pair<Errc, int> reasons[] = {{Errc::kForbidden, 403},
                                          {Errc::kConflict, 409},
                                          {Errc::kUnavailable, 503},
                                          {Errc::kSlurm, 502},
                                          {Errc::kTimeout, 504}};
  for (const auto& [code, number] : reasons) {
    sessions.refuse = Error{code, "slurm", "slurm_update error: Access/permission denied"};
    const auto answer = ask("POST " + of(alices, "/extend"), root, R"({"minutes":1})");
    EXPECT_EQ(answer.status, number);
    EXPECT_EQ(member(answer, "detail"), "\"slurm_update error: Access/permission denied\"");
  }
}

TEST_F(ApiHandlerTest, AnUnknownCallAndAWrongMethod) {
  EXPECT_EQ(ask("GET /api/v1/nothing", alice).status, 404);
  const auto answer = ask("PUT /api/v1/sessions", alice);
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(field(answer, "Allow"), "GET, HEAD, POST");
}

TEST_F(ApiHandlerTest, EveryChangeIsWrittenDownWithWhoAskedForIt) {
  const auto said = [this](std::string_view what, std::string_view who) {
    const bool both = log_lines.find(what) != std::string::npos &&
                      log_lines.find("who=" + std::string(who)) != std::string::npos;
    EXPECT_TRUE(both) << what << ": " << log_lines;
    log_lines.clear();
  };
  ask("POST /api/v1/sessions", alice, kNew);
  said("audit: session created", "alice");
  ask("POST " + of(bobs, "/activate"), root);
  said("audit: session activated", "root");
  ask("POST " + of(alices, "/extend"), alice, R"({"minutes":1})");
  said("audit: session extended", "alice");
  ask("DELETE " + of(alices), op());
  said("audit: session ended", "operator");
  const auto token = ask("POST /api/v1/tokens", op(), R"({"user":"bob"})");
  EXPECT_EQ(log_lines.find("hpm_"), std::string::npos);
  said("audit: token created", "operator");
  const auto id = member(token, "id");
  ask("DELETE /api/v1/tokens/" + id.substr(1, id.size() - 2), caller("bob"));
  said("audit: token revoked", "bob");
  sessions.refuse = Error{Errc::kConflict, "session", "because"};
  ask("POST /api/v1/sessions", alice, kNew);
  ask("GET " + of(alices), alice);
  EXPECT_EQ(log_lines, "") << "nothing has changed";
}

// ------------------------------------------------------------------------------------- events
TEST_F(ApiHandlerTest, StreamsTheEventsOfASessionOrOfTheCaller) {
  events.commit(events.append({0, 0, alices, "state", "{\"a\":1}"}));
  events.commit(events.append({0, 0, bobs, "state", "{\"b\":1}"}));
  ask("GET " + of(alices, "/events"), alice, "", {{"Last-Event-ID", "0"}});
  EXPECT_EQ(sink.status, 200);
  EXPECT_NE(sink.written.find("id: 1\nevent: state\ndata: {\"a\":1}\n\n"), std::string::npos);
  ask("GET /api/v1/events?last-event-id=0", alice, "", {});
  EXPECT_NE(sink.written.find("{\"a\":1}"), std::string::npos);
  EXPECT_EQ(sink.written.find("{\"b\":1}"), std::string::npos);
  EXPECT_EQ(ask("GET /api/v1/events", alice, "", {{"Last-Event-ID", "x"}}).status, 400);
}

TEST_F(ApiHandlerTest, AStreamEndsWithTheTokenThatOpenedIt) {
  const auto bearer = alice_by_token();
  ask("GET /api/v1/events", bearer, "", {});
  scheduler.advance(30'000);
  EXPECT_FALSE(sink.ended);
  ASSERT_TRUE(tokens.revoke("alice", bearer.token_id, nullptr).has_value());
  scheduler.advance(15'000);
  EXPECT_TRUE(sink.ended);
}

// -------------------------------------------------------------------------------------- ports
TEST_F(ApiHandlerTest, PortsAreAskedOfTheSessionsProxy) {
  sessions.add({"alice", "main", "y", 1}).local_port = 9000;
  const auto id = sessions.list("alice").back().row.id;
  EXPECT_EQ(ask("GET " + of(id, "/ports"), alice).status, 0) << "not yet";
  auto* proxy = sessions.connector_of(id).accept();
  ASSERT_NE(proxy, nullptr);
  EXPECT_NE(proxy->written.find("GET /ports HTTP/1.1\r\n"), std::string::npos);
  EXPECT_NE(proxy->written.find("X-HPC-Proxy-Token: " + std::string(64, '7')), std::string::npos);
  const std::string body = R"({"host":"c1","ports":[{"port":5500,"process":"node"}]})";
  proxy->deliver("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                 body);
  scheduler.run();
  ASSERT_TRUE(sink.answered);
  EXPECT_EQ(sink.answered->body,
            R"({"local_port":9000,"listening":[{"port":5500,"process":"node"}],"reason":null})"
            "\n");
}

TEST_F(ApiHandlerTest, PortsThatCannotBeAskedForAreNullWithTheReason) {
  auto& tunnel = sessions.tunnel_of(alices);
  tunnel.up = false;
  tunnel.why_down = "login01 does not answer";
  EXPECT_EQ(ask("GET " + of(alices, "/ports"), alice).body,
            R"({"local_port":null,"listening":null,)"
            R"("reason":"not connected: login01 does not answer"})"
            "\n");
  tunnel.why_down.clear();
  EXPECT_EQ(member(ask("GET " + of(alices, "/ports"), alice), "reason"),
            "\"the session is not connected yet\"");
  sessions.add({"alice", "main", "z", 1}, SessionState::kEnded);
  const auto ended = ask("GET " + of("00000000000000000000000000000003", "/ports"), alice);
  EXPECT_EQ(member(ended, "reason"), "\"the session has ended\"");
}

TEST_F(ApiHandlerTest, AProxyThatAnswersSomethingElseIsAReasonToo) {
  const std::pair<std::string, const char*> answers[] = {
      {"<html>", "JSON"}, {"{}", "no \\\"ports\\\""}, {R"({"ports":5})", "no \\\"ports\\\""}};
  for (const auto& [body, reason] : answers) {
    ask("GET " + of(alices, "/ports"), alice);
    auto* proxy = sessions.connector_of(alices).accept();
    proxy->deliver("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                   "\r\n\r\n" + body);
    scheduler.run();
    ASSERT_TRUE(sink.answered) << body;
    EXPECT_EQ(member(*sink.answered, "listening"), "null");
    EXPECT_NE(member(*sink.answered, "reason").find(reason), std::string::npos)
        << member(*sink.answered, "reason");
  }
  ask("GET " + of(alices, "/ports"), alice);
  sessions.connector_of(alices).fail(Errc::kUnavailable);
  scheduler.run();
  EXPECT_EQ(member(*sink.answered, "reason"), "\"as the test says\"");
}

}  // namespace
}  // namespace hpc
