#include "node-proxy/rewrite_location.h"

#include <gtest/gtest.h>

#include "tests/support/rewrite_cases.h"

namespace hpc {
namespace {

constexpr RewriteCase kLocations[] = {
    {"root", "/", "{P}/"},
    {"path", "/x/y", "{P}/x/y"},
    {"query_and_fragment", "/x?next=/a%2Fb&u=http://localhost:5500/#/c",  //
     "{P}/x?next=/a%2Fb&u=http://localhost:5500/#/c"},
    {"escapes", "/a%2Fb/%2e%2e/c", "{P}/a%2Fb/%2e%2e/c"},
    {"slashes_inside", "/a//b/../c", "{P}/a//b/../c"},
    {"backslash_is_kept_on_our_host", "/\\evil.example", "{P}/\\evil.example"},
    {"tab_is_kept_on_our_host", "/\t/evil.example", "{P}/\t/evil.example"},
    {"bytes", "/\xc3\xbc", "{P}/\xc3\xbc"},
    {"under_prefix", "{P}/x?y#z"},
    {"prefix_itself", "{P}"},
    {"prefix_and_query", "{P}?x"},
    {"prefix_and_fragment", "{P}#x"},
    {"longer_number", "{P}0/x", "{P}{P}0/x"},
    {"other_case", "/PORT/5500/x", "{P}/PORT/5500/x"},
    {"relative", "x/y"},
    {"relative_dot", "./x"},
    {"relative_up", "../x"},
    {"relative_with_colon", "x?u=http://localhost:5500/"},
    {"query_only", "?x"},
    {"fragment_only", "#x"},
    {"empty", ""},
    {"other_site", "https://login.example.com/x?back=http://localhost:5500/"},
    {"other_site_no_scheme", "//login.example.com/x"},
    {"websocket_folder_no_scheme", "//ws"},
    {"two_slashes", "//"},
    {"other_scheme", "mailto:a@localhost:5500"},
    {"script", "javascript:alert(1)"},
    {"websocket", "ws://localhost:5500/x"},
    {"no_slashes", "http:localhost:5500/x"},
    {"one_slash", "http:/localhost:5500/x"},
    {"no_host", "http:///x"},
    {"own_name", "http://localhost:5500/x?y#z", "{P}/x?y#z"},
    {"own_name_https", "https://localhost:5500/x", "{P}/x"},
    {"own_name_no_scheme", "//localhost:5500/x", "{P}/x"},
    {"own_name_upper_case", "HTTP://LocalHost:5500/X", "{P}/X"},
    {"own_v4", "http://127.0.0.1:5500/x", "{P}/x"},
    {"own_v6", "http://[::1]:5500/x", "{P}/x"},
    {"own_any", "http://0.0.0.0:5500/x", "{P}/x"},
    {"own_no_path", "http://localhost:5500", "{P}/"},
    {"own_query_only", "http://localhost:5500?x=/y", "{P}/?x=/y"},
    {"own_fragment_only", "http://localhost:5500#x", "{P}/#x"},
    {"own_two_slashes", "http://localhost:5500//evil.example", "{P}//evil.example"},
    {"own_under_prefix", "http://localhost:5500{P}/x?y", "{P}/x?y"},
    {"own_prefix_itself", "http://localhost:5500{P}", "{P}"},
    {"own_name_other_port", "http://localhost:5501/x"},
    {"own_name_longer_port", "http://localhost:55001/x"},
    {"own_name_no_port", "http://localhost/x"},
    {"own_name_bad_port", "http://localhost:5500x/x"},
    {"own_name_huge_port", "http://localhost:71036/x"},
    {"other_loopback", "http://127.0.0.2:5500/x"},
    {"longer_name", "http://localhost.evil.example:5500/x"},
    {"user_name", "http://localhost:5500@evil.example/x"},
    {"user_of_own_name", "http://evil@localhost:5500/x"},
    {"backslash_in_host", "http://localhost:5500\\@evil.example/"},
    {"external", "{O}/x?y#z", "{O}{P}/x?y#z"},
    {"external_no_path", "{O}", "{O}{P}/"},
    {"external_query_only", "{O}?x", "{O}{P}/?x"},
    {"external_no_scheme", "//{H}/x", "//{H}{P}/x"},
    {"external_under_prefix", "{O}{P}/x?y"},
    {"external_prefix_itself", "{O}{P}"},
    {"external_longer_host", "{O}.evil.example/x"},
    {"external_user", "{O}@evil.example/x"},
};

class LocationTest : public testing::TestWithParam<RewriteCase> {};

TEST_P(LocationTest, IsWhereTheBrowserFindsIt) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    EXPECT_EQ(rewrite_location(filled(row.value, way), context_of(way)), wanted(row, way));
  }
}

TEST_P(LocationTest, IsRewrittenOnce) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    const auto once = rewrite_location(filled(row.value, way), context_of(way));
    if (once) {
      EXPECT_EQ(rewrite_location(*once, context_of(way)), std::nullopt);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Table, LocationTest, testing::ValuesIn(kLocations));

TEST(LocationTest, DefaultPortsCount) {
  auto context = context_of(kWaysIn[0]);
  context.external_host = "127.0.0.1:80";
  EXPECT_EQ(rewrite_location("http://127.0.0.1/x", context), "http://127.0.0.1/port/5500/x");
  context.port = 443;
  EXPECT_EQ(rewrite_location("https://localhost/x", context), "/port/5500/x");
  EXPECT_EQ(rewrite_location("http://localhost/x", context), std::nullopt);
}

TEST(LocationTest, OtherSchemeOfTheExternalHostIsAnotherSite) {
  EXPECT_EQ(rewrite_location("https://127.0.0.1:9000/x", context_of(kWaysIn[0])), std::nullopt);
}

TEST(LocationTest, ExternalOriginThatIsNoneMatchesNothing) {
  auto context = context_of(kWaysIn[0]);
  context.external_scheme = "gopher";
  EXPECT_EQ(rewrite_location("http://127.0.0.1:9000/x", context), std::nullopt);
  EXPECT_EQ(rewrite_location("//127.0.0.1:9000/x", context), std::nullopt);
  context.external_scheme = "http";
  context.external_host = "a, b";
  EXPECT_EQ(rewrite_location("http://a/x", context), std::nullopt);
  context.external_host = "";
  EXPECT_EQ(rewrite_location("http:///x", context), std::nullopt);
}

TEST(LocationTest, AppOnTheExternalPortIsStillFound) {
  auto context = context_of(kWaysIn[0]);
  context.port = 9000;
  context.prefix = "/port/9000";
  EXPECT_EQ(rewrite_location("http://localhost:9000/x", context), "/port/9000/x");
  EXPECT_EQ(rewrite_location("http://127.0.0.1:9000/x", context),
            "http://127.0.0.1:9000/port/9000/x");
}

constexpr RewriteCase kRefreshes[] = {
    {"usual", "5; url=/x", "5; url={P}/x"},
    {"upper_case", "0;URL=/x", "0;URL={P}/x"},
    {"own_name", "0; url=http://localhost:5500/x?y", "0; url={P}/x?y"},
    {"external", "0; url={O}/x", "0; url={O}{P}/x"},
    {"single_quotes", "0; url='/x'", "0; url='{P}/x'"},
    {"double_quotes_and_more", "0; url=\"/x\" y", "0; url=\"{P}/x\" y"},
    {"quote_that_never_ends", "0; url='/x", "0; url='{P}/x"},
    {"blanks", "3 ;  url  =\t/x", "3 ;  url  =\t{P}/x"},
    {"comma", "3, url=/x", "3, url={P}/x"},
    {"blank_only", "3 /x", "3 {P}/x"},
    {"without_url_word", "0;/x", "0;{P}/x"},
    {"parts_of_seconds", "0.5; url=/x", "0.5; url={P}/x"},
    {"seconds_only", "5"},
    {"nothing_behind", "5;"},
    {"empty_url", "5; url="},
    {"empty_quotes", "5; url=''"},
    {"open_quote", "5; url='"},
    {"relative", "5; url=x"},
    {"word_without_equals", "5; url /x"},
    {"other_site", "0; url=https://example.com/"},
    {"under_prefix", "0; url={P}/x"},
    {"no_seconds", "; url=/x"},
    {"sign", "-1; url=/x"},
    {"words", "now; url=/x"},
    {"empty", ""},
};

class RefreshTest : public testing::TestWithParam<RewriteCase> {};

TEST_P(RefreshTest, OnlyItsUrlChanges) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    EXPECT_EQ(rewrite_refresh(filled(row.value, way), context_of(way)), wanted(row, way));
  }
}
INSTANTIATE_TEST_SUITE_P(Table, RefreshTest, testing::ValuesIn(kRefreshes));

struct CircleCase {
  const char* name;
  const char* asked;
  const char* location;
  bool is_circle;
};
void PrintTo(const CircleCase& c, std::ostream* os) { *os << c.name; }

constexpr CircleCase kCircles[] = {
    {"root", "{P}/", "{P}/", true},
    {"page", "{P}/x?y", "{P}/x?y", true},
    {"fragment_is_the_browsers", "{P}/x", "{P}/x#y", true},
    {"external", "{P}/", "{O}{P}/", true},
    {"own_name", "{P}/", "http://localhost:5500{P}/", true},
    {"without_slash", "{P}/", "{P}", false},
    {"page_without_slash", "{P}/x/", "{P}/x", false},
    {"other_query", "{P}/x?token=1", "{P}/x", false},
    {"other_page", "{P}/", "{P}/login", false},
    {"prefix_that_we_would_add", "{P}/x", "/x", false},
    {"own_name_without_prefix", "{P}/x", "http://localhost:5500/x", false},
    {"relative", "{P}/x", "x", false},
    {"other_site", "{P}/", "https://example.com{P}/", false},
    {"empty", "{P}/", "", false},
};

class CircleTest : public testing::TestWithParam<CircleCase> {};

TEST_P(CircleTest, IsSeenWhereTheAppSaysThePrefix) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    EXPECT_EQ(
        redirects_to_itself(filled(row.location, way), filled(row.asked, way), context_of(way)),
        row.is_circle);
  }
}
INSTANTIATE_TEST_SUITE_P(Table, CircleTest, testing::ValuesIn(kCircles));

constexpr CircleCase kBare[] = {
    {"path", "{P}/", "{P}", true},
    {"external", "{P}/", "{O}{P}", true},
    {"own_name", "{P}/", "http://localhost:5500{P}", true},
    {"query", "{P}/?a=/b", "{P}?a=/b", true},
    {"fragment_is_the_browsers", "{P}/", "{P}#x", true},
    {"other_query", "{P}/?a", "{P}", false},
    {"query_of_its_own", "{P}/", "{P}?a", false},
    {"itself", "{P}/", "{P}/", false},
    {"page", "{P}/x/", "{P}/x", false},
    {"asked_without", "{P}", "{P}", false},
    {"longer_port", "{P}/", "{P}0", false},
    {"above", "{P}/", "/port", false},
    {"other_site", "{P}/", "https://example.com{P}", false},
    {"empty", "{P}/", "", false},
};

class BarePrefixTest : public testing::TestWithParam<CircleCase> {};

TEST_P(BarePrefixTest, IsSeenWhereTheAppTakesTheSlashAway) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    EXPECT_EQ(redirects_to_bare_prefix(filled(row.location, way), filled(row.asked, way),
                                       context_of(way)),
              row.is_circle);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, BarePrefixTest, testing::ValuesIn(kBare),
                         [](const auto& c) { return c.param.name; });

struct ScopeCase {
  const char* name;
  const char* scope;
  bool passes;
};
void PrintTo(const ScopeCase& c, std::ostream* os) { *os << c.name; }

constexpr ScopeCase kScopes[] = {
    {"prefix", "/port/5500/", true},
    {"below", "/port/5500/app/", true},
    {"two_slashes", "/port/5500//app", true},
    {"three_dots", "/port/5500/.../x", true},
    {"hidden_file", "/port/5500/.well-known/", true},
    {"query_with_dots", "/port/5500/x?a=/../", true},
    {"root", "/", false},
    {"prefix_without_slash_is_a_neighbours_too", "/port/5500", false},
    {"neighbour", "/port/55001/", false},
    {"up", "/port/5500/../", false},
    {"up_at_the_end", "/port/5500/..", false},
    {"up_escaped", "/port/5500/%2e%2E/", false},
    {"up_half_escaped", "/port/5500/.%2e/", false},
    {"up_by_backslash", "/port/5500/..\\..\\", false},
    {"up_around_a_tab", "/port/5500/.\t./", false},
    {"dot", "/port/5500/./x", false},
    {"absolute", "http://127.0.0.1:9000/port/5500/", false},
    {"empty", "", false},
};

class ScopeTest : public testing::TestWithParam<ScopeCase> {};

TEST_P(ScopeTest, PassesOnlyBelowThePrefix) {
  EXPECT_EQ(is_scope_under_prefix(GetParam().scope, "/port/5500"), GetParam().passes);
}
INSTANTIATE_TEST_SUITE_P(Table, ScopeTest, testing::ValuesIn(kScopes));

}  // namespace
}  // namespace hpc
