#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_handler.h"
#include "manager/gateway/audit_log.h"
#include "manager/gateway/authorize.h"
#include "manager/gateway/credentials.h"
#include "manager/gateway/form_fields.h"
#include "manager/gateway/login_throttle.h"
#include "manager/gateway/trusted_proxies.h"
#include "manager/gateway/user_map.h"
#include "manager/serve_options.h"
#include "manager/session/ssh_sign_in.h"
#include "manager/session/token_table.h"

namespace hpc {

// Attempts with --auth ssh from one address at a time: nobody alone can take all of kSignInsMax.
constexpr std::size_t kSignInsPerAddressMax = kSignInsMax / 2;

/// `/login` and `/logout` (contract 2.2). With --auth token a token becomes a login of this
/// browser; with --auth ssh the cluster's own questions are asked, and the answers decide. What is
/// under way is known by a cookie of this browser, so that no id is in any URL and nobody can
/// finish another's attempt. Failures are counted in the throttle and written to the audit log as
/// they happen, whether or not the browser asks for them.
///
/// Everything handed to the constructor must outlive it; `sign_in` is needed for AuthMode::kSsh
/// only.
class LoginFlow {
 public:
  struct Options {
    AuthMode auth = AuthMode::kToken;
    std::vector<std::string> clusters;                     // at least one
    std::int64_t login_ms = std::int64_t{7} * 86'400'000;  // how long a browser stays in
  };
  LoginFlow(Options options, TokenTable& tokens, LoginThrottle& throttle,
            const TrustedProxies& proxies, const UserMap& user_map, const LoginCookies& cookies,
            AuditLog& audit, UnixClock now, SshSignIn* sign_in);
  LoginFlow(const LoginFlow&) = delete;
  LoginFlow& operator=(const LoginFlow&) = delete;

  /// From the next request on (SIGHUP). `auth` stays as it is.
  void set_options(Options options);

  /// `/login`, for anybody. `passes_cross_site_rule`: no other site's page made the browser ask;
  /// without it nothing is taken, because a browser could be logged in as somebody else.
  Decision login(const RequestHead& head, const ClientInfo& client, const Caller& caller,
                 bool passes_cross_site_rule);
  /// `/logout`, for somebody who is logged in and passes the cross-site rule.
  Decision logout(const RequestHead& head, const ClientInfo& client, const Caller& caller);
  /// The login page in place of a page that needs a login; leads back to it.
  LocalAnswer login_needed(const RequestHead& head) const;

 private:
  /// Who asks, kept over the reading of a body.
  struct Visit {
    std::string address;
    std::string next;
    std::optional<std::string> attempt;  // the cookie's
  };
  struct Attempt {
    std::string user;
    std::string address;
    std::unique_ptr<Pending> change;  // tells that its state is another one
  };

  Decision show(const RequestHead& head, Visit visit, const Caller& caller);
  Decision show_attempt(const RequestHead& head, const Visit& visit, const std::string& id);
  LocalAnswer first_page(int status, const std::string& next, std::string_view message,
                         std::string_view user = {}, std::string_view cluster = {}) const;
  void take_form(const FormFields& form, const Visit& visit, const Reply& reply);
  void take_token(const std::string& text, const Visit& visit, const Reply& reply);
  LocalAnswer take_name(const FormFields& form, const Visit& visit);
  LocalAnswer take_answer(const FormFields& form, const Visit& visit, std::string answer);
  void finish_attempt(const std::string& id, const Visit& visit, const Reply& reply);
  void grant(const std::string& user, std::string_view how, const Visit& visit, const Reply& reply);
  Decision answer_later(std::function<void(const Reply&)> act) const;
  std::optional<LocalAnswer> must_wait(const std::string& user, const std::string& address) const;
  std::size_t attempts_from(const std::string& address) const;
  void watch(const std::string& id, unsigned step);
  void attempt_changed(const std::string& id);
  LocalAnswer back_to_login(const std::string& next) const;
  LocalAnswer without_attempt(LocalAnswer answer) const;

  Options options_;
  TokenTable& tokens_;
  LoginThrottle& throttle_;
  const TrustedProxies& proxies_;
  const UserMap& user_map_;
  const LoginCookies& cookies_;
  AuditLog& audit_;
  const UnixClock now_;
  SshSignIn* const sign_in_;
  std::map<std::string, Attempt> attempts_;  // by id; as many as sign_in_ lets begin
  // What is called back after us sees by it that we are gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hpc
