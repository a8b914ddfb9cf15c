#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "node-proxy/rewrite_url.h"

namespace hpc {

// Cookies know no ports: what one app sets must be seen by that app alone, so everything that an
// app sets is put under its prefix. Values are hostile: split on ';' as RFC 6265, 5.2 does, nothing
// decoded; what comes out is at most what went in plus one prefix (or twice it, for Cookie).

/// A Set-Cookie value as it goes to the browser:
/// - Path under the prefix ("/" -> "/port/5500/", "/x" -> "/port/5500/x"; what lies there stays).
///   The last Path counts, as in browsers, and is written once. One that is no path is left out:
///   the browser then takes the folder of the page it asked for, which is under the prefix, but for
///   a request with the bare prefix, where the prefix is written.
/// - Domain is left out.
/// - `__Host-NAME` demands Path=/, so it goes out as `__Secure-NAME`.
std::string rewrite_set_cookie(std::string_view set_cookie, const RewriteContext& context);

/// A Cookie value as it goes to the app; nothing: as it is. Each `__Secure-NAME` may be one that
/// the app set by that name or as `__Host-NAME`: it is given both, the second name first. So no
/// memory is needed that a restart could lose.
std::optional<std::string> rewrite_cookie(std::string_view cookie);
/// False: rewrite_cookie() says nothing, without looking closer.
bool may_change_cookie(std::string_view cookie);

}  // namespace hpc
