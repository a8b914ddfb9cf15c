#include "manager/session/session_words.h"

#include <gtest/gtest.h>

namespace hpc {
namespace {

TEST(SessionWordsTest, Ordinals) {
  const std::pair<std::uint64_t, const char*> numbers[] = {
      {0, "0th"},   {1, "1st"},     {2, "2nd"},     {3, "3rd"},     {4, "4th"},      {10, "10th"},
      {11, "11th"}, {12, "12th"},   {13, "13th"},   {21, "21st"},   {22, "22nd"},    {23, "23rd"},
      {24, "24th"}, {101, "101st"}, {111, "111th"}, {113, "113th"}, {1002, "1002nd"}};
  for (const auto& [number, text] : numbers) EXPECT_EQ(ordinal(number), text);
}

TEST(SessionWordsTest, APlaceInTheQueue) {
  EXPECT_EQ(queued_words(1), "queued (1st)");
  EXPECT_EQ(queued_words(3), "queued (3rd)");
}

struct WordsCase {
  const char* name;
  const char* state;
  std::optional<std::uint64_t> position;
  const char* node;
  const char* reason;
  const char* want;
};
void PrintTo(const WordsCase& one, std::ostream* out) { *out << one.name; }

class SessionWordsTableTest : public testing::TestWithParam<WordsCase> {};

TEST_P(SessionWordsTableTest, SaysWhereItStands) {
  const auto& one = GetParam();
  EXPECT_EQ(session_words(one.state, one.position, one.node, one.reason), one.want);
}

constexpr std::optional<std::uint64_t> kNowhere = std::nullopt;

INSTANTIATE_TEST_SUITE_P(
    Table, SessionWordsTableTest,
    testing::Values(
        WordsCase{"queued", "queued", 3, "", "", "queued (3rd)"},
        WordsCase{"queued_with_reason", "queued", 1, "", "one launches",
                  "queued (1st): one launches"},
        WordsCase{"pending", "pending", kNowhere, "", "Priority, starts about 14:05",
                  "pending: Priority, starts about 14:05"},
        WordsCase{"reason_has_the_state", "pending", kNowhere, "", "pending: Priority",
                  "pending: Priority"},
        WordsCase{"place_in_the_reason", "queued", 3, "", "queued (3rd)", "queued (3rd)"},
        WordsCase{"starting", "starting", kNowhere, "c2", "", "starting on c2"},
        WordsCase{"starting_waits", "starting", kNowhere, "c2", "waiting for hpc-proxy",
                  "starting on c2: waiting for hpc-proxy"},
        WordsCase{"reason_has_the_node", "starting", kNowhere, "c2", "waiting for hpc-proxy on c2",
                  "starting: waiting for hpc-proxy on c2"},
        WordsCase{"running", "running", kNowhere, "c1", "", "running on c1"},
        WordsCase{"reconnecting", "reconnecting", kNowhere, "c1", "lost",
                  "reconnecting on c1: lost"},
        WordsCase{"pending_had_a_node", "pending", kNowhere, "c1", "", "pending"},
        WordsCase{"ended", "ended", kNowhere, "c1", "TIMEOUT", "ended: TIMEOUT"},
        WordsCase{"no_state", "", kNowhere, "", "", ""},
        WordsCase{"only_a_reason", "", kNowhere, "", "why", ": why"}),
    [](const auto& i) { return std::string(i.param.name); });

TEST(SessionWordsTest, TimeLeft) {
  constexpr std::int64_t kMinute = 60'000;
  const std::pair<std::int64_t, const char*> times[] = {{-1, ""},
                                                        {0, ""},
                                                        {1, "less than a minute"},
                                                        {kMinute - 1, "less than a minute"},
                                                        {kMinute, "1 minute"},
                                                        {2 * kMinute, "2 minutes"},
                                                        {119 * kMinute + 59'999, "119 minutes"},
                                                        {120 * kMinute, "2 hours"},
                                                        {48 * 60 * kMinute - 1, "47 hours"},
                                                        {48 * 60 * kMinute, "2 days"}};
  for (const auto& [ms, text] : times) EXPECT_EQ(time_words(ms), text) << ms;
}

}  // namespace
}  // namespace hpc
