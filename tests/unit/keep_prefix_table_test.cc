#include "node-proxy/keep_prefix_table.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

TEST(KeepPrefixTableTest, KnowsPortAndPrefix) {
  KeepPrefixTable table;
  EXPECT_FALSE(table.knows(5500, "/port/5500"));
  table.remember(5500, "/port/5500");
  EXPECT_TRUE(table.knows(5500, "/port/5500"));
  EXPECT_FALSE(table.knows(5501, "/port/5500"));
  EXPECT_FALSE(table.knows(5500, "/user/u/c/i/port/5500"));
}

TEST(KeepPrefixTableTest, LastPrefixOfAPortCounts) {
  KeepPrefixTable table;
  table.remember(5500, "/port/5500");
  table.remember(5500, "/user/u/c/i/port/5500");
  EXPECT_FALSE(table.knows(5500, "/port/5500"));
  EXPECT_TRUE(table.knows(5500, "/user/u/c/i/port/5500"));
  EXPECT_EQ(table.size(), 1U);
}

TEST(KeepPrefixTableTest, Forgets) {
  KeepPrefixTable table;
  table.remember(5500, "/port/5500");
  table.forget(5501);
  EXPECT_TRUE(table.knows(5500, "/port/5500"));
  table.forget(5500);
  EXPECT_FALSE(table.knows(5500, "/port/5500"));
}

TEST(KeepPrefixTableTest, KnowsWhoseFirstPageHasNoSlash) {
  KeepPrefixTable table;
  EXPECT_FALSE(table.is_bare(3000, "/absport/3000"));
  table.remember(3000, "/absport/3000", true);
  EXPECT_TRUE(table.is_bare(3000, "/absport/3000"));
  EXPECT_TRUE(table.knows(3000, "/absport/3000"));
  EXPECT_FALSE(table.is_bare(3001, "/absport/3000"));
  EXPECT_FALSE(table.is_bare(3000, "/port/3000"));
  table.remember(3000, "/absport/3000");
  EXPECT_FALSE(table.is_bare(3000, "/absport/3000"));
}

TEST(KeepPrefixTableTest, OldestGoesPastTheLimit) {
  KeepPrefixTable table;
  constexpr std::uint16_t kFirst = 2000;
  const auto last = static_cast<std::uint16_t>(kFirst + KeepPrefixTable::kPortsMax);
  for (std::uint16_t port = kFirst; port < last; ++port) table.remember(port, "/p");
  EXPECT_TRUE(table.knows(kFirst, "/p"));
  table.remember(last, "/p");
  EXPECT_EQ(table.size(), KeepPrefixTable::kPortsMax);
  EXPECT_FALSE(table.knows(kFirst, "/p"));
  EXPECT_TRUE(table.knows(kFirst + 1, "/p"));
  EXPECT_TRUE(table.knows(last, "/p"));
}

}  // namespace
}  // namespace hpc
