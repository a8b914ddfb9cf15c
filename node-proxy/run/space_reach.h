#pragma once
#include "common/loop.h"
#include "common/result.h"
#include "node-proxy/app_reach.h"
#include "node-proxy/run/space_dialer.h"

namespace hpc {

// The keeper makes a socket in a moment; on a node that swaps it may take longer.
constexpr std::uint64_t kSpaceReachMs = 10'000;

/// Asks the keeper for all that NodeServer needs of the network space: sockets to ask about owners
/// and to listen with, and the way to dial. Turns `loop` until they are there, so it is for the
/// start, before anything is served. `loop` and what `ask` refers to must outlive the result's use.
/// kSystem with the cause; kTimeout after kSpaceReachMs.
Result<AppReach> reach_into_space(Loop& loop, AskSocket ask);

}  // namespace hpc
