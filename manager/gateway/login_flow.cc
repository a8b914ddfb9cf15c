#include "manager/gateway/login_flow.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/answers.h"
#include "common/http_rules.h"
#include "common/http_status.h"
#include "manager/gateway/login_pages.h"

namespace hpc {

namespace {

constexpr std::string_view kLabel = "browser";

LocalAnswer not_allowed(bool navigation) {
  auto answer = error_answer(405, "ask with GET, or send the form with POST", navigation);
  answer.fields.emplace_back("Allow", "GET, HEAD, POST");
  return answer;
}

bool is_form(const RequestHead& head) {
  const auto type = head.fields.find("Content-Type");
  return type && equals_ignoring_case(trim_blanks(type->substr(0, type->find(';'))),
                                      "application/x-www-form-urlencoded");
}

std::optional<unsigned> number(const std::optional<std::string>& text) {
  unsigned value = 0;
  if (!text) return std::nullopt;
  const char* last = text->data() + text->size();
  const auto [end, failed] = std::from_chars(text->data(), last, value);
  if (failed != std::errc{} || end != last) return std::nullopt;
  return value;
}

std::string_view trouble_of(const Error& error) {
  if (error.code == Errc::kTooMany) {
    return "Too many people are signing in just now. Try again in a minute.";
  }
  return error.detail;
}

std::string next_of(std::string_view query) {
  const auto form = FormFields::parse(query);
  return local_path(form ? form->find("next").value_or("/") : "/");
}

}  // namespace

LoginFlow::LoginFlow(Options options, TokenTable& tokens, LoginThrottle& throttle,
                     const TrustedProxies& proxies, const UserMap& user_map,
                     const LoginCookies& cookies, AuditLog& audit, UnixClock now,
                     SshSignIn* sign_in)
    : options_(std::move(options)),
      tokens_(tokens),
      throttle_(throttle),
      proxies_(proxies),
      user_map_(user_map),
      cookies_(cookies),
      audit_(audit),
      now_(std::move(now)),
      sign_in_(sign_in) {}

void LoginFlow::set_options(Options options) {
  options.auth = options_.auth;
  options_ = std::move(options);
}

Decision LoginFlow::login(const RequestHead& head, const ClientInfo& client, const Caller& caller,
                          bool passes_cross_site_rule) {
  const bool navigation = is_navigation(head);
  Visit visit{proxies_.client_address(head.fields, client.peer_address),
              next_of(query_of(head.target)), std::nullopt};
  if (const auto id = cookies_.attempt_of(head.fields)) visit.attempt = std::string(*id);
  if (head.method == "GET" || head.method == "HEAD") {
    if (passes_cross_site_rule) return show(head, std::move(visit), caller);
    return first_page(200, visit.next, "");
  }
  if (head.method != "POST") return not_allowed(navigation);
  if (!passes_cross_site_rule) {
    return error_answer(403, "another site's page has sent this form; open /login and use its form",
                        navigation);
  }
  if (!is_form(head)) {
    return error_answer(415, "send the form as application/x-www-form-urlencoded", navigation);
  }
  if (options_.auth == AuthMode::kHeader) return proxy_login_page(403);
  return Serve{collect_body(kFormBytesMax, [this, visit = std::move(visit), navigation](
                                               const std::string& body, const Reply& reply) {
    const auto form = FormFields::parse(body);
    if (!form) return reply(error_answer(400, "the form is malformed", navigation));
    Visit whole = visit;
    if (const auto next = form->find("next")) whole.next = local_path(*next);
    take_form(*form, whole, reply);
  })};
}

Decision LoginFlow::answer_later(std::function<void(const Reply&)> act) const {
  return Serve{
      collect_body(kFormBytesMax,
                   [act = std::move(act)](const std::string&, const Reply& reply) { act(reply); })};
}

// ------------------------------------------------------------------------------------------ GET
Decision LoginFlow::show(const RequestHead& head, Visit visit, const Caller& caller) {
  const auto query = FormFields::parse(query_of(head.target));
  const auto token = query ? query->find("token") : std::nullopt;
  if (token && options_.auth == AuthMode::kToken && head.method == "GET") {
    // Of the top-level navigations of other sites, which the rule lets pass, none may log in.
    const auto site = head.fields.find("Sec-Fetch-Site");
    if (site && *site != "none" && *site != "same-origin") {
      return first_page(403, visit.next,
                        "A link of another site has led here, so its token was not used. Open the "
                        "address yourself, or type the token.");
    }
    return answer_later([this, visit = std::move(visit), text = *token](const Reply& reply) {
      take_token(text, visit, reply);
    });
  }
  if (caller.by != Caller::By::kNobody) {
    return signed_in_page(caller.user, visit.next, caller.by == Caller::By::kCookie);
  }
  if (visit.attempt && sign_in_ != nullptr && options_.auth == AuthMode::kSsh) {
    const std::string id = *visit.attempt;
    return show_attempt(head, visit, id);
  }
  return first_page(200, visit.next, "");
}

Decision LoginFlow::show_attempt(const RequestHead& head, const Visit& visit,
                                 const std::string& id) {
  const auto view = sign_in_->find(id);
  if (!view) {
    return without_attempt(
        first_page(200, visit.next, "That attempt is over. Begin again with your name."));
  }
  switch (view->state) {
    case SshSignIn::State::kConnecting:
      return ssh_waiting_page(*view, visit.next);
    case SshSignIn::State::kAsking:
      return ssh_question_page(200, *view, visit.next, "");
    case SshSignIn::State::kFailed:
      if (head.method == "GET") sign_in_->cancel(id);
      return without_attempt(first_page(
          401, visit.next, view->error ? trouble_of(*view->error) : "The cluster said no.",
          view->user, view->cluster));
    case SshSignIn::State::kDone:
      break;
  }
  if (head.method == "HEAD") return first_page(200, visit.next, "");
  return answer_later([this, id, visit](const Reply& reply) { finish_attempt(id, visit, reply); });
}

LocalAnswer LoginFlow::first_page(int status, const std::string& next, std::string_view message,
                                  std::string_view user, std::string_view cluster) const {
  switch (options_.auth) {
    case AuthMode::kToken:
      return token_login_page(status, next, message);
    case AuthMode::kSsh:
      return ssh_login_page(status, options_.clusters, user, cluster, next, message);
    case AuthMode::kHeader:
      break;
  }
  return proxy_login_page(status);
}

LocalAnswer LoginFlow::login_needed(const RequestHead& head) const {
  const bool again = head.method == "GET" && !head.websocket_upgrade;
  return first_page(401, local_path(again ? head.target : "/"), "");
}

// ----------------------------------------------------------------------------------------- POST
void LoginFlow::take_form(const FormFields& form, const Visit& visit, const Reply& reply) {
  if (options_.auth == AuthMode::kToken) {
    return take_token(form.find("token").value_or(""), visit, reply);
  }
  if (sign_in_ == nullptr) return reply(problem_answer(503, "there is no way to log in"));
  if (form.find("cancel")) {
    if (visit.attempt) sign_in_->cancel(*visit.attempt);
    return reply(without_attempt(back_to_login(visit.next)));
  }
  if (auto answer = form.find("answer")) {
    return reply(take_answer(form, visit, std::move(*answer)));
  }
  reply(take_name(form, visit));
}

void LoginFlow::take_token(const std::string& text, const Visit& visit, const Reply& reply) {
  if (auto wait = must_wait("", visit.address)) return reply(std::move(*wait));
  const auto bearer = tokens_.find(trim_blanks(text));
  if (!bearer || bearer->kind != TokenKind::kApi) {
    throttle_.failed("", visit.address);
    audit_.login_failed("", "token", visit.address, "no such token, or revoked, or expired");
    return reply(
        first_page(401, visit.next, "This token is not known, or has expired, or was revoked."));
  }
  grant(bearer->user, "token", visit, reply);
}

LocalAnswer LoginFlow::take_name(const FormFields& form, const Visit& visit) {
  const std::string name = form.find("user").value_or("");
  const std::string cluster = form.find("cluster").value_or("");
  const auto again = [&](int status, std::string_view message) {
    return first_page(status, visit.next, message, name, cluster);
  };
  const auto user = user_map_.map(trim_blanks(name));
  if (auto wait = must_wait(user.value_or(""), visit.address)) return std::move(*wait);
  if (!user) {
    audit_.login_failed(name, "ssh", visit.address, "no user name");
    return again(400, user.error().detail);
  }
  if (attempts_from(visit.address) >= kSignInsPerAddressMax) {
    return again(429, "Too many people are signing in from your address. Try again in a minute.");
  }
  if (visit.attempt) sign_in_->cancel(*visit.attempt);
  const auto id = sign_in_->start(*user, cluster);
  if (!id) return again(http_status(id.error().code), trouble_of(id.error()));
  attempts_[*id] = {*user, visit.address, nullptr};
  const auto view = sign_in_->find(*id);
  watch(*id, view ? view->step : 0);
  auto answer = back_to_login(visit.next);
  answer.fields.emplace_back(
      "Set-Cookie", cookies_.set_attempt(*id, static_cast<std::int64_t>(kSignInMs) / 1000));
  return answer;
}

LocalAnswer LoginFlow::take_answer(const FormFields& form, const Visit& visit, std::string answer) {
  const auto step = number(form.find("step"));
  if (!visit.attempt || !step) return without_attempt(back_to_login(visit.next));
  const auto taken = sign_in_->answer(*visit.attempt, *step, std::move(answer));
  const auto view = sign_in_->find(*visit.attempt);
  if (!taken && view && view->state == SshSignIn::State::kAsking &&
      taken.error().code != Errc::kConflict) {
    return ssh_question_page(http_status(taken.error().code), *view, visit.next,
                             taken.error().detail);
  }
  return back_to_login(visit.next);  // shows how it stands, also after a form that came twice
}

// ----------------------------------------------------------------------------------- attempts
void LoginFlow::watch(const std::string& id, unsigned step) {
  const auto attempt = attempts_.find(id);
  if (attempt == attempts_.end()) return;
  attempt->second.change.reset();
  attempt->second.change = sign_in_->when_changed(id, step, [this, id] { attempt_changed(id); });
}

void LoginFlow::attempt_changed(const std::string& id) {
  const auto attempt = attempts_.find(id);
  if (attempt == attempts_.end()) return;
  const auto view = sign_in_->find(id);
  if (view && view->state != SshSignIn::State::kFailed) return watch(id, view->step);
  const Attempt over = std::move(attempt->second);
  attempts_.erase(attempt);
  if (!view) return;
  // Only wrong answers count: a cluster that is down is nobody's guess.
  if (view->error && view->error->code == Errc::kUnauthorized) {
    throttle_.failed(over.user, over.address);
  }
  audit_.login_failed(over.user, "ssh", over.address,
                      view->error ? view->error->detail : std::string());
}

std::size_t LoginFlow::attempts_from(const std::string& address) const {
  return static_cast<std::size_t>(
      std::count_if(attempts_.begin(), attempts_.end(),
                    [&](const auto& one) { return one.second.address == address; }));
}

void LoginFlow::finish_attempt(const std::string& id, const Visit& visit, const Reply& reply) {
  const auto who = sign_in_->take(id);
  attempts_.erase(id);
  if (!who) {
    return reply(without_attempt(
        first_page(200, visit.next, "That attempt is over. Begin again with your name.")));
  }
  throttle_.succeeded(who->user);
  grant(who->user, "ssh", visit,
        [this, reply](LocalAnswer answer) { reply(without_attempt(std::move(answer))); });
}

// ---------------------------------------------------------------------------------------- login
void LoginFlow::grant(const std::string& user, std::string_view how, const Visit& visit,
                      const Reply& reply) {
  const auto refused = [this, visit](const Error& why) {
    return first_page(http_status(why.code), visit.next,
                      "The login could not be kept: " + why.detail + ". Try again.");
  };
  const auto asked =
      tokens_.create(user, TokenKind::kLogin, std::string(kLabel), now_() + options_.login_ms,
                     [this, alive = std::weak_ptr<bool>(alive_), user, how = std::string(how),
                      visit, reply, refused](const Result<NewToken>& made) {
                       if (alive.expired()) return;
                       if (!made) return reply(refused(made.error()));
                       audit_.login(user, how, visit.address);
                       auto answer = see_other(visit.next);
                       answer.fields.emplace_back(
                           "Set-Cookie", cookies_.set_login(made->text, options_.login_ms / 1000));
                       reply(std::move(answer));
                     });
  if (!asked) reply(refused(asked.error()));
}

std::optional<LocalAnswer> LoginFlow::must_wait(const std::string& user,
                                                const std::string& address) const {
  const auto wait = throttle_.wait_ms(user, address);
  if (wait == 0) return std::nullopt;
  return login_throttled_page(wait);
}

LocalAnswer LoginFlow::back_to_login(const std::string& next) const {
  return see_other(next == "/" ? "/login" : "/login?next=" + escape_query(next));
}

LocalAnswer LoginFlow::without_attempt(LocalAnswer answer) const {
  answer.fields.emplace_back("Set-Cookie", cookies_.clear_attempt());
  return answer;
}

// --------------------------------------------------------------------------------------- logout
Decision LoginFlow::logout(const RequestHead& head, const ClientInfo& client,
                           const Caller& caller) {
  const bool navigation = is_navigation(head);
  if (caller.by == Caller::By::kHeader) return proxy_logout_page(caller.user);
  if (caller.by != Caller::By::kCookie) {
    return error_answer(
        400, "a token is no login; \"hpc-manager tokens revoke\" makes it worthless", navigation);
  }
  if (head.method == "GET" || head.method == "HEAD") return logout_page(caller.user);
  if (head.method != "POST") return not_allowed(navigation);
  const auto address = proxies_.client_address(head.fields, client.peer_address);
  return answer_later([this, caller, address](const Reply& reply) {
    auto bye = see_other("/login");
    bye.fields.emplace_back("Set-Cookie", cookies_.clear_login());
    audit_.logout(caller.user, address);
    // Not good from now on in any case; the answer waits until a restart will not undo it.
    const auto asked =
        tokens_.revoke(caller.user, caller.token_id, [reply, bye](const Status& stored) {
          if (stored) return reply(bye);
          auto worse = problem_answer(
              503,
              "signed out, but that could not be stored: after a restart of the service the "
              "login may be good again; sign in and out then");
          worse.fields.push_back(bye.fields.back());
          reply(std::move(worse));
        });
    if (!asked) reply(bye);
  });
}

}  // namespace hpc
