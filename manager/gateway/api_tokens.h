#pragma once
#include <functional>
#include <string>

#include "common/http_handler.h"
#include "manager/gateway/authorize.h"
#include "manager/session/token_table.h"

namespace hpc {

/// The calls of the API about tokens: of one user, or, for administrators and operators, of all.
/// The text of a token is in the answer that makes it and nowhere else.
///
/// `tokens` must outlive it; it must outlive the exchanges of its calls.
class ApiTokens {
 public:
  ApiTokens(TokenTable& tokens, UnixClock now) : tokens_(tokens), now_(std::move(now)) {}

  /// Of that user; empty: of all users.
  LocalAnswer list(const std::string& user);
  /// Takes the body of the request. `may_name_others`: the token may be for another user. Whoever
  /// holds a user's token is that user, so that is for operators only, not for administrators.
  Decision create(const std::string& user, bool may_name_others);
  /// 204. That it is there, and that the caller may, was decided before.
  Decision revoke(const std::string& id);

 private:
  void make(std::string user, bool may_name_others, std::string_view body, const Reply& reply);
  LocalAnswer made(const std::string& user, const NewToken& token);

  TokenTable& tokens_;
  const UnixClock now_;
};

}  // namespace hpc
