#include "manager/gateway/serve_route.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace hpc {
namespace {

using Kind = ServeRoute::Kind;

struct ServeRouteCase {
  const char* name;
  std::string_view target;
  Kind kind = Kind::kNone;
};
void PrintTo(const ServeRouteCase& c, std::ostream* os) { *os << c.name; }

constexpr ServeRouteCase kCases[] = {
    {"start", "/", Kind::kStart},
    {"start_query", "/?x=/login", Kind::kStart},
    {"two_slashes", "//", Kind::kNone},
    {"healthz", "/healthz", Kind::kHealthz},
    {"healthz_query", "/healthz?x", Kind::kHealthz},
    {"healthz_slash", "/healthz/", Kind::kNone},
    {"readyz", "/readyz", Kind::kReadyz},
    {"metrics_is_elsewhere", "/metrics", Kind::kNone},
    {"login", "/login", Kind::kLogin},
    {"login_query", "/login?token=x", Kind::kLogin},
    {"login_below", "/login/x", Kind::kNone},
    {"login_case", "/Login", Kind::kNone},
    {"login_escaped", "/%6cogin", Kind::kNone},
    {"logout", "/logout", Kind::kLogout},
    {"api", "/api/v1", Kind::kApi},
    {"api_query", "/api/v1?x", Kind::kApi},
    {"api_below", "/api/v1/sessions/1", Kind::kApi},
    {"api_slash", "/api/v1/", Kind::kApi},
    {"api_word", "/api/v1x", Kind::kNone},
    {"api_of_another_version", "/api/v2/sessions", Kind::kNone},
    {"app", "/user/alice/main/vscode/", Kind::kUser},
    {"app_no_slash", "/user/alice/main/vscode", Kind::kUser},
    {"app_port", "/user/alice/main/vscode/port/5500/x", Kind::kUser},
    {"app_bad_port", "/user/alice/main/vscode/port/0/x", Kind::kNone},
    {"no_ide", "/user/alice/main/", Kind::kNone},
    {"no_such_name", "/user/Alice/main/vscode/", Kind::kNone},
    {"dots", "/user/../main/vscode/", Kind::kNone},
    {"port", "/port/5500/a?b", Kind::kShortPort},
    {"port_no_slash", "/port/5500", Kind::kShortPort},
    {"kept_port", "/absport/3000/", Kind::kShortPort},
    {"port_zero", "/port/0/", Kind::kNone},
    {"port_junk", "/port/5500x/", Kind::kNone},
    {"app_of_hpc_proxy", "/app/", Kind::kNone},
    {"hello_of_hpc_proxy", "/.hpc-proxy/hello", Kind::kNone},
    {"server_wide", "*", Kind::kNone},
    {"empty", "", Kind::kNone},
};

class ServeRouteTest : public testing::TestWithParam<ServeRouteCase> {};
TEST_P(ServeRouteTest, Parses) {
  const auto& want = GetParam();
  const auto got = parse_serve_route(want.target);
  EXPECT_EQ(name_of(got.kind), name_of(want.kind)) << want.target;
  EXPECT_EQ(got.user.has_value(), want.kind == Kind::kUser);
  EXPECT_EQ(got.port.port != 0, want.kind == Kind::kShortPort);
}
INSTANTIATE_TEST_SUITE_P(Table, ServeRouteTest, testing::ValuesIn(kCases),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(ServeRoute, TheAppsPrefixIsWhatStandsInFrontOfItsOwnPaths) {
  const auto prefix = session_app_prefix;
  EXPECT_EQ(prefix("/user/a/c/i/port/5500/x?y"), "/user/a/c/i/port/5500");
  EXPECT_EQ(prefix("/user/a/c/i~2/absport/1"), "/user/a/c/i~2/absport/1");
  EXPECT_EQ(prefix("/user/a/c/i/x"), "/user/a/c/i");
  EXPECT_EQ(prefix("/user/a/c/i"), "/user/a/c/i");
  EXPECT_EQ(prefix("/user/a/c/i/ports"), "") << "hpc-proxy's own page";
  EXPECT_EQ(prefix("/user/a/c/i/port/0/"), "");
  EXPECT_EQ(prefix("/port/5500/"), "") << "not without a session";
  EXPECT_EQ(prefix("/"), "");
}

TEST(ServeRoute, TheMissingSlashComesBeforeTheQuery) {
  EXPECT_EQ(with_slash("/user/a/c/i", ""), "/user/a/c/i/");
  EXPECT_EQ(with_slash("/user/a/c/i", "?q=1"), "/user/a/c/i/?q=1");
}

}  // namespace
}  // namespace hpc
