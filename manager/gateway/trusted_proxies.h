#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_head.h"
#include "common/result.h"

namespace hpc {

/// The machines whose word about the client is believed (--trusted-proxy): networks such as
/// "10.0.0.0/8" and "fd00::/8", or single addresses. Pure; nobody is trusted by default.
class TrustedProxies {
 public:
  TrustedProxies() = default;
  /// kUsage for what is no network; the message holds the text. Bits behind the length must be 0:
  /// "10.1.2.3/8" is a slip of somebody who meant one machine.
  static Result<TrustedProxies> parse(const std::vector<std::string>& networks);

  /// `address` as in ClientInfo, without port. An IPv4 address within IPv6 ("::ffff:10.0.0.1")
  /// counts as the IPv4 address. False for what is no address, as that of a Unix socket.
  bool contains(std::string_view address) const;
  bool empty() const { return networks_.empty(); }

  /// Where a request comes from: the peer; if that is one of them, the last address in
  /// X-Forwarded-For that is not. What is no address ends the search: then it is the proxy's.
  std::string client_address(const FieldList& fields, std::string_view peer) const;

 private:
  using Address = std::array<unsigned char, 16>;
  struct Network {
    Address address;
    unsigned bits;  // 0..128, of the IPv6 form
  };
  std::vector<Network> networks_;
};

}  // namespace hpc
