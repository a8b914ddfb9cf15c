#pragma once
#include <memory>
#include <string>

#include "common/http_handler.h"
#include "manager/session/tunnel_view.h"

namespace hpc {

/// How a request goes on from the manager to hpc-proxy and how its answer comes back (contract
/// 2.0): our view of who asks instead of the client's, the token instead of our cookie; Host,
/// Origin, Referer and everything else as the browser sent them. Nothing is rewritten on the way
/// back, only left out; `last_app_cookie` is a Set-Cookie value of ours that goes with it, if it is
/// not empty (root_fallback.h). `tunnel` must outlive it.
std::unique_ptr<ForwardPolicy> make_edge_policy(const RequestHead& head, const ClientInfo& client,
                                                const TunnelView& tunnel,
                                                std::string last_app_cookie = {});

}  // namespace hpc
