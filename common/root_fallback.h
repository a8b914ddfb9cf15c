#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http_head.h"

namespace hpc {

// Apps that only work at `/` ask for `/x.js` where `/port/3000/x.js` is meant. Which app is meant
// stands in the Referer; a WebSocket has none, so there a cookie names the app whose page was
// opened last (contract 1.4, "Root fallback"). Only the hop that the browser talks to does this.
//
// All input is hostile, but little is at stake: the request was let in already, and where it goes
// it is treated as though it had been asked with the prefix at once. Pure; views die with the head.

/// The prefix that a path lies under, as a view into it: "/port/3000" of "/port/3000/a?b"; empty:
/// none. Each program knows its own: of hpc-proxy and `connect` it is app_prefix (port_route.h).
using FindPrefix = std::string_view (*)(std::string_view target);

struct RootFallbackRules {
  std::uint16_t listen_port = 0;     // our own, for the cookie's name
  FindPrefix find_prefix;            // never nullptr
  std::string_view scheme = "http";  // the one in the browser's address bar
};

/// What the request was meant for.
struct RootFallback {
  std::string target;  // the prefix and the request's target, both byte for byte
  // True: answer 307 with this Location, so that the browser knows where it is. False: an Upgrade,
  // for which browsers follow no redirect; go on as though it had asked for `target`.
  bool redirect;
};

/// Nothing where the request is what it says: it lies under a prefix, is one of our own pages that
/// a person asks for (`navigation`), belongs to the login or to the talk between our programs, or
/// no prefix is known. Call it for a request that was let in and that no other route matches.
std::optional<RootFallback> find_root_fallback(const RequestHead& head, bool navigation,
                                               const RootFallbackRules& rules);

/// The Set-Cookie value that goes with an answer to a navigation under `prefix`.
std::string last_app_set_cookie(std::uint16_t listen_port, std::string_view prefix);

}  // namespace hpc
