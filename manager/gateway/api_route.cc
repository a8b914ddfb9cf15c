#include "manager/gateway/api_route.h"

#include <algorithm>
#include <array>

namespace hpc {

namespace {

constexpr std::size_t kIdBytesMax = 64;
constexpr std::string_view kIdPlace = "{id}";

// Rows of one path stand together; a path of words stands before one with {id} in their place.
constexpr std::array kRows = {
    ApiRow{"GET", "/api/v1/sessions", ApiCall::kListSessions},
    ApiRow{"POST", "/api/v1/sessions", ApiCall::kCreateSession},
    ApiRow{"GET", "/api/v1/sessions/active", ApiCall::kActiveSession},
    ApiRow{"GET", "/api/v1/sessions/current", ApiCall::kCurrentSession},
    ApiRow{"GET", "/api/v1/sessions/{id}", ApiCall::kShowSession},
    ApiRow{"DELETE", "/api/v1/sessions/{id}", ApiCall::kEndSession},
    ApiRow{"GET", "/api/v1/sessions/{id}/ports", ApiCall::kSessionPorts},
    ApiRow{"GET", "/api/v1/sessions/{id}/log", ApiCall::kSessionLog},
    ApiRow{"GET", "/api/v1/sessions/{id}/events", ApiCall::kSessionEvents},
    ApiRow{"POST", "/api/v1/sessions/{id}/activate", ApiCall::kActivateSession},
    ApiRow{"POST", "/api/v1/sessions/{id}/extend", ApiCall::kExtendSession},
    ApiRow{"GET", "/api/v1/events", ApiCall::kAllEvents},
    ApiRow{"GET", "/api/v1/queue", ApiCall::kQueue},
    ApiRow{"GET", "/api/v1/clusters", ApiCall::kClusters},
    ApiRow{"GET", "/api/v1/admin/ports/stats", ApiCall::kPortStats},
    ApiRow{"GET", "/api/v1/tokens", ApiCall::kListTokens},
    ApiRow{"POST", "/api/v1/tokens", ApiCall::kCreateToken},
    ApiRow{"DELETE", "/api/v1/tokens/{id}", ApiCall::kRevokeToken},
};

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kIdBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

bool matches(std::string_view pattern, std::string_view path, std::string_view& id) {
  const auto place = pattern.find(kIdPlace);
  if (place == std::string_view::npos) return pattern == path;
  const auto before = pattern.substr(0, place);
  const auto behind = pattern.substr(place + kIdPlace.size());
  if (path.size() < before.size() + behind.size()) return false;
  if (!path.starts_with(before) || !path.ends_with(behind)) return false;
  id = path.substr(before.size(), path.size() - before.size() - behind.size());
  return is_id(id);
}

}  // namespace

std::span<const ApiRow> api_rows() { return kRows; }

ApiRoute find_api_route(std::string_view method, std::string_view target) {
  const auto mark = target.find('?');
  const auto path = target.substr(0, mark);
  if (method == "HEAD") method = "GET";
  ApiRoute route;
  if (mark != std::string_view::npos) route.query = target.substr(mark + 1);
  std::string_view found;
  for (const ApiRow& row : kRows) {
    std::string_view id;
    if (!found.empty() && row.path != found) break;
    if (found.empty() && !matches(row.path, path, id)) continue;
    if (found.empty()) route.id = id;
    found = row.path;
    if (!route.allow.empty()) route.allow += ", ";
    route.allow += row.method == "GET" ? "GET, HEAD" : row.method;
    if (row.method == method) route.call = row.call;
  }
  return route;
}

std::optional<std::string_view> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto one = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto equals = std::min(one.find('='), one.size());
    if (one.substr(0, equals) == name) return one.substr(std::min(equals + 1, one.size()));
  }
  return std::nullopt;
}

}  // namespace hpc
