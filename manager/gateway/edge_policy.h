#pragma once
#include <memory>
#include <string>

#include "common/http_handler.h"
#include "manager/session/tunnel_view.h"

namespace hpc {

/// What one of the manager's commands knows of a request that it sends on, beyond the request.
struct EdgeView {
  std::string scheme = "http";  // in the browser's address bar
  std::string host;             // there, too; empty: as the request's Host says
  std::string prefix;           // the whole path in front of the app's own; empty: none
  // The field in which a trusted proxy names the user: for us, not for apps. Empty: there is none.
  std::string identity_header;
  // The peer is a trusted proxy: what it says of the client is kept, and its address added.
  bool peer_is_trusted = false;
  // The IDE's path "/static/x.js?y", to be asked for under /app or /absapp, as the record of the
  // proxy that takes the request says; empty: the target is what it is.
  std::string app_rest;
  std::string last_app_cookie;  // a Set-Cookie value of ours (root_fallback.h); empty: none
};

/// How a request goes on from the manager to hpc-proxy and how its answer comes back (contract
/// 2.0): our view of who asks instead of the client's, the token instead of our cookie and our
/// bearer token; Host, Origin, Referer and everything else as the browser sent them. Nothing is
/// rewritten on the way back, only left out. `tunnel` must outlive it.
std::unique_ptr<ForwardPolicy> make_edge_policy(const RequestHead& head, const ClientInfo& client,
                                                const TunnelView& tunnel, EdgeView view);

}  // namespace hpc
