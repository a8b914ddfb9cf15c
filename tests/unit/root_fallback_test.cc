#include "common/root_fallback.h"

#include <gtest/gtest.h>

#include <ostream>

#include "common/port_route.h"

namespace hpc {
namespace {

constexpr RootFallbackRules kRules{9000, app_prefix};
const std::string kHere = "http://127.0.0.1:9000";

RequestHead request(std::string_view target) {
  RequestHead head;
  head.method = "GET";
  head.target = target;
  head.host = "127.0.0.1:9000";
  return head;
}

RequestHead from_page(std::string_view target, std::string_view referer) {
  auto head = request(target);
  head.fields.add("Referer", referer);
  return head;
}

RequestHead web_socket(std::string_view target, std::string_view cookie) {
  auto head = request(target);
  head.websocket_upgrade = true;
  if (!cookie.empty()) head.fields.add("Cookie", cookie);
  return head;
}

/// Where the request goes on; "" if it stays what it is.
std::string location(const RequestHead& head, bool navigation = false,
                     const RootFallbackRules& rules = kRules) {
  const auto fallback = find_root_fallback(head, navigation, rules);
  if (!fallback) return {};
  EXPECT_EQ(fallback->redirect, !head.websocket_upgrade);
  return fallback->target;
}

struct RefererCase {
  const char* name;
  const char* referer;
  const char* prefix;  // "": none
};
void PrintTo(const RefererCase& c, std::ostream* os) { *os << c.name; }

constexpr RefererCase kReferers[] = {
    {"page", "http://127.0.0.1:9000/port/3000/", "/port/3000"},
    {"deep", "http://127.0.0.1:9000/port/3000/a/b.js?c=/absport/1/", "/port/3000"},
    {"absport", "http://127.0.0.1:9000/absport/3000/a", "/absport/3000"},
    {"absport_bare", "http://127.0.0.1:9000/absport/3000", "/absport/3000"},
    {"app", "http://127.0.0.1:9000/app/", "/app"},
    {"absapp", "http://127.0.0.1:9000/absapp/x", "/absapp"},
    {"query_at_once", "http://127.0.0.1:9000/port/3000?q", "/port/3000"},
    {"fragment", "http://127.0.0.1:9000/port/3000#/port/1/", "/port/3000"},
    {"scheme_in_capitals", "HTTP://127.0.0.1:9000/port/3000/", "/port/3000"},
    {"dots_in_the_query", "http://127.0.0.1:9000/port/3000/?a=/../", "/port/3000"},
    {"slashes_behind_it", "http://127.0.0.1:9000/port/3000//x", "/port/3000"},
    {"escapes_behind_it", "http://127.0.0.1:9000/port/3000/%2e%2f", "/port/3000"},
    {"own_page", "http://127.0.0.1:9000/ports", ""},
    {"start_page", "http://127.0.0.1:9000/", ""},
    {"origin_only", "http://127.0.0.1:9000", ""},
    {"other_host", "http://evil.example/port/3000/", ""},
    {"other_port", "http://127.0.0.1:9001/port/3000/", ""},
    {"no_port", "http://127.0.0.1/port/3000/", ""},
    {"other_name_for_us", "http://localhost:9000/port/3000/", ""},
    {"other_scheme", "https://127.0.0.1:9000/port/3000/", ""},
    {"ws_scheme", "ws://127.0.0.1:9000/port/3000/", ""},
    {"no_scheme", "//127.0.0.1:9000/port/3000/", ""},
    {"path_only", "/port/3000/", ""},
    {"about", "about:client", ""},
    {"user_name", "http://a@127.0.0.1:9000/port/3000/", ""},
    {"host_as_user_name", "http://127.0.0.1:9000@evil.example/port/3000/", ""},
    {"backslash_host", "http://127.0.0.1:9000\\@evil.example/port/3000/", ""},
    {"host_in_the_path", "http://evil.example/http://127.0.0.1:9000/port/3000/", ""},
    {"suffix_host", "http://127.0.0.1:9000.evil.example/port/3000/", ""},
    {"double_slash", "http://127.0.0.1:9000//port/3000/", ""},
    {"encoded_slash", "http://127.0.0.1:9000/port%2f3000/", ""},
    {"encoded_slash_after", "http://127.0.0.1:9000/port/3000%2fx", ""},
    {"encoded_letter", "http://127.0.0.1:9000/%70ort/3000/", ""},
    {"leading_zero", "http://127.0.0.1:9000/port/03000/", ""},
    {"port_too_high", "http://127.0.0.1:9000/port/65536/", ""},
    {"dot_segments_out", "http://127.0.0.1:9000/port/3000/../4000/", ""},
    {"dot_segments_encoded", "http://127.0.0.1:9000/port/3000/%2e%2E/", ""},
    {"dot_segments_in", "http://127.0.0.1:9000/x/../port/3000/", ""},
    {"empty", "", ""},
};

class FallbackRefererTest : public testing::TestWithParam<RefererCase> {};

TEST_P(FallbackRefererTest, TellsTheApp) {
  const std::string prefix = GetParam().prefix;
  EXPECT_EQ(location(from_page("/x.js?v=1", GetParam().referer)),
            prefix.empty() ? prefix : prefix + "/x.js?v=1");
}
INSTANTIATE_TEST_SUITE_P(Table, FallbackRefererTest, testing::ValuesIn(kReferers),
                         [](const auto& c) { return c.param.name; });

TEST(RootFallbackTest, NoRefererOrTwoTellNothing) {
  EXPECT_EQ(location(request("/x.js")), "");
  auto head = from_page("/x.js", kHere + "/port/3000/");
  head.fields.add("Referer", kHere + "/port/3000/");
  EXPECT_EQ(location(head), "");
}

struct TargetCase {
  const char* name;
  const char* target;
  bool passes;           // a script's request goes to the app
  bool navigation_does;  // a person's does
};
void PrintTo(const TargetCase& c, std::ostream* os) { *os << c.name; }

constexpr TargetCase kTargets[] = {
    {"asset", "/_next/static/x.js?v=1", true, true},
    {"root", "/", true, true},
    {"root_with_query", "/?token=1", true, true},
    {"bytes_stay", "/a%2f%2E%2e%c3//b?/../", true, true},
    {"other_host", "//evil.example/x", true, true},
    {"backslash", "/\\evil.example", true, true},
    {"no_port_route", "/port/abc", true, true},
    {"like_a_route", "/apps/x", true, true},
    {"like_ports", "/ports/x", true, true},
    {"like_login", "/login/x", true, true},
    {"like_api", "/api/v10/x", true, true},
    {"other_api", "/api/v2/x", true, true},
    {"like_ours", "/.hpc-proxyx", true, true},
    {"ports", "/ports", true, false},
    {"status", "/status?x", true, false},
    {"metrics", "/metrics", true, false},
    {"healthz", "/healthz", true, false},
    {"login", "/login", false, false},
    {"login_with_query", "/login?next=/", false, false},
    {"logout", "/logout", false, false},
    {"api", "/api/v1/sessions", false, false},
    {"api_bare", "/api/v1", false, false},
    {"hello", "/.hpc-proxy/hello?nonce=1", false, false},
    {"ours_bare", "/.hpc-proxy", false, false},
    {"managers", "/.hpc-manager/open?key=1", false, false},
    {"under_a_prefix", "/port/3000/x.js", false, false},
    {"other_prefix", "/absport/4000/x.js", false, false},
    {"bare_prefix", "/app", false, false},
    {"asterisk", "*", false, false},
    {"empty", "", false, false},
    {"dots_out", "/../absport/1/x", false, false},
    {"dots_encoded", "/a/%2e%2e/x", false, false},
    {"dots_with_backslashes", "/..\\..\\x", false, false},
};

class FallbackTargetTest : public testing::TestWithParam<TargetCase> {};

TEST_P(FallbackTargetTest, BelongsToTheAppOrToUs) {
  const std::string target = GetParam().target;
  const auto head = from_page(target, kHere + "/port/3000/");
  EXPECT_EQ(location(head), GetParam().passes ? "/port/3000" + target : "");
  EXPECT_EQ(location(head, true), GetParam().navigation_does ? "/port/3000" + target : "");
}
INSTANTIATE_TEST_SUITE_P(Table, FallbackTargetTest, testing::ValuesIn(kTargets),
                         [](const auto& c) { return c.param.name; });

TEST(RootFallbackTest, TheRedirectedRequestIsLeftAlone) {
  const auto first = location(from_page("/x.js", kHere + "/port/3000/"));
  EXPECT_EQ(location(from_page(first, kHere + "/port/3000/")), "") << "no circle";
}

TEST(RootFallbackTest, EveryMethodGoesOn) {
  for (const char* method : {"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"}) {
    auto head = from_page("/api/x", kHere + "/port/3000/");
    head.method = method;
    EXPECT_EQ(location(head), "/port/3000/api/x") << method;
  }
}

TEST(RootFallbackTest, TheBrowsersSchemeCounts) {
  RootFallbackRules rules = kRules;
  rules.scheme = "https";
  auto head = from_page("/x.js", "https://hpc.example.org:443/port/3000/");
  head.host = "hpc.example.org";
  EXPECT_EQ(location(head, false, rules), "/port/3000/x.js");
  head = from_page("/x.js", "http://hpc.example.org/port/3000/");
  head.host = "hpc.example.org";
  EXPECT_EQ(location(head, false, rules), "");
}

std::string_view session_prefix(std::string_view target) {
  constexpr std::string_view kSession = "/user/u/c/i";
  return target.starts_with(kSession) ? target.substr(0, kSession.size()) : std::string_view();
}

TEST(RootFallbackTest, EachProgramKnowsItsOwnPrefixes) {
  const RootFallbackRules rules{9000, session_prefix};
  EXPECT_EQ(location(from_page("/x.js", kHere + "/user/u/c/i/"), false, rules), "/user/u/c/i/x.js");
  EXPECT_EQ(location(from_page("/x.js", kHere + "/port/3000/"), false, rules), "");
  EXPECT_EQ(location(web_socket("/ws", "hpc-last-app-9000=/user/u/c/i"), false, rules),
            "/user/u/c/i/ws");
}

struct CookieCase {
  const char* name;
  const char* cookie;
  const char* prefix;  // "": none
};
void PrintTo(const CookieCase& c, std::ostream* os) { *os << c.name; }

constexpr CookieCase kCookies[] = {
    {"port", "hpc-last-app-9000=/port/3000", "/port/3000"},
    {"absport", "hpc-last-app-9000=/absport/65535", "/absport/65535"},
    {"app", "hpc-last-app-9000=/app", "/app"},
    {"among_others", "a=1; hpc-last-app-9000=/absapp; b=/port/1", "/absapp"},
    {"beside_another_ports", "hpc-last-app-9001=/port/1; hpc-last-app-9000=/app", "/app"},
    {"none", "", ""},
    {"another_ports", "hpc-last-app-9001=/port/3000", ""},
    {"longer_name", "hpc-last-app-90001=/port/3000", ""},
    {"other_case", "Hpc-Last-App-9000=/port/3000", ""},
    {"nameless", "=hpc-last-app-9000=/port/3000", ""},
    {"twice", "hpc-last-app-9000=/port/3000; hpc-last-app-9000=/port/3000", ""},
    {"no_value", "hpc-last-app-9000", ""},
    {"empty_value", "hpc-last-app-9000=", ""},
    {"quoted", "hpc-last-app-9000=\"/port/3000\"", ""},
    {"slash_behind", "hpc-last-app-9000=/port/3000/", ""},
    {"query_behind", "hpc-last-app-9000=/port/3000?x", ""},
    {"path_behind", "hpc-last-app-9000=/port/3000/x", ""},
    {"blank_inside", "hpc-last-app-9000=/port/3000 x", ""},
    {"leading_zero", "hpc-last-app-9000=/port/03000", ""},
    {"port_zero", "hpc-last-app-9000=/port/0", ""},
    {"port_too_high", "hpc-last-app-9000=/port/65536", ""},
    {"dots", "hpc-last-app-9000=/port/3000/../..", ""},
    {"other_host", "hpc-last-app-9000=//evil.example/port/3000", ""},
    {"url", "hpc-last-app-9000=http://127.0.0.1:9000/port/3000", ""},
    {"encoded", "hpc-last-app-9000=%2fport%2f3000", ""},
    {"root", "hpc-last-app-9000=/", ""},
    {"own_page", "hpc-last-app-9000=/status", ""},
};

class LastAppCookieTest : public testing::TestWithParam<CookieCase> {};

TEST_P(LastAppCookieTest, TellsAWebSocketsApp) {
  const std::string prefix = GetParam().prefix;
  EXPECT_EQ(location(web_socket("/ws?t=1", GetParam().cookie)),
            prefix.empty() ? prefix : prefix + "/ws?t=1");
}
INSTANTIATE_TEST_SUITE_P(Table, LastAppCookieTest, testing::ValuesIn(kCookies),
                         [](const auto& c) { return c.param.name; });

TEST(RootFallbackTest, AWebSocketIsNeverANavigation) {
  const char* cookie = "hpc-last-app-9000=/port/3000";
  EXPECT_EQ(location(web_socket("/status", cookie), true), "/port/3000/status");
  EXPECT_EQ(location(web_socket("/port/4000/", cookie)), "");
  EXPECT_EQ(location(web_socket("/api/v1/events", cookie)), "");
  EXPECT_EQ(location(web_socket("/.hpc-proxy/hello", cookie)), "");
  EXPECT_EQ(location(web_socket("/a/../b", cookie)), "/port/3000/a/../b") << "nobody resolves it";
}

TEST(RootFallbackTest, TheCookieIsForWebSocketsAndTheRefererForAllElse) {
  auto socket = web_socket("/ws", "");
  socket.fields.add("Referer", kHere + "/port/3000/");
  EXPECT_EQ(location(socket), "");
  auto asset = request("/x.js");
  asset.fields.add("Cookie", "hpc-last-app-9000=/port/3000");
  EXPECT_EQ(location(asset), "");
}

TEST(RootFallbackTest, TheCookieThatIsSetIsTheCookieThatIsRead) {
  const auto set = last_app_set_cookie(9000, "/port/3000");
  EXPECT_EQ(set, "hpc-last-app-9000=/port/3000; Path=/; HttpOnly; SameSite=Lax");
  EXPECT_EQ(location(web_socket("/", set.substr(0, set.find(';')))), "/port/3000/");
}

}  // namespace
}  // namespace hpc
