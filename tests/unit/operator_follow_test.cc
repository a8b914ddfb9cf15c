#include "manager/operator_follow.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

// "a", tab, an Umlaut, the Euro, a character of four bytes.
const std::string kText = "a\t\xC3\xA4\n\xE2\x82\xAC\xF0\x9F\x98\x80z\r\n";
const std::string kShown = "a\t\xC3\xA4\n\xE2\x82\xAC\xF0\x9F\x98\x80z\n";

TEST(TerminalLogTest, LinesAndLettersStay) {
  std::string rest;
  EXPECT_EQ(terminal_log(kText, rest), kShown);
  EXPECT_EQ(rest, "");
}

TEST(TerminalLogTest, WhereverItIsCut) {
  for (std::size_t cut = 0; cut <= kText.size(); ++cut) {
    std::string rest;
    auto shown = terminal_log(kText.substr(0, cut), rest);
    shown += terminal_log(kText.substr(cut), rest);
    EXPECT_EQ(shown, kShown) << cut;
    EXPECT_EQ(rest, "") << cut;
  }
}

TEST(TerminalLogTest, NothingMovesTheCursor) {
  std::string rest;
  EXPECT_EQ(terminal_log("\x1B[2J\xC2\x9B\x08"
                         "b\xE2\x80\xAE",
                         rest),
            "\xEF\xBF\xBD[2J\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
            "b"
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(TerminalLogTest, WhatIsNoCharacterDoesNotWaitForEver) {
  std::string rest;
  auto shown = terminal_log("\xE2\x82", rest);
  EXPECT_EQ(shown, "");
  shown = terminal_log("ab\n", rest);
  EXPECT_EQ(shown,
            "\xEF\xBF\xBD\xEF\xBF\xBD"
            "ab\n");
  EXPECT_EQ(terminal_log("\xFF\xFF\xFF\xFF\xFF", rest).substr(0, 3), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace hpc
