#include "manager/gateway/connect_gateway.h"

#include <string>
#include <utility>

#include "common/answers.h"
#include "common/port_route.h"
#include "common/root_fallback.h"
#include "manager/gateway/edge_policy.h"
#include "manager/gateway/gateway_pages.h"
#include "manager/session/tunnel.h"

namespace hpc {

namespace {

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

bool lies_under(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

LocalAnswer stranger_answer(std::string_view advice, bool navigation) {
  auto answer = error_answer(401, advice, navigation);
  answer.fields.emplace_back("WWW-Authenticate", "HPC-Manager");
  return answer;
}

}  // namespace

bool is_between_programs(std::string_view target) {
  const auto path = path_of(target);
  return lies_under(path, "/.hpc-proxy") || lies_under(path, "/.hpc-manager");
}

bool may_wait_for_tunnel(const RequestHead& head) {
  return (head.method == "GET" || head.method == "HEAD" || head.method == "OPTIONS") &&
         head.framing.kind == BodyKind::kNone && !head.websocket_upgrade;
}

ConnectGateway::ConnectGateway(BrowserAccess& access, UpstreamPool& pool, const TunnelView& tunnel,
                               std::uint16_t port, bool root_fallback, Log& log)
    : access_(access),
      pool_(pool),
      tunnel_(tunnel),
      port_(port),
      root_fallback_(root_fallback),
      log_(log) {}

Decision ConnectGateway::on_request(const RequestHead& head, ClientInfo& client) {
  log_.debug("request", {{"method", head.method}, {"path", path_of(head.target)}});
  if (auto answer = access_.redeem(head)) return std::move(*answer);
  switch (access_.decide(head, client)) {
    case Verdict::kStranger:
      return stranger_answer(access_.advice(), is_navigation(head));
    case Verdict::kCrossSite:
      return error_answer(403,
                          "another site's page asked for this, or the name in the address bar is "
                          "not one of ours; open it by 127.0.0.1",
                          is_navigation(head));
    case Verdict::kWelcome:
      break;
  }
  client.authenticated = true;
  return route(head, client);
}

Decision ConnectGateway::route(const RequestHead& head, const ClientInfo& client) {
  if (root_fallback_) {
    // Also for `/`: it is the start page of whoever comes from elsewhere, and the home page of the
    // app of whoever follows a link in the app.
    auto fallback = find_root_fallback(head, is_navigation(head), {port_, app_prefix});
    if (fallback && fallback->redirect) return root_fallback_answer(std::move(fallback->target));
    if (fallback) {
      RequestHead meant = head;
      meant.target = std::move(fallback->target);
      return forward(meant, client);
    }
  }
  const auto path = path_of(head.target);
  if (path == "/") {
    if (head.method != "GET" && head.method != "HEAD") {
      auto answer = problem_answer(405, "this page can only be read");
      answer.fields.emplace_back("Allow", "GET, HEAD");
      return answer;
    }
    return start_page(tunnel_, port_);
  }
  if (is_between_programs(head.target)) {
    return error_answer(404, "there is nothing here; apps are under /port/N/, as in /port/5500/",
                        is_navigation(head));
  }
  return forward(head, client);
}

Decision ConnectGateway::forward(const RequestHead& head, const ClientInfo& client) {
  const char* key = may_wait_for_tunnel(head) ? Tunnel::kMayWait : Tunnel::kAtOnce;
  EdgeView view;
  view.prefix = app_prefix(head.target);
  if (root_fallback_ && !view.prefix.empty() && is_navigation(head)) {
    view.last_app_cookie = last_app_set_cookie(port_, view.prefix);
  }
  return Forward{&pool_, key, head.target,
                 make_edge_policy(head, client, tunnel_, std::move(view))};
}

LocalAnswer ConnectGateway::on_refusal(int status, std::string_view detail) {
  auto answer = problem_answer(status, detail);
  if (status == 503) answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  answer.close = true;
  return answer;
}

}  // namespace hpc
