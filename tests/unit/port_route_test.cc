#include "common/port_route.h"

#include <gtest/gtest.h>

#include <ostream>

namespace hpc {
namespace {

struct RouteCase {
  const char* name;
  std::string_view target;
  int port;  // 0: refused
  bool keep_prefix = false;
  bool needs_slash = false;
  std::string_view prefix = "";
  std::string_view rest = "";
};
void PrintTo(const RouteCase& c, std::ostream* os) { *os << c.name; }

constexpr RouteCase kCases[] = {
    {"plain", "/port/5500/index.html", 5500, false, false, "/port/5500", "/index.html"},
    {"root", "/port/5500/", 5500, false, false, "/port/5500", "/"},
    {"query", "/port/5500/a?b=/c", 5500, false, false, "/port/5500", "/a?b=/c"},
    {"kept", "/absport/3000/x", 3000, true, false, "/absport/3000", "/x"},
    {"no_slash", "/port/5500", 5500, false, true, "/port/5500", ""},
    {"no_slash_query", "/port/5500?q=1", 5500, false, true, "/port/5500", "?q=1"},
    {"kept_no_slash", "/absport/1", 1, true, true, "/absport/1", ""},
    {"lowest", "/port/1/", 1, false, false, "/port/1", "/"},
    {"highest", "/port/65535/", 65535, false, false, "/port/65535", "/"},
    {"bytes_pass", "/port/80//a/../%2f%00/./b", 80, false, false, "/port/80", "//a/../%2f%00/./b"},
    {"too_high", "/port/65536/", 0},
    {"far_too_high", "/port/99999999999999999999/", 0},
    {"zero", "/port/0/", 0},
    {"leading_zero", "/port/05500/", 0},
    {"plus", "/port/+5500/", 0},
    {"minus", "/port/-5500/", 0},
    {"space", "/port/ 5500/", 0},
    {"hex", "/port/0x50/", 0},
    {"trailing_junk", "/port/5500abc/", 0},
    {"encoded_slash", "/port/5500%2fx", 0},
    {"fragment", "/port/5500#x", 0},
    {"no_port", "/port/", 0},
    {"no_port_slash", "/port//", 0},
    {"bare_word", "/port", 0},
    {"double_slash", "//port/5500/", 0},
    {"encoded_letter", "/%70ort/5500/", 0},
    {"upper_case", "/PORT/5500/", 0},
    {"longer_word", "/ports/5500/", 0},
    {"other", "/status", 0},
    {"root_only", "/", 0},
    {"empty", "", 0},
};

class PortRouteTest : public testing::TestWithParam<RouteCase> {};

TEST_P(PortRouteTest, Parses) {
  const auto& want = GetParam();
  const auto got = parse_port_route(want.target);
  ASSERT_EQ(got.has_value(), want.port != 0);
  if (!got) {
    EXPECT_EQ(got.error().code, Errc::kNotFound);
    return;
  }
  EXPECT_EQ(got->port, want.port);
  EXPECT_EQ(got->keep_prefix, want.keep_prefix);
  EXPECT_EQ(got->needs_slash, want.needs_slash);
  EXPECT_EQ(got->prefix, want.prefix);
  EXPECT_EQ(got->rest, want.rest);
}

INSTANTIATE_TEST_SUITE_P(Table, PortRouteTest, testing::ValuesIn(kCases),
                         [](const auto& c) { return c.param.name; });

// Whatever is cut off, the answer is a route whose views lie inside the text, or a refusal.
TEST(PortRoutePrefixTest, EveryPrefixOfATargetIsSafe) {
  constexpr std::string_view kTarget = "/absport/65535/a?b";
  for (std::size_t size = 0; size <= kTarget.size(); ++size) {
    const std::string_view text = kTarget.substr(0, size);
    const auto got = parse_port_route(text);
    if (got) {
      EXPECT_EQ(std::string(got->prefix) + std::string(got->rest), text);
    }
  }
}

struct PrefixCase {
  const char* target;
  const char* prefix;
};

TEST(AppPrefixTest, IsWhatTheBrowserPutInFront) {
  for (const auto& [target, prefix] :
       std::initializer_list<PrefixCase>{{"/port/5500/x", "/port/5500"},
                                         {"/port/5500?q", "/port/5500"},
                                         {"/absport/1/", "/absport/1"},
                                         {"/app/x", "/app"},
                                         {"/app", "/app"},
                                         {"/absapp?x", "/absapp"},
                                         {"/apps/x", ""},
                                         {"/status", ""},
                                         {"/port/05500/", ""},
                                         {"/", ""}}) {
    EXPECT_EQ(app_prefix(target), prefix) << target;
  }
}

}  // namespace
}  // namespace hpc
