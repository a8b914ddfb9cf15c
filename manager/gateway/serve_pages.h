#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_handler.h"
#include "manager/session/session_info.h"
#include "manager/session/tunnel_view.h"

namespace hpc {

// The pages of `serve` that are not of the login. What comes from users, jobs and clusters is
// escaped here.

/// `/`: the caller's sessions, how to reach a port, the way out. Comes again by itself while a
/// session is on its way from one state to another, unless there is something to type into. `now`
/// (unix ms): also says how much time is left; nothing: it does not.
LocalAnswer sessions_page(std::string_view user, const std::vector<SessionInfo>& sessions,
                          bool can_sign_out, std::optional<std::int64_t> now);

/// 404 for what does not exist and for what is somebody else's: the one function that makes it, so
/// that nobody can tell the two apart.
LocalAnswer nothing_here_answer(bool navigation);

/// 410: the session has ended, why and when.
LocalAnswer session_gone_answer(const SessionInfo& info, bool navigation);

/// 503 with Retry-After: the session is not there yet, or its tunnel is down. The page goes on by
/// itself. `tunnel` may be nullptr.
LocalAnswer session_waiting_answer(const SessionInfo& info, const TunnelView* tunnel,
                                   bool navigation);

/// 404 for /port/N/ of somebody who has no active session, with what to do.
LocalAnswer no_active_session_answer(bool navigation);

}  // namespace hpc
