#include "common/root_fallback.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "common/authority.h"
#include "common/own_cookies.h"

namespace hpc {

namespace {

/// Ours for a person who asks for them; a script that does so means its app's.
constexpr std::string_view kOwnPages[] = {"/ports", "/status", "/metrics", "/healthz"};
constexpr std::string_view kNever[] = {"/login", "/logout"};
constexpr std::string_view kNeverBelow[] = {"/.hpc-proxy", "/.hpc-manager", "/api/v1"};

template <std::size_t N>
bool is_one_of(std::string_view path, const std::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), path) != std::end(names);
}

bool lies_below_never(std::string_view path) {
  return std::any_of(std::begin(kNeverBelow), std::end(kNeverBelow), [path](auto folder) {
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
  });
}

/// May somebody else than us be meant by this target?
bool may_be_an_apps(std::string_view target, bool navigation, const RootFallbackRules& rules) {
  // OPTIONS * is about the server.
  if (!target.starts_with('/') || !rules.find_prefix(target).empty()) return false;
  const auto path = target.substr(0, target.find('?'));
  if (is_one_of(path, kNever) || lies_below_never(path)) return false;
  return !navigation || !is_one_of(path, kOwnPages);
}

/// The prefix of the page that asks, if it is one of ours.
std::string_view prefix_of_referer(const RequestHead& head, const RootFallbackRules& rules) {
  const auto referer = head.fields.find(FieldId::kReferer);
  if (!referer || head.fields.count(FieldId::kReferer) != 1) return {};
  const auto url = parse_host_url(*referer);
  if (!url || !equals_ignoring_case(url->scheme, rules.scheme)) return {};
  // A user name makes an authority that equals no Host.
  const auto named = parse_authority(url->authority);
  const auto ours = parse_authority(head.host);
  if (!named || !ours || !same_authority(*named, *ours, rules.scheme)) return {};
  const auto target = url->rest.substr(0, url->rest.find('#'));
  // Browsers resolve their paths, so this one is not where it says it is.
  if (has_dot_segment(target.substr(0, target.find('?')))) return {};
  return rules.find_prefix(target);
}

/// The prefix of the page that was opened last, if the cookie is one that we could have set.
std::string_view prefix_of_cookie(const RequestHead& head, const RootFallbackRules& rules) {
  const auto values = cookie_values(head.fields, last_app_cookie_name(rules.listen_port));
  if (values.size() != 1) return {};
  const auto prefix = rules.find_prefix(values.front());
  return prefix == values.front() ? prefix : std::string_view();
}

}  // namespace

std::optional<RootFallback> find_root_fallback(const RequestHead& head, bool navigation,
                                               const RootFallbackRules& rules) {
  const std::string_view target = head.target;
  if (head.websocket_upgrade) navigation = false;
  if (!may_be_an_apps(target, navigation, rules)) return std::nullopt;
  const auto prefix =
      head.websocket_upgrade ? prefix_of_cookie(head, rules) : prefix_of_referer(head, rules);
  if (prefix.empty()) return std::nullopt;
  // A browser would resolve the Location, and with ".." leave the prefix.
  if (!head.websocket_upgrade && has_dot_segment(target.substr(0, target.find('?')))) {
    return std::nullopt;
  }
  return RootFallback{std::string(prefix).append(target), !head.websocket_upgrade};
}

std::string last_app_set_cookie(std::uint16_t listen_port, std::string_view prefix) {
  return last_app_cookie_name(listen_port)
      .append("=")
      .append(prefix)
      .append("; Path=/; HttpOnly; SameSite=Lax");
}

}  // namespace hpc
