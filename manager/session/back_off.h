#pragma once
#include <cstdint>
#include <functional>
#include <utility>

namespace hpc {

/// Delays between attempts: doubling from `first_ms` up to `most_ms`, with full jitter above
/// `first_ms`, so that many managers that lost the same host do not come back in step.
class BackOff {
 public:
  /// `random(n)` is uniform in 0 .. n-1.
  using Random = std::function<std::uint32_t(std::uint32_t)>;
  BackOff(std::uint64_t first_ms, std::uint64_t most_ms, Random random)
      : first_ms_(first_ms), most_ms_(most_ms), ceiling_ms_(first_ms), random_(std::move(random)) {}

  /// first_ms .. most_ms.
  std::uint64_t next_ms() {
    const std::uint64_t delay =
        first_ms_ + random_(static_cast<std::uint32_t>(ceiling_ms_ - first_ms_ + 1));
    ceiling_ms_ = ceiling_ms_ * 2 < most_ms_ ? ceiling_ms_ * 2 : most_ms_;
    return delay;
  }
  void reset() { ceiling_ms_ = first_ms_; }

 private:
  std::uint64_t first_ms_;
  std::uint64_t most_ms_;
  std::uint64_t ceiling_ms_;
  Random random_;
};

}  // namespace hpc
