#include "manager/session/poll_interval.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace hpc {
namespace {

using Urgency = JobPoller::Urgency;
constexpr std::uint64_t kHour = 3'600'000;

PolledJob steady(std::uint64_t age_ms) { return {Urgency::kSteady, age_ms, true, {}}; }
PolledJob changing(std::uint64_t age_ms) { return {Urgency::kChanging, age_ms, true, {}}; }
PolledJob waiting(std::uint64_t age_ms, std::optional<std::int64_t> starts_in_ms = {}) {
  return {Urgency::kWaiting, age_ms, true, starts_in_ms};
}
PolledJob never_asked(Urgency urgency) { return {urgency, 0, false, {}}; }

struct IntervalCase {
  const char* name;
  std::vector<PolledJob> jobs;
  PolledCluster cluster;
  std::uint64_t wait_ms;
};
void PrintTo(const IntervalCase& c, std::ostream* os) { *os << c.name; }

const IntervalCase kIntervalCases[] = {
    {"nothing_to_follow", {}, {}, 60'000},
    {"new_job", {never_asked(Urgency::kSteady)}, {5, 0}, 1'000},
    {"new_job_beside_quiet_ones", {steady(kHour), never_asked(Urgency::kWaiting)}, {5, 0}, 1'000},

    {"changing", {changing(0)}, {9, 0}, 2'000},
    {"changing_to_the_bound", {changing(599'999)}, {9, 0}, 2'000},
    {"changing_without_end", {changing(600'000)}, {9, 0}, 20'000},
    {"changing_for_an_hour", {changing(kHour)}, {9, 0}, 60'000},

    {"waiting", {waiting(0)}, {9, 0}, 2'000},
    {"waiting_to_the_bound", {waiting(119'999)}, {9, 0}, 2'000},
    {"waiting_for_two_minutes", {waiting(120'000)}, {9, 0}, 4'000},
    {"waiting_for_ten_minutes", {waiting(600'000)}, {9, 0}, 20'000},
    {"waiting_for_half_an_hour", {waiting(1'800'000)}, {0, 0}, 60'000},
    {"waiting_for_a_day", {waiting(24 * kHour)}, {0, 0}, 60'000},

    {"start_is_far", {waiting(kHour, 60'001)}, {9, 0}, 60'000},
    {"start_is_near", {waiting(kHour, 60'000)}, {9, 0}, 2'000},
    {"start_is_late", {waiting(kHour, -120'000)}, {9, 0}, 2'000},
    {"start_is_not_believed_any_more", {waiting(kHour, -120'001)}, {9, 0}, 60'000},
    {"start_of_one_that_runs", {{Urgency::kSteady, kHour, true, 0}}, {9, 0}, 60'000},

    {"steady_after_a_change", {steady(kHour)}, {0, 0}, 2'000},
    {"steady_1", {steady(0)}, {1, 0}, 4'000},
    {"steady_2", {steady(0)}, {2, 0}, 8'000},
    {"steady_4", {steady(0)}, {4, 0}, 32'000},
    {"steady_5", {steady(0)}, {5, 0}, 60'000},
    {"steady_for_ever", {steady(0)}, {SIZE_MAX, 0}, 60'000},

    {"the_fastest_counts", {steady(0), changing(0), waiting(kHour)}, {9, 0}, 2'000},
    {"all_are_quiet", {steady(0), waiting(300'000)}, {9, 0}, 10'000},

    {"failed_once", {changing(0)}, {0, 1}, 2'000},
    {"failed_twice", {changing(0)}, {0, 2}, 4'000},
    {"failed_three_times", {changing(0)}, {0, 3}, 8'000},
    {"failed_four_times", {changing(0)}, {0, 4}, 16'000},
    {"failed_for_ever", {changing(0)}, {0, SIZE_MAX}, 16'000},
    {"new_job_of_a_silent_cluster", {never_asked(Urgency::kSteady)}, {0, 3}, 8'000},
    {"failed_after_a_quiet_time", {steady(0)}, {9, 3}, 8'000},
};

class PollIntervalTest : public ::testing::TestWithParam<IntervalCase> {};

TEST_P(PollIntervalTest, Waits) {
  EXPECT_EQ(poll_wait_ms(GetParam().jobs, GetParam().cluster), GetParam().wait_ms);
}

INSTANTIATE_TEST_SUITE_P(Cases, PollIntervalTest, ::testing::ValuesIn(kIntervalCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(PollInterval, NeverFasterThanSoonNorSlowerThanSlow) {
  for (const auto urgency : {Urgency::kSteady, Urgency::kWaiting, Urgency::kChanging}) {
    for (std::uint64_t age = 0; age < 4 * kHour; age += 7'919) {
      const std::vector<PolledJob> jobs = {{urgency, age, true, {}}};
      const auto wait = poll_wait_ms(jobs, {age / 10'000, age % 7});
      EXPECT_GE(wait, kPollFastMs);
      EXPECT_LE(wait, kPollSlowMs);
    }
  }
}

}  // namespace
}  // namespace hpc
