#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "manager/session/session_info.h"

namespace hpc {

// No request of ours is longer than some hundred bytes.
constexpr std::size_t kApiBodyBytesMax = std::size_t{64} * 1024;

// The bodies that the API takes, checked member by member. What is not known is refused: a request
// that means something else than we would do is never done by halves.

/// POST /api/v1/sessions. Its `user` is empty unless the body names one; `spec` is
/// launch_spec_json() of `attach`, which a `job` implies, and of the job's own members, all
/// checked. kBadRequest: the detail names the member and says what it takes.
Result<NewSession> parse_new_session(std::string_view body);

/// POST /api/v1/tokens.
struct TokenRequest {
  std::string label;
  std::optional<std::uint64_t> expires_in_s;  // nothing: never
  std::string user;                           // empty: the caller's own
};
Result<TokenRequest> parse_token_request(std::string_view body);

/// POST /api/v1/sessions/ID/extend: the minutes, 1 to kExtendMinutesMax.
Result<std::uint64_t> parse_extend_request(std::string_view body);

}  // namespace hpc
