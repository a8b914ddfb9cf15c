#pragma once
#include <signal.h>

#include <array>
#include <cstdint>
#include <optional>

namespace hpc {

/// Which of the signals that COMMAND is to have came already: one to a whole job or process group
/// reaches hpc-proxy, which tells the keeper, and the keeper itself. Pure; the caller has the
/// clock.
class DoubledSignals {
 public:
  // What came to both within this time was sent once.
  static constexpr std::uint64_t kSameSignalMs = 100;

  enum class Way { kProxy, kKeeper };

  /// Whether this one is to be passed on: false for the second half of one sending. `number`:
  /// 1..NSIG-1. `now_ms` never decreases.
  bool is_first(int number, Way way, std::uint64_t now_ms);

 private:
  struct Passed {
    std::uint64_t at_ms = 0;
    Way way = Way::kKeeper;
  };
  std::array<std::optional<Passed>, NSIG> passed_{};  // the last of each, until its other half came
};

}  // namespace hpc
