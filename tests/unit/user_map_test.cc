#include "manager/gateway/user_map.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

UserMap rules(const std::vector<UserMapRule>& list) {
  auto parsed = UserMap::parse(list);
  EXPECT_TRUE(parsed.has_value()) << describe(parsed.error());
  return parsed.value_or(UserMap());
}

std::string mapped(const UserMap& map, std::string_view name) {
  return map.map(name).value_or("refused");
}

TEST(UserMap, ANameThatNoRuleMatchesStaysAsItIs) {
  for (const auto& map : {UserMap(), rules({{"(.*)@example\\.org", "$1"}})}) {
    EXPECT_EQ(mapped(map, "alice"), "alice");
    EXPECT_EQ(mapped(map, "a.b_c-9"), "a.b_c-9");
    for (const char* name : {"Alice", "alice@example.com", "", "-a", "../x", "a b", "a/b", "ä"}) {
      EXPECT_EQ(mapped(map, name), "refused") << name;
    }
  }
}

TEST(UserMap, TheFirstRuleThatMatchesTheWholeNameDecides) {
  const auto map = rules({{"([a-z]+)@example\\.org", "$1"},
                          {"([a-z]+)@([a-z]+)\\.example\\.org", "$1.$2"},
                          {".*@example\\.org", "guest"}});
  EXPECT_EQ(mapped(map, "alice@example.org"), "alice");
  EXPECT_EQ(mapped(map, "alice@phys.example.org"), "alice.phys");
  EXPECT_EQ(mapped(map, "a9@example.org"), "guest");
  EXPECT_EQ(mapped(map, "alice@example.org.evil"), "refused") << "a part is not the whole";
  EXPECT_EQ(mapped(map, "xalice@example.org\n"), "refused");
}

TEST(UserMap, WhatARuleMakesMustBeAName) {
  EXPECT_EQ(mapped(rules({{"(.*)", "$1/x"}}), "alice"), "refused");
  EXPECT_EQ(mapped(rules({{"alice", ""}}), "alice"), "refused");
  EXPECT_EQ(mapped(rules({{"(Alice)", "$1"}, {"Alice", "alice"}}), "Alice"), "refused")
      << "the first that matches decides, also for the worse";
  const auto refused = UserMap().map("Alice");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kForbidden);
  EXPECT_NE(refused.error().detail.find("--user-map"), std::string::npos);
}

TEST(UserMap, ALongNameIsNotLookedAt) {
  const auto map = rules({{"a*", "short"}});
  EXPECT_EQ(mapped(map, std::string(kLoginNameBytesMax, 'a')), "short");
  EXPECT_EQ(mapped(map, std::string(kLoginNameBytesMax + 1, 'a')), "refused");
}

TEST(UserMap, WhatIsNoRegularExpressionIsNamed) {
  const auto parsed = UserMap::parse({{"ok", "x"}, {"(unclosed", "x"}});
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code, Errc::kUsage);
  EXPECT_NE(parsed.error().detail.find("(unclosed"), std::string::npos);
}

}  // namespace
}  // namespace hpc
