#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "common/tcp_stream.h"

namespace hpc {

/// Listens on 127.0.0.1 and on [::1] with the same port: a browser may try either for one name.
/// `port` 0 takes one that is free on both. Without IPv6 in the kernel: 127.0.0.1 alone. kSystem
/// with a message that names --port if one of them is taken.
Result<std::vector<std::unique_ptr<TcpListener>>> listen_on_loopback(
    Loop& loop, std::uint16_t port, const TcpListener::Accepted& accepted);

}  // namespace hpc
