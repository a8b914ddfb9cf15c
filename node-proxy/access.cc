#include "node-proxy/access.h"

#include <utility>

#include "common/cross_site.h"
#include "common/hello.h"

namespace hpc {

Access::Access(std::string token, bool require_token, std::uint32_t uid, PeerOwner& owner)
    : token_(std::move(token)), require_token_(require_token), uid_(uid), owner_(owner) {}

Access::Verdict Access::decide(const RequestHead& head, ClientInfo& client) const {
  if (holds_token(head)) return Verdict::kTokenHolder;
  if (require_token_ || !same_user(client)) return Verdict::kStranger;
  // Asked last, so that a stranger cannot learn anything from the difference of 401 and 403.
  return passes_cross_site_rule(head, OwnNames{}) ? Verdict::kSameUser : Verdict::kCrossSite;
}

void Access::look_at(ClientInfo& client) const {
  if (!require_token_) same_user(client);
}

bool Access::holds_token(const RequestHead& head) const {
  const auto given = head.fields.find(FieldId::kHpcProxyToken);
  return given && head.fields.count(FieldId::kHpcProxyToken) == 1 &&
         equal_in_constant_time(*given, token_);
}

bool Access::same_user(ClientInfo& client) const {
  if (!client.loopback) return false;
  if (client.peer_is_ours < 0) {
    PeerOwner& asked = client.peer_owner != nullptr ? *client.peer_owner : owner_;
    const auto answer = asked.peer_belongs_to({client.peer_address, client.peer_port},
                                              {client.local_address, client.local_port}, uid_);
    client.peer_is_ours = answer && *answer ? 1 : 0;
  }
  return client.peer_is_ours == 1;
}

}  // namespace hpc
