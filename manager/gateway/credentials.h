#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http_head.h"
#include "manager/serve_options.h"

namespace hpc {

// What a request carries for us and not for the app (contract 2.2). Pure.

/// "hpm_..." of an Authorization value "Bearer hpm_...", good or not; nothing: it is the app's.
std::optional<std::string_view> own_bearer(std::string_view authorization);

/// Is this field between the client and us, so that no app may see it? Authorization with a token
/// of ours, X-HPC-*, and `identity_header`, also written with '_' for '-'.
bool is_own_credential(const Field& field, std::string_view identity_header);

/// The token in Authorization or X-HPC-Manager-Token.
struct ShownToken {
  bool shown = false;     // there is one, or something in its place
  std::string_view text;  // what it is; empty: two that differ, or an empty field
};
ShownToken shown_token(const FieldList& fields);

/// The cookies of `serve`. __Host- needs https and cannot be set by another host of the same
/// domain; without https the name holds the port, because cookies do not.
class LoginCookies {
 public:
  /// `port`: the one that we listen on.
  LoginCookies(const PublicUrl& url, std::uint16_t port);

  /// Who is logged in: a token of TokenKind::kLogin.
  const std::string& login_name() const { return login_; }
  /// The attempt to log in that this browser has under way.
  const std::string& attempt_name() const { return attempt_; }

  /// Set-Cookie values. `lasts_s`: seconds.
  std::string set_login(std::string_view token, std::int64_t lasts_s) const;
  std::string clear_login() const;
  std::string set_attempt(std::string_view id, std::int64_t lasts_s) const;
  std::string clear_attempt() const;

  /// The one value of that cookie; nothing for none, and for two, of which one is somebody else's.
  std::optional<std::string_view> login_of(const FieldList& fields) const;
  std::optional<std::string_view> attempt_of(const FieldList& fields) const;

 private:
  std::string login_, attempt_;
  bool secure_;
};

}  // namespace hpc
