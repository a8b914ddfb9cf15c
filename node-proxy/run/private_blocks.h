#pragma once
#include <cstdint>
#include <string>

#include "common/socket_lookup.h"

namespace hpc {

// Pure: which addresses of 127.64.0.0/10 a run would like to have, and whose sockets are in the
// way.

/// Four neighbouring addresses; `first`, in host order, is divisible by 4. Of them a run uses +0
/// and +1 for its programs' ports and +2 for its claim; +3 stays free.
struct PrivateBlock {
  std::uint32_t first = 0;
  /// `offset`: 0..3.
  std::string address(unsigned offset) const;
  /// Is this end of a socket at one of the four, also as a v4-mapped address?
  bool holds(const SocketEnd& end) const;
};

/// The block to try at that attempt, the same for the same uid and id. Never the first or the last
/// of the network: "all zeros" and "all ones" mean a network and everybody in it to many programs.
PrivateBlock choose_private_block(std::uint32_t uid, const std::string& id, int attempt);

}  // namespace hpc
