#include "manager/gateway/serve_identity.h"

#include <utility>

namespace hpc {

ServeIdentity::ServeIdentity(Options options, const TrustedProxies& proxies,
                             const UserMap& user_map, const LoginCookies& cookies,
                             TokenTable& tokens, LoginThrottle& throttle, AuditLog& audit)
    : options_(std::move(options)),
      proxies_(proxies),
      user_map_(user_map),
      cookies_(cookies),
      tokens_(tokens),
      throttle_(throttle),
      audit_(audit) {}

Caller ServeIdentity::identify(const RequestHead& head, const ClientInfo& client) {
  const auto token = shown_token(head.fields);
  if (token.shown) return by_token(token.text, head.fields, client);
  if (options_.auth == AuthMode::kHeader) return by_header(head.fields, client);
  return by_cookie(head.fields);
}

Caller ServeIdentity::by_token(std::string_view text, const FieldList& fields,
                               const ClientInfo& client) {
  const auto bearer = tokens_.find(text);
  if (bearer && bearer->kind == TokenKind::kApi) {
    return known(Caller::By::kBearer, bearer->user, bearer->id);
  }
  const auto address = proxies_.client_address(fields, client.peer_address);
  throttle_.failed("", address);
  audit_.not_identified("token", address, "no such token, or revoked, or expired");
  return {};
}

Caller ServeIdentity::by_header(const FieldList& fields, const ClientInfo& client) {
  if (!proxies_.contains(client.peer_address)) return {};
  const auto name = fields.find(options_.auth_header);
  if (!name || name->empty()) return {};
  if (fields.count(options_.auth_header) != 1) {
    audit_.not_identified("header", client.peer_address, "two names in one request");
    return {};
  }
  const auto user = user_map_.map(*name);
  if (!user) {
    audit_.not_identified("header", client.peer_address,
                          std::string(*name) + ": " + user.error().detail);
    return {};
  }
  return known(Caller::By::kHeader, *user, "");
}

Caller ServeIdentity::by_cookie(const FieldList& fields) {
  const auto text = cookies_.login_of(fields);
  if (!text) return {};
  const auto bearer = tokens_.find(*text);
  if (!bearer || bearer->kind != TokenKind::kLogin) return {};
  return known(Caller::By::kCookie, bearer->user, bearer->id);
}

Caller ServeIdentity::known(Caller::By by, const std::string& user,
                            const std::string& token_id) const {
  return {by, user, options_.admins.count(user) != 0, token_id};
}

}  // namespace hpc
