#include "common/authority.h"

#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

struct AuthorityCase {
  const char* name;
  const char* text;
  const char* host;  // nullptr: refused
  unsigned port = 0;
};
void PrintTo(const AuthorityCase& c, std::ostream* os) { *os << c.name; }

constexpr AuthorityCase kCases[] = {
    {"name", "localhost", "localhost"},
    {"name_and_port", "localhost:5500", "localhost", 5500},
    {"v6", "[::1]", "[::1]"},
    {"v6_and_port", "[::1]:65535", "[::1]", 65535},
    {"port_too_high", "a:65536", nullptr},
    {"port_zero", "a:0", nullptr},
    {"port_empty", "a:", nullptr},
    {"port_junk", "a:80x", nullptr},
    {"port_sign", "a:+80", nullptr},
    {"two_ports", "a:1:2", nullptr},
    {"v6_open", "[::1", nullptr},
    {"v6_junk", "[::1]x", nullptr},
    {"no_host", ":80", nullptr},
    {"empty", "", nullptr},
};

class AuthorityTest : public testing::TestWithParam<AuthorityCase> {};

TEST_P(AuthorityTest, IsTakenApart) {
  const auto got = parse_authority(GetParam().text);
  ASSERT_EQ(got.has_value(), GetParam().host != nullptr);
  if (!got) return;
  EXPECT_EQ(got->host, GetParam().host);
  EXPECT_EQ(got->port, GetParam().port);
}
INSTANTIATE_TEST_SUITE_P(Table, AuthorityTest, testing::ValuesIn(kCases));

TEST(AuthorityTest, ComparesWithTheDefaultPortOfTheScheme) {
  EXPECT_TRUE(same_authority({"A", 0}, {"a", 80}, "http"));
  EXPECT_TRUE(same_authority({"a", 443}, {"a", 0}, "https"));
  EXPECT_FALSE(same_authority({"a", 0}, {"a", 80}, "https"));
  EXPECT_FALSE(same_authority({"a", 0}, {"b", 0}, "http"));
}

TEST(HostUrlTest, IsTakenApart) {
  const auto url = parse_host_url("HTTP://a@b:1?x/y");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->origin, "HTTP://a@b:1");
  EXPECT_EQ(url->scheme, "HTTP");
  EXPECT_EQ(url->authority, "a@b:1");
  EXPECT_EQ(url->rest, "?x/y");
  EXPECT_EQ(parse_host_url("//b/x")->authority, "b");
  for (const char* text : {"", "/", "/x", "x", "http:/x", "http", "ftp://a/", "ws://a/", " //a"}) {
    EXPECT_FALSE(parse_host_url(text).has_value()) << text;
  }
}

TEST(DotSegmentTest, IsFoundHoweverItIsWritten) {
  for (const char* path : {"/..", "/.", "..", "/a/../b", "/a/%2e%2E/b", "/a/.%2e", "/%2e", "/a/./b",
                           "/a\\..\\b", "/..\\", "//..//"}) {
    EXPECT_TRUE(has_dot_segment(path)) << path;
  }
  for (const char* path : {"", "/", "//", "/a", "/...", "/.a", "/a.", "/..a", "/%2e%2e%2e", "/%2",
                           "/%252e%252e", "/a..b/", "/%2f.."}) {
    EXPECT_FALSE(has_dot_segment(path)) << path;
  }
}

}  // namespace
}  // namespace hpc
