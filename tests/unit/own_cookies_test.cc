#include "common/own_cookies.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace hpc {
namespace {

struct CookieCase {
  const char* name;
  const char* cookie;
  const char* rest;  // nullptr: nothing is left
};
void PrintTo(const CookieCase& c, std::ostream* os) { *os << c.name; }

constexpr CookieCase kCookies[] = {
    {"none_of_ours", "a=1; b=2", "a=1; b=2"},
    {"bytes_stay_when_untouched", "a=1;b=\"x;  c", "a=1;b=\"x;  c"},
    {"only_ours", "hpc-manager-9000=x", nullptr},
    {"first", "hpc-manager-9000=x; a=1", "a=1"},
    {"middle", "a=1; hpc-manager-9000=x; b=2", "a=1; b=2"},
    {"another_managers", "a=1; hpc-manager-9001=x", "a=1"},
    {"serve", "a=1; __Host-hpc-manager=x", "a=1"},
    {"last_app", "a=1; hpc-last-app-9000=/port/1", "a=1"},
    {"twice", "hpc-manager-9000=x; hpc-manager-9000=y", nullptr},
    {"without_space", "a=1;hpc-manager-9000=x;b=2", "a=1; b=2"},
    {"nameless", "=hpc-manager-9000=x; a=1", "a=1"},
    {"similar", "xhpc-manager-9000=x; hpc-manager=1", "xhpc-manager-9000=x; hpc-manager=1"},
    {"in_a_value", "a=hpc-manager-9000=x", "a=hpc-manager-9000=x"},
};

class CookieTest : public ::testing::TestWithParam<CookieCase> {};

TEST_P(CookieTest, OursAreLeftOut) {
  const auto rest = without_own_cookies(GetParam().cookie);
  EXPECT_EQ(has_own_cookie(GetParam().cookie), rest != GetParam().cookie);
  ASSERT_EQ(rest.has_value(), GetParam().rest != nullptr);
  if (rest) {
    EXPECT_EQ(*rest, GetParam().rest);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CookieTest, ::testing::ValuesIn(kCookies),
                         [](const auto& test) { return test.param.name; });

TEST(OwnCookiesTest, AnAppCannotSetOurs) {
  for (const char* value : {"hpc-manager-9000=x; Path=/", " hpc-manager-9000=x", "hpc-manager-1=",
                            "=hpc-manager-9000=x", "= hpc-manager-9000=x", "hpc-last-app-9000=/",
                            "__Host-hpc-manager=x; Secure", "hpc-manager-9000"}) {
    EXPECT_TRUE(sets_own_cookie(value)) << value;
  }
  for (const char* value : {"session=hpc-manager-9000", "a=1", "", "=", "xhpc-manager-9000=1"}) {
    EXPECT_FALSE(sets_own_cookie(value)) << value;
  }
}

TEST(OwnCookiesTest, ValuesComeFromEveryField) {
  FieldList fields;
  fields.add("Cookie", "a=1; n=first");
  fields.add("X-Cookie", "n=no");
  fields.add("cookie", "n=second=2; m=3;n");
  EXPECT_EQ(cookie_values(fields, "n"), (std::vector<std::string_view>{"first", "second=2"}));
  EXPECT_TRUE(cookie_values(fields, "x").empty());
}

}  // namespace
}  // namespace hpc
