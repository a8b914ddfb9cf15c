#pragma once
#include "common/http_handler.h"
#include "manager/session/scheduler.h"
#include "manager/session/sessions.h"

namespace hpc {

/// GET /api/v1/sessions/ID/ports: the local port lent to the session, and the listening ports that
/// its hpc-proxy sees on the node, asked for now. `listening` is null, and `reason` says why, where
/// hpc-proxy cannot be asked.
///
/// `sessions` and `scheduler` must outlive the exchange.
Decision session_ports(const SessionInfo& info, Sessions& sessions, Scheduler& scheduler);

}  // namespace hpc
