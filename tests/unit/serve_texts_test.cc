#include "manager/serve_texts.h"

#include <gtest/gtest.h>

#include <functional>
#include <ostream>

namespace hpc {
namespace {

// One text and what it is read as; want "" is a refusal, whose detail must hold the text itself.
struct TextCase {
  const char* name;
  const char* text;
  const char* want;
};
void PrintTo(const TextCase& c, std::ostream* os) { *os << c.name; }

void expect_texts(const TextCase& c, const Result<std::string>& got) {
  if (*c.want == '\0') {
    ASSERT_FALSE(got.has_value()) << *got;
    EXPECT_EQ(got.error().code, Errc::kConfig);
    EXPECT_NE(got.error().detail.find(("'" + std::string(c.text)).substr(0, 200)),
              std::string::npos)
        << got.error().detail;
    return;
  }
  ASSERT_TRUE(got.has_value()) << got.error().detail;
  EXPECT_EQ(*got, c.want);
}

template <class T>
Result<std::string> shown(const Result<T>& value,
                          const std::function<std::string(const T&)>& show) {
  if (!value) return tl::unexpected(value.error());
  return show(*value);
}

class ListenAddressTest : public ::testing::TestWithParam<TextCase> {};
TEST_P(ListenAddressTest, Parses) {
  expect_texts(GetParam(), shown<ListenAddress>(parse_listen_address(GetParam().text), [](auto& a) {
                 return a.address + " " + std::to_string(a.port);
               }));
}
INSTANTIATE_TEST_SUITE_P(
    All, ListenAddressTest,
    ::testing::Values(TextCase{"v4", "127.0.0.1:8000", "127.0.0.1 8000"},
                      TextCase{"any", "0.0.0.0:443", "0.0.0.0 443"},
                      TextCase{"v6", "[::1]:8000", "::1 8000"},
                      TextCase{"free", "127.0.0.1:0", "127.0.0.1 0"},
                      TextCase{"highest", "127.0.0.1:65535", "127.0.0.1 65535"},
                      TextCase{"too_high", "127.0.0.1:65536", ""},
                      TextCase{"name", "localhost:8000", ""}, TextCase{"no_port", "127.0.0.1", ""},
                      TextCase{"empty_port", "127.0.0.1:", ""}, TextCase{"only_port", "8000", ""},
                      TextCase{"no_address", ":8000", ""}, TextCase{"bare_v6", "::1:8000", ""},
                      TextCase{"v4_in_brackets", "[127.0.0.1]:8000", ""},
                      TextCase{"junk", "[::1]x:8000", ""}, TextCase{"open", "[::1:8000", ""},
                      TextCase{"empty", "", ""}),
    [](const auto& test) { return test.param.name; });

class PublicUrlTest : public ::testing::TestWithParam<TextCase> {};
TEST_P(PublicUrlTest, Parses) {
  expect_texts(GetParam(), shown<PublicUrl>(parse_public_url(GetParam().text),
                                            [](auto& url) { return url.text(); }));
}
INSTANTIATE_TEST_SUITE_P(
    All, PublicUrlTest,
    ::testing::Values(
        TextCase{"plain", "https://hpc.example.org", "https://hpc.example.org"},
        TextCase{"slash", "https://hpc.example.org/", "https://hpc.example.org"},
        TextCase{"upper", "https://HPC.Example.org", "https://hpc.example.org"},
        TextCase{"port", "https://hpc.example.org:8443", "https://hpc.example.org:8443"},
        TextCase{"own_port", "https://hpc.example.org:443", "https://hpc.example.org"},
        TextCase{"http_own_port", "http://hpc.example.org:80", "http://hpc.example.org"},
        TextCase{"http_443", "http://127.0.0.1:443", "http://127.0.0.1:443"},
        TextCase{"v6", "http://[::1]:8000", "http://[::1]:8000"},
        TextCase{"path", "https://hpc.example.org/manager", ""},
        TextCase{"two_slashes", "https://hpc.example.org//", ""},
        TextCase{"query", "https://hpc.example.org?a", ""},
        TextCase{"user", "https://me@hpc.example.org", ""},
        TextCase{"no_scheme", "hpc.example.org", ""},
        TextCase{"other_scheme", "ftp://hpc.example.org", ""},
        TextCase{"upper_scheme", "HTTPS://hpc.example.org", ""},
        TextCase{"no_host", "https://", ""}, TextCase{"no_host_but_port", "https://:443", ""},
        TextCase{"port_zero", "https://hpc.example.org:0", ""},
        TextCase{"port_high", "https://hpc.example.org:65536", ""},
        TextCase{"port_empty", "https://hpc.example.org:", ""},
        TextCase{"blank", "https://hpc example.org", ""},
        TextCase{"line_end", "https://hpc.example.org\n", ""},
        TextCase{"bad_v6", "https://[::g]", ""}, TextCase{"twice", "https://http://a", ""}),
    [](const auto& test) { return test.param.name; });

class NetworkTest : public ::testing::TestWithParam<TextCase> {};
TEST_P(NetworkTest, Parses) { expect_texts(GetParam(), parse_network(GetParam().text)); }
INSTANTIATE_TEST_SUITE_P(
    All, NetworkTest,
    ::testing::Values(
        TextCase{"network", "10.0.0.0/8", "10.0.0.0/8"},
        TextCase{"host", "10.1.2.3", "10.1.2.3/32"},
        TextCase{"host_with_length", "10.1.2.3/32", "10.1.2.3/32"},
        TextCase{"v6", "fd00::/8", "fd00::/8"}, TextCase{"v6_host", "::1", "::1/128"},
        TextCase{"half", "128.0.0.0/1", "128.0.0.0/1"}, TextCase{"everybody", "0.0.0.0/0", ""},
        TextCase{"everybody_v6", "::/0", ""}, TextCase{"too_long", "10.0.0.0/33", ""},
        TextCase{"too_long_v6", "::1/129", ""}, TextCase{"host_bits", "10.0.0.1/8", ""},
        TextCase{"last_host_bit", "10.0.0.1/31", ""}, TextCase{"name", "proxy.example.org", ""},
        TextCase{"empty_length", "10.0.0.0/", ""}, TextCase{"negative", "10.0.0.0/-8", ""},
        TextCase{"empty", "", ""}, TextCase{"short_address", "10.0.0/8", ""}),
    [](const auto& test) { return test.param.name; });

class ClusterTextTest : public ::testing::TestWithParam<TextCase> {};
TEST_P(ClusterTextTest, Parses) {
  expect_texts(GetParam(), shown<ClusterOption>(parse_cluster(GetParam().text), [](auto& c) {
                 return c.name + " " + c.target.user.value_or("-") + " " + c.target.host + " " +
                        std::to_string(c.target.port.value_or(0));
               }));
}
const std::string kName64(64, 'a');
const std::string kCluster64 = kName64 + "=h";
const std::string kCluster64Want = kName64 + " - h 0";
const std::string kCluster65 = "a" + kName64 + "=h";
INSTANTIATE_TEST_SUITE_P(
    All, ClusterTextTest,
    ::testing::Values(TextCase{"plain", "main=login01", "main - login01 0"},
                      TextCase{"all", "main=alice@login01:2222", "main alice login01 2222"},
                      TextCase{"v6", "main=[fd00::1]:22", "main - fd00::1 22"},
                      TextCase{"longest_name", kCluster64.c_str(), kCluster64Want.c_str()},
                      TextCase{"name_too_long", kCluster65.c_str(), ""},
                      TextCase{"upper", "Main=login01", ""}, TextCase{"no_name", "=login01", ""},
                      TextCase{"no_host", "main=", ""}, TextCase{"only_host", "login01", ""},
                      TextCase{"option", "main=-oProxyCommand=x", ""},
                      TextCase{"slash", "a/b=login01", ""}),
    [](const auto& test) { return test.param.name; });

class UserMapTest : public ::testing::TestWithParam<TextCase> {};
TEST_P(UserMapTest, Parses) {
  expect_texts(GetParam(), shown<UserMapRule>(parse_user_map(GetParam().text), [](auto& rule) {
                 return rule.pattern + " -> " + rule.replacement;
               }));
}
const std::string kRule256 = std::string(254, 'a') + "=b";
const std::string kRule256Want = std::string(254, 'a') + " -> b";
const std::string kRule257 = "a" + kRule256;
INSTANTIATE_TEST_SUITE_P(
    All, UserMapTest,
    ::testing::Values(TextCase{"mail", R"((.+)@example\.org=$1)", R"((.+)@example\.org -> $1)"},
                      TextCase{"equals_in_pattern", "(?=a).*=b", "(?=a).* -> b"},
                      TextCase{"constant", "root@x=ops", "root@x -> ops"},
                      TextCase{"two_groups", "(a)(b)=$2.$1", "(a)(b) -> $2.$1"},
                      TextCase{"longest", kRule256.c_str(), kRule256Want.c_str()},
                      TextCase{"too_long", kRule257.c_str(), ""},
                      TextCase{"too_few_groups", "(a)=$2", ""}, TextCase{"no_group", "a=$1", ""},
                      TextCase{"non_capturing", "(?:a)=$1", ""},
                      TextCase{"bad_expression", "(a=b", ""}, TextCase{"bad_range", "[b-a]=x", ""},
                      TextCase{"no_equals", "a", ""}, TextCase{"no_pattern", "=a", ""},
                      TextCase{"no_replacement", "a=", ""}, TextCase{"whole_match", "a=$&", ""},
                      TextCase{"dollar_end", "a=b$", ""}, TextCase{"group_zero", "(a)=$0", ""},
                      TextCase{"two_digits", "(a)=$10", ""}, TextCase{"backslash", R"((a)=\1)", ""},
                      TextCase{"upper", "a=B", ""}, TextCase{"slash", "a=b/c", ""}),
    [](const auto& test) { return test.param.name; });

class NamedPortsTest : public ::testing::TestWithParam<TextCase> {};
TEST_P(NamedPortsTest, Parses) {
  expect_texts(GetParam(), shown<NamedPortRange>(parse_named_ports(GetParam().text), [](auto& r) {
                 return r.name + " " + std::to_string(r.first) + " " + std::to_string(r.last);
               }));
}
INSTANTIATE_TEST_SUITE_P(All, NamedPortsTest,
                         ::testing::Values(TextCase{"plain", "vnc=6901-6999", "vnc 6901 6999"},
                                           TextCase{"one_port", "vnc=6901-6901", "vnc 6901 6901"},
                                           TextCase{"all", "vnc=1024-65535", "vnc 1024 65535"},
                                           TextCase{"too_low", "vnc=1023-6999", ""},
                                           TextCase{"too_high", "vnc=6901-65536", ""},
                                           TextCase{"backwards", "vnc=6999-6901", ""},
                                           TextCase{"one", "vnc=6901", ""},
                                           TextCase{"no_name", "6901-6999", ""},
                                           TextCase{"bad_name", "VNC=6901-6999", ""},
                                           TextCase{"name_of_local_ports", "local=6901-6999", ""},
                                           TextCase{"blank", "vnc=6901 - 6999", ""}),
                         [](const auto& test) { return test.param.name; });

class LifetimeTest : public ::testing::TestWithParam<TextCase> {};
TEST_P(LifetimeTest, Parses) {
  expect_texts(GetParam(), shown<std::int64_t>(parse_lifetime(GetParam().text),
                                               [](auto& ms) { return std::to_string(ms); }));
}
INSTANTIATE_TEST_SUITE_P(
    All, LifetimeTest,
    ::testing::Values(TextCase{"days", "7d", "604800000"}, TextCase{"hours", "12h", "43200000"},
                      TextCase{"minutes", "30m", "1800000"}, TextCase{"seconds", "90s", "90000"},
                      TextCase{"shortest", "60s", "60000"}, TextCase{"too_short", "59s", ""},
                      TextCase{"longest", "365d", "31536000000"}, TextCase{"too_long", "366d", ""},
                      TextCase{"one_second_too_long", "31536001s", ""},
                      TextCase{"no_unit", "90", ""}, TextCase{"no_number", "d", ""},
                      TextCase{"fraction", "1.5d", ""}, TextCase{"negative", "-1d", ""},
                      TextCase{"huge", "999999999999999d", ""}, TextCase{"empty", "", ""}),
    [](const auto& test) { return test.param.name; });

class IdentityPatternTest : public ::testing::TestWithParam<TextCase> {};
TEST_P(IdentityPatternTest, Parses) {
  expect_texts(GetParam(), parse_identity_pattern(GetParam().text));
}
INSTANTIATE_TEST_SUITE_P(All, IdentityPatternTest,
                         ::testing::Values(TextCase{"user", "/keys/%u", "/keys/%u"},
                                           TextCase{"percent", "/k%%/%u", "/k%%/%u"},
                                           TextCase{"none", "/keys/a", "/keys/a"},
                                           TextCase{"host", "/keys/%h", ""},
                                           TextCase{"end", "/keys/%", ""},
                                           TextCase{"behind_percent", "/keys/%%%x", ""}),
                         [](const auto& test) { return test.param.name; });

TEST(ServeTextsTest, NumbersAtTheLimitAndOnePast) {
  EXPECT_EQ(parse_number("5", 5, 10), 5U);
  EXPECT_EQ(parse_number("10", 5, 10), 10U);
  for (const char* text : {"4", "11", "", "+5", "-5", "5.0", "0x5", " 5", "9999999999999999"}) {
    EXPECT_FALSE(parse_number(text, 5, 10).has_value()) << text;
  }
}

TEST(ServeTextsTest, HomeIsPutInFrontOfATildeOnly) {
  EXPECT_EQ(expand_home("~/keys/%u", "/home/hpc"), "/home/hpc/keys/%u");
  EXPECT_EQ(expand_home("/a/~/b", "/home/hpc"), "/a/~/b");
  EXPECT_EQ(expand_home("~other/b", "/home/hpc"), "~other/b");
  EXPECT_EQ(expand_home("~/b", ""), "~/b");
}

}  // namespace
}  // namespace hpc
