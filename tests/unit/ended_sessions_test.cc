#include "manager/session/ended_sessions.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/store_rows.h"

namespace hpc {
namespace {

TEST(EndedSessions, FoundByIdAndTheLastByKey) {
  EndedSessions ended;
  const auto first = ended_row("1", 10);
  const auto second = ended_row("2", 20);
  ended.add(first);
  ended.add(second);
  EXPECT_EQ(*ended.find("1"), first);
  EXPECT_EQ(*ended.find("2"), second);
  EXPECT_EQ(ended.find("3"), nullptr);
  EXPECT_EQ(ended.find(first.key)->id, "2");
  EXPECT_EQ(ended.find(SessionKey{"bob", "main", "vscode", 2}), nullptr);
}

TEST(EndedSessions, OneIdIsKeptOnce) {
  EndedSessions ended;
  ended.add(ended_row("1", 10));
  ended.add(ended_row("1", 20));
  EXPECT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended.find("1")->ended_at, 10);
}

TEST(EndedSessions, TheOldestGoesAtTheBound) {
  EndedSessions ended;
  auto lonely = ended_row("first", 1);
  lonely.key.ide = "rstudio";
  ended.add(lonely);
  for (std::size_t i = 1; i < kEndedSessionsLoaded; ++i) {
    ended.add(ended_row(std::to_string(i), static_cast<std::int64_t>(i)));
  }
  EXPECT_EQ(ended.size(), kEndedSessionsLoaded);
  EXPECT_NE(ended.find(lonely.key), nullptr);
  ended.add(ended_row("last", 5'000));
  EXPECT_EQ(ended.size(), kEndedSessionsLoaded);
  EXPECT_EQ(ended.find("first"), nullptr);
  EXPECT_EQ(ended.find(lonely.key), nullptr);
  EXPECT_EQ(ended.find(ended_row("x", 1).key)->id, "last");
  // The key of one that goes stays with a later one.
  ended.add(ended_row("later", 5'001));
  EXPECT_EQ(ended.find("1"), nullptr);
  EXPECT_EQ(ended.find(ended_row("x", 1).key)->id, "later");
}

}  // namespace
}  // namespace hpc
