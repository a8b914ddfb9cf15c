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
    // Both at once and always: mostly the app has not accepted yet, and then both are needed.
    const auto looks = lookup_->find_with_listener(*target_end, *our_end);
    if (!looks) return tl::unexpected<Error>(looks.error());
    return rule_target(*looks, *target_end, *our_end, uid);
  }

 private:
  std::shared_ptr<SocketLookup> lookup_;  // with whoever else asks the same kernel socket
};

}  // namespace

TargetVerdict rule_target(const SocketLooks& looks, const SocketEnd& target, const SocketEnd& local,
                          std::uint32_t uid) {
  if (shows_connection(looks.connection, target, local)) {
    return is_ours(*looks.connection, uid) ? TargetVerdict::kOurs : TargetVerdict::kForeign;
  }
  if (!is_listener_of(looks.listener, target)) return TargetVerdict::kGone;
  if (!is_ours(*looks.listener, uid)) return TargetVerdict::kForeign;
  return waits_to_be_accepted(looks.connection, target, local) ? TargetVerdict::kOurs
                                                               : TargetVerdict::kGone;
}

std::unique_ptr<TargetOwner> make_target_owner(std::shared_ptr<SocketLookup> lookup) {
  return std::make_unique<LookupTargetOwner>(std::move(lookup));
}

}  // namespace hpc
