#include "common/http_rules.h"

#include <gtest/gtest.h>
#include <llhttp.h>

#include <initializer_list>
#include <ostream>
#include <string>
#include <utility>

namespace hpc {
namespace {

using Pairs = std::initializer_list<std::pair<std::string_view, std::string_view>>;

FieldList list(Pairs pairs) {
  FieldList fields;
  for (const auto& [name, value] : pairs) fields.add(name, value);
  return fields;
}

RequestHead head_with(std::string_view method, std::string_view target, Pairs pairs) {
  RequestHead head;
  head.method = method;
  head.target = target;
  head.fields = list(pairs);
  return head;
}

TEST(HttpRulesTest, BytesOfTokensAreThoseOfTheRfc) {
  const std::string_view symbols = "!#$%&'*+-.^_`|~";
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool wanted = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                        (c >= 'A' && c <= 'Z') ||
                        (i != 0 && symbols.find(c) != std::string_view::npos);
    EXPECT_EQ(is_http_token({&c, 1}), wanted) << i;
  }
}

TEST(HttpRulesTest, BytesOfTargetsAndValues) {
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    EXPECT_EQ(end_of_run({&c, 1}, 0, kTargetBytes) == 1, i > 0x20 && i < 0x7f && c != '#') << i;
    EXPECT_EQ(end_of_run({&c, 1}, 0, kValueBytes) == 1, c == '\t' || (i >= 0x20 && i != 0x7f)) << i;
  }
}

TEST(HttpRulesTest, ValuesEndAtTheSameByteEightAtATime) {
  for (int i = 0; i < 256; ++i) {
    for (std::size_t at = 0; at < 20; ++at) {
      std::string text(20, i % 2 == 0 ? 'a' : '\xff');
      text[at] = static_cast<char>(i);
      if (at > 2) text[at - 2] = '\t';
      for (const std::size_t from : {0U, 1U, 9U, 20U}) {
        EXPECT_EQ(end_of_value(text, from), end_of_run(text, from, kValueBytes)) << i << " " << at;
      }
    }
  }
}

TEST(HttpRulesTest, TrimsSpacesAndTabsOnly) {
  EXPECT_EQ(trim_blanks(" \ta b\t "), "a b");
  EXPECT_EQ(trim_blanks(" \t"), "");
  EXPECT_EQ(trim_blanks(""), "");
  EXPECT_EQ(trim_blanks("\va"), "\va");
}

TEST(HttpRulesTest, TakesListsApartEmptyElementsToo) {
  std::string_view text = "a, b ,,c,";
  std::string joined;
  while (text.data() != nullptr) joined += "<" + std::string(next_list_element(text)) + ">";
  EXPECT_EQ(joined, "<a><b><><c><>");
}

TEST(HttpRulesTest, FindsTokensOverSeveralFields) {
  const auto fields = list({{"Connection", "a, B"}, {"connection", "c"}, {"Other", "d"}});
  for (const auto* token : {"A", "b", "C"}) EXPECT_TRUE(lists_token(fields, "Connection", token));
  EXPECT_FALSE(lists_token(fields, "Connection", "d"));
  EXPECT_FALSE(lists_token(fields, "Connection", "a, B"));
  EXPECT_TRUE(lists_token(fields, FieldId::kConnection, "c"));
  EXPECT_FALSE(lists_token(fields, FieldId::kConnection, "d"));
  EXPECT_FALSE(lists_token(fields, FieldId::kUpgrade, "a"));
}

int judged(std::string_view method) {
  const auto verdict = judge_method(method);
  return verdict ? 0 : verdict.error().status;
}

TEST(HttpRulesTest, EveryMethodOfLlhttpPassesButThreeAndItsRtspOnes) {
  std::string refused;
#define HPC_CHECK(number, name, text) refused += judged(#text) == 0 ? "" : #text " ";
  HTTP_METHOD_MAP(HPC_CHECK)
#undef HPC_CHECK
  EXPECT_EQ(refused, "CONNECT TRACE SOURCE ");
}

TEST(HttpRulesTest, MethodsThatAreRefused) {
  EXPECT_EQ(judged("CONNECT"), 405);
  EXPECT_EQ(judged("TRACE"), 405);
  EXPECT_EQ(judged("PRI"), 505);
  EXPECT_EQ(judged("DESCRIBE"), 501);
  EXPECT_EQ(judged("Get"), 501);
  EXPECT_EQ(judged(""), 501);
}

TEST(HttpRulesTest, Versions) {
  EXPECT_EQ(judge_version("HTTP/1.0").value(), 0);
  EXPECT_EQ(judge_version("HTTP/1.1").value(), 1);
  for (const auto* other : {"HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/9.9"}) {
    EXPECT_EQ(judge_version(other).error().status, 505) << other;
  }
  for (const auto* bad : {"", "HTTP/0.9", "HTTP/1", "HTTP/1.", "HTTP/11", "http/1.1", "HTTP/1.x",
                          "HTTP/x.1", "HTTP-1.1", "HTTQ/1.1"}) {
    EXPECT_EQ(judge_version(bad).error().status, 400) << bad;
  }
}

TEST(HttpRulesTest, Hosts) {
  for (const auto* good : {"n01", "n01:9000", "127.0.0.1", "127.0.0.1:1", "a.b-c_d.example:65535",
                           "[::1]", "[::1]:80", "[fe80::1:2]", "[::ffff:10.0.0.1]"}) {
    EXPECT_TRUE(is_valid_host(good)) << good;
  }
  for (const auto* bad :
       {"",    ":80", "n01:",    "n01:0",  "n01:65536",  "n01:123456", "n01:80a", "n01:+1",  "a b",
        "a@b", "a/b", "a?b",     "a#b",    "a,b",        "a\\b",       "a%20b",   "[::1",    "::1",
        "[]",  "[1]", "[::1]80", "[::1]:", "[::1%eth0]", "[g::1]",     "a[::1]",  "\xc3\xa4"}) {
    EXPECT_FALSE(is_valid_host(bad)) << bad;
  }
}

TEST(HttpRulesTest, KeepAliveByVersionAndConnection) {
  EXPECT_TRUE(wants_keep_alive(list({}), 1));
  EXPECT_FALSE(wants_keep_alive(list({}), 0));
  EXPECT_TRUE(wants_keep_alive(list({{"Connection", "Keep-Alive"}}), 0));
  EXPECT_FALSE(wants_keep_alive(list({{"Connection", "close"}}), 1));
  EXPECT_FALSE(wants_keep_alive(list({{"Connection", "keep-alive"}, {"Connection", "CLOSE"}}), 1));
  EXPECT_FALSE(wants_keep_alive(list({{"Connection", "keep-alive, close"}}), 0));
  EXPECT_TRUE(wants_keep_alive(list({{"Proxy-Connection", "close"}}), 1));
}

TEST(HttpRulesTest, LargestContentLengthIs63Bits) {
  const auto framing = request_framing(list({{"Content-Length", "9223372036854775807"}}), 1);
  ASSERT_TRUE(framing.has_value());
  EXPECT_EQ(framing->kind, BodyKind::kLength);
  EXPECT_EQ(framing->length, 9223372036854775807U);
  EXPECT_EQ(request_framing(list({{"Content-Length", "9223372036854775808"}}), 1).error().status,
            400);
}

// llhttp refuses these as well; the rules must not need it.
TEST(HttpRulesTest, AmbiguousFramingIsRefused) {
  const Pairs cases[] = {
      {{"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}},
      {{"Transfer-Encoding", "chunked"}, {"Content-Length", "1"}},
      {{"Content-Length", "1"}, {"Content-Length", "1"}},
      {{"Content-Length", "1"}, {"Content-Length", "2"}},
      {{"Content-Length", "1,1"}},
      {{"Content-Length", ""}},
      {{"Content-Length", "+1"}},
      {{"Content-Length", "-1"}},
      {{"Content-Length", "0x1"}},
      {{"Content-Length", "1_0"}},
      {{"Content-Length", "1 0"}},
  };
  for (const auto& pairs : cases) {
    const auto framing = request_framing(list(pairs), 1);
    ASSERT_FALSE(framing.has_value()) << pairs.begin()->second;
    EXPECT_EQ(framing.error().status, 400);
  }
}

TEST(HttpRulesTest, RequestWithoutFramingHasNoBody) {
  EXPECT_EQ(request_framing(list({}), 1)->kind, BodyKind::kNone);
}

TEST(HttpRulesTest, AnswersWithoutBodyByStatus) {
  const auto fields = list({{"Content-Length", "5"}});
  for (const int status : {100, 101, 103, 204, 304}) {
    EXPECT_EQ(response_framing(fields, 1, status, false)->kind, BodyKind::kNone) << status;
  }
  for (const int status : {200, 201, 205, 206, 301, 404, 500}) {
    EXPECT_EQ(response_framing(fields, 1, status, false)->kind, BodyKind::kLength) << status;
    EXPECT_EQ(response_framing(fields, 1, status, true)->kind, BodyKind::kNone) << status;
    EXPECT_EQ(response_framing(list({}), 1, status, false)->kind, BodyKind::kUntilClose) << status;
  }
}

struct TargetCase {
  const char* name;
  std::string_view method;
  std::string_view target;
  std::string_view origin_form;  // empty: refused
};
void PrintTo(const TargetCase& c, std::ostream* out) { *out << c.name; }

class HttpTargetTest : public testing::TestWithParam<TargetCase> {};

TEST_P(HttpTargetTest, BecomesOriginForm) {
  const auto& want = GetParam();
  auto head = head_with(want.method, want.target, {{"Host", "N01:9000"}});
  const auto verdict = complete_request(head);
  ASSERT_EQ(verdict.has_value(), !want.origin_form.empty());
  if (verdict) {
    EXPECT_EQ(head.target, want.origin_form);
    EXPECT_EQ(head.host, "N01:9000");
  } else {
    EXPECT_EQ(verdict.error().status, 400);
  }
}

constexpr TargetCase kTargetCases[] = {
    {"path", "GET", "/a/../%2e%2e//b?c", "/a/../%2e%2e//b?c"},
    {"two_slashes", "GET", "//n02/", "//n02/"},
    {"absolute", "GET", "http://n01:9000/a?b", "/a?b"},
    {"absolute_upper_case", "GET", "HTTPS://N01:9000/A", "/A"},
    {"absolute_no_path", "GET", "http://n01:9000", "/"},
    {"absolute_query_only", "GET", "http://n01:9000?a", "/?a"},
    {"absolute_options", "OPTIONS", "http://n01:9000", "*"},
    {"absolute_options_query", "OPTIONS", "http://n01:9000?a", "/?a"},
    {"star", "OPTIONS", "*", "*"},
    {"star_get", "GET", "*", ""},
    {"star_and_more", "OPTIONS", "*a", ""},
    {"other_host", "GET", "http://n02:9000/", ""},
    {"no_port", "GET", "http://n01/", ""},
    {"user", "GET", "http://u@n01:9000/", ""},
    {"no_authority", "GET", "http:///a", ""},
    {"one_slash", "GET", "http:/a", ""},
    {"authority_form", "GET", "n01:9000", ""},
    {"other_scheme", "GET", "ws://n01:9000/", ""},
    {"relative", "GET", "a", ""},
};
INSTANTIATE_TEST_SUITE_P(Table, HttpTargetTest, testing::ValuesIn(kTargetCases),
                         [](const auto& made) { return std::string(made.param.name); });

TEST(HttpRulesTest, OnlyHealthzOfHttp10ComesWithoutHost) {
  const auto verdict = [](std::string_view target, int minor) {
    auto head = head_with("GET", target, {});
    head.version_minor = minor;
    return complete_request(head).has_value();
  };
  EXPECT_TRUE(verdict("/healthz", 0));
  EXPECT_TRUE(verdict("/healthz?x", 0));
  EXPECT_FALSE(verdict("/healthz", 1));
  EXPECT_FALSE(verdict("/healthz/", 0));
  EXPECT_FALSE(verdict("/", 0));
}

TEST(HttpRulesTest, ExpectationCountsOnlyWithABodyAndIn11) {
  const auto expects = [](Pairs pairs, int minor) {
    auto head = head_with("POST", "/", pairs);
    head.version_minor = minor;
    EXPECT_TRUE(complete_request(head).has_value());
    return head.expects_continue;
  };
  EXPECT_TRUE(expects({{"Host", "a"}, {"Expect", "100-continue"}, {"Content-Length", "1"}}, 1));
  EXPECT_TRUE(
      expects({{"Host", "a"}, {"Expect", "100-continue"}, {"Transfer-Encoding", "chunked"}}, 1));
  EXPECT_FALSE(expects({{"Host", "a"}, {"Expect", "100-continue"}, {"Content-Length", "1"}}, 0));
  EXPECT_FALSE(expects({{"Host", "a"}, {"Expect", "100-continue"}}, 1));
}

// A handshake with one field changed: is it one still? kRefused: 400.
enum class Upgrade { kYes, kNo, kRefused };
struct UpgradeCase {
  const char* name;
  Upgrade want;
  std::string_view changed = "";  // a field that gets `value`, or is left out if that is empty
  std::string_view value = "";
  std::string_view method = "GET";
  int minor = 1;
};
void PrintTo(const UpgradeCase& c, std::ostream* out) { *out << c.name; }

class WebSocketUpgradeTest : public testing::TestWithParam<UpgradeCase> {};

TEST_P(WebSocketUpgradeTest, IsRecognised) {
  const auto& want = GetParam();
  RequestHead head = head_with(want.method, "/ws", {});
  head.version_minor = want.minor;
  bool changed = false;
  for (const auto& [name, value] : Pairs{{"Host", "n01"},
                                         {"Connection", "keep-alive, Upgrade"},
                                         {"Upgrade", "websocket"},
                                         {"Sec-WebSocket-Version", "13"},
                                         {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}}) {
    if (name != want.changed) {
      head.fields.add(name, value);
    } else {
      changed = true;
      if (!want.value.empty()) head.fields.add(name, want.value);
    }
  }
  if (!changed && !want.changed.empty()) head.fields.add(want.changed, want.value);
  const auto verdict = complete_request(head);
  ASSERT_EQ(verdict.has_value(), want.want != Upgrade::kRefused);
  if (!verdict) {
    EXPECT_EQ(verdict.error().status, 400);
    return;
  }
  EXPECT_EQ(head.websocket_upgrade, want.want == Upgrade::kYes);
  EXPECT_EQ(head.framing.kind, BodyKind::kNone) << "a handshake has no body";
}

constexpr UpgradeCase kUpgradeCases[] = {
    {"plain", Upgrade::kYes},
    {"any_case", Upgrade::kYes, "Upgrade", "WebSocket"},
    {"empty_body", Upgrade::kYes, "Content-Length", "0"},
    {"body", Upgrade::kRefused, "Content-Length", "1"},
    {"chunked_body", Upgrade::kRefused, "Transfer-Encoding", "chunked"},
    {"no_connection", Upgrade::kNo, "Connection"},
    {"connection_without_upgrade", Upgrade::kNo, "Connection", "keep-alive"},
    {"h2c", Upgrade::kNo, "Upgrade", "h2c"},
    {"list", Upgrade::kNo, "Upgrade", "websocket, h2c"},
    {"other_version", Upgrade::kNo, "Sec-WebSocket-Version", "8"},
    {"no_version", Upgrade::kNo, "Sec-WebSocket-Version"},
    {"no_key", Upgrade::kNo, "Sec-WebSocket-Key"},
    {"post", Upgrade::kNo, "", "", "POST"},
    {"http_1_0", Upgrade::kNo, "", "", "GET", 0},
};
INSTANTIATE_TEST_SUITE_P(Table, WebSocketUpgradeTest, testing::ValuesIn(kUpgradeCases),
                         [](const auto& made) { return std::string(made.param.name); });

TEST(HttpRulesTest, HandshakeHasOneKeyThatIsNotEmpty) {
  const auto is_handshake = [](Pairs keys) {
    auto head = head_with("GET", "/ws",
                          {{"Host", "n01"},
                           {"Connection", "Upgrade"},
                           {"Upgrade", "websocket"},
                           {"Sec-WebSocket-Version", "13"}});
    for (const auto& [name, value] : keys) head.fields.add(name, value);
    return complete_request(head).has_value() && head.websocket_upgrade;
  };
  EXPECT_TRUE(is_handshake({{"Sec-WebSocket-Key", "a"}}));
  EXPECT_FALSE(is_handshake({{"Sec-WebSocket-Key", ""}}));
  EXPECT_FALSE(is_handshake({{"Sec-WebSocket-Key", "a"}, {"Sec-WebSocket-Key", "a"}}));
}

TEST(HttpRulesTest, ForbiddenTrailers) {
  for (const auto* name :
       {"content-length", "Transfer-Encoding", "Host", "Connection", "Upgrade", "te", "Trailer",
        "Expect", "Forwarded", "Authorization", "WWW-Authenticate", "Proxy-Authorization",
        "Proxy-Authenticate", "Cookie", "Set-Cookie", "Location", "X-Forwarded-For",
        "X-HPC-Proxy-Token"}) {
    EXPECT_TRUE(is_forbidden_trailer(name)) << name;
  }
  for (const auto* name : {"Expires", "Server-Timing", "X-Forward", "Digest"}) {
    EXPECT_FALSE(is_forbidden_trailer(name)) << name;
  }
}

}  // namespace
}  // namespace hpc
