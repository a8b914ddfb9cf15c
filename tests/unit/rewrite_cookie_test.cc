#include "node-proxy/rewrite_cookie.h"

#include <gtest/gtest.h>

#include "tests/support/rewrite_cases.h"

namespace hpc {
namespace {

// Nothing at the end: it passes as it is.
constexpr RewriteCase kSetCookies[] = {
    {"no_path_is_the_browsers", "a=1; HttpOnly"},
    {"root", "a=1; Path=/", "a=1; Path={P}/"},
    {"path", "a=1; path=/x", "a=1; Path={P}/x"},
    {"path_stays_in_its_place", "a=1; Path=/x; HttpOnly; SameSite=Lax",
     "a=1; Path={P}/x; HttpOnly; SameSite=Lax"},
    {"blanks_around_path", "a=1;  Path\t=  /x ;Secure", "a=1; Path={P}/x;Secure"},
    {"under_prefix", "a=1; Path={P}/x", "a=1; Path={P}/x"},
    {"prefix_itself", "a=1; Path={P}", "a=1; Path={P}"},
    {"neighbour", "a=1; Path={P}1", "a=1; Path={P}{P}1"},
    {"dots_are_letters", "a=1; Path=/../x", "a=1; Path={P}/../x"},
    {"two_slashes", "a=1; Path=//x", "a=1; Path={P}//x"},
    {"last_path_counts", "a=1; Path=/x; Secure; Path=/y", "a=1; Path={P}/y; Secure"},
    {"last_path_is_none", "a=1; Path=/x; Path=", "a=1"},
    {"relative_path", "a=1; Path=x; Secure", "a=1; Secure"},
    {"path_in_quotes", "a=1; Path=\"/\"", "a=1"},
    {"path_without_value", "a=1; Path", "a=1"},
    {"domain", "a=1; Domain=example.org; Secure", "a=1; Secure"},
    {"domains", "a=1; DOMAIN=.localhost;domain;Domain=", "a=1"},
    {"domain_and_path", "a=1; domain=x; Path=/", "a=1; Path={P}/"},
    {"similar_names", "a=1; Paths=/; XDomain=x"},
    {"names_in_the_pair", "Path=/; Secure"},
    {"domain_in_the_pair", "Domain=x"},
    {"value_with_equals", "a=b=c; Max-Age=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT"},
    {"value_in_quotes_ends_at_semicolon", "a=\"x; Path=/\"", "a=\"x; Path={P}/\""},
    {"host_mark", "__Host-a=1; Path=/; Secure", "__Secure-a=1; Path={P}/; Secure"},
    {"host_mark_and_blanks", " __Host-a = 1;Secure;Path=/", "__Secure-a = 1;Secure; Path={P}/"},
    {"secure_mark", "__Secure-a=1; Path=/; Secure", "__Secure-a=1; Path={P}/; Secure"},
    {"host_mark_in_value", "a=__Host-b"},
    {"host_mark_without_value", "__Host-a", "__Secure-a"},
    {"nameless_host_mark", "=__Host-a=1"},
    {"other_case_is_another_name", "__host-a=1; Secure"},
    {"deletion", "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
     "a=; Path={P}/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"},
    {"semicolon_at_the_end", "a=1; Path=/;", "a=1; Path={P}/;"},
    {"semicolons_only", ";;;"},
    {"equals_only", "=;=;="},
    {"empty", ""},
    {"bytes", "a=\xff\xfe; Path=/\xff", "a=\xff\xfe; Path={P}/\xff"},
};

class SetCookieTest : public testing::TestWithParam<RewriteCase> {};

TEST_P(SetCookieTest, StaysUnderThePrefix) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    const std::string value = filled(row.value, way);
    const std::string out = rewrite_set_cookie(value, context_of(way));
    EXPECT_EQ(out, wanted(row, way).value_or(value));
    EXPECT_EQ(rewrite_set_cookie(out, context_of(way)), out) << "once is enough";
  }
}
INSTANTIATE_TEST_SUITE_P(Table, SetCookieTest, testing::ValuesIn(kSetCookies));

TEST(SetCookieTest, BarePrefixGetsAPathBecauseItsFolderIsEverybodys) {
  auto context = context_of(kWaysIn[0]);
  context.bare_prefix = true;
  EXPECT_EQ(rewrite_set_cookie("a=1", context), "a=1; Path=/port/5500/");
  EXPECT_EQ(rewrite_set_cookie("a=1; Path=x; Secure", context), "a=1; Path=/port/5500/; Secure");
  EXPECT_EQ(rewrite_set_cookie("a=1; Path=/x", context), "a=1; Path=/port/5500/x");
}

TEST(SetCookieTest, ManyPathsDoNotMultiplyThePrefix) {
  auto context = context_of(kWaysIn[0]);
  context.prefix = "/" + std::string(2000, 'p');
  std::string value = "a=1";
  while (value.size() < std::size_t{64} * 1024) value += ";Path=/";
  EXPECT_EQ(rewrite_set_cookie(value, context), "a=1; Path=" + context.prefix + "/");
}

constexpr RewriteCase kCookies[] = {
    {"plain", "a=1; b=2"},
    {"bytes_stay_when_untouched", "a=1;b=\"x;  c; __Host-d=1"},
    {"mark_in_a_value", "a=__Secure-b"},
    {"mark_in_a_name", "x__Secure-b=1"},
    {"other_case", "__secure-b=1"},
    {"both_names", "__Secure-a=1", "__Host-a=1; __Secure-a=1"},
    {"among_others", "x=1; __Secure-a=1;y=2", "x=1; __Host-a=1; __Secure-a=1; y=2"},
    {"several", "__Secure-a=1; __Secure-b=2", "__Host-a=1; __Secure-a=1; __Host-b=2; __Secure-b=2"},
    {"value_with_equals", "__Secure-a=b=c", "__Host-a=b=c; __Secure-a=b=c"},
    {"mark_alone", "__Secure-", "__Host-; __Secure-"},
    {"empty_pairs", ";; __Secure-a=1 ;", "__Host-a=1; __Secure-a=1"},
    {"empty", ""},
};

class CookieForAppTest : public testing::TestWithParam<RewriteCase> {};

TEST_P(CookieForAppTest, HasBothNames) {
  EXPECT_EQ(rewrite_cookie(GetParam().value), wanted(GetParam(), kWaysIn[0]));
}
INSTANTIATE_TEST_SUITE_P(Table, CookieForAppTest, testing::ValuesIn(kCookies));

TEST(CookieForAppTest, IsAtMostTwiceWhatCame) {
  std::string value;
  while (value.size() < std::size_t{64} * 1024) value += "__Secure-;";
  const auto out = rewrite_cookie(value);
  ASSERT_TRUE(out);
  EXPECT_LE(out->size(), 2 * value.size());
}

TEST(CookieForAppTest, WhatWasSetComesBack) {
  const auto context = context_of(kWaysIn[0]);
  for (const std::string name : {"__Host-sid", "__Secure-sid", "sid"}) {
    const auto out = rewrite_set_cookie(name + "=1; Path=/; Secure", context);
    const auto pair = out.substr(0, out.find(';'));
    const std::string back = "; " + rewrite_cookie(pair).value_or(pair) + ";";
    EXPECT_NE(back.find("; " + name + "=1;"), std::string::npos) << back;
  }
}

}  // namespace
}  // namespace hpc
