#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/log.h"
#include "manager/gateway/authorize.h"
#include "manager/session/session_key.h"

namespace hpc {

/// Who did what, one line each that begins with "audit:": logins, refusals, changes of sessions.
/// Holds no secret and no query string; whatever a client chose is escaped by Log. `log` must
/// outlive it.
class AuditLog {
 public:
  explicit AuditLog(Log& log) : log_(log) {}

  /// `how`: "token", "ssh". `address`: the client's, as TrustedProxies::client_address() says.
  void login(std::string_view user, std::string_view how, std::string_view address);
  void login_failed(std::string_view user, std::string_view how, std::string_view address,
                    std::string_view why);
  void logout(std::string_view user, std::string_view address);
  /// A token of ours, or a name from the proxy, that is not good.
  void not_identified(std::string_view how, std::string_view address, std::string_view why);
  /// `owner`: whose it was or would have been; may be empty.
  void denied(const Caller& caller, Allowed verdict, std::string_view route, std::string_view owner,
              std::string_view address);
  /// `what`: "created", "ended", "activated". `who`: the caller's name, "operator", or "manager".
  void session(std::string_view what, const SessionKey& key, std::string_view id,
               std::string_view who, std::string_view reason = {});
  /// `what`: "created", "revoked". `id` tells nothing about the token.
  void token(std::string_view what, std::string_view user, std::string_view id,
             std::string_view who);

  /// Logins and tokens that were not good, since the start.
  std::uint64_t failures() const { return failures_; }

 private:
  std::uint64_t failures_ = 0;
  Log& log_;
};

/// "cookie", "token", "header" ...
std::string_view name_of(Caller::By by);
/// For `who`: his name, or "operator".
std::string who_is(const Caller& caller);

}  // namespace hpc
