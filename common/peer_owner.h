#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "common/result.h"
#include "common/socket_lookup.h"
#include "common/tcp_stream.h"

namespace hpc {

/// Asks the kernel whose end of a TCP connection is (NETLINK_SOCK_DIAG, one kept socket;
/// contract 1.2 "Whose socket"). Blocking but answered by the kernel at once: 1.0 to 1.5 us.
class PeerOwner {
 public:
  virtual ~PeerOwner() = default;
  /// Is the *other* end of the connection (ours: `local`, its: `peer`) a socket of `uid`? False
  /// when it is somebody else's, when the kernel knows no such connection, shows a listener, inode
  /// 0 or the overflow uid. kSystem when the kernel cannot be asked: treat as no.
  virtual Result<bool> peer_belongs_to(const SocketAddress& peer, const SocketAddress& local,
                                       std::uint32_t uid) = 0;
  /// Does any process still hold the other end? After its end of input this tells a half-close
  /// from a closed one. False when the kernel cannot tell (another machine's socket).
  virtual bool peer_is_open(const SocketAddress& /*peer*/, const SocketAddress& /*local*/) {
    return false;
  }
  /// Is the other end closed for certain, although its end of input may not have reached us? What
  /// it has sent before can be in the way: nothing passes while we do not read.
  virtual bool peer_has_closed(const SocketAddress& /*peer*/, const SocketAddress& /*local*/) {
    return false;
  }
};

Result<std::unique_ptr<PeerOwner>> make_peer_owner();

/// The same over a lookup of the caller's. Shared: a program asks about peers and about targets
/// over one kept socket.
std::unique_ptr<PeerOwner> make_peer_owner(std::shared_ptr<SocketLookup> lookup);

// Sockets of users that have no number in our user namespace all show this one: never ours.
constexpr std::uint32_t kOverflowUid = 65534;

/// Is `answer` about the very connection with these ends, and does a process hold it?
bool shows_connection(const std::optional<SocketEntry>& answer, const SocketEnd& local,
                      const SocketEnd& remote);

/// Is `answer` about the very connection with these ends, and has every process closed it?
bool shows_orphan(const std::optional<SocketEntry>& answer, const SocketEnd& local,
                  const SocketEnd& remote);

/// The rule for a peer, pure: does `answer`, given to a question for the socket with these ends,
/// prove that the socket is `uid`'s?
bool proves_owner(const std::optional<SocketEntry>& answer, const SocketEnd& local,
                  const SocketEnd& remote, std::uint32_t uid);

}  // namespace hpc
