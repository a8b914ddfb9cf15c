#include "manager/gateway/api_route.h"

#include <gtest/gtest.h>

#include <set>

namespace hpc {
namespace {

constexpr std::optional<ApiCall> kNone = std::nullopt;

struct ApiRouteCase {
  const char* name;
  std::string method;
  std::string target;
  std::optional<ApiCall> call;
  std::string id;
  std::string allow;  // "" for a path that is not there
};

void PrintTo(const ApiRouteCase& one, std::ostream* out) { *out << one.name; }

class ApiRouteTest : public testing::TestWithParam<ApiRouteCase> {};

TEST_P(ApiRouteTest, IsFound) {
  const auto& want = GetParam();
  const auto got = find_api_route(want.method, want.target);
  EXPECT_EQ(got.call, want.call) << want.target;
  EXPECT_EQ(got.id, want.id);
  EXPECT_EQ(got.allow, want.allow);
}

const std::string kAt = "/api/v1/";

INSTANTIATE_TEST_SUITE_P(
    Rows, ApiRouteTest,
    testing::Values(
        ApiRouteCase{"list", "GET", kAt + "sessions", ApiCall::kListSessions, "",
                     "GET, HEAD, POST"},
        ApiRouteCase{"list_all", "GET", kAt + "sessions?all=1", ApiCall::kListSessions, "",
                     "GET, HEAD, POST"},
        ApiRouteCase{"head", "HEAD", kAt + "sessions", ApiCall::kListSessions, "",
                     "GET, HEAD, POST"},
        ApiRouteCase{"create", "POST", kAt + "sessions", ApiCall::kCreateSession, "",
                     "GET, HEAD, POST"},
        ApiRouteCase{"show", "GET", kAt + "sessions/3f-a_B", ApiCall::kShowSession, "3f-a_B",
                     "GET, HEAD, DELETE"},
        ApiRouteCase{"end", "DELETE", kAt + "sessions/3f", ApiCall::kEndSession, "3f",
                     "GET, HEAD, DELETE"},
        ApiRouteCase{"ports", "GET", kAt + "sessions/3f/ports", ApiCall::kSessionPorts, "3f",
                     "GET, HEAD"},
        ApiRouteCase{"log", "GET", kAt + "sessions/3f/log?follow=1", ApiCall::kSessionLog, "3f",
                     "GET, HEAD"},
        ApiRouteCase{"events", "GET", kAt + "sessions/3f/events", ApiCall::kSessionEvents, "3f",
                     "GET, HEAD"},
        ApiRouteCase{"activate", "POST", kAt + "sessions/3f/activate", ApiCall::kActivateSession,
                     "3f", "POST"},
        ApiRouteCase{"extend", "POST", kAt + "sessions/3f/extend", ApiCall::kExtendSession, "3f",
                     "POST"},
        ApiRouteCase{"active", "GET", kAt + "sessions/active", ApiCall::kActiveSession, "",
                     "GET, HEAD"},
        ApiRouteCase{"active_is_no_id", "DELETE", kAt + "sessions/active", kNone, "", "GET, HEAD"},
        ApiRouteCase{"current", "GET", kAt + "sessions/current", ApiCall::kCurrentSession, "",
                     "GET, HEAD"},
        ApiRouteCase{"all_events", "GET", kAt + "events", ApiCall::kAllEvents, "", "GET, HEAD"},
        ApiRouteCase{"queue", "GET", kAt + "queue", ApiCall::kQueue, "", "GET, HEAD"},
        ApiRouteCase{"clusters", "GET", kAt + "clusters", ApiCall::kClusters, "", "GET, HEAD"},
        ApiRouteCase{"stats", "GET", kAt + "admin/ports/stats", ApiCall::kPortStats, "",
                     "GET, HEAD"},
        ApiRouteCase{"tokens", "GET", kAt + "tokens", ApiCall::kListTokens, "", "GET, HEAD, POST"},
        ApiRouteCase{"token", "POST", kAt + "tokens", ApiCall::kCreateToken, "", "GET, HEAD, POST"},
        ApiRouteCase{"revoke", "DELETE", kAt + "tokens/12ab", ApiCall::kRevokeToken, "12ab",
                     "DELETE"}),
    [](const auto& i) { return std::string(i.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Refused, ApiRouteTest,
    testing::Values(
        ApiRouteCase{"put", "PUT", kAt + "sessions", kNone, "", "GET, HEAD, POST"},
        ApiRouteCase{"lower_case", "get", kAt + "queue", kNone, "", "GET, HEAD"},
        ApiRouteCase{"options", "OPTIONS", kAt + "queue", kNone, "", "GET, HEAD"},
        ApiRouteCase{"get_activate", "GET", kAt + "sessions/3f/activate", kNone, "3f", "POST"},
        ApiRouteCase{"root", "GET", "/api/v1", kNone, "", ""},
        ApiRouteCase{"root_slash", "GET", "/api/v1/", kNone, "", ""},
        ApiRouteCase{"slash_at_the_end", "GET", kAt + "sessions/", kNone, "", ""},
        ApiRouteCase{"slash_behind_id", "GET", kAt + "sessions/3f/", kNone, "", ""},
        ApiRouteCase{"empty_id", "GET", kAt + "sessions//ports", kNone, "", ""},
        ApiRouteCase{"two_parts_as_id", "GET", kAt + "sessions/a/b/ports", kNone, "", ""},
        ApiRouteCase{"dots", "GET", kAt + "sessions/../queue", kNone, "", ""},
        ApiRouteCase{"escape_in_id", "GET", kAt + "sessions/3%66", kNone, "", ""},
        ApiRouteCase{"escaped_word", "GET", kAt + "%71ueue", kNone, "", ""},
        ApiRouteCase{"longest_id", "GET", kAt + "sessions/" + std::string(64, 'a'),
                     ApiCall::kShowSession, std::string(64, 'a'), "GET, HEAD, DELETE"},
        ApiRouteCase{"too_long_id", "GET", kAt + "sessions/" + std::string(65, 'a'), kNone, "", ""},
        ApiRouteCase{"other_version", "GET", "/api/v2/sessions", kNone, "", ""},
        ApiRouteCase{"longer_word", "GET", kAt + "queues", kNone, "", ""},
        ApiRouteCase{"empty", "GET", "", kNone, "", ""}),
    [](const auto& i) { return std::string(i.param.name); });

TEST(ApiRowsTest, EveryRowLeadsToItsOwnCall) {
  std::set<ApiCall> calls;
  for (const ApiRow& row : api_rows()) {
    std::string target(row.path);
    if (const auto at = target.find("{id}"); at != std::string::npos) target.replace(at, 4, "x1");
    EXPECT_EQ(find_api_route(row.method, target).call, row.call) << row.method << " " << row.path;
    EXPECT_TRUE(calls.insert(row.call).second) << row.path;
  }
}

TEST(QueryValueTest, FindsTheFirstOfItsName) {
  EXPECT_EQ(query_value("all=1", "all"), "1");
  EXPECT_EQ(query_value("a=b&all=1&all=2", "all"), "1");
  EXPECT_EQ(query_value("all", "all"), "");
  EXPECT_EQ(query_value("all=", "all"), "");
  EXPECT_EQ(query_value("all=a=b", "all"), "a=b");
  EXPECT_EQ(query_value("&&all=x&", "all"), "x");
}

TEST(QueryValueTest, TakesNothingElseForIt) {
  for (const char* query : {"", "&", "=1", "al=1", "all2=1", "All=1", "x=all", "a%6Cl=1"}) {
    EXPECT_EQ(query_value(query, "all"), std::nullopt) << query;
  }
}

}  // namespace
}  // namespace hpc
