#include "common/target_owner.h"

#include <utility>

#include "common/peer_owner.h"

namespace hpc {

namespace {

bool is_ours(const SocketEntry& entry, std::uint32_t uid) {
  return entry.uid == uid && uid != kOverflowUid;
}

bool is_listener_of(const std::optional<SocketEntry>& answer, const SocketEnd& target) {
  return answer && answer->state == kTcpStateListen && answer->inode != 0 &&
         listener_fit(answer->local, target) > 0;
}

/// The connection is there, but nobody holds it: it waits to be accepted.
bool waits_to_be_accepted(const std::optional<SocketEntry>& answer, const SocketEnd& target,
                          const SocketEnd& local) {
  return answer && answer->local == target && answer->remote == local &&
         answer->state != kTcpStateListen && answer->inode == 0;
}

class LookupTargetOwner final : public TargetOwner {
 public:
  explicit LookupTargetOwner(std::shared_ptr<SocketLookup> lookup) : lookup_(std::move(lookup)) {}

  Result<TargetVerdict> owner_of(const SocketAddress& target, const SocketAddress& local,
                                 std::uint32_t uid) override {
    const auto target_end = make_socket_end(target.address, target.port);
    const auto our_end = make_socket_end(local.address, local.port);
    // A connection that has lost its ends has been reset.
    if (!target_end || !our_end) return TargetVerdict::kGone;
    TargetLooks looks;
    const auto first = lookup_->find(*target_end, *our_end);
    if (!first) return tl::unexpected<Error>(first.error());
    looks.first = *first;
    if (tells_nothing(looks.first, *target_end, *our_end)) {
      const auto listener = lookup_->find_listener(*target_end);
      if (!listener) return tl::unexpected<Error>(listener.error());
      const auto second = lookup_->find(*target_end, *our_end);
      if (!second) return tl::unexpected<Error>(second.error());
      looks.listener = *listener;
      looks.second = *second;
    }
    return rule_target(looks, *target_end, *our_end, uid);
  }

 private:
  std::shared_ptr<SocketLookup> lookup_;  // with whoever else asks the same kernel socket
};

}  // namespace

bool tells_nothing(const std::optional<SocketEntry>& look, const SocketEnd& target,
                   const SocketEnd& local) {
  return !shows_connection(look, target, local);
}

TargetVerdict rule_target(const TargetLooks& looks, const SocketEnd& target, const SocketEnd& local,
                          std::uint32_t uid) {
  if (!tells_nothing(looks.first, target, local)) {
    return is_ours(*looks.first, uid) ? TargetVerdict::kOurs : TargetVerdict::kForeign;
  }
  if (!is_listener_of(looks.listener, target)) return TargetVerdict::kGone;
  if (!is_ours(*looks.listener, uid)) return TargetVerdict::kForeign;
  // Between the two looks another program may have taken the port over, and this connection.
  if (!tells_nothing(looks.second, target, local)) {
    return is_ours(*looks.second, uid) ? TargetVerdict::kOurs : TargetVerdict::kForeign;
  }
  return waits_to_be_accepted(looks.second, target, local) ? TargetVerdict::kOurs
                                                           : TargetVerdict::kGone;
}

std::unique_ptr<TargetOwner> make_target_owner(std::shared_ptr<SocketLookup> lookup) {
  return std::make_unique<LookupTargetOwner>(std::move(lookup));
}

}  // namespace hpc
