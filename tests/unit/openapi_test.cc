#include "tests/support/openapi.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "manager/gateway/api_requests.h"
#include "manager/gateway/api_route.h"
#include "manager/session/session_json.h"

namespace hpc {
namespace {

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

struct OpenApiTest : testing::Test {
  const OpenApi file;
  const cJSON* schema(const char* name) const {
    return json_member(json_member(json_member(file.root(), "components"), "schemas"), name);
  }
  std::string mismatch(const char* name, const std::string& text) const {
    const auto value = parse_json(text);
    EXPECT_TRUE(value.has_value()) << text;
    return file.mismatch(schema(name), value->get(), "body");
  }
  /// Every "$ref" below `value`.
  void references(const cJSON* value, std::vector<const cJSON*>& found) const {
    for (const cJSON* one = value->child; one != nullptr; one = one->next) {
      if (json_text(one, "$ref")) found.push_back(one);
      references(one, found);
    }
  }
};

TEST_F(OpenApiTest, HasTheCallsOfTheTableAndNoOthers) {
  std::set<std::string> in_table;
  for (const ApiRow& row : api_rows()) {
    in_table.insert(std::string(row.method) + " " + std::string(row.path));
  }
  std::set<std::string> in_file;
  const cJSON* paths = json_member(file.root(), "paths");
  for (const cJSON* path = paths->child; path != nullptr; path = path->next) {
    for (const cJSON* call = path->child; call != nullptr; call = call->next) {
      in_file.insert(upper(call->string) + " " + path->string);
    }
  }
  EXPECT_EQ(in_file, in_table);
}

TEST_F(OpenApiTest, EveryCallSaysWhoItRefuses) {
  const cJSON* paths = json_member(file.root(), "paths");
  std::set<std::string> names;
  for (const cJSON* path = paths->child; path != nullptr; path = path->next) {
    for (const cJSON* call = path->child; call != nullptr; call = call->next) {
      const cJSON* answers = json_member(call, "responses");
      for (const char* status : {"401", "403"}) {
        EXPECT_NE(json_member(answers, status), nullptr) << call->string << " " << path->string;
      }
      const bool has_id = std::string_view(path->string).find("{id}") != std::string_view::npos;
      EXPECT_TRUE(!has_id || json_member(answers, "404") != nullptr) << path->string;
      EXPECT_TRUE(names.insert(json_text(call, "operationId").value_or("")).second);
    }
  }
}

TEST_F(OpenApiTest, EveryReferenceLeadsSomewhere) {
  std::vector<const cJSON*> found;
  references(file.root(), found);
  EXPECT_GT(found.size(), 50U);
  for (const cJSON* one : found) {
    EXPECT_NE(file.resolved(one), nullptr) << json_text(one, "$ref").value_or("");
  }
}

TEST_F(OpenApiTest, ASessionHasJustTheMembersThatAreWritten) {
  SessionInfo info;
  info.row.id = "1";
  info.row.key = {"a", "b", "c", 1};
  EXPECT_EQ(mismatch("Session", session_json(info)), "");
  std::set<std::string> in_file;
  const cJSON* members = json_member(schema("Session"), "properties");
  for (const cJSON* one = members->child; one != nullptr; one = one->next)
    in_file.insert(one->string);
  std::set<std::string> written;
  const auto value = session_value(info);
  for (const cJSON* one = value->child; one != nullptr; one = one->next)
    written.insert(one->string);
  EXPECT_EQ(in_file, written);
}

TEST_F(OpenApiTest, EveryStateIsInTheFile) {
  for (int state = 0; state <= static_cast<int>(SessionState::kEnded); ++state) {
    SessionInfo info;
    info.row.state = static_cast<SessionState>(state);
    EXPECT_EQ(mismatch("Session", session_json(info)), "") << state;
  }
}

// What the file says may be sent is taken: each member of a request, one by one.
TEST_F(OpenApiTest, RequestsTakeTheMembersThatTheFileNames) {
  const cJSON* session = json_member(schema("NewSession"), "properties");
  for (const cJSON* one = session->child; one != nullptr; one = one->next) {
    const std::string name = one->string;
    const bool needed = name == "cluster" || name == "ide";
    const auto wanted = parse_new_session(R"({"cluster":"a","ide":"b")" +
                                          (needed ? "" : ",\"" + name + "\":null") + "}");
    EXPECT_TRUE(wanted.has_value()) << name;
  }
  const cJSON* token = json_member(schema("NewToken"), "properties");
  for (const cJSON* one = token->child; one != nullptr; one = one->next) {
    EXPECT_TRUE(parse_token_request("{\"" + std::string(one->string) + "\":null}").has_value())
        << one->string;
  }
  EXPECT_TRUE(parse_extend_request(R"({"minutes":5})").has_value());
  EXPECT_EQ(mismatch("MoreTime", R"({"minutes":5})"), "");
}

TEST_F(OpenApiTest, TheJudgeSeesWhatDoesNotFit) {
  const std::string range = R"({"allocated":1,"available":2,"total":3})";
  EXPECT_EQ(mismatch("PortRange", range), "");
  EXPECT_NE(mismatch("PortRange", R"({"allocated":1,"available":2})"), "") << "one is missing";
  EXPECT_NE(mismatch("PortRange", R"({"allocated":1,"available":2,"total":"3"})"), "");
  EXPECT_NE(mismatch("PortRange", R"({"allocated":1,"available":2,"total":1.5})"), "");
  EXPECT_NE(mismatch("PortRange", R"({"allocated":1,"available":2,"total":3,"x":1})"), "");
  EXPECT_EQ(mismatch("PortStatistics", R"({"ranges":{"a":)" + range + R"(},"max_sessions":null})"),
            "");
  EXPECT_NE(mismatch("PortStatistics", R"({"ranges":{"a":{}},"max_sessions":null})"), "");
  EXPECT_NE(mismatch("Clusters", R"({"count":1,"clusters":[{}]})"), "");
  EXPECT_NE(mismatch("Cluster", R"({"name":"a","host":"b","login":"sleepy","trouble":null})"), "");
  EXPECT_NE(mismatch("Sessions", "[]"), "");
}

TEST_F(OpenApiTest, TheJudgeKnowsCallsStatusesAndTypes) {
  const std::string empty = R"({"count":0,"sessions":[]})";
  const auto fault = [&](std::string_view method, int status, const char* type,
                         const std::string& body) {
    return file.fault_of(method, "/api/v1/queue", status, type, body);
  };
  EXPECT_EQ(fault("GET", 200, "application/json", empty), "");
  EXPECT_NE(fault("PUT", 200, "application/json", empty), "");
  EXPECT_NE(fault("GET", 202, "application/json", empty), "");
  EXPECT_NE(fault("GET", 200, "text/html", empty), "");
  EXPECT_NE(fault("GET", 200, "application/json", "{"), "");
  EXPECT_NE(fault("GET", 404, "application/json", empty), "") << "a problem is expected";
}

}  // namespace
}  // namespace hpc
