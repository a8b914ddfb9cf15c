#include "manager/session/poll_interval.h"

#include <algorithm>

namespace hpc {

namespace {

/// `first` doubled so many times, `most` at most.
std::uint64_t doubled(std::uint64_t first, std::size_t times, std::uint64_t most) {
  std::uint64_t out = first;
  for (std::size_t i = 0; i < times && out < most; ++i) out *= 2;
  return std::min(out, most);
}

std::uint64_t by_age(std::uint64_t age_ms, std::uint64_t fast_for_ms) {
  if (age_ms < fast_for_ms) return kPollFastMs;
  return std::clamp(age_ms / kPollAgeParts, kPollFastMs, kPollSlowMs);
}

bool starts_soon(const PolledJob& job) {
  return job.starts_in_ms && *job.starts_in_ms <= kPollStartNearMs &&
         *job.starts_in_ms >= -kPollStartPastMs;
}

std::uint64_t wait_of(const PolledJob& job, std::size_t quiet) {
  if (!job.asked) return kPollSoonMs;
  switch (job.urgency) {
    case JobPoller::Urgency::kSteady:
      return doubled(kPollFastMs, quiet, kPollSlowMs);
    case JobPoller::Urgency::kWaiting:
      return starts_soon(job) ? kPollFastMs : by_age(job.age_ms, kPollWaitingFastMs);
    case JobPoller::Urgency::kChanging:
      return by_age(job.age_ms, kPollChangingFastMs);
  }
  return kPollSlowMs;
}

}  // namespace

std::uint64_t poll_wait_ms(std::span<const PolledJob> jobs, const PolledCluster& cluster) {
  // However quiet it was before: users are told after a few failures, and of its return.
  if (cluster.failed > 0) return doubled(kPollFastMs, cluster.failed - 1, kPollFailedMs);
  std::uint64_t wait = kPollSlowMs;
  for (const auto& job : jobs) wait = std::min(wait, wait_of(job, cluster.quiet));
  return wait;
}

}  // namespace hpc
