#include "manager/gateway/user_route.h"

#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

using Kind = UserRoute::Kind;

struct UserRouteCase {
  const char* name;
  std::string_view tail;  // behind "/user/alice/main/vscode"
  bool valid = true;
  Kind kind = Kind::kApp;
  int port = 0;
  std::string_view prefix_tail = "";
  std::string_view rest = "";
  bool needs_slash = false;
};
void PrintTo(const UserRouteCase& c, std::ostream* os) { *os << c.name; }

constexpr UserRouteCase kCases[] = {
    {"app", "/", true, Kind::kApp, 0, "", "/"},
    {"app_page", "/static/x.js?v=1", true, Kind::kApp, 0, "", "/static/x.js?v=1"},
    {"app_no_slash", "", true, Kind::kApp, 0, "", "", true},
    {"app_no_slash_query", "?folder=/home", true, Kind::kApp, 0, "", "?folder=/home", true},
    {"port", "/port/5500/a?b", true, Kind::kPort, 5500, "/port/5500", "/a?b"},
    {"port_no_slash", "/port/5500?q", true, Kind::kPort, 5500, "/port/5500", "?q", true},
    {"kept_port", "/absport/3000/x", true, Kind::kPort, 3000, "/absport/3000", "/x"},
    {"ports", "/ports", true, Kind::kPorts, 0, "", "/ports"},
    {"ports_query", "/ports?x", true, Kind::kPorts, 0, "", "/ports?x"},
    {"ports_page_of_the_app", "/ports/x", true, Kind::kApp, 0, "", "/ports/x"},
    {"bytes_pass", "//a/../%2f", true, Kind::kApp, 0, "", "//a/../%2f"},
    {"portal_of_the_app", "/portal", true, Kind::kApp, 0, "", "/portal"},
    {"port_in_a_query", "/x?/port/0", true, Kind::kApp, 0, "", "/x?/port/0"},
    {"no_port", "/port/", false},
    {"bare_port", "/port", false},
    {"bare_port_query", "/port?5500", false},
    {"port_zero", "/port/0/", false},
    {"port_too_high", "/port/65536/", false},
    {"port_junk", "/port/5500x/", false},
    {"kept_port_junk", "/absport/x/", false},
    {"word_behind_the_ide", "x/", true, Kind::kApp, 0, "x", "/"},
};

class UserRouteTest : public testing::TestWithParam<UserRouteCase> {};
TEST_P(UserRouteTest, Parses) {
  const auto& want = GetParam();
  const std::string base = "/user/alice/main/vscode";
  const std::string target = base + std::string(want.tail);
  const auto got = parse_user_route(target);
  ASSERT_EQ(got.has_value(), want.valid);
  if (!got) return;
  EXPECT_EQ(got->key.user, "alice");
  EXPECT_EQ(got->kind, want.kind);
  EXPECT_EQ(got->port.port, want.port);
  EXPECT_EQ(got->prefix, base + std::string(want.prefix_tail));
  EXPECT_EQ(got->rest, want.rest);
  EXPECT_EQ(got->needs_slash, want.needs_slash);
}
INSTANTIATE_TEST_SUITE_P(Routes, UserRouteTest, testing::ValuesIn(kCases),
                         [](const auto& i) { return i.param.name; });

TEST(UserRouteUpstreamTest, HpcProxyIsAskedWithoutTheSessionsPath) {
  const auto route = parse_user_route("/user/alice/main/vscode~2/absport/3000/x?y");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->upstream_rest, "/absport/3000/x?y");
  EXPECT_EQ(route->key.slot, 2U);
}

TEST(UserRouteUpstreamTest, OtherPathsAreNoSessions) {
  EXPECT_FALSE(parse_user_route("/port/5500/"));
  EXPECT_FALSE(parse_user_route("/user/alice/main"));
  EXPECT_FALSE(parse_user_route("/api/v1/sessions"));
}

}  // namespace
}  // namespace hpc
