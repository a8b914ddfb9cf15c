#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "node-proxy/node_proxy_state.h"
#include "node-proxy/port_list.h"

namespace hpc {

// The user's ports and times in the words of pages and problems. Pure.

/// "12 s", "5 min", "2 h 10 min", "3 d 4 h"; below zero counts as zero.
std::string duration_text(std::int64_t seconds);

/// "2026-03-01 12:00 UTC" of an RFC 3339 time in UTC; as it is where it is none.
std::string minute_text(const std::string& rfc3339);

/// "Job 4711 on node-07, ends 2026-03-01 12:00 UTC (in 2 h 10 min)."; without a job "Node node-07."
std::string job_text(const NodeProxyState& state, std::int64_t now_unix_ms);

/// "yours are 5501 (node live-server.js), 8787 (R)"; at most a handful, then how many more.
std::string ports_sentence(const PortsView& view);

/// A JSON array of at most `ports_max` ports, each with its process where it is known, "url" and
/// "path" ("port/5500/", relative to where /ports is; null where --allow-ports leaves it out).
std::string ports_array(const PortsView& view, const NodeProxyState& state,
                        std::int64_t now_unix_ms, std::size_t ports_max);

/// Table rows and list items; what processes chose is escaped. `home` stands before each link.
std::string ports_rows(const PortsView& view, const NodeProxyState& state,
                       std::int64_t now_unix_ms);
std::string ports_items(const PortsView& view, const NodeProxyState& state, std::string_view home);

}  // namespace hpc
