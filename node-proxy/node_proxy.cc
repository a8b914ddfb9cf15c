#include "node-proxy/node_proxy.h"

#include <string>
#include <utility>

#include "common/answers.h"
#include "common/hello.h"
#include "common/port_route.h"
#include "node-proxy/base_rewrite.h"
#include "node-proxy/forward_policy.h"
#include "node-proxy/metrics.h"
#include "node-proxy/process.h"

namespace hpc {

namespace {

constexpr std::string_view kHelloPath = "/.hpc-proxy/hello";

constexpr std::string_view kSetAppPath = "/.hpc-proxy/app";

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

bool is_read(const RequestHead& head) { return head.method == "GET" || head.method == "HEAD"; }

LocalAnswer healthy() { return json_answer(200, "{\"status\":\"ok\"}\n"); }

/// A manager stands between us and the browser: what concerns the whole origin is its affair.
bool behind_manager(const RequestHead& head, bool token_holder) {
  return token_holder &&
         (head.fields.has(FieldId::kXForwardedHost) || head.fields.has(FieldId::kXForwardedPrefix));
}

LocalAnswer only_get() {
  auto answer = problem_answer(405, "this path can only be read");
  answer.fields.emplace_back("Allow", "GET, HEAD");
  return answer;
}

/// Whoever watches (a manager that keeps channels warm, a monitor) is not whoever works.
bool only_watches(std::string_view path) { return path == "/status" || path == "/metrics"; }

}  // namespace

NodeProxy::NodeProxy(const NodeProxyState& state, const Access& access, UpstreamPool& pool,
                     PortSource& ports, const Clock& clock, Log& log, Stats stats, SetApp set_app)
    : state_(state),
      access_(access),
      pool_(pool),
      pages_(state, ports),
      clock_(clock),
      log_(log),
      stats_(std::move(stats)),
      set_app_(std::move(set_app)),
      last_request_ms_(clock.now_ms()) {}

Decision NodeProxy::on_request(const RequestHead& head, ClientInfo& client) {
  auto decision = decide(head, client);
  log_request(head, decision);
  return decision;
}

Decision NodeProxy::decide(const RequestHead& head, ClientInfo& client) {
  client.greeted = false;
  const std::string_view path = path_of(head.target);
  const bool health = path == "/healthz" && is_read(head);
  // An app's page may ask for its app's own /healthz: that is only for who is let in.
  if (health && !root_fallback(head, false)) return healthy();
  if (path == kHelloPath) {
    auto answer = hello(head);
    client.greeted = answer.status == 200;
    return answer;
  }
  const auto verdict = access_.decide(head, client);
  if (health && verdict != Access::Verdict::kSameUser && verdict != Access::Verdict::kTokenHolder) {
    return healthy();
  }
  if (verdict == Access::Verdict::kStranger) return unauthorized_answer();
  if (verdict == Access::Verdict::kCrossSite) {
    return error_answer(403,
                        "another site's page asked for this, or the name in the address bar "
                        "is not one of ours; open it by 127.0.0.1",
                        is_navigation(head));
  }
  client.authenticated = true;
  if (path == kSetAppPath) return set_app(head, client, verdict == Access::Verdict::kTokenHolder);
  if (!only_watches(path)) note_use();
  return route(head, client, verdict == Access::Verdict::kTokenHolder);
}

std::optional<RootFallback> NodeProxy::root_fallback(const RequestHead& head,
                                                     bool token_holder) const {
  if (!state_.root_fallback || behind_manager(head, token_holder)) return std::nullopt;
  return find_root_fallback(head, is_navigation(head), {state_.record.port, app_prefix});
}

Decision NodeProxy::route(const RequestHead& head, ClientInfo& client, bool token_holder) {
  // Nearly every request; none of what is asked below is about a port.
  if (const auto route = parse_port_route(head.target)) {
    return forward_to({route->port, {}}, *route, head, client, token_holder);
  }
  if (auto fallback = root_fallback(head, token_holder)) {
    if (fallback->redirect) return root_fallback_answer(std::move(fallback->target));
    auto meant = std::make_unique<RequestHead>(head);
    meant->target = std::move(fallback->target);
    const RequestHead& as_meant = *meant;
    return forward(as_meant, client, token_holder, std::move(meant));
  }
  if (path_of(head.target) == "/healthz" && is_read(head)) return healthy();
  if (const auto text = own_text(head)) {
    if (!is_read(head)) return only_get();
    return *text;
  }
  return forward(head, client, token_holder);
}

std::optional<LocalAnswer> NodeProxy::own_text(const RequestHead& head) const {
  const std::string_view path = path_of(head.target);
  if (path == "/status") return json_answer(200, status_json(state_, stats_(), unix_ms()));
  if (path == "/metrics") return metrics_answer(state_, stats_(), unix_ms());
  if (path == "/ports") return pages_.ports(wants_html(head));
  return std::nullopt;
}

Decision NodeProxy::forward(const RequestHead& head, const ClientInfo& client, bool token_holder,
                            std::unique_ptr<const RequestHead> meant) {
  if (const auto route = parse_port_route(head.target)) {
    return forward_to({route->port, {}}, *route, head, client, token_holder, std::move(meant));
  }
  const auto route = parse_app_route(head.target);
  const auto asker = [&](std::string_view prefix) {
    return Pages::Asker{
        is_navigation(head),
        home_link(path_of(head.target), prefix, external_prefix(head, token_holder, prefix))};
  };
  if (!route) {
    return pages_.problem(404, "There is nothing here",
                          "there is nothing here; apps are under /port/N/, as in /port/5500/",
                          asker(""));
  }
  if (!state_.record.app) return pages_.no_app(asker(route->prefix));
  const auto target = parse_app_target(state_.record.app->target);
  if (!target) return pages_.no_app(asker(route->prefix));
  return forward_to(*target, *route, head, client, token_holder, std::move(meant));
}

LocalAnswer NodeProxy::forbidden_port(std::uint16_t port, const Pages::Asker& asker) const {
  if (port == state_.record.port) {
    return pages_.problem(
        403, "That is hpc-proxy itself",
        "port " + std::to_string(port) + " is hpc-proxy itself; an app has a port of its own",
        asker);
  }
  return pages_.problem(403, "This port is not let through",
                        "port " + std::to_string(port) +
                            " is not one of the ports that --allow-ports lets through; start "
                            "the app on another one",
                        asker);
}

Decision NodeProxy::forward_to(const AppTarget& target, const PortRoute& route,
                               const RequestHead& head, const ClientInfo& client, bool token_holder,
                               std::unique_ptr<const RequestHead> meant) {
  std::string prefix = external_prefix(head, token_holder, route.prefix);
  const bool navigation = is_navigation(head);
  if (target.port == state_.record.port ||
      (target.port != 0 && !state_.allow_ports.contains(target.port))) {
    return forbidden_port(target.port,
                          {navigation, home_link(path_of(head.target), route.prefix, prefix)});
  }
  const bool bare_root = keep_prefix_table_.is_bare(target.port, prefix);
  const bool adds_slash = route.needs_slash && (head.websocket_upgrade || !bare_root);
  if (adds_slash && !head.websocket_upgrade) {
    LocalAnswer answer;
    answer.status = 308;
    answer.fields = {{"Location", prefix.append("/").append(route.rest)},
                     {"Cache-Control", "no-store"}};
    return answer;
  }
  ForwardContext context;
  context.port = target.port;
  context.token_holder = token_holder;
  context.navigation = navigation;
  context.peer_address = client.peer_address;
  context.rest = route.rest;
  context.adds_slash = adds_slash;
  context.keep_prefix = route.keep_prefix || keep_prefix_table_.knows(target.port, prefix);
  context.bare_prefix = route.needs_slash;
  context.bare_root = bare_root;
  context.base_rewrite = asks_for_base_rewrite(head, state_.base_rewrite);
  context.keep_prefix_table = &keep_prefix_table_;
  if (navigation && state_.root_fallback && !behind_manager(head, token_holder)) {
    context.last_app_cookie = last_app_set_cookie(state_.record.port, route.prefix);
  }
  context.path = path_of(head.target);
  context.route_prefix = route.prefix;
  context.pages = &pages_;
  context.meant = std::move(meant);
  std::string asked = context.keep_prefix ? prefix : std::string();
  if (adds_slash) asked += '/';
  asked += route.rest;
  context.prefix = std::move(prefix);
  return Forward{&pool_, connector_key(target), std::move(asked),
                 make_forward_policy(head, std::move(context))};
}

// The target is in fields and not in the body, because a request is decided by its head. Managers
// let no browser's X-HPC-* field through, and nothing under /.hpc-proxy/.
LocalAnswer NodeProxy::set_app(const RequestHead& head, ClientInfo& client, bool token_holder) {
  if (!token_holder || !access_.same_user(client)) {
    return problem_answer(403, "only `hpc-proxy app` of the same user on this node may do this");
  }
  if (head.method != "POST") return problem_answer(405, "this path takes POST only");
  const auto given = head.fields.find(kAppField);
  if (!given || head.fields.count(kAppField) != 1) {
    return problem_answer(400, std::string(kAppField) + " must name the app, once");
  }
  const auto target = parse_app_target(*given);
  if (!target) return problem_answer(400, "the app " + target.error().detail);
  if (target->port == state_.record.port) return problem_answer(400, "that is hpc-proxy itself");
  const auto done = set_app_({std::string(*given), head.fields.find(kKeepPrefixField) == "1"});
  if (!done) return problem_answer(500, describe(done.error()));
  keep_prefix_table_.forget(target->port);  // what it knew was of the app before
  return json_answer(200, "{\"status\":\"ok\"}\n");
}

LocalAnswer NodeProxy::hello(const RequestHead& head) const {
  constexpr std::string_view kNonce = "?nonce=";
  std::string_view query = std::string_view(head.target).substr(kHelloPath.size());
  if (!is_read(head) || !query.starts_with(kNonce)) {
    return problem_answer(400, "hello needs ?nonce= and 64 hex digits");
  }
  query.remove_prefix(kNonce.size());
  const auto mac = hello_hmac(state_.record.token, query);
  if (!mac) return problem_answer(400, "hello needs ?nonce= and 64 hex digits");
  return json_answer(200, "{\"hmac\":\"" + *mac + "\"}\n");
}

LocalAnswer NodeProxy::on_refusal(int status, std::string_view detail) {
  log_.debug("refused", {{"status", std::to_string(status)}, {"why", detail}});
  auto answer = problem_answer(status, detail);
  if (status == 503) answer.fields.emplace_back("Retry-After", "2");
  answer.close = true;
  return answer;
}

void NodeProxy::log_request(const RequestHead& head, const Decision& decision) {
  if (!log_.enabled(LogLevel::kDebug)) return;
  const auto* local = std::get_if<LocalAnswer>(&decision);
  const std::string status = local != nullptr ? std::to_string(local->status) : "forwarded";
  log_.debug("request",
             {{"method", head.method}, {"path", path_of(head.target)}, {"answer", status}});
}

}  // namespace hpc
