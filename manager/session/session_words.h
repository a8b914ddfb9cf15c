#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hpc {

// How people are told where a session stands: the same words on pages and on the command line.

/// "1st", "2nd", "3rd", "11th".
std::string ordinal(std::uint64_t number);

/// "queued (3rd)": the reason of a session that waits for its turn.
std::string queued_words(std::uint64_t position);

/// "queued (3rd)", "pending: Priority, starts about 14:05", "starting on c2: waiting for
/// hpc-proxy". A reason that begins with the state's name says it itself. `node` counts while the
/// session is on one, and its reason does not name it. Nothing is escaped.
std::string session_words(std::string_view state, std::optional<std::uint64_t> queue_position,
                          std::string_view node, std::string_view reason);

/// So much time, as people count: "2 days", "3 hours", "90 minutes", "1 minute", "less than a
/// minute"; "" for 0 and for what has passed. Milliseconds.
std::string time_words(std::int64_t ms);

}  // namespace hpc
