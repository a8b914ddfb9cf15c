#pragma once
#include <string>

#include "common/http_handler.h"
#include "common/log.h"
#include "manager/gateway/audit_log.h"
#include "manager/gateway/identity.h"
#include "manager/serve_options.h"
#include "manager/session/sessions.h"

namespace hpc {

/// The browser side of the ports that are lent to sessions (contract 2.3, --local-ports): at such a
/// port the session is at the root, as with `connect`: /port/N/, /app/, /ports and everything else
/// of contract 1.3. Which session stands in ClientInfo::lent_to.
///
/// Any user of this machine can reach a loopback port, so each request needs a token of the
/// session's owner, in X-HPC-Manager-Token, Authorization or the login cookie. What a proxy says of
/// the user does not count here: nobody can tell who has connected.
///
/// Everything handed to the constructor must outlive it.
class LocalPortGateway final : public HttpHandler {
 public:
  struct Options {
    PublicUrl url;  // where people log in
    bool root_fallback = true;
    std::string auth_header;  // kept from apps, as everywhere
  };
  LocalPortGateway(Options options, Identity& identity, Sessions& sessions, AuditLog& audit,
                   Log& log);
  Decision on_request(const RequestHead& head, ClientInfo& client) override;
  LocalAnswer on_refusal(int status, std::string_view detail) override;

 private:
  LocalAnswer refuse(Allowed verdict, bool navigation) const;
  Decision route(const RequestHead& head, const ClientInfo& client, const SessionInfo& info);
  Decision forward(const RequestHead& head, const ClientInfo& client, const SessionInfo& info,
                   const SessionRoute& to);

  const Options options_;
  Identity& identity_;
  Sessions& sessions_;
  AuditLog& audit_;
  Log& log_;
};

}  // namespace hpc
