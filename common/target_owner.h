#pragma once
#include <cstdint>
#include <memory>

#include "common/result.h"
#include "common/socket_lookup.h"
#include "common/tcp_stream.h"

namespace hpc {

/// Whose program answers on a port that we have just connected to.
enum class TargetVerdict : std::uint8_t {
  kOurs,
  kForeign,
  kGone,  // nobody's: it stopped listening meanwhile; as good as refused
};

/// The rule for a target, pure (contract 1.2, "Whose socket"). `target` is the address that we
/// connected to, `local` our end of the connection; `looks` are at the listener of `target` and,
/// after that, at the far end of the connection. A far end that a program holds decides alone.
/// Else the listener must be ours, and the far end must wait to be accepted: as it was looked at
/// last, nobody else had taken the connection from our listener.
TargetVerdict rule_target(const SocketLooks& looks, const SocketEnd& target, const SocketEnd& local,
                          std::uint32_t uid);

/// Asks the kernel whose app is behind a connection that we opened, before the first byte is sent
/// over it. Blocking but answered at once: 2 to 4 us.
class TargetOwner {
 public:
  virtual ~TargetOwner() = default;
  /// kSystem when the kernel cannot be asked: nothing may be sent then.
  virtual Result<TargetVerdict> owner_of(const SocketAddress& target, const SocketAddress& local,
                                         std::uint32_t uid) = 0;
};

std::unique_ptr<TargetOwner> make_target_owner(std::shared_ptr<SocketLookup> lookup);

}  // namespace hpc
