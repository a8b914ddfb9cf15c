#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"

namespace hpc {

/// The loopback addresses of one `hpc-proxy run`, in 127.64.0.0/10: what COMMAND's programs want to
/// have on 127.0.0.1 or 0.0.0.0 is on `v4`, what they want on ::1, or on :: alone, on `v6`, which
/// is the IPv4 address behind it. Two, because one program may listen on both with one port.
struct PrivateAddresses {
  std::string v4;  // "127.64.12.8"; the last part is divisible by 4
  std::string v6;  // "127.64.12.9"
  // Bound to the address after these for as long as this lives: the kernel lets nobody else claim
  // the same four addresses.
  UniqueFd claim;

  std::vector<std::string> list() const { return {v4, v6}; }
};

/// Chooses from uid and id of the record, passes over addresses that somebody has claimed or on
/// which any socket is bound, and claims them. kSystem when the kernel cannot be asked, or after
/// kClaimsMax addresses that are all taken.
Result<PrivateAddresses> claim_private_addresses(std::uint32_t uid, const std::string& id);

constexpr int kClaimsMax = 64;

}  // namespace hpc
