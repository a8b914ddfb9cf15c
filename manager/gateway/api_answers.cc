#include "manager/gateway/api_answers.h"

#include "common/answers.h"
#include "common/http_rules.h"
#include "common/http_status.h"
#include "manager/gateway/api_route.h"
#include "manager/session/session_json.h"

namespace hpc {

std::optional<LocalAnswer> refusal_of(Allowed allowed) {
  switch (allowed) {
    case Allowed::kYes:
      return std::nullopt;
    case Allowed::kLogIn: {
      auto answer = problem_answer(
          401,
          "you are not logged in; send \"Authorization: Bearer hpm_...\" with a token of yours");
      answer.fields.emplace_back("WWW-Authenticate", "Bearer");
      return answer;
    }
    case Allowed::kCrossSite:
      return problem_answer(403,
                            "another site's page asked for this with your login; programs use a "
                            "token instead");
    case Allowed::kHidden:
      break;
  }
  return nothing_there_answer();
}

LocalAnswer nothing_there_answer() {
  return problem_answer(404, "there is no such thing, or it is not yours");
}

LocalAnswer error_problem(const Error& error) {
  auto answer = problem_answer(http_status(error.code), error.detail);
  if (answer.status == 503) {
    answer.fields.emplace_back("Retry-After", std::to_string(kRetrySeconds));
  }
  return answer;
}

LocalAnswer sessions_answer(const std::vector<SessionInfo>& sessions) {
  const JsonPtr object(cJSON_CreateObject());
  add_number(object.get(), "count", sessions.size());
  JsonPtr list(cJSON_CreateArray());
  for (const SessionInfo& one : sessions) append_value(list.get(), session_value(one));
  add_value(object.get(), "sessions", std::move(list));
  return json_answer(200, json_line(object.get()) + "\n");
}

bool has_json_body(const RequestHead& head) {
  const auto type = head.fields.find("Content-Type");
  return type &&
         equals_ignoring_case(trim_blanks(type->substr(0, type->find(';'))), "application/json");
}

LocalAnswer no_json_answer() {
  return problem_answer(415, "the request's body must be \"Content-Type: application/json\"");
}

Subject subject_of(const Caller& caller, std::string_view query, bool cross_site_ok) {
  const auto named = query_value(query, "user");
  if (!named || *named == caller.user) return {caller.user, std::nullopt};
  auto refusal = refusal_of(authorize(caller, {Resource::kAdmin, {}, cross_site_ok}));
  if (!refusal && !is_session_name(*named)) {
    refusal = problem_answer(400, "\"user\" in the query is not a user's name");
  }
  return {std::string(*named), std::move(refusal)};
}

LocalAnswer whose_answer() {
  return problem_answer(400, "an operator has no sessions of his own: say whose with ?user=NAME");
}

std::optional<LocalAnswer> take_named_user(const std::string& named, bool may_name_others,
                                           std::string& user) {
  if (named.empty() && user.empty()) {
    return problem_answer(400, "\"user\" is missing: an operator says for whom this is");
  }
  if (named.empty() || named == user) return std::nullopt;
  if (!may_name_others) return problem_answer(403, "\"user\": you can name nobody but yourself");
  user = named;
  return std::nullopt;
}

}  // namespace hpc
