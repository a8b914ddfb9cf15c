#include "node-proxy/rewrite_request.h"

#include <gtest/gtest.h>

#include "tests/support/rewrite_cases.h"

namespace hpc {
namespace {

constexpr RewriteCase kOrigins[] = {
    {"external", "{O}", "http://localhost:5500"},
    {"null", "null"},
    {"other_site", "https://evil.example"},
    {"other_port", "http://127.0.0.1:9001"},
    {"longer_host", "{O}.evil.example"},
    {"user", "http://x@{H}"},
    {"with_path", "{O}/"},
    {"no_scheme", "//{H}"},
    {"other_scheme", "ftp://{H}"},
    {"apps_own", "http://localhost:5500"},
    {"two", "{O} {O}"},
    {"empty", ""},
};

class OriginTest : public testing::TestWithParam<RewriteCase> {};

TEST_P(OriginTest, IsTheAppsOwnOnlyFromOurPages) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    EXPECT_EQ(rewrite_origin(filled(row.value, way), context_of(way)), wanted(row, way));
  }
}
INSTANTIATE_TEST_SUITE_P(Table, OriginTest, testing::ValuesIn(kOrigins));

TEST(OriginTest, HostIsComparedWithoutCaseAndWithDefaultPort) {
  const auto context = context_of(kWaysIn[3]);
  EXPECT_EQ(rewrite_origin("https://HPC.example.org:443", context), "http://localhost:5500");
  EXPECT_EQ(rewrite_origin("http://hpc.example.org", context), std::nullopt);
}

// {P} behind the app's origin stands for the prefix where it is kept.
constexpr RewriteCase kReferers[] = {
    {"page", "{O}{P}/x?y=/z", "http://localhost:5500{P}/x?y=/z"},
    {"root", "{O}{P}/", "http://localhost:5500{P}/"},
    {"escapes", "{O}{P}//a%2Fb", "http://localhost:5500{P}//a%2Fb"},
    {"external_root", "{O}/"},
    {"origin_only", "{O}"},
    {"neighbour", "{O}{P}1/x"},
    {"other_app", "{O}/port/6000/x"},
    {"other_site", "https://evil.example{P}/x"},
    {"prefix_in_query", "{O}/?{P}/x"},
    {"no_scheme", "//{H}{P}/x"},
    {"path_only", "{P}/x"},
    {"apps_own", "http://localhost:5500{P}/x"},
    {"empty", ""},
    {"words", "about:blank"},
};

class RefererTest : public testing::TestWithParam<RewriteCase> {};

TEST_P(RefererTest, IsTheAppsOwnOnlyUnderThePrefix) {
  const auto& row = GetParam();
  for (const auto& way : kWaysIn) {
    SCOPED_TRACE(way.name);
    auto want = wanted(row, way);
    if (want && !way.keep_prefix)
      want->erase(want->find(way.prefix), std::string(way.prefix).size());
    EXPECT_EQ(rewrite_referer(filled(row.value, way), context_of(way)), want);
  }
}
INSTANTIATE_TEST_SUITE_P(Table, RefererTest, testing::ValuesIn(kReferers));

TEST(RefererTest, PrefixWithoutSlashIsTheRoot) {
  const auto context = context_of(kWaysIn[0]);
  EXPECT_EQ(rewrite_referer("http://127.0.0.1:9000/port/5500", context), "http://localhost:5500/");
  EXPECT_EQ(rewrite_referer("http://127.0.0.1:9000/port/5500?x", context),
            "http://localhost:5500/?x");
}

}  // namespace
}  // namespace hpc
