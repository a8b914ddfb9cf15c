#include "manager/console.h"

#include <gtest/gtest.h>

#include <string>

namespace hpc {
namespace {

TEST(ConsoleTest, SaysWhoSpeaksOnce) {
  EXPECT_EQ(console_text("one\n  two"), "hpc-manager: one\n  two\n");
}

TEST(ConsoleTest, TextFromTheFarEndCannotMoveTheCursor) {
  EXPECT_EQ(console_text("a\x1b[2Jb\rc\x7f\xff\xc3"), "hpc-manager: a?[2Jb?c???\n");
  EXPECT_EQ(console_text("n\xc3\xa4her"), "hpc-manager: n\xc3\xa4her\n");
}

TEST(ConsoleTest, JsonGoesThroughTheLog) {
  std::string logged;
  Log log(LogLevel::kInfo, LogFormat::kJson, [&](auto line) { logged += line; });
  Console console(LogFormat::kJson, log);
  console.say("ready");
  EXPECT_NE(logged.find("ready"), std::string::npos);
}

}  // namespace
}  // namespace hpc
