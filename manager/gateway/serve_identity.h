#pragma once
#include <set>
#include <string>
#include <utility>

#include "manager/gateway/audit_log.h"
#include "manager/gateway/credentials.h"
#include "manager/gateway/identity.h"
#include "manager/gateway/login_throttle.h"
#include "manager/gateway/trusted_proxies.h"
#include "manager/gateway/user_map.h"
#include "manager/serve_options.h"
#include "manager/session/token_table.h"

namespace hpc {

/// Identity of `serve`. In this order, and the first that is there decides alone, so that a wrong
/// one is nobody and not the next one:
///  1. a token in Authorization or X-HPC-Manager-Token (TokenKind::kApi), in every auth mode;
///  2. with AuthMode::kHeader the header, from a trusted proxy; two of it, or an empty one: nobody;
///  3. else the cookie (TokenKind::kLogin).
/// A login's token is no API token and the other way round: what a page could steal of one kind is
/// of no use as the other.
///
/// Everything handed to the constructor must outlive it.
class ServeIdentity final : public Identity {
 public:
  struct Options {
    AuthMode auth = AuthMode::kToken;
    std::string auth_header;
    std::set<std::string> admins;
  };
  ServeIdentity(Options options, const TrustedProxies& proxies, const UserMap& user_map,
                const LoginCookies& cookies, TokenTable& tokens, LoginThrottle& throttle,
                AuditLog& audit);
  Caller identify(const RequestHead& head, const ClientInfo& client) override;
  /// From the next request on (SIGHUP).
  void set_admins(std::set<std::string> admins) { options_.admins = std::move(admins); }

 private:
  Caller by_token(std::string_view text, const FieldList& fields, const ClientInfo& client);
  Caller by_header(const FieldList& fields, const ClientInfo& client);
  Caller by_cookie(const FieldList& fields);
  Caller known(Caller::By by, const std::string& user, const std::string& token_id) const;

  Options options_;
  const TrustedProxies& proxies_;
  const UserMap& user_map_;
  const LoginCookies& cookies_;
  TokenTable& tokens_;
  LoginThrottle& throttle_;
  AuditLog& audit_;
};

}  // namespace hpc
