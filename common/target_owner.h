#pragma once
#include <cstdint>
#include <memory>
#include <optional>

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

/// What the kernel said of one connection to a target, in this order.
struct TargetLooks {
  std::optional<SocketEntry> first;     // the far end of the connection
  std::optional<SocketEntry> listener;  // asked only where `first` tells nothing
  std::optional<SocketEntry> second;    // the far end again, after the listener
};

/// Does `look` leave open whose the far end is? Then the listener decides (rule_target).
bool tells_nothing(const std::optional<SocketEntry>& look, const SocketEnd& target,
                   const SocketEnd& local);

/// The rule for a target, pure (contract 1.2, "Whose socket"). `target` is the address that we
/// connected to, `local` our end of the connection.
TargetVerdict rule_target(const TargetLooks& looks, const SocketEnd& target, const SocketEnd& local,
                          std::uint32_t uid);

/// Asks the kernel whose app is behind a connection that we opened, before the first byte is sent
/// over it. Blocking but answered at once: 1 to 5 us.
class TargetOwner {
 public:
  virtual ~TargetOwner() = default;
  /// kSystem when the kernel cannot be asked: nothing may be sent then.
  virtual Result<TargetVerdict> owner_of(const SocketAddress& target, const SocketAddress& local,
                                         std::uint32_t uid) = 0;
};

std::unique_ptr<TargetOwner> make_target_owner(std::shared_ptr<SocketLookup> lookup);

}  // namespace hpc
