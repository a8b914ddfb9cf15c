#include "manager/gateway/api_tokens.h"

#include <utility>
#include <vector>

#include "common/answers.h"
#include "manager/gateway/api_answers.h"
#include "manager/gateway/api_requests.h"
#include "manager/session/json.h"

namespace hpc {

namespace {

JsonPtr token_value(const std::string& user, const TokenView& token) {
  JsonPtr value(cJSON_CreateObject());
  add_text(value.get(), "id", token.id);
  add_text(value.get(), "user", user);
  add_text(value.get(), "kind", token.kind == TokenKind::kLogin ? "login" : "api");
  add_text(value.get(), "label", token.label);
  add_time(value.get(), "created_at", token.created_at);
  add_time(value.get(), "expires_at", token.expires_at);
  add_time(value.get(), "last_used_at", token.last_used_at);
  add_bool(value.get(), "revoked", token.revoked);
  return value;
}

}  // namespace

LocalAnswer ApiTokens::list(const std::string& user) {
  const auto users = user.empty() ? tokens_.users() : std::vector<std::string>{user};
  JsonPtr tokens(cJSON_CreateArray());
  std::size_t count = 0;
  for (const auto& one : users) {
    for (const TokenView& token : tokens_.list(one)) {
      append_value(tokens.get(), token_value(one, token));
      ++count;
    }
  }
  const JsonPtr object(cJSON_CreateObject());
  add_number(object.get(), "count", count);
  add_value(object.get(), "tokens", std::move(tokens));
  return json_answer(200, json_line(object.get()) + "\n");
}

Decision ApiTokens::create(const Caller& caller) {
  return Serve{collect_body(
      kApiBodyBytesMax,
      [=, this](const std::string& body, const Reply& reply) { make(caller, body, reply); })};
}

void ApiTokens::make(const Caller& caller, std::string_view body, const Reply& reply) {
  auto wanted = parse_token_request(body);
  if (!wanted) return reply(error_problem(wanted.error()));
  std::string user = caller.user;
  const bool may_name_others = caller.by == Caller::By::kOperator;
  if (auto refusal = take_named_user(wanted->user, may_name_others, user)) return reply(*refusal);
  std::optional<std::int64_t> expires_at;
  if (wanted->expires_in_s) {
    expires_at = now_() + static_cast<std::int64_t>(*wanted->expires_in_s) * 1000;
  }
  const auto done = [this, user, who = who_is(caller), reply](const Result<NewToken>& token) {
    if (token && audit_ != nullptr) audit_->token("created", user, token->id, who);
    reply(token ? made(user, *token) : error_problem(token.error()));
  };
  const auto accepted = tokens_.create(user, TokenKind::kApi, wanted->label, expires_at, done);
  if (accepted) return;
  Error error = accepted.error();
  // Too many tokens, that is; not too large a request.
  if (error.code == Errc::kTooLarge) error.code = Errc::kTooMany;
  reply(error_problem(error));
}

LocalAnswer ApiTokens::made(const std::string& user, const NewToken& token) {
  TokenView view;
  view.id = token.id;
  for (const TokenView& one : tokens_.list(user)) {
    if (one.id == token.id) view = one;
  }
  auto value = token_value(user, view);
  add_text(value.get(), "token", token.text);
  auto answer = json_answer(201, json_line(value.get()) + "\n");
  answer.fields.emplace_back("Location", "/api/v1/tokens/" + token.id);
  return answer;
}

Decision ApiTokens::revoke(const std::string& id, const Caller& caller) {
  const auto revoke = [this, id, who = who_is(caller)](const std::string&, const Reply& reply) {
    const auto owner = tokens_.owner_of(id);
    if (!owner) return reply(nothing_there_answer());  // revoked a moment ago
    const auto accepted = tokens_.revoke(*owner, id, [reply](const Status& status) {
      reply(status ? LocalAnswer{204, {{"Cache-Control", "no-store"}}, "", false}
                   : error_problem(status.error()));
    });
    // It is not good any more, whether that could be stored or not.
    if (audit_ != nullptr) audit_->token("revoked", *owner, id, who);
    if (!accepted) reply(error_problem(accepted.error()));
  };
  return Serve{collect_body(kApiBodyBytesMax, revoke)};
}

}  // namespace hpc
