#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "node-proxy/rewrite_url.h"

namespace hpc {

// Where an app sends a browser, in the names that the browser uses. Nothing: the value passes as
// it is, which holds for relative references, other sites, and what lies under the prefix.

/// How a URL is changed: its bytes from `begin` to before `end` make room for `text`.
struct UrlEdit {
  std::size_t begin;
  std::size_t end;
  std::string text;
};

/// What rewrite_location() does to a URL, for those who must keep their own form of the rest. Only
/// the URL's beginning is looked at.
std::optional<UrlEdit> edit_location(std::string_view location, const RewriteContext& context);

/// Location and Content-Location. A path gets the prefix; so does a URL of the external origin,
/// which stays there; one that names localhost:PORT becomes a path, because what the browser calls
/// us is its own affair. Queries, fragments and escapes stay byte for byte.
std::optional<std::string> rewrite_location(std::string_view location,
                                            const RewriteContext& context);

/// Where something is in a text: [begin, end).
struct TextSpan {
  std::size_t begin;
  std::size_t end;
};
/// The URL of a Refresh, which is not empty.
std::optional<TextSpan> find_refresh_url(std::string_view refresh);

/// The URL in a Refresh ("0; url='/x'"), found as browsers do (HTML, "shared declarative refresh
/// steps"); the rest of the value stays.
std::optional<std::string> rewrite_refresh(std::string_view refresh, const RewriteContext& context);

/// Does an app that was asked for `external_target` ("/port/5500/x?y", as the browser asked) send
/// the browser there again, with the prefix already in what it says? Then it knows its prefix, and
/// with the prefix cut it would do so for ever.
bool redirects_to_itself(std::string_view location, std::string_view external_target,
                         const RewriteContext& context);

/// Does an app that was asked for the prefix and its slash send the browser to the prefix without
/// one? We add that slash, so the two would go on for ever.
bool redirects_to_bare_prefix(std::string_view location, std::string_view external_target,
                              const RewriteContext& context);

/// May this Service-Worker-Allowed pass? Only a path below the prefix that stays there when a
/// browser resolves it. A scope is compared letter by letter, so "/port/550" would be 5500's too.
bool is_scope_under_prefix(std::string_view scope, std::string_view prefix);

}  // namespace hpc
