#include "manager/slurm/slurm_answer.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace hpc {
namespace {

const std::string kMarker(64, 'a');

TEST(SlurmAnswerTest, PartsEndAtLinesOfTheMarker) {
  const std::string text = "motd\n\n" + kMarker + " begin\n\n" + kMarker +
                           " status 0\nwords\nmore\n" + kMarker + " end\nlogout\n";
  std::string_view rest = text;
  auto part = next_marked_part(rest, kMarker);
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->text, "motd\n");
  EXPECT_EQ(part->mark, "begin");
  part = next_marked_part(rest, kMarker);
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->text, "");
  EXPECT_EQ(part->mark, "status 0");
  part = next_marked_part(rest, kMarker);
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->text, "words\nmore");
  EXPECT_EQ(part->mark, "end");
  EXPECT_EQ(rest, "logout\n");
  EXPECT_FALSE(next_marked_part(rest, kMarker).has_value());
}

TEST(SlurmAnswerTest, TheMarkerCountsAtTheBeginningOfAWholeLineOnly) {
  for (const std::string& text :
       {"x" + kMarker + " end\n", kMarker + " end", kMarker + "\n", kMarker + "b end\n",
        std::string(64, 'b') + " end\n", std::string(), "\n" + kMarker + " "}) {
    std::string_view rest = text;
    EXPECT_FALSE(next_marked_part(rest, kMarker).has_value()) << text;
    EXPECT_EQ(rest, text);
  }
}

TEST(SlurmAnswerTest, AnEmptyPartMayStandBetweenTwoMarks) {
  const std::string text = kMarker + " a\n" + kMarker + " b\n";
  std::string_view rest = text;
  EXPECT_EQ(next_marked_part(rest, kMarker)->mark, "a");
  const auto part = next_marked_part(rest, kMarker);
  EXPECT_EQ(part->mark, "b");
  EXPECT_EQ(part->text, "");
}

struct WordsCase {
  const char* name;
  std::string said;
  std::string words;
};
void PrintTo(const WordsCase& one, std::ostream* out) { *out << one.name; }
class SlurmWordsTest : public testing::TestWithParam<WordsCase> {};

TEST_P(SlurmWordsTest, AreOneLineForPeople) {
  EXPECT_EQ(slurm_words(GetParam().said), GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, SlurmWordsTest,
    testing::Values(
        WordsCase{"nothing", "", ""}, WordsCase{"blank_lines", "\n\n \n", ""},
        WordsCase{"sbatch",
                  "sbatch: error: invalid partition specified: nix\n"
                  "sbatch: error: Batch job submission failed: Invalid partition name specified",
                  "invalid partition specified: nix; Invalid partition name specified"},
        WordsCase{"squeue", "slurm_load_jobs error: Invalid job id specified\n",
                  "Invalid job id specified"},
        WordsCase{"scontrol", "Access/permission denied for job 1\n",
                  "Access/permission denied for job 1"},
        WordsCase{"submit_plugin", "sbatch: lua: name a project with -A\n",
                  "lua: name a project with -A"},
        WordsCase{"terminal", "sbatch: error: \x1b[31mno\x07\n", "?[31mno?"},
        WordsCase{"no_ascii", "sbatch: error: gr\xc3\xbcn\n", "gr??n"},
        WordsCase{"crlf", "a\r\nb\r\n", "a; b"},
        WordsCase{"at_the_bound", std::string(300, 'x'), std::string(300, 'x')},
        WordsCase{"past_the_bound", std::string(301, 'x'), std::string(300, 'x')}),
    [](const auto& i) { return std::string(i.param.name); });

TEST(SlurmAnswerTest, WordsOfTenMegabytesAreCutAtOnce) {
  std::string said;
  while (said.size() < std::size_t{10} * 1024 * 1024) said += "sbatch: error: no\n";
  const auto words = slurm_words(said);
  EXPECT_TRUE(words.starts_with("no; no; ")) << words;
  EXPECT_LE(words.size(), kSlurmWordsBytesMax);
  EXPECT_GT(words.size(), kSlurmWordsBytesMax - 4);
}

TEST(SlurmAnswerTest, WhatStandsBetweenBeginAndEnd) {
  struct Row {
    std::string output;
    std::optional<std::string> text;
  };
  const std::vector<Row> rows = {{"noise\n\nab begin\none\ntwo\nab end\n", "one\ntwo"},
                                 {"ab begin\nab end\nmore", ""},
                                 {"ab begin\none\nab end", std::nullopt},
                                 {"ab begin\none\n", std::nullopt},
                                 {"one\nab end\n", std::nullopt},
                                 {"ab status 0\none\nab end\n", std::nullopt},
                                 {"ab begin\nab status 0\nab end\n", std::nullopt},
                                 {"", std::nullopt}};
  for (const auto& row : rows) {
    const auto text = marked_text(row.output, "ab");
    EXPECT_EQ(text ? std::optional<std::string>(*text) : std::nullopt, row.text) << row.output;
  }
}

TEST(SlurmAnswerTest, SlurmIsAway) {
  for (const char* said :
       {"sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect "
        "failure)",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
        "sbatch: error: Batch job submission failed: Resource temporarily unavailable",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        "sbatch: error: Slurm job queue full, sleeping and retrying",
        "Controller is in standby mode, try a different controller",
        "Unexpected message received for job 3", "Message receive failure",
        "sbatch: fatal: Could not establish a configuration source",
        "sbatch: fatal: Unable to process configuration file",
        "sbatch: error: Munge encode failed: Failed to access \"/run/munge/munge.socket.2\"",
        "sbatch: error: Batch job submission failed: Protocol authentication error",
        "slurm_load_jobs error: SOCKET TIMED OUT"}) {
    EXPECT_TRUE(is_slurm_away(said)) << said;
  }
  for (const char* said :
       {"", "sbatch: error: Batch job submission failed: Invalid partition name specified",
        "Access/permission denied for job 1",
        "sbatch: error: Batch job submission failed: Requested node configuration is not available",
        "sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or "
        "exceeds some limit)",
        "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job "
        "submit limit, user's size and/or time limits)",
        "sbatch: error: Invalid generic resource (gres) specification"}) {
    EXPECT_FALSE(is_slurm_away(said)) << said;
  }
}

TEST(SlurmAnswerTest, AnUnknownJob) {
  EXPECT_TRUE(is_unknown_job("slurm_load_jobs error: Invalid job id specified"));
  EXPECT_TRUE(is_unknown_job("scontrol: error: Invalid job id 99"));
  EXPECT_FALSE(is_unknown_job("slurm_load_jobs error: Unable to contact slurm controller"));
  EXPECT_FALSE(is_unknown_job(""));
}

TEST(SlurmAnswerTest, IdsAndMarkersAreLowerHex) {
  EXPECT_TRUE(is_session_id("0123456789abcdef0123456789abcdef"));
  for (const char* bad :
       {"", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
        "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcde/",
        "../../../../../../../../../../..", "0123456789abcdef0123456789abcdeg"}) {
    EXPECT_FALSE(is_session_id(bad)) << bad;
    EXPECT_EQ(is_marker(bad), bad == std::string("0123456789abcdef0123456789abcde") ||
                                  bad == std::string("0123456789abcdef0123456789abcdef0"))
        << bad;
  }
  EXPECT_TRUE(is_marker(kMarker));
  EXPECT_FALSE(is_marker(kMarker + "a"));
}

}  // namespace
}  // namespace hpc
