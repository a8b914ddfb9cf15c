#pragma once
#include <cstdint>
#include <string_view>

#include "common/http_handler.h"
#include "manager/session/tunnel_view.h"

namespace hpc {

/// `/`: what is connected, and how to open a port. `port`: our own local one.
LocalAnswer start_page(const TunnelView& tunnel, std::uint16_t port,
                       std::string_view title = "hpc-manager connect");

/// 503 with Retry-After; the page goes on by itself once the tunnel is up.
LocalAnswer tunnel_down_answer(const TunnelView& tunnel, bool navigation);

}  // namespace hpc
