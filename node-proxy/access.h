#pragma once
#include <cstdint>
#include <string>

#include "common/http_handler.h"
#include "common/peer_owner.h"

namespace hpc {

/// Who may use this hpc-proxy (contract 1.2), decided once per request.
class Access {
 public:
  enum class Verdict : std::uint8_t {
    kTokenHolder,  // let in, and what it says in X-Forwarded-* is believed
    kSameUser,     // let in
    kStranger,     // 401
    kCrossSite,    // 403: the same user's browser, sent by somebody else's page
  };

  /// `owner`, who is asked about connections that bring nobody else (ClientInfo::peer_owner), must
  /// outlive this object. `token` is 64 lower-case hex digits.
  Access(std::string token, bool require_token, std::uint32_t uid, PeerOwner& owner);

  /// Asks the kernel at most once per connection (client.peer_is_ours).
  Verdict decide(const RequestHead& head, ClientInfo& client) const;
  /// The same question ahead of the first request, where its answer can let somebody in.
  void look_at(ClientInfo& client) const;
  /// Is the peer a process of this user on this node, whatever --require-token says?
  bool same_user(ClientInfo& client) const;

 private:
  bool holds_token(const RequestHead& head) const;

  std::string token_;
  bool require_token_;
  std::uint32_t uid_;
  PeerOwner& owner_;
};

/// The field that carries the token. Never forwarded, never logged.
constexpr const char* kTokenField = "X-HPC-Proxy-Token";
/// The fields of `hpc-proxy app`: the target, and "1" where its prefix is kept.
constexpr const char* kAppField = "X-HPC-Proxy-App";
constexpr const char* kKeepPrefixField = "X-HPC-Proxy-Keep-Prefix";

}  // namespace hpc
