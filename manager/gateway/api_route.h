#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hpc {

/// The calls of the API (contract 2.4, and the tokens).
enum class ApiCall : std::uint8_t {
  kListSessions,
  kCreateSession,
  kShowSession,
  kEndSession,
  kSessionPorts,
  kSessionLog,
  kSessionEvents,
  kActivateSession,
  kExtendSession,
  kActiveSession,
  kCurrentSession,
  kAllEvents,
  kQueue,
  kClusters,
  kPortStats,
  kListTokens,
  kCreateToken,
  kRevokeToken,
};

/// One row of the table that is the API: docs/openapi.json has the same rows.
struct ApiRow {
  std::string_view method;
  std::string_view path;  // "/api/v1/sessions/{id}"
  ApiCall call;
};
std::span<const ApiRow> api_rows();

/// A request target and its method, looked up in the table. Views into the target.
struct ApiRoute {
  std::optional<ApiCall> call;  // nothing: no such path, or not with this method
  std::string allow;            // of a path that is there: its methods, for the field Allow
  std::string_view id;          // what stands for {id}: [A-Za-z0-9_-]{1,64}
  std::string_view query;       // behind '?', undecoded
};

/// On raw bytes: nothing is decoded, so that one call has one spelling. HEAD is GET. Pure.
ApiRoute find_api_route(std::string_view method, std::string_view target);

/// The value of a query's parameter, undecoded (our values are names and numbers, which need no
/// escapes); "" for one without "=". Nothing: it is not there. Of several of one name the first
/// counts; names that nobody asks for are ignored.
std::optional<std::string_view> query_value(std::string_view query, std::string_view name);

}  // namespace hpc
