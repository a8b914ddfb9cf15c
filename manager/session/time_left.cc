#include "manager/session/time_left.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hpc {

namespace {

constexpr std::uint64_t kMinuteMs = 60'000;
// The alarm's clock stands still while a machine sleeps.
constexpr std::uint64_t kLookEveryMs = kMinuteMs;
constexpr std::array<unsigned, 4> kNotices = {1, 5, 10, 30};  // minutes before the end

// The last notice whose time has come.
std::optional<unsigned> due(std::uint64_t left_ms) {
  for (const unsigned notice : kNotices) {
    if (left_ms <= notice * kMinuteMs) return notice;
  }
  return std::nullopt;
}

std::uint64_t until_next(std::uint64_t left_ms) {
  std::uint64_t wait_ms = kLookEveryMs;
  for (const unsigned notice : kNotices) {
    if (left_ms > notice * kMinuteMs) wait_ms = std::min(wait_ms, left_ms - notice * kMinuteMs);
  }
  return wait_ms;
}

}  // namespace

TimeLeft::TimeLeft(Scheduler& scheduler, UnixClock now, Notice notice)
    : now_(std::move(now)),
      notice_(std::move(notice)),
      alarm_(scheduler.make_alarm([this] { look(); })) {}

TimeLeft::~TimeLeft() = default;

void TimeLeft::set_end(std::optional<std::int64_t> ends_at) {
  if (ends_at == ends_at_) return;
  ends_at_ = ends_at;
  if (ends_at_) {
    alarm_->start(0);
  } else {
    alarm_->stop();
  }
}

void TimeLeft::look() {
  const std::int64_t now = now_();
  if (*ends_at_ <= now) return alarm_->start(kLookEveryMs);  // the clock may be put back
  const auto left_ms = static_cast<std::uint64_t>(*ends_at_ - now);
  alarm_->start(until_next(left_ms));
  const auto notice = due(left_ms);
  // It was put off, or the clock back. A minute's slack, because SLURM tells of ends in seconds and
  // of time that is left in minutes.
  if (said_ && left_ms > (*said_ + 1) * kMinuteMs) said_ = notice;
  if (!notice || (said_ && *said_ <= *notice)) return;
  said_ = notice;
  const auto minutes = static_cast<unsigned>((left_ms + kMinuteMs - 1) / kMinuteMs);
  const Notice tell = notice_;  // which may destroy us
  tell(std::min(*notice, minutes));
}

}  // namespace hpc
