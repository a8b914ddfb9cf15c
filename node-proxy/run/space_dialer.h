#pragma once
#include <functional>
#include <memory>

#include "common/loop.h"
#include "node-proxy/app_connector.h"
#include "node-proxy/run/keeper.h"

namespace hpc {

/// KeeperLink::ask_socket() of one keeper.
using AskSocket =
    std::function<std::unique_ptr<Pending>(const SocketWish& wish, KeeperLink::SocketDone done)>;

/// Connects inside the keeper's network space: with a socket that was made there, on the caller's
/// loop. The time limit and the errors are connect_tcp()'s, and cover the asking; kUnavailable
/// where the keeper gives no socket. `loop` and what `ask` refers to must outlive every dial.
TcpDial make_space_dial(Loop& loop, AskSocket ask);

}  // namespace hpc
