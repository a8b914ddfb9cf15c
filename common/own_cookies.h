#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_head.h"

namespace hpc {

// Cookies do not know ports: an app under one manager's port sees, and can set, what another
// manager on the same host name set for itself. So every name that any of our programs uses stays
// out of what apps get and out of what they set: `hpc-manager-*`, `__Host-hpc-manager` and
// `hpc-last-app-*`.

/// The name of the cookie of `connect` on this port.
std::string access_cookie_name(int port);
/// The name of the cookie that says which app's page was opened last through this port of ours.
std::string last_app_cookie_name(int port);

/// The values of all cookies of that name, over all Cookie fields.
std::vector<std::string_view> cookie_values(const FieldList& fields, std::string_view name);

/// A Cookie field's value without ours; the others stay as they are. Nothing: none is left.
std::optional<std::string> without_own_cookies(std::string_view cookie);

/// Is one of ours in a Cookie field's value?
bool has_own_cookie(std::string_view cookie);

/// Would this Set-Cookie value make a browser send us one of our own cookies? Also with an empty
/// name, whose value browsers send bare ("=hpc-manager-9000=x").
bool sets_own_cookie(std::string_view set_cookie);

}  // namespace hpc
