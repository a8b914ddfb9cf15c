#include "manager/gateway/local_port_gateway.h"

#include <utility>

#include "common/answers.h"
#include "common/cross_site.h"
#include "common/port_route.h"
#include "common/root_fallback.h"
#include "manager/gateway/connect_gateway.h"
#include "manager/gateway/edge_policy.h"
#include "manager/gateway/gateway_pages.h"
#include "manager/gateway/serve_pages.h"
#include "manager/session/tunnel.h"

namespace hpc {

namespace {

std::string_view path_of_target(std::string_view target) {
  return target.substr(0, target.find('?'));
}

}  // namespace

LocalPortGateway::LocalPortGateway(Options options, Identity& identity, Sessions& sessions,
                                   AuditLog& audit, Log& log)
    : options_(std::move(options)),
      identity_(identity),
      sessions_(sessions),
      audit_(audit),
      log_(log) {}

Decision LocalPortGateway::on_request(const RequestHead& head, ClientInfo& client) {
  Caller caller = identity_.identify(head, client);
  if (caller.by != Caller::By::kBearer && caller.by != Caller::By::kCookie) caller = {};
  if (caller.by != Caller::By::kNobody) client.authenticated = true;
  const bool navigation = is_navigation(head) && !head.websocket_upgrade;
  log_.debug("request at a local port", {{"method", head.method},
                                         {"path", path_of_target(head.target)},
                                         {"session", client.lent_to},
                                         {"user", caller.user}});
  const auto info = sessions_.find(client.lent_to);
  const std::string owner = info ? info->row.key.user : "";
  const auto verdict =
      authorize(caller, {Resource::kTraffic, owner, passes_cross_site_rule(head, OwnNames{})});
  if (verdict == Allowed::kYes) return route(head, client, *info);
  if (verdict != Allowed::kLogIn) {
    audit_.denied(caller, verdict, "local port", owner, client.peer_address);
  }
  return refuse(verdict, navigation);
}

LocalAnswer LocalPortGateway::refuse(Allowed verdict, bool navigation) const {
  if (verdict == Allowed::kLogIn) {
    auto answer = error_answer(401,
                               "not logged in; log in at " + options_.url.text() +
                                   "/login and come back, or send a token (X-HPC-Manager-Token: "
                                   "hpm_...)",
                               navigation);
    answer.fields.emplace_back("WWW-Authenticate", "Bearer");
    return answer;
  }
  if (verdict == Allowed::kCrossSite) {
    return error_answer(403,
                        "another site's page asked for this, or the name in the address bar is "
                        "not one of ours; open it by 127.0.0.1",
                        navigation);
  }
  return nothing_here_answer(navigation);
}

Decision LocalPortGateway::route(const RequestHead& head, const ClientInfo& client,
                                 const SessionInfo& info) {
  const bool navigation = is_navigation(head) && !head.websocket_upgrade;
  if (info.row.state == SessionState::kEnded) return session_gone_answer(info, navigation);
  const auto to = sessions_.route(info.row.id);
  if (!to || (!to->tunnel.ready() && navigation && may_wait_for_tunnel(head))) {
    return session_waiting_answer(info, to ? &to->tunnel : nullptr, navigation);
  }
  if (options_.root_fallback) {
    auto fallback = find_root_fallback(head, navigation, {client.local_port, app_prefix});
    if (fallback && fallback->redirect) return root_fallback_answer(std::move(fallback->target));
    if (fallback) {
      RequestHead meant = head;
      meant.target = std::move(fallback->target);
      return forward(meant, client, info, *to);
    }
  }
  if (path_of_target(head.target) == "/") {
    if (head.method == "GET" || head.method == "HEAD") {
      return start_page(to->tunnel, client.local_port, text_of(info.row.key));
    }
    auto answer = problem_answer(405, "this page can only be read");
    answer.fields.emplace_back("Allow", "GET, HEAD");
    return answer;
  }
  if (is_between_programs(head.target)) return nothing_here_answer(navigation);
  return forward(head, client, info, *to);
}

Decision LocalPortGateway::forward(const RequestHead& head, const ClientInfo& client,
                                   const SessionInfo& info, const SessionRoute& to) {
  EdgeView view;
  view.identity_header = options_.auth_header;
  if (const auto prefix = app_prefix(head.target);
      options_.root_fallback && !prefix.empty() && is_navigation(head)) {
    view.last_app_cookie = last_app_set_cookie(client.local_port, prefix);
  }
  sessions_.note_activity(info.row.id);
  const char* key = may_wait_for_tunnel(head) ? Tunnel::kMayWait : Tunnel::kAtOnce;
  return Forward{&to.pool, key, head.target,
                 make_edge_policy(head, client, to.tunnel, std::move(view)), info.row.id};
}

LocalAnswer LocalPortGateway::on_refusal(int status, std::string_view detail) {
  auto answer = problem_answer(status, detail);
  if (status == 503) answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  answer.close = true;
  return answer;
}

}  // namespace hpc
