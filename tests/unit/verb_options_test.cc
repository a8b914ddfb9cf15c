#include "manager/verb_options.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace hpc {
namespace {

using Words = std::vector<std::string>;

VerbOptions parsed(const Words& words) {
  const auto line = parse_verb_line(words);
  EXPECT_TRUE(line.has_value()) << (line ? "" : line.error().detail);
  if (!line || !std::holds_alternative<VerbOptions>(*line)) return {};
  return std::get<VerbOptions>(*line);
}

struct VerbCase {
  const char* name;
  Words words;
  OperatorVerb verb;
};

void PrintTo(const VerbCase& one, std::ostream* out) { *out << one.name; }

class VerbLineTest : public testing::TestWithParam<VerbCase> {};

TEST_P(VerbLineTest, NamesItsVerb) { EXPECT_EQ(parsed(GetParam().words).verb, GetParam().verb); }

INSTANTIATE_TEST_SUITE_P(
    Verbs, VerbLineTest,
    testing::Values(VerbCase{"list", {"sessions", "list"}, OperatorVerb::kSessionsList},
                    VerbCase{"show", {"sessions", "show", "3f"}, OperatorVerb::kSessionsShow},
                    VerbCase{"start",
                             {"sessions", "start", "--user", "a", "--cluster", "b", "--ide", "c"},
                             OperatorVerb::kSessionsStart},
                    VerbCase{"stop", {"sessions", "stop", "3f"}, OperatorVerb::kSessionsStop},
                    VerbCase{"logs", {"sessions", "logs", "3f"}, OperatorVerb::kSessionsLogs},
                    VerbCase{"extend",
                             {"sessions", "extend", "3f", "--minutes", "5"},
                             OperatorVerb::kSessionsExtend},
                    VerbCase{"queue", {"queue"}, OperatorVerb::kQueue},
                    VerbCase{"ports", {"ports", "--json"}, OperatorVerb::kPorts},
                    VerbCase{
                        "create", {"tokens", "create", "--user", "a"}, OperatorVerb::kTokensCreate},
                    VerbCase{"tokens", {"tokens", "list"}, OperatorVerb::kTokensList},
                    VerbCase{"revoke", {"tokens", "revoke", "12"}, OperatorVerb::kTokensRevoke}),
    [](const auto& i) { return std::string(i.param.name); });

TEST(VerbOptionsTest, EveryValueOfStart) {
  const auto options =
      parsed({"sessions", "start",    "--user",   "alice",  "--cluster", "main",    "--ide",
              "vscode",   "--job",    "4711",     "--slot", "2",         "--cpus",  "8",
              "--gpus",   "1",        "--memory", "4G",     "--time",    "1:30:00", "--partition",
              "gpu",      "--socket", "/run/s",   "--json"});
  EXPECT_EQ(options.user, "alice");
  EXPECT_EQ(options.cluster, "main");
  EXPECT_EQ(options.ide, "vscode");
  EXPECT_EQ(options.job, "4711");
  EXPECT_EQ(options.slot, 2U);
  EXPECT_EQ(options.cpus, 8U);
  EXPECT_EQ(options.gpus, 1U);
  EXPECT_EQ(options.memory, "4G");
  EXPECT_EQ(options.time, "1:30:00");
  EXPECT_EQ(options.partition, "gpu");
  EXPECT_EQ(options.socket, "/run/s");
  EXPECT_TRUE(options.json);
}

TEST(VerbOptionsTest, StartWaitsUnlessToldNotTo) {
  const Words start = {"sessions", "start", "--user", "a", "--cluster", "b", "--ide", "c"};
  EXPECT_TRUE(parsed(start).wait);
  EXPECT_FALSE(parsed(start).attach);
  auto more = start;
  more.insert(more.end(), {"--no-wait", "--attach", "--account", "physics"});
  EXPECT_FALSE(parsed(more).wait);
  EXPECT_TRUE(parsed(more).attach);
  EXPECT_EQ(parsed(more).account, "physics");
}

TEST(VerbOptionsTest, LogsMayBeFollowedAndTimeBeAdded) {
  EXPECT_FALSE(parsed({"sessions", "logs", "3f"}).follow);
  EXPECT_TRUE(parsed({"sessions", "logs", "--follow", "3f"}).follow);
  EXPECT_EQ(parsed({"sessions", "extend", "3f", "--minutes", "90"}).minutes, 90U);
  EXPECT_FALSE(parse_verb_line({"sessions", "extend", "3f"}).has_value());
  EXPECT_FALSE(parse_verb_line({"sessions", "extend", "3f", "--minutes", "x"}).has_value());
}

TEST(VerbOptionsTest, EveryValueOfATokensCreation) {
  const auto options =
      parsed({"tokens", "create", "--user", "alice", "--label", "my laptop", "--expires", "30d"});
  EXPECT_EQ(options.user, "alice");
  EXPECT_EQ(options.label, "my laptop");
  EXPECT_EQ(options.expires_s, 2'592'000U);
  EXPECT_FALSE(options.json);
}

TEST(VerbOptionsTest, TheSocketIsAFlagElseTheEnvironmentElseTheUsualPlace) {
  setenv("HPC_MANAGER_SOCKET", "/run/from-environment", 1);
  EXPECT_EQ(parsed({"queue"}).socket, "/run/from-environment");
  EXPECT_EQ(parsed({"queue", "--socket", "/run/flag"}).socket, "/run/flag");
  unsetenv("HPC_MANAGER_SOCKET");
  setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
  EXPECT_EQ(parsed({"queue"}).socket, "/run/user/1/hpc-manager/socket");
  unsetenv("XDG_RUNTIME_DIR");
}

struct BadLine {
  const char* name;
  Words words;
  const char* says;
};

void PrintTo(const BadLine& one, std::ostream* out) { *out << one.name; }

class BadVerbLineTest : public testing::TestWithParam<BadLine> {};

TEST_P(BadVerbLineTest, IsAUsageErrorThatSaysWhy) {
  const auto line = parse_verb_line(GetParam().words);
  ASSERT_FALSE(line.has_value());
  EXPECT_EQ(line.error().code, Errc::kUsage);
  EXPECT_NE(line.error().detail.find(GetParam().says), std::string::npos) << line.error().detail;
}

INSTANTIATE_TEST_SUITE_P(
    Lines, BadVerbLineTest,
    testing::Values(
        BadLine{"nothing", {}, "--help"},
        BadLine{"half_a_verb", {"sessions"}, "hpc-manager sessions --help"},
        BadLine{"unknown_verb", {"sessions", "pause", "3f"}, "--help"},
        BadLine{"no_id", {"sessions", "show"}, "ID"},
        BadLine{"two_ids", {"sessions", "show", "3f", "4a"}, "--help"},
        BadLine{"id_with_a_path", {"sessions", "stop", "../tokens"}, "is no id"},
        BadLine{"id_with_a_query", {"sessions", "stop", "3f?x"}, "is no id"},
        BadLine{
            "start_without_user", {"sessions", "start", "--cluster", "b", "--ide", "c"}, "--user"},
        BadLine{"slot_word",
                {"sessions", "start", "--user", "a", "--cluster", "b", "--ide", "c", "--slot", "x"},
                "--slot"},
        BadLine{"user_with_a_query", {"sessions", "list", "--user", "a&all=1"}, "--user"},
        BadLine{"token_without_user", {"tokens", "create"}, "--user"},
        BadLine{"expires_word",
                {"tokens", "create", "--user", "a", "--expires", "soon"},
                "'soon' is no time"}),
    [](const auto& i) { return std::string(i.param.name); });

TEST(VerbOptionsTest, HelpIsPrinted) {
  for (const Words& words : {Words{"sessions", "--help"}, Words{"sessions", "start", "--help"},
                             Words{"queue", "--help"}, Words{"tokens", "create", "--help"}}) {
    const auto line = parse_verb_line(words);
    ASSERT_TRUE(line.has_value());
    ASSERT_TRUE(std::holds_alternative<PrintText>(*line));
    EXPECT_FALSE(std::get<PrintText>(*line).text.empty());
  }
}

TEST(DurationTest, HasANumberAndAUnit) {
  EXPECT_EQ(parse_duration_s("45s"), 45U);
  EXPECT_EQ(parse_duration_s("90m"), 5'400U);
  EXPECT_EQ(parse_duration_s("12h"), 43'200U);
  EXPECT_EQ(parse_duration_s("30d"), 2'592'000U);
  EXPECT_EQ(parse_duration_s("3650d"), 315'360'000U);
  for (const char* text : {"", "d", "30", "0d", "-1d", "1.5h", "30D", "30 d", "d30", "3651d", "1w",
                           "9999999999s", "30dd"}) {
    EXPECT_EQ(parse_duration_s(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace hpc
