#include "node-proxy/run/doubled_signals.h"

#include <cassert>
#include <cstddef>

namespace hpc {

bool DoubledSignals::is_first(int number, Way way, std::uint64_t now_ms) {
  assert(number > 0 && number < NSIG);
  auto& passed = passed_[static_cast<std::size_t>(number)];
  if (passed && passed->way != way && now_ms - passed->at_ms < kSameSignalMs) {
    passed.reset();
    return false;
  }
  passed = Passed{now_ms, way};
  return true;
}

}  // namespace hpc
