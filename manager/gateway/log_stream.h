#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/responder.h"
#include "manager/session/scheduler.h"
#include "manager/session/sessions.h"

namespace hpc {

// How often a log that is followed is looked at; each look is one short command at the cluster.
constexpr std::uint64_t kLogFollowMs = 2'000;
// What may wait for a slow reader. Past it the log is not read further until he has read.
constexpr std::size_t kLogQueueBytesMax = std::size_t{256} * 1024;
constexpr std::uint64_t kLogCatchUpMs = 100;  // how often a reader that is behind is looked at
// Who has not read down to it by then reads no more: his connection is cut.
constexpr std::uint64_t kLogSlowReaderMs = 30'000;
// Readers that follow one session's log at a time: their commands share its user's connection.
constexpr std::size_t kLogFollowersMax = 8;

/// How many follow the log of each session. Must outlive the responders.
using LogFollowers = std::map<std::string, std::size_t>;

/// What one client reads.
struct LogSource {
  std::string session;     // its opaque id
  bool follow = false;     // goes on as the log grows, until the session has ended
  bool head_only = false;  // a HEAD: no body
  // Asked before every look: may the client still see this? A login may end, or a token.
  std::function<bool()> still_allowed;
};

/// The log of a session's job as text/plain: its last kJobLogBytesMax bytes and, with `follow`,
/// what comes behind them, until the session has ended and the log is read to its end. A log that
/// has become shorter is read anew from its beginning, behind a line that says so. 404 with the
/// reason where there is no log (yet), 503 where it cannot be read just now, 429 past
/// kLogFollowersMax; once it has begun, both are waited for.
///
/// `sessions`, `scheduler` and `followers` must outlive the responder.
std::unique_ptr<Responder> make_log_stream(Sessions& sessions, Scheduler& scheduler,
                                           LogFollowers& followers, LogSource source);

}  // namespace hpc
