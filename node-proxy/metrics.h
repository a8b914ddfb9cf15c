#pragma once
#include <cstdint>

#include "common/http_handler.h"
#include "common/http_server.h"
#include "node-proxy/node_proxy_state.h"

namespace hpc {

/// The answer to /metrics: Prometheus text exposition format, version 0.0.4. Times are in seconds
/// since 1970; what is not known is left out.
LocalAnswer metrics_answer(const NodeProxyState& state, const HttpServerStats& stats,
                           std::int64_t now_unix_ms);

}  // namespace hpc
