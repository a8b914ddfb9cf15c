#include "manager/operator_verbs.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

VerbOptions options_of(OperatorVerb verb, const std::string& id = "") {
  VerbOptions options;
  options.verb = verb;
  options.id = id;
  return options;
}

std::string line_of(const VerbOptions& options) {
  const auto request = verb_request(options);
  return request.method + " " + request.target + (request.body.empty() ? "" : " ") + request.body;
}

TEST(OperatorVerbsTest, EachAsksItsCall) {
  EXPECT_EQ(line_of(options_of(OperatorVerb::kSessionsList)), "GET /api/v1/sessions");
  EXPECT_EQ(line_of(options_of(OperatorVerb::kSessionsShow, "3f")), "GET /api/v1/sessions/3f");
  EXPECT_EQ(line_of(options_of(OperatorVerb::kSessionsStop, "3f")), "DELETE /api/v1/sessions/3f");
  EXPECT_EQ(line_of(options_of(OperatorVerb::kSessionsLogs, "3f")), "GET /api/v1/sessions/3f/log");
  auto logs = options_of(OperatorVerb::kSessionsLogs, "3f");
  logs.follow = true;
  EXPECT_EQ(line_of(logs), "GET /api/v1/sessions/3f/log?follow=1");
  auto extend = options_of(OperatorVerb::kSessionsExtend, "3f");
  extend.minutes = 60;
  EXPECT_EQ(line_of(extend), R"(POST /api/v1/sessions/3f/extend {"minutes":60})");
  EXPECT_EQ(line_of(options_of(OperatorVerb::kQueue)), "GET /api/v1/queue");
  EXPECT_EQ(line_of(options_of(OperatorVerb::kPorts)), "GET /api/v1/admin/ports/stats");
  EXPECT_EQ(line_of(options_of(OperatorVerb::kTokensList)), "GET /api/v1/tokens");
  EXPECT_EQ(line_of(options_of(OperatorVerb::kTokensRevoke, "12")), "DELETE /api/v1/tokens/12");
}

TEST(OperatorVerbsTest, ListsMayBeOfOneUser) {
  auto options = options_of(OperatorVerb::kSessionsList);
  options.user = "alice";
  EXPECT_EQ(line_of(options), "GET /api/v1/sessions?user=alice");
  options.verb = OperatorVerb::kTokensList;
  EXPECT_EQ(line_of(options), "GET /api/v1/tokens?user=alice");
}

TEST(OperatorVerbsTest, StartSendsWhatWasGiven) {
  auto options = options_of(OperatorVerb::kSessionsStart);
  options.user = "alice";
  options.cluster = "main";
  options.ide = "vscode";
  EXPECT_EQ(line_of(options),
            R"(POST /api/v1/sessions {"user":"alice","cluster":"main","ide":"vscode"})");
  options.job = "4711";
  options.slot = 2;
  options.cpus = 8;
  options.gpus = 1;
  options.memory = "4G";
  options.time = "90";
  options.partition = "gpu";
  options.account = "physics";
  EXPECT_EQ(verb_request(options).body,
            R"({"user":"alice","cluster":"main","ide":"vscode","job":"4711","slot":2,"cpus":8,)"
            R"("gpus":1,"memory":"4G","time":"90","partition":"gpu","account":"physics"})");
}

TEST(OperatorVerbsTest, StartCanAttachToWhatRuns) {
  auto options = options_of(OperatorVerb::kSessionsStart);
  options.user = "alice";
  options.attach = true;
  EXPECT_EQ(verb_request(options).body, R"({"user":"alice","attach":true})");
}

TEST(OperatorVerbsTest, ATokenIsForAUser) {
  auto options = options_of(OperatorVerb::kTokensCreate);
  options.user = "alice";
  EXPECT_EQ(line_of(options), R"(POST /api/v1/tokens {"user":"alice"})");
  options.label = "a \"b\"";
  options.expires_s = 60;
  EXPECT_EQ(verb_request(options).body, R"({"user":"alice","label":"a \"b\"","expires_in":60})");
}

constexpr const char* kSession =
    R"({"id":"3f","key":"alice-main-vscode","user":"alice","cluster":"main","ide":"vscode",)"
    R"("slot":1,"state":"running","reason":null,"job_id":"4711","node":"c1","queue_position":2,)"
    R"("created_at":"2026-03-01T12:00:00.000Z"})";

std::string sessions() { return std::string(R"({"count":1,"sessions":[)") + kSession + "]}"; }

std::string shown(const VerbOptions& options, const std::string& body, bool terminal = false) {
  const auto text = verb_output(options, {200, body}, terminal);
  EXPECT_TRUE(text.has_value());
  return text.value_or("");
}

TEST(OperatorVerbsTest, SessionsAreATable) {
  const auto list = options_of(OperatorVerb::kSessionsList);
  EXPECT_EQ(shown(list, sessions()), "3f\talice\tmain\tvscode\t1\trunning\t4711\tc1\t\n");
  EXPECT_EQ(shown(list, sessions(), true),
            "ID  USER   CLUSTER  IDE     SLOT  STATE    JOB ID  NODE  REASON\n"
            "3f  alice  main     vscode  1     running  4711    c1\n");
  EXPECT_EQ(shown(list, R"({"count":0,"sessions":[]})", true), "");
  EXPECT_EQ(shown(options_of(OperatorVerb::kQueue), sessions()),
            "2\t3f\talice\tmain\tvscode\t1\t2026-03-01T12:00:00.000Z\n");
  EXPECT_EQ(shown(options_of(OperatorVerb::kQueue), sessions(), true),
            "PLACE  ID  USER   CLUSTER  IDE     SLOT  SINCE\n"
            "2      3f  alice  main     vscode  1     2026-03-01T12:00:00.000Z\n");
}

TEST(OperatorVerbsTest, OneSessionIsAListOfItsMembers) {
  const auto show = options_of(OperatorVerb::kSessionsShow, "3f");
  const auto text = shown(show, R"({"id":"3f","slot":1,"reason":null})");
  EXPECT_EQ(text, "id\t3f\nslot\t1\nreason\t\n");
  EXPECT_EQ(shown(show, R"({"id":"3f","slot":1,"reason":null})", true),
            "id      3f\nslot    1\nreason\n");
  const auto stop = options_of(OperatorVerb::kSessionsStop, "3f");
  EXPECT_EQ(shown(stop, R"({"id":"3f","slot":1,"reason":null})"), text);
}

TEST(OperatorVerbsTest, PortsAreATable) {
  const auto ports = options_of(OperatorVerb::kPorts);
  const std::string body =
      R"({"ranges":{"local":{"allocated":1,"available":9,"total":10}},"max_sessions":10})";
  EXPECT_EQ(shown(ports, body), "local\t1\t9\t10\n");
  EXPECT_EQ(shown(ports, body, true),
            "RANGE  ALLOCATED  AVAILABLE  TOTAL\nlocal  1          9          10\n");
}

TEST(OperatorVerbsTest, ANewTokenIsOneLine) {
  const auto create = options_of(OperatorVerb::kTokensCreate);
  EXPECT_EQ(shown(create, R"({"id":"12","token":"hpm_00"})"), "hpm_00\n");
  EXPECT_EQ(shown(options_of(OperatorVerb::kTokensRevoke, "12"), ""), "");
}

TEST(OperatorVerbsTest, TokensAreATable) {
  EXPECT_EQ(shown(options_of(OperatorVerb::kTokensList),
                  R"({"count":1,"tokens":[{"id":"12","user":"alice","kind":"api","label":"CI",)"
                  R"("created_at":"t1","expires_at":null,"last_used_at":null}]})"),
            "12\talice\tapi\tCI\tt1\t\t\n");
}

TEST(OperatorVerbsTest, JsonIsPassedOnAsItIs) {
  auto options = options_of(OperatorVerb::kSessionsList);
  options.json = true;
  EXPECT_EQ(shown(options, sessions() + "\n", true), sessions() + "\n");
}

TEST(OperatorVerbsTest, NothingFromAfarMovesTheCursor) {
  const auto text = shown(options_of(OperatorVerb::kSessionsList),
                          R"({"sessions":[{"id":"3f","reason":"\u001b[2Jx\ny"}]})");
  EXPECT_EQ(text, "3f\t\t\t\t\t\t\t\t\xEF\xBF\xBD[2Jx y\n");
}

TEST(OperatorVerbsTest, AnotherAnswerIsAFailure) {
  for (const auto verb :
       {OperatorVerb::kSessionsList, OperatorVerb::kSessionsShow, OperatorVerb::kQueue,
        OperatorVerb::kPorts, OperatorVerb::kTokensList, OperatorVerb::kTokensCreate}) {
    for (const char* body : {"", "<html>", "[]", "{}", "null"}) {
      const auto text = verb_output(options_of(verb, "3f"), {200, body}, false);
      EXPECT_FALSE(text.has_value()) << body;
    }
  }
}

TEST(OperatorVerbsTest, ARefusalHasItsReasonAndItsExitCode) {
  const std::string problem = R"({"type":"about:blank","status":409,"detail":"slot 1 is in use"})";
  const std::pair<int, Errc> codes[] = {{400, Errc::kUsage},       {401, Errc::kForbidden},
                                        {403, Errc::kForbidden},   {404, Errc::kNotFound},
                                        {409, Errc::kUnavailable}, {429, Errc::kUnavailable},
                                        {503, Errc::kUnavailable}, {504, Errc::kTimeout}};
  for (const auto& [status, code] : codes) {
    const auto error = verb_failure({status, problem});
    EXPECT_EQ(error.code, code) << status;
    EXPECT_EQ(error.detail, "slot 1 is in use");
  }
  EXPECT_EQ(verb_failure({502, "<html>"}).detail, "it answered 502");
}

TEST(OperatorVerbsTest, OnlyVerbsAreVerbs) {
  for (const char* word : {"sessions", "queue", "ports", "tokens"}) EXPECT_TRUE(is_verb(word));
  for (const char* word : {"", "session", "connect", "serve", "--help", "Queue"}) {
    EXPECT_FALSE(is_verb(word)) << word;
  }
}

}  // namespace
}  // namespace hpc
