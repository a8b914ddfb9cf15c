#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "common/http_head.h"

namespace hpc {

/// The names under which we may be addressed.
struct OwnNames {
  bool loopback = true;            // 127.0.0.0/8, [::1], localhost, *.localhost with any port
  std::vector<std::string> hosts;  // further "host" or "host:port" values (the public URL's)
  std::string scheme = "http";     // ours, for the Origin comparison
};

/// The cross-site rule of contract 1.2, the one place that decides it, for hpc-proxy's same-uid
/// rule, for `connect`, and with the login cookie for `serve`. True: the request may use what the
/// browser carries for us. False: answer 403.
bool passes_cross_site_rule(const RequestHead& head, const OwnNames& names);

}  // namespace hpc
