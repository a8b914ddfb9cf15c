#include "manager/start_progress.h"

#include <gtest/gtest.h>

#include <vector>

namespace hpc {
namespace {

using Outcome = StartProgress::Outcome;

std::string session(const std::string& state, const std::string& more = "") {
  return R"({"id":"3f","state":")" + state + R"(","url":"http://h/user/alice/main/plain/")" + more +
         "}";
}
std::string event(int number, const std::string& type, const std::string& data) {
  return "id: " + std::to_string(number) + "\nevent: " + type + "\ndata: " + data + "\n\n";
}
std::string state_event(int number, const std::string& state, const std::string& more = "") {
  return event(number, "state", session(state, more));
}

struct StartProgressTest : testing::Test {
  StartProgress progress{[this](const auto& line) { said.push_back(line); }};
  std::vector<std::string> said;
};

TEST_F(StartProgressTest, EachStepIsALineForPeople) {
  EXPECT_TRUE(progress.see(session("queued", R"(,"queue_position":3)")));
  EXPECT_TRUE(progress.take(state_event(1, "queued", R"(,"queue_position":3)")));
  EXPECT_TRUE(progress.take(state_event(2, "queued", R"(,"queue_position":1)")));
  EXPECT_TRUE(progress.take(state_event(3, "submitting")));
  EXPECT_TRUE(
      progress.take(state_event(4, "pending", R"(,"reason":"Priority, starts about 14:05")")));
  EXPECT_TRUE(progress.take(event(5, "progress", R"({"id":"3f","text":"job 4711 waits"})")));
  EXPECT_TRUE(progress.take(state_event(6, "starting", R"(,"node":"c2")")));
  EXPECT_EQ(progress.outcome(), Outcome::kOnItsWay);
  EXPECT_FALSE(progress.take(state_event(7, "running", R"(,"node":"c2")")));
  EXPECT_EQ(said, (std::vector<std::string>{"queued (3rd)", "queued (1st)", "submitting",
                                            "pending: Priority, starts about 14:05",
                                            "job 4711 waits", "starting on c2", "running on c2"}));
  EXPECT_EQ(progress.outcome(), Outcome::kRuns);
  EXPECT_EQ(progress.last_event(), 7U);
  EXPECT_EQ(progress.id(), "3f");
  EXPECT_EQ(progress.url(), "http://h/user/alice/main/plain/");
  EXPECT_EQ(progress.json(), session("running", R"(,"node":"c2")"));
}

TEST_F(StartProgressTest, AnEndIsAnOutcomeWithItsReason) {
  EXPECT_FALSE(progress.take(state_event(1, "ended", R"(,"reason":"sbatch: error: no such")")));
  EXPECT_EQ(progress.outcome(), Outcome::kEnded);
  EXPECT_EQ(progress.reason(), "sbatch: error: no such");
}

TEST_F(StartProgressTest, WhatIsSaidOnceIsNotSaidAgain) {
  progress.take(state_event(1, "pending", R"(,"reason":"Resources")"));
  progress.take(event(2, "progress", R"({"text":"Resources"})"));
  progress.take(state_event(3, "pending", R"(,"reason":"Resources")"));
  EXPECT_EQ(said, std::vector<std::string>{"pending: Resources"});
}

TEST_F(StartProgressTest, BehindTheOutcomeNothingIsSaid) {
  EXPECT_FALSE(progress.take(state_event(1, "running") + state_event(2, "reconnecting")));
  EXPECT_EQ(said, std::vector<std::string>{"running"});
  EXPECT_EQ(progress.last_event(), 2U);
}

TEST_F(StartProgressTest, HalfAnEventEndsWithItsStream) {
  EXPECT_TRUE(progress.take("id: 1\nevent: state\ndata: {"));
  progress.stream_ended();
  EXPECT_TRUE(progress.take(state_event(1, "pending")));
  EXPECT_EQ(said, std::vector<std::string>{"pending"});
}

TEST_F(StartProgressTest, WhatIsNoSessionIsLeftOut) {
  for (const char* text : {"", "{}", "[]", "<html>", R"({"id":"3f"})", R"({"state":"running"})",
                           R"({"id":"3f","state":"flying"})"}) {
    EXPECT_FALSE(progress.see(text)) << text;
    EXPECT_TRUE(progress.take(event(1, "state", text))) << text;
  }
  EXPECT_TRUE(progress.take(event(1, "progress", R"({"text":5})")));
  EXPECT_TRUE(progress.take("event: gap\ndata: {}\n\n"));
  EXPECT_TRUE(said.empty());
}

TEST_F(StartProgressTest, WhatIsNoStreamIsEnough) {
  EXPECT_FALSE(progress.take("data: " + std::string(kEventTextBytesMax, 'x')));
  EXPECT_EQ(progress.outcome(), Outcome::kOnItsWay);
}

TEST_F(StartProgressTest, NothingFromAfarMovesTheCursor) {
  progress.take(state_event(1, "pending", R"(,"reason":"\u001b[2Ja\nb")"));
  progress.take(event(2, "progress", R"({"text":"\u009bx\r"})"));
  for (const auto& line : said) {
    EXPECT_EQ(line.find_first_of("\x1b\r\n"), std::string::npos) << line;
  }
  EXPECT_EQ(said.size(), 2U);
}

TEST_F(StartProgressTest, TheEndOfALogStaysInLines) {
  progress.take(event(1, "progress", R"({"text":"the job's log ends:\none\n\u001b[31mtwo"})"));
  EXPECT_EQ(said, std::vector<std::string>{
                      "the job's log ends:\n          one\n          \xEF\xBF\xBD[31mtwo"});
}

}  // namespace
}  // namespace hpc
