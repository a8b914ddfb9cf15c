#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hpc {

/// Points in time as text, always UTC: "2026-03-01T12:00:00.250Z" (RFC 3339). Pure.
/// `unix_ms` is milliseconds since 1970; years 1970 to 9999.
std::string format_rfc3339(std::int64_t unix_ms);

/// Takes exactly "YYYY-MM-DDThh:mm:ss[.fraction]Z" with a date that exists; a fraction of 1 to 9
/// digits. Returns milliseconds since 1970, or nothing.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace hpc
