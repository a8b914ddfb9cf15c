#pragma once
#include <string>

#include "common/result.h"
#include "manager/verb_options.h"

namespace hpc {

// How long `sessions start` goes on while serve is away, for a restart of it.
constexpr int kServeAwaySeconds = 60;

/// Follows the session of that answer to `sessions start` until it runs, which is success, or has
/// ended, saying each step on stderr; prints its address, or with --json the session, on stdout.
/// SIGINT and SIGTERM end the waiting and leave the session as it is. Blocks. Returns the exit
/// code.
int follow_start(const VerbOptions& options, const std::string& session);

/// Prints the log of the session's job, with --follow as it grows, until its end or a signal. What
/// goes to a terminal cannot move its cursor. Blocks. Returns the exit code.
int print_log(const VerbOptions& options);

/// A log as a terminal may show it: lines and tabs stay, other control characters and what is not
/// UTF-8 do not. A character at the end of `text` may be cut: it stays in `rest`, for the next
/// piece.
std::string terminal_log(std::string_view text, std::string& rest);

}  // namespace hpc
