#include "common/peer_owner.h"

namespace hpc {

namespace {

class LookupPeerOwner final : public PeerOwner {
 public:
  explicit LookupPeerOwner(std::shared_ptr<SocketLookup> lookup) : lookup_(std::move(lookup)) {}

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
    return answer && shows_connection(*answer, *their_end, *our_end);
  }

  bool peer_has_closed(const SocketAddress& peer, const SocketAddress& local) override {
    const auto their_end = make_socket_end(peer.address, peer.port);
    const auto our_end = make_socket_end(local.address, local.port);
    if (!their_end || !our_end) return false;
    const auto answer = lookup_->find(*their_end, *our_end);
    return answer && shows_orphan(*answer, *their_end, *our_end);
  }

 private:
  std::shared_ptr<SocketLookup> lookup_;  // with whoever else asks the same kernel socket
};

}  // namespace

bool shows_orphan(const std::optional<SocketEntry>& answer, const SocketEnd& local,
                  const SocketEnd& remote) {
  return answer && answer->local == local && answer->remote == remote &&
         answer->state != kTcpStateListen && answer->inode == 0;
}

bool shows_connection(const std::optional<SocketEntry>& answer, const SocketEnd& local,
                      const SocketEnd& remote) {
  return answer && answer->local == local && answer->remote == remote &&
         answer->state != kTcpStateListen && answer->inode != 0;
}

bool proves_owner(const std::optional<SocketEntry>& answer, const SocketEnd& local,
                  const SocketEnd& remote, std::uint32_t uid) {
  return shows_connection(answer, local, remote) && answer->uid == uid && uid != kOverflowUid;
}

std::unique_ptr<PeerOwner> make_peer_owner(std::shared_ptr<SocketLookup> lookup) {
  return std::make_unique<LookupPeerOwner>(std::move(lookup));
}

Result<std::unique_ptr<PeerOwner>> make_peer_owner() {
  return make_peer_owner(make_system_lookup());
}

}  // namespace hpc
