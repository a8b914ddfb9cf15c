#pragma once
#include <functional>
#include <string>

#include "common/http_handler.h"
#include "manager/gateway/audit_log.h"
#include "manager/gateway/authorize.h"
#include "manager/session/token_table.h"

namespace hpc {

/// The calls of the API about tokens: of one user, or, for administrators and operators, of all.
/// The text of a token is in the answer that makes it and nowhere else.
///
/// `tokens` and `audit` must outlive it; it must outlive the exchanges of its calls.
class ApiTokens {
 public:
  /// `audit` may be nullptr.
  ApiTokens(TokenTable& tokens, UnixClock now, AuditLog* audit)
      : tokens_(tokens), now_(std::move(now)), audit_(audit) {}

  /// Of that user; empty: of all users.
  LocalAnswer list(const std::string& user);
  /// Takes the body of the request. For another user than the caller is only an operator can make
  /// one, not an administrator: whoever holds a user's token is that user.
  Decision create(const Caller& caller);
  /// 204. That it is there, and that the caller may, was decided before.
  Decision revoke(const std::string& id, const Caller& caller);

 private:
  void make(const Caller& caller, std::string_view body, const Reply& reply);
  LocalAnswer made(const std::string& user, const NewToken& token);

  TokenTable& tokens_;
  const UnixClock now_;
  AuditLog* const audit_;
};

}  // namespace hpc
