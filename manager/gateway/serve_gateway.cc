#include "manager/gateway/serve_gateway.h"

#include <memory>
#include <utility>

#include "common/answers.h"
#include "common/http_status.h"
#include "common/root_fallback.h"
#include "manager/gateway/api_route.h"
#include "manager/gateway/connect_gateway.h"
#include "manager/gateway/edge_policy.h"
#include "manager/gateway/form_fields.h"
#include "manager/gateway/login_pages.h"
#include "manager/gateway/serve_pages.h"
#include "manager/session/tunnel.h"

namespace hpc {

namespace {

using Kind = ServeRoute::Kind;

OwnNames own_names(const ServeGateway::Options& options) {
  OwnNames names;
  names.loopback = options.by_any_name;
  names.hosts = {options.url.host};
  names.scheme = options.url.scheme;
  return names;
}

bool only_reads(const RequestHead& head) { return head.method == "GET" || head.method == "HEAD"; }

LocalAnswer read_only_answer(std::string_view allow) {
  auto answer = problem_answer(405, "this page can only be read");
  answer.fields.emplace_back("Allow", std::string(allow));
  return answer;
}

LocalAnswer moved(int status, std::string location) {
  LocalAnswer answer;
  answer.status = status;
  answer.fields = {{"Location", std::move(location)}, {"Cache-Control", "no-store"}};
  return answer;
}

/// Where the form "Open port N of SESSION" leads; nothing for any other query.
std::optional<std::string> chosen_port(std::string_view query) {
  const auto form = FormFields::parse(query);
  const auto session = form ? form->find("session") : std::nullopt;
  const auto port = form ? form->find("port") : std::nullopt;
  if (!session || !port) return std::nullopt;
  std::string path = *session + "/port/" + *port + "/";
  const auto route = parse_user_route(path);
  const bool whole = route && route->kind == UserRoute::Kind::kPort && route->rest == "/";
  if (!whole) return std::nullopt;
  return path;
}

/// A page's script or form, as the browser itself says: script can neither leave the field out nor
/// write it. "none" is a person who typed the address.
bool is_asked_by_a_page(const RequestHead& head) {
  const auto site = head.fields.find("Sec-Fetch-Site");
  return site && *site != "none";
}

}  // namespace

ServeGateway::Options ServeGateway::options_of(const ServeOptions& options, std::uint16_t port,
                                               UnixClock now) {
  ServeOptions bound = options;
  bound.listen.port = port;
  return {bound.browser_url(),
          !options.public_url.has_value(),
          port,
          options.root_fallback,
          options.auth,
          options.auth_header,
          std::move(now)};
}

ServeGateway::ServeGateway(Options options, Identity& identity, Sessions& sessions, Api& api,
                           LoginFlow& login, const TrustedProxies& proxies, AuditLog& audit,
                           Log& log, Ready ready)
    : options_(std::move(options)),
      names_(own_names(options_)),
      identity_(identity),
      sessions_(sessions),
      api_(api),
      login_(login),
      proxies_(proxies),
      audit_(audit),
      log_(log),
      ready_(std::move(ready)) {}

Decision ServeGateway::on_request(const RequestHead& head, ClientInfo& client) {
  const auto route = parse_serve_route(head.target);
  const Caller caller = identity_.identify(head, client);
  // A proxy's connections carry everybody's requests: the limit for strangers is not for them.
  if (caller.by != Caller::By::kNobody || proxies_.contains(client.peer_address)) {
    client.authenticated = true;
  }
  const Asked asked{head,
                    client,
                    caller,
                    passes_cross_site_rule(head, names_),
                    is_navigation(head) && !head.websocket_upgrade,
                    route.kind};
  log_.debug("request", {{"method", head.method},
                         {"path", std::string_view(head.target).substr(0, head.target.find('?'))},
                         {"route", name_of(route.kind)},
                         {"user", caller.user}});
  if (auto decision = root_fallback(asked)) return std::move(*decision);
  return answer(asked, route);
}

Decision ServeGateway::answer(const Asked& asked, const ServeRoute& route) {
  switch (route.kind) {
    case Kind::kHealthz:
      if (!only_reads(asked.head)) return read_only_answer("GET, HEAD");
      return json_answer(200, "{\"status\":\"ok\"}\n");
    case Kind::kReadyz:
      return only_reads(asked.head) ? ready() : read_only_answer("GET, HEAD");
    case Kind::kLogin:
      return login_.login(asked.head, asked.client, asked.caller, asked.passes);
    case Kind::kUser:
      return user(asked, asked.head, *route.user);
    case Kind::kApi:
      return api(asked);
    case Kind::kStart:
    case Kind::kLogout:
    case Kind::kShortPort:
      break;
    case Kind::kNone:
      return nothing_here_answer(asked.navigation);
  }
  if (const auto verdict = may(asked, Resource::kOwn, ""); verdict != Allowed::kYes) {
    return refuse(asked, verdict, "");
  }
  if (route.kind == Kind::kStart) return start(asked);
  if (route.kind == Kind::kLogout) return login_.logout(asked.head, asked.client, asked.caller);
  return short_port(asked, route.port);
}

// ---------------------------------------------------------------------------------- who may what
Allowed ServeGateway::may(const Asked& asked, Resource resource, std::string_view owner) const {
  return authorize(asked.caller, {resource, owner, asked.passes});
}

void ServeGateway::audit(const Asked& asked, Allowed verdict, std::string_view owner) {
  audit_.denied(asked.caller, verdict, name_of(asked.kind), owner,
                proxies_.client_address(asked.head.fields, asked.client.peer_address));
}

LocalAnswer ServeGateway::refuse(const Asked& asked, Allowed verdict, std::string_view owner) {
  if (verdict == Allowed::kLogIn) {
    if (asked.navigation) return login_.login_needed(asked.head);
    auto answer = problem_answer(
        401, "not logged in; send Authorization: Bearer hpm_..., or open /login in a browser");
    answer.fields.emplace_back("WWW-Authenticate", "Bearer");
    return answer;
  }
  audit(asked, verdict, owner);
  if (verdict == Allowed::kCrossSite) {
    return error_answer(403,
                        "another site's page asked for this, or the name in the address bar is "
                        "not one of ours; open it by its public address, " +
                            options_.url.text() + "/",
                        asked.navigation);
  }
  return nothing_here_answer(asked.navigation);
}

// ------------------------------------------------------------------------------------- our pages
LocalAnswer ServeGateway::ready() const {
  if (const auto status = ready_(); !status) return problem_answer(503, status.error().detail);
  return json_answer(200, "{\"status\":\"ok\"}\n");
}

Decision ServeGateway::start(const Asked& asked) {
  if (asked.head.method == "POST") return activate(asked);
  if (!only_reads(asked.head)) return read_only_answer("GET, HEAD, POST");
  if (auto path = chosen_port(query_of(asked.head.target))) return see_other(std::move(*path));
  return sessions_page(asked.caller.user, sessions_.list(asked.caller.user),
                       asked.caller.by == Caller::By::kCookie,
                       options_.now ? std::optional(options_.now()) : std::nullopt);
}

Decision ServeGateway::activate(const Asked& asked) {
  return Serve{collect_body(kFormBytesMax, [this, caller = asked.caller, passes = asked.passes,
                                            navigation = asked.navigation](const std::string& body,
                                                                           const Reply& reply) {
    const auto form = FormFields::parse(body);
    const auto id = form ? form->find("activate") : std::nullopt;
    const auto info = id ? sessions_.find(*id) : std::nullopt;
    const std::string owner = info ? info->row.key.user : "";
    if (authorize(caller, {Resource::kSession, owner, passes}) != Allowed::kYes) {
      return reply(nothing_here_answer(navigation));
    }
    sessions_.activate(*id, [this, reply, navigation,
                             who = caller.user](const Result<SessionInfo>& now) {
      if (!now) {
        return reply(error_answer(http_status(now.error().code), now.error().detail, navigation));
      }
      audit_.session("activated", now->row.key, now->row.id, who);
      reply(see_other("/"));
    });
  })};
}

Decision ServeGateway::api(const Asked& asked) {
  const bool by_itself =
      asked.caller.by == Caller::By::kCookie || asked.caller.by == Caller::By::kHeader;
  if (by_itself && !only_reads(asked.head) && is_asked_by_a_page(asked.head)) {
    audit(asked, Allowed::kCrossSite, "");
    return problem_answer(403,
                          "a web page asked for this with your login; all apps share this host, so "
                          "changes need a token (Authorization: Bearer hpm_...)");
  }
  const auto route = find_api_route(asked.head.method, asked.head.target);
  const auto info = sessions_.find(std::string(route.id));
  if (info && may(asked, Resource::kSession, info->row.key.user) == Allowed::kHidden) {
    audit(asked, Allowed::kHidden, info->row.key.user);
  }
  return api_.handle(asked.head, asked.caller, asked.passes);
}

// ---------------------------------------------------------------------------------- sessions' apps
Decision ServeGateway::user(const Asked& asked, const RequestHead& meant, const UserRoute& route) {
  const auto to = sessions_.route(route.key);
  const auto info = to ? std::nullopt : sessions_.find(route.key);
  const bool exists = to || info;
  const auto verdict = may(asked, Resource::kTraffic, exists ? route.key.user : "");
  if (verdict != Allowed::kYes) return refuse(asked, verdict, route.key.user);
  if (!to && info->row.state == SessionState::kEnded) {
    return session_gone_answer(*info, asked.navigation);
  }
  if (route.needs_slash && !meant.websocket_upgrade) {
    return moved(308, with_slash(route.prefix, route.rest));
  }
  if (!to) return session_waiting_answer(*info, nullptr, asked.navigation);
  return forward(asked, meant, route, *to);
}

Decision ServeGateway::forward(const Asked& asked, const RequestHead& meant, const UserRoute& route,
                               const SessionRoute& to) {
  const bool may_wait = may_wait_for_tunnel(meant);
  if (!to.tunnel.ready() && asked.navigation && may_wait) {
    return session_waiting_answer(*sessions_.find(to.id), &to.tunnel, asked.navigation);
  }
  EdgeView view;
  view.scheme = options_.url.scheme;
  if (!options_.by_any_name) view.host = options_.url.host;
  view.prefix = route.prefix;
  view.identity_header = options_.auth_header;
  view.peer_is_trusted = proxies_.contains(asked.client.peer_address);
  std::string target(route.upstream_rest);
  if (route.kind == UserRoute::Kind::kApp) {
    view.app_rest = route.needs_slash ? with_slash("", route.rest) : std::string(route.rest);
    target = "/app" + view.app_rest;
  }
  if (options_.root_fallback && asked.navigation && route.kind != UserRoute::Kind::kPorts) {
    view.last_app_cookie = last_app_set_cookie(options_.port, route.prefix);
  }
  sessions_.note_activity(to.id);
  return Forward{&to.pool, may_wait ? Tunnel::kMayWait : Tunnel::kAtOnce, std::move(target),
                 make_edge_policy(meant, asked.client, to.tunnel, std::move(view)), to.id};
}

Decision ServeGateway::short_port(const Asked& asked, const PortRoute& port) {
  const auto active = sessions_.active_of(asked.caller.user);
  if (!active) return no_active_session_answer(asked.navigation);
  std::string target = path_of(active->row.key);
  target += port.needs_slash ? with_slash(port.prefix, port.rest) : asked.head.target;
  if (!asked.head.websocket_upgrade) return moved(307, std::move(target));
  RequestHead meant = asked.head;
  meant.target = std::move(target);
  return user(asked, meant, *parse_user_route(meant.target));
}

std::optional<Decision> ServeGateway::root_fallback(const Asked& asked) {
  const bool ours =
      asked.kind != Kind::kNone && asked.kind != Kind::kStart &&
      (asked.navigation || (asked.kind != Kind::kHealthz && asked.kind != Kind::kReadyz));
  if (!options_.root_fallback || ours) return std::nullopt;
  if (may(asked, Resource::kOwn, "") != Allowed::kYes) return std::nullopt;
  auto fallback = find_root_fallback(asked.head, asked.navigation,
                                     {options_.port, session_app_prefix, options_.url.scheme});
  if (!fallback) return std::nullopt;
  if (fallback->redirect) return root_fallback_answer(std::move(fallback->target));
  RequestHead meant = asked.head;
  meant.target = std::move(fallback->target);
  const auto route = parse_user_route(meant.target);
  if (!route) return std::nullopt;
  return user(asked, meant, *route);
}

LocalAnswer ServeGateway::on_refusal(int status, std::string_view detail) {
  auto answer = problem_answer(status, detail);
  if (status == 503) answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  answer.close = true;
  return answer;
}

}  // namespace hpc
