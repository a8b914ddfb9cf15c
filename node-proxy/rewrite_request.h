#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "node-proxy/rewrite_url.h"

namespace hpc {

// What a browser says of the page it asks from, in the app's own names, so that the app's checks
// (is this Origin my Host?) hold. Nothing: the value passes as it is.

/// `http://localhost:PORT` where Origin equals the external one. "null" and other sites pass.
std::optional<std::string> rewrite_origin(std::string_view origin, const RewriteContext& context);

/// The same for a Referer of the app's own pages (external origin and prefix): the origin is
/// swapped and the prefix cut, or kept where the app is asked with it.
std::optional<std::string> rewrite_referer(std::string_view referer, const RewriteContext& context);

}  // namespace hpc
