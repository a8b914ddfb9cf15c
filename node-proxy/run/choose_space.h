#pragma once
#include <string>

#include "common/result.h"
#include "node-proxy/options.h"

namespace hpc {

/// What --private=auto means on this node, and the sentence that says so.
struct SpaceChoice {
  PrivateMode mode = PrivateMode::kLoopback;  // or kNetns
  std::string sentence;
};

/// From the answer of probe_network_space(). Pure.
SpaceChoice choose_space(const Status& probe);

}  // namespace hpc
