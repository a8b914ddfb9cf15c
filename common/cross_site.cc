#include "common/cross_site.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/authority.h"

namespace hpc {

namespace {

/// 127.0.0.0/8 in plain dotted decimal: a browser writes it so, whatever the person typed.
bool is_loopback_v4(std::string_view host) {
  int parts = 0;
  while (parts < 4) {
    const std::size_t dot = std::min(host.find('.'), host.size());
    unsigned value = 0;
    const auto [end, failed] = std::from_chars(host.data(), host.data() + dot, value);
    if (failed != std::errc{} || end != host.data() + dot || dot > 3 || value > 255) return false;
    if (dot > 1 && host.front() == '0') return false;
    if (parts == 0 && value != 127) return false;
    ++parts;
    if (dot == host.size()) return parts == 4;
    host.remove_prefix(dot + 1);
  }
  return false;
}

bool is_loopback_name(std::string_view host) {
  constexpr std::string_view kSuffix = ".localhost";
  if (equals_ignoring_case(host, "localhost") || host == "[::1]") return true;
  if (host.size() > kSuffix.size() &&
      equals_ignoring_case(host.substr(host.size() - kSuffix.size()), kSuffix)) {
    return true;
  }
  return is_loopback_v4(host);
}

bool is_own_host(const Authority& host, const OwnNames& names) {
  if (names.loopback && is_loopback_name(host.host)) return true;
  return std::any_of(names.hosts.begin(), names.hosts.end(), [&](const std::string& own) {
    const auto own_authority = parse_authority(own);
    return own_authority && same_authority(*own_authority, host, names.scheme);
  });
}

/// The value of a field that may be there once. False: it is there twice, which no browser does.
bool find_single(const FieldList& fields, FieldId id, std::optional<std::string_view>& value) {
  value = fields.find(id);
  return fields.count(id) <= 1;
}

bool is_own_origin(std::string_view origin, const Authority& host, std::string_view scheme) {
  if (origin.size() <= scheme.size() + 3 ||
      !equals_ignoring_case(origin.substr(0, scheme.size()), scheme) ||
      origin.substr(scheme.size(), 3) != "://") {
    return false;  // also "null", which any page can make a browser send
  }
  const auto authority = parse_authority(origin.substr(scheme.size() + 3));
  return authority && same_authority(*authority, host, scheme);
}

bool is_top_level_navigation(const RequestHead& head) {
  std::optional<std::string_view> mode;
  std::optional<std::string_view> dest;
  return head.method == "GET" && !head.websocket_upgrade &&
         find_single(head.fields, FieldId::kSecFetchMode, mode) && mode == "navigate" &&
         find_single(head.fields, FieldId::kSecFetchDest, dest) && dest == "document";
}

}  // namespace

bool passes_cross_site_rule(const RequestHead& head, const OwnNames& names) {
  const auto host = parse_authority(head.host);
  if (!host || !is_own_host(*host, names)) return false;

  std::optional<std::string_view> site;
  std::optional<std::string_view> origin;
  if (!find_single(head.fields, FieldId::kSecFetchSite, site)) return false;
  if (!find_single(head.fields, FieldId::kOrigin, origin)) return false;

  const bool own_origin = !origin || is_own_origin(*origin, *host, names.scheme);
  // Old WebSocket clients in browsers send no Sec-Fetch-Site, and a proxy in between may add one:
  // the Origin of an Upgrade is the one witness that script cannot forge.
  if (head.websocket_upgrade && !own_origin) return false;
  if (!site) return own_origin;
  if (site == "same-origin" || site == "none") return true;
  return is_top_level_navigation(head);
}

}  // namespace hpc
