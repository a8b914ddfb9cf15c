#include "common/cross_site.h"

#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

using FieldPairs = std::vector<std::pair<std::string_view, std::string_view>>;

RequestHead request(std::string_view host, const FieldPairs& fields, bool upgrade = false,
                    std::string_view method = "GET") {
  RequestHead head;
  head.method = method;
  head.target = "/port/5500/";
  head.host = host;
  head.websocket_upgrade = upgrade;
  head.fields.add("Host", host);
  for (const auto& [name, value] : fields) head.fields.add(name, value);
  return head;
}

struct HostCase {
  const char* name;
  std::string_view host;
  bool passes;
};
void PrintTo(const HostCase& c, std::ostream* os) { *os << c.name; }

constexpr HostCase kHosts[] = {
    {"loopback", "127.0.0.1", true},
    {"loopback_port", "127.0.0.1:9000", true},
    {"loopback_other", "127.64.3.9:1", true},
    {"v6", "[::1]:9000", true},
    {"v6_bare", "[::1]", true},
    {"localhost", "localhost:9000", true},
    {"localhost_case", "LocalHost", true},
    {"sub_localhost", "app.localhost:80", true},
    {"rebinding", "evil.example", false},
    {"rebinding_port", "evil.example:9000", false},
    {"looks_like", "127.0.0.1.evil.example", false},
    {"looks_like_name", "localhost.evil.example", false},
    {"not_sub", "evillocalhost", false},
    {"only_suffix", ".localhost", false},
    {"short_form", "127.1", false},
    {"octal", "127.0.0.01", false},
    {"too_large", "127.0.0.256", false},
    {"dot_end", "127.0.0.1.", false},
    {"wildcard", "0.0.0.0:9000", false},
    {"v6_mapped", "[::ffff:127.0.0.1]", false},
    {"v6_open", "[::1", false},
    {"v6_junk", "[::1]x", false},
    {"bad_port", "127.0.0.1:65536", false},
    {"no_port_digits", "127.0.0.1:", false},
    {"only_port", ":9000", false},
    {"user", "x@127.0.0.1", false},
    {"empty", "", false},
};

class CrossSiteHostTest : public testing::TestWithParam<HostCase> {};
TEST_P(CrossSiteHostTest, Decides) {
  EXPECT_EQ(passes_cross_site_rule(request(GetParam().host, {}), {}), GetParam().passes);
}
INSTANTIATE_TEST_SUITE_P(Table, CrossSiteHostTest, testing::ValuesIn(kHosts),
                         [](const auto& c) { return c.param.name; });

struct FetchCase {
  const char* name;
  FieldPairs fields;
  bool passes;
  bool upgrade = false;
  std::string_view method = "GET";
};
void PrintTo(const FetchCase& c, std::ostream* os) { *os << c.name; }

constexpr std::string_view kOwn = "http://127.0.0.1:9000";

const FetchCase kFetches[] = {
    {"no_browser", {}, true},
    {"typed_address", {{"Sec-Fetch-Site", "none"}}, true},
    {"same_origin_null", {{"Sec-Fetch-Site", "same-origin"}, {"Origin", "null"}}, true},
    {"same_origin_post", {{"Sec-Fetch-Site", "same-origin"}}, true, false, "POST"},
    {"image_of_other_port",
     {{"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Mode", "no-cors"}},
     false},
    {"cross_fetch", {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "cors"}}, false},
    {"cross_own_origin", {{"Sec-Fetch-Site", "cross-site"}, {"Origin", kOwn}}, false},
    {"link",
     {{"Sec-Fetch-Site", "cross-site"},
      {"Sec-Fetch-Mode", "navigate"},
      {"Sec-Fetch-Dest", "document"}},
     true},
    {"form_post",
     {{"Sec-Fetch-Site", "cross-site"},
      {"Sec-Fetch-Mode", "navigate"},
      {"Sec-Fetch-Dest", "document"}},
     false,
     false,
     "POST"},
    {"frame",
     {{"Sec-Fetch-Site", "cross-site"},
      {"Sec-Fetch-Mode", "navigate"},
      {"Sec-Fetch-Dest", "iframe"}},
     false},
    {"no_navigation_of_a_document",
     {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "cors"}, {"Sec-Fetch-Dest", "document"}},
     false},
    {"unknown_site", {{"Sec-Fetch-Site", "Same-Origin"}}, false},
    {"two_sites", {{"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Site", "cross-site"}}, false},
    {"own_origin", {{"Origin", kOwn}}, true},
    {"own_origin_case", {{"Origin", "HTTP://127.0.0.1:9000"}}, true},
    {"other_port", {{"Origin", "http://127.0.0.1:9001"}}, false},
    {"other_scheme", {{"Origin", "https://127.0.0.1:9000"}}, false},
    {"other_name", {{"Origin", "http://localhost:9000"}}, false},
    {"null_origin", {{"Origin", "null"}}, false},
    {"empty_origin", {{"Origin", ""}}, false},
    {"origin_longer", {{"Origin", "http://127.0.0.1:9000.evil.example"}}, false},
    {"two_origins", {{"Origin", kOwn}, {"Origin", "http://evil.example"}}, false},
    {"upgrade_tool", {}, true, true},
    {"upgrade_own", {{"Origin", kOwn}}, true, true},
    {"upgrade_other", {{"Origin", "http://evil.example"}}, false, true},
    {"upgrade_other_with_site",
     {{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://evil.example"}},
     false,
     true},
    {"upgrade_navigation",
     {{"Sec-Fetch-Site", "cross-site"},
      {"Sec-Fetch-Mode", "navigate"},
      {"Sec-Fetch-Dest", "document"}},
     false,
     true},
};

class CrossSiteFetchTest : public testing::TestWithParam<FetchCase> {};
TEST_P(CrossSiteFetchTest, Decides) {
  const auto& c = GetParam();
  const auto head = request("127.0.0.1:9000", c.fields, c.upgrade, c.method);
  EXPECT_EQ(passes_cross_site_rule(head, {}), c.passes);
}
INSTANTIATE_TEST_SUITE_P(Table, CrossSiteFetchTest, testing::ValuesIn(kFetches),
                         [](const auto& c) { return c.param.name; });

TEST(CrossSiteNamesTest, PublicNameCountsWithItsPortOnly) {
  const OwnNames names{false, {"hpc.example.org", "lab.example.org:8443"}, "https"};
  EXPECT_TRUE(passes_cross_site_rule(request("hpc.example.org", {}), names));
  EXPECT_TRUE(passes_cross_site_rule(request("HPC.example.org:443", {}), names));
  EXPECT_TRUE(passes_cross_site_rule(request("lab.example.org:8443", {}), names));
  EXPECT_FALSE(passes_cross_site_rule(request("hpc.example.org:80", {}), names));
  EXPECT_FALSE(passes_cross_site_rule(request("lab.example.org", {}), names));
  EXPECT_FALSE(passes_cross_site_rule(request("127.0.0.1", {}), names));
}

TEST(CrossSiteNamesTest, DefaultPortOfTheSchemeMayBeLeftOut) {
  const OwnNames names{false, {"hpc.example.org"}, "https"};
  EXPECT_TRUE(passes_cross_site_rule(
      request("hpc.example.org:443", {{"Origin", "https://hpc.example.org"}}), names));
  EXPECT_FALSE(passes_cross_site_rule(
      request("hpc.example.org", {{"Origin", "http://hpc.example.org"}}), names));
}

}  // namespace
}  // namespace hpc
