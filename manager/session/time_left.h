#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "manager/session/scheduler.h"
#include "manager/store/store.h"

namespace hpc {

/// Says when a job's time runs out: once each at 30, 10, 5 and 1 minutes before its end; of several
/// that have passed at once, the last only. Nothing is said of an end that has passed.
///
/// It goes by the wall clock and looks at it at least once a minute, so it is right at most a
/// minute after a laptop woke up, and after somebody set the clock. `scheduler` must outlive it.
class TimeLeft {
 public:
  /// `minutes` that are left, rounded up: 30, 10, 5 or 1, or fewer where it comes late. In a later
  /// turn; may call and may destroy the object.
  using Notice = std::function<void(unsigned minutes)>;
  TimeLeft(Scheduler& scheduler, UnixClock now, Notice notice);
  ~TimeLeft();
  TimeLeft(const TimeLeft&) = delete;
  TimeLeft& operator=(const TimeLeft&) = delete;

  /// The job ends then (unix ms), or nobody knows when. An end that is put off makes the notices
  /// behind it due again, if it is by more than a minute; the same end as before changes nothing,
  /// nor does one that was unknown in between.
  void set_end(std::optional<std::int64_t> ends_at);

 private:
  void look();

  UnixClock now_;
  Notice notice_;
  std::unique_ptr<Alarm> alarm_;
  std::optional<std::int64_t> ends_at_;
  std::optional<unsigned> said_;  // the last of the notices, in minutes
};

}  // namespace hpc
