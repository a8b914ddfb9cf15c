#include "common/peer_owner.h"

namespace hpc {

namespace {

// Sockets of users that have no number in our user namespace all show this one: never ours.
constexpr std::uint32_t kOverflowUid = 65534;

class LookupPeerOwner final : public PeerOwner {
 public:
  explicit LookupPeerOwner(std::unique_ptr<SocketLookup> lookup) : lookup_(std::move(lookup)) {}

  Result<bool> peer_belongs_to(const SocketAddress& peer, const SocketAddress& local,
                               std::uint32_t uid) override {
    // Reversed: the peer's own socket has its address as the local end and ours as the remote one.
    const auto their_end = make_socket_end(peer.address, peer.port);
    const auto our_end = make_socket_end(local.address, local.port);
    if (!their_end || !our_end) return false;
    const auto answer = lookup_->find(*their_end, *our_end);
    if (!answer) return tl::unexpected<Error>(answer.error());
    return proves_owner(*answer, *their_end, *our_end, uid);
  }

  bool peer_is_open(const SocketAddress& peer, const SocketAddress& local) override {
    const auto their_end = make_socket_end(peer.address, peer.port);
    const auto our_end = make_socket_end(local.address, local.port);
    if (!their_end || !our_end) return false;
    const auto answer = lookup_->find(*their_end, *our_end);
    return answer && *answer && (*answer)->local == *their_end && (*answer)->remote == *our_end &&
           (*answer)->state != kTcpStateListen && (*answer)->inode != 0;
  }

 private:
  std::unique_ptr<SocketLookup> lookup_;
};

}  // namespace

bool proves_owner(const std::optional<SocketEntry>& answer, const SocketEnd& local,
                  const SocketEnd& remote, std::uint32_t uid) {
  return answer && answer->local == local && answer->remote == remote &&
         answer->state != kTcpStateListen && answer->inode != 0 && answer->uid == uid &&
         uid != kOverflowUid;
}

std::unique_ptr<PeerOwner> make_peer_owner(std::unique_ptr<SocketLookup> lookup) {
  return std::make_unique<LookupPeerOwner>(std::move(lookup));
}

Result<std::unique_ptr<PeerOwner>> make_peer_owner() {
  auto netlink = make_netlink_lookup();
  return make_peer_owner(
      make_fallback_lookup(netlink ? std::move(*netlink) : nullptr, make_proc_lookup("/proc/net")));
}

}  // namespace hpc
