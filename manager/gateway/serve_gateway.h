#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/cross_site.h"
#include "common/http_handler.h"
#include "common/log.h"
#include "manager/gateway/api.h"
#include "manager/gateway/audit_log.h"
#include "manager/gateway/identity.h"
#include "manager/gateway/login_flow.h"
#include "manager/gateway/serve_route.h"
#include "manager/gateway/trusted_proxies.h"
#include "manager/serve_options.h"
#include "manager/session/sessions.h"

namespace hpc {

/// The browser side of `serve` (contract 2.2): who asks, may he, and where does it go. authorize()
/// decides before anything else happens, for HTTP and Upgrade alike.
///
/// Everything handed to the constructor must outlive it.
class ServeGateway final : public HttpHandler {
 public:
  struct Options {
    PublicUrl url;             // where a browser reaches us
    bool by_any_name = false;  // no public URL is set, so loopback names are ours, too
    std::uint16_t port = 0;    // the one that we listen on, for the name of a cookie
    bool root_fallback = true;
    AuthMode auth = AuthMode::kToken;
    std::string auth_header;
    UnixClock now;  // for pages that say how much time is left; none: they do not
  };
  /// `port`: what `options.listen` has become.
  static Options options_of(const ServeOptions& options, std::uint16_t port, UnixClock now = {});

  /// Success: requests can be served; an error's detail says why not (/readyz).
  using Ready = std::function<Status()>;

  ServeGateway(Options options, Identity& identity, Sessions& sessions, Api& api, LoginFlow& login,
               const TrustedProxies& proxies, AuditLog& audit, Log& log, Ready ready);
  Decision on_request(const RequestHead& head, ClientInfo& client) override;
  LocalAnswer on_refusal(int status, std::string_view detail) override;

 private:
  /// One request, and what is known of it.
  struct Asked {
    const RequestHead& head;
    const ClientInfo& client;
    const Caller& caller;
    bool passes;      // the cross-site rule
    bool navigation;  // a person will look at the answer
    ServeRoute::Kind kind;
  };

  Decision answer(const Asked& asked, const ServeRoute& route);
  Decision start(const Asked& asked);
  Decision activate(const Asked& asked);
  Decision api(const Asked& asked);
  Decision user(const Asked& asked, const RequestHead& meant, const UserRoute& route);
  Decision forward(const Asked& asked, const RequestHead& meant, const UserRoute& route,
                   const SessionRoute& to);
  Decision short_port(const Asked& asked, const PortRoute& port);
  std::optional<Decision> root_fallback(const Asked& asked);
  LocalAnswer ready() const;
  Allowed may(const Asked& asked, Resource resource, std::string_view owner) const;
  void audit(const Asked& asked, Allowed verdict, std::string_view owner);
  LocalAnswer refuse(const Asked& asked, Allowed verdict, std::string_view owner);

  const Options options_;
  const OwnNames names_;
  Identity& identity_;
  Sessions& sessions_;
  Api& api_;
  LoginFlow& login_;
  const TrustedProxies& proxies_;
  AuditLog& audit_;
  Log& log_;
  const Ready ready_;
};

}  // namespace hpc
