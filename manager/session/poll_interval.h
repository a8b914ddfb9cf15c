#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "manager/session/job_poller.h"

namespace hpc {

// How long a job that waits, or changes, is asked for at the fast pace; then the slower the longer.
constexpr std::uint64_t kPollWaitingFastMs = 120'000;
constexpr std::uint64_t kPollChangingFastMs = 600'000;
// A job that has waited for an hour is seen to start within two minutes.
constexpr std::uint64_t kPollAgeParts = 30;
// SLURM's own estimate of a start is "near" from a minute before it until two minutes behind it.
constexpr std::int64_t kPollStartNearMs = 60'000;
constexpr std::int64_t kPollStartPastMs = 120'000;
// A controller that does not answer is asked ever less often, but seen again soon after it is back.
constexpr std::uint64_t kPollFailedMs = 16'000;

/// One job that is followed.
struct PolledJob {
  JobPoller::Urgency urgency = JobPoller::Urgency::kSteady;
  std::uint64_t age_ms = 0;                  // since it has been that urgent
  bool asked = true;                         // false: not even once
  std::optional<std::int64_t> starts_in_ms;  // SLURM's estimate, from now; may be past
};

/// How the last ticks of the cluster went.
struct PolledCluster {
  std::size_t quiet = 0;   // ticks in a row in which nothing changed
  std::size_t failed = 0;  // ticks in a row in which nothing was learned
};

/// How long until the next tick, from the end of the last one. Without jobs: kPollSlowMs.
std::uint64_t poll_wait_ms(std::span<const PolledJob> jobs, const PolledCluster& cluster);

}  // namespace hpc
