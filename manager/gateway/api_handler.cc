#include "manager/gateway/api_handler.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/answers.h"
#include "manager/gateway/api_answers.h"
#include "manager/gateway/api_requests.h"
#include "manager/gateway/event_stream.h"
#include "manager/gateway/session_ports.h"
#include "manager/session/json.h"
#include "manager/session/session_json.h"

namespace hpc {

namespace {

// Since when /sessions/current is deprecated: it never was anything else (2026-03-01).
constexpr const char* kCurrentDeprecated = "@1772323200";
constexpr const char* kCurrentSuccessor = "</api/v1/sessions/active>; rel=\"successor-version\"";

LocalAnswer session_answer(int status, const SessionInfo& info) {
  return json_answer(status, session_json(info) + "\n");
}

LocalAnswer accepted_answer(const Result<SessionInfo>& info) {
  return info ? session_answer(202, *info) : error_problem(info.error());
}

LocalAnswer created_answer(const Result<SessionInfo>& info) {
  auto answer = accepted_answer(info);
  if (info) answer.fields.emplace_back("Location", "/api/v1/sessions/" + info->row.id);
  return answer;
}

LocalAnswer no_call_answer(const ApiRoute& route) {
  if (route.allow.empty()) return problem_answer(404, "there is no such call in this API");
  auto answer = problem_answer(405, "this call takes " + route.allow);
  answer.fields.emplace_back("Allow", route.allow);
  return answer;
}

}  // namespace

ApiHandler::ApiHandler(Sessions& sessions, EventLog& events, TokenTable& tokens,
                       Scheduler& scheduler, UnixClock now, AuditLog* audit)
    : sessions_(sessions),
      events_(events),
      tokens_(tokens),
      scheduler_(scheduler),
      token_calls_(tokens, std::move(now), audit),
      audit_(audit) {}

Decision ApiHandler::handle(const RequestHead& head, const Caller& caller,
                            bool passes_cross_site_rule) {
  const auto route = find_api_route(head.method, head.target);
  const Asked asked{head, route, caller, passes_cross_site_rule};
  if (auto refusal = refusal_of(authorize(caller, asked.access(Resource::kOwn)))) return *refusal;
  if (!route.call) return no_call_answer(route);
  return decide(asked);
}

Decision ApiHandler::decide(const Asked& asked) {
  switch (*asked.route.call) {
    case ApiCall::kListSessions:
      return list_sessions(asked);
    case ApiCall::kCreateSession:
      return create_session(asked);
    case ApiCall::kShowSession:
    case ApiCall::kEndSession:
    case ApiCall::kSessionPorts:
    case ApiCall::kSessionLog:
    case ApiCall::kSessionEvents:
    case ApiCall::kActivateSession:
    case ApiCall::kExtendSession:
      return with_session(asked);
    case ApiCall::kPortStats:
      if (auto refusal = refusal_of(authorize(asked.caller, asked.access(Resource::kAdmin)))) {
        return *refusal;
      }
      return port_stats();
    case ApiCall::kRevokeToken: {
      const std::string id(asked.route.id);
      const auto owner = tokens_.owner_of(id).value_or("");
      const auto access = asked.access(Resource::kSession, owner);
      if (auto refusal = refusal_of(authorize(asked.caller, access))) return *refusal;
      return token_calls_.revoke(id, asked.caller);
    }
    default:
      return with_user(asked);
  }
}

Decision ApiHandler::with_session(const Asked& asked) {
  const std::string id(asked.route.id);
  const auto info = sessions_.find(id);
  const auto owner = info ? info->row.key.user : std::string();
  const auto access = asked.access(Resource::kSession, owner);
  if (auto refusal = refusal_of(authorize(asked.caller, access))) return *refusal;
  if (!info) return nothing_there_answer();
  switch (*asked.route.call) {
    case ApiCall::kEndSession:
      return end_session(asked);
    case ApiCall::kSessionPorts:
      return session_ports(*info, sessions_, scheduler_);
    case ApiCall::kSessionLog:
      return session_log(asked);
    case ApiCall::kSessionEvents:
      return events(asked, id, "");
    case ApiCall::kActivateSession:
      return activate(asked);
    case ApiCall::kExtendSession:
      return extend(asked);
    default:
      return session_answer(200, *info);
  }
}

// Calls about what a user has: his own, or those of the user that an operator names.
Decision ApiHandler::with_user(const Asked& asked) {
  const auto subject = subject_of(asked.caller, asked.route.query, asked.cross_site_ok);
  if (subject.refusal) return *subject.refusal;
  const std::string& user = subject.user;
  switch (*asked.route.call) {
    case ApiCall::kListTokens:
      return token_calls_.list(user);
    case ApiCall::kCreateToken:
      if (!has_json_body(asked.head)) return no_json_answer();
      return token_calls_.create(asked.caller);
    case ApiCall::kQueue:
      return queue(user.empty() ? std::nullopt : std::optional(user));
    case ApiCall::kClusters:
      return clusters(user);
    default:
      break;
  }
  if (user.empty()) return whose_answer();
  switch (*asked.route.call) {
    case ApiCall::kActiveSession:
      return active(user);
    case ApiCall::kCurrentSession:
      return current(user);
    case ApiCall::kAllEvents:
      return events(asked, "", user);
    default:
      return nothing_there_answer();
  }
}

LocalAnswer ApiHandler::list_sessions(const Asked& asked) const {
  if (query_value(asked.route.query, "all") == "1") {
    auto refusal = refusal_of(authorize(asked.caller, asked.access(Resource::kAdmin)));
    return refusal ? *refusal : sessions_answer(sessions_.list(std::nullopt));
  }
  const auto subject = subject_of(asked.caller, asked.route.query, asked.cross_site_ok);
  if (subject.refusal) return *subject.refusal;
  if (subject.user.empty()) return sessions_answer(sessions_.list(std::nullopt));
  return sessions_answer(sessions_.list(subject.user));
}

LocalAnswer ApiHandler::queue(const std::optional<std::string>& user) const {
  auto waiting = sessions_.list(user);
  std::erase_if(waiting,
                [](const SessionInfo& one) { return one.row.state != SessionState::kQueued; });
  const auto position = [](const SessionInfo& one) {
    return one.queue_position.value_or(std::numeric_limits<unsigned>::max());
  };
  std::stable_sort(waiting.begin(), waiting.end(),
                   [&](const auto& a, const auto& b) { return position(a) < position(b); });
  return sessions_answer(waiting);
}

LocalAnswer ApiHandler::active(const std::string& user) const {
  const auto info = sessions_.active_of(user);
  if (info) return session_answer(200, *info);
  return problem_answer(404, "no session is active; make one with POST .../sessions/ID/activate");
}

LocalAnswer ApiHandler::current(const std::string& user) const {
  const auto all = sessions_.list(user);
  const auto found = std::find_if(all.begin(), all.end(), [](const SessionInfo& one) {
    return one.row.state == SessionState::kRunning;
  });
  auto answer = found != all.end() ? session_answer(200, *found)
                                   : problem_answer(404, "no session is running");
  answer.fields.emplace_back("Deprecation", kCurrentDeprecated);  // RFC 9745
  answer.fields.emplace_back("Link", kCurrentSuccessor);
  return answer;
}

LocalAnswer ApiHandler::clusters(const std::string& user) const {
  const auto all = sessions_.clusters(user);
  JsonPtr list(cJSON_CreateArray());
  for (const auto& one : all) {
    JsonPtr cluster(cJSON_CreateObject());
    add_text(cluster.get(), "name", one.name);
    add_text(cluster.get(), "host", one.host);
    add_text(cluster.get(), "login", one.login);
    add_text_or_null(cluster.get(), "trouble", one.trouble);
    append_value(list.get(), std::move(cluster));
  }
  const JsonPtr object(cJSON_CreateObject());
  add_number(object.get(), "count", all.size());
  add_value(object.get(), "clusters", std::move(list));
  return json_answer(200, json_line(object.get()) + "\n");
}

LocalAnswer ApiHandler::port_stats() const {
  const auto report = sessions_.port_report();
  JsonPtr ranges(cJSON_CreateObject());
  for (const auto& [name, stats] : report ? report->ranges : std::map<std::string, PortStats>()) {
    JsonPtr range(cJSON_CreateObject());
    add_number(range.get(), "allocated", stats.allocated);
    add_number(range.get(), "available", stats.available);
    add_number(range.get(), "total", stats.total);
    add_value(ranges.get(), name.c_str(), std::move(range));
  }
  const JsonPtr object(cJSON_CreateObject());
  add_value(object.get(), "ranges", std::move(ranges));
  add_number_or_null(object.get(), "max_sessions",
                     report ? std::optional<std::uint64_t>(report->max_sessions) : std::nullopt);
  return json_answer(200, json_line(object.get()) + "\n");
}

Decision ApiHandler::create_session(const Asked& asked) {
  if (!has_json_body(asked.head)) return no_json_answer();
  const bool admin = authorize(asked.caller, asked.access(Resource::kAdmin)) == Allowed::kYes;
  const auto create = [this, admin, caller = asked.caller](const std::string& body,
                                                           const Reply& reply) {
    auto wanted = parse_new_session(body);
    if (!wanted) return reply(error_problem(wanted.error()));
    std::string user = caller.user;
    if (auto refusal = take_named_user(wanted->user, admin, user)) return reply(*refusal);
    wanted->user = user;
    sessions_.create(*wanted, [this, reply, who = who_is(caller)](const auto& info) {
      note("created", info, who);
      reply(created_answer(info));
    });
  };
  return Serve{collect_body(kApiBodyBytesMax, create)};
}

Decision ApiHandler::end_session(const Asked& asked) {
  const auto end = [this, id = std::string(asked.route.id), who = who_is(asked.caller)](
                       const std::string&, const Reply& reply) {
    sessions_.end(id, [this, reply, who](const auto& info) {
      note("ended", info, who);
      reply(accepted_answer(info));
    });
  };
  return Serve{collect_body(kApiBodyBytesMax, end)};
}

Decision ApiHandler::activate(const Asked& asked) {
  const auto make_active = [this, id = std::string(asked.route.id), who = who_is(asked.caller)](
                               const std::string&, const Reply& reply) {
    sessions_.activate(id, [this, reply, who](const auto& info) {
      note("activated", info, who);
      reply(info ? session_answer(200, *info) : error_problem(info.error()));
    });
  };
  return Serve{collect_body(kApiBodyBytesMax, make_active)};
}

Decision ApiHandler::extend(const Asked& asked) {
  if (!has_json_body(asked.head)) return no_json_answer();
  const auto more = [this, id = std::string(asked.route.id), who = who_is(asked.caller)](
                        const std::string& body, const Reply& reply) {
    const auto minutes = parse_extend_request(body);
    if (!minutes) return reply(error_problem(minutes.error()));
    sessions_.extend(id, *minutes, [this, reply, who](const auto& info) {
      note("extended", info, who);
      reply(accepted_answer(info));
    });
  };
  return Serve{collect_body(kApiBodyBytesMax, more)};
}

Decision ApiHandler::session_log(const Asked& asked) {
  LogSource source;
  source.session = std::string(asked.route.id);
  source.follow = query_value(asked.route.query, "follow") == "1";
  source.head_only = asked.head.method == "HEAD";
  source.still_allowed = [this, caller = asked.caller] { return still_good(caller); };
  return Serve{make_log_stream(sessions_, scheduler_, log_followers_, std::move(source))};
}

void ApiHandler::note(std::string_view what, const Result<SessionInfo>& info,
                      const std::string& who) const {
  if (info && audit_ != nullptr) audit_->session(what, info->row.key, info->row.id, who);
}

Decision ApiHandler::events(const Asked& asked, const std::string& session,
                            const std::string& user) {
  const auto after = last_event_number(asked.head.fields, asked.route.query);
  if (!after) return error_problem(after.error());
  EventSource source;
  source.session = session;
  source.user = user;
  source.after = *after;
  source.head_only = asked.head.method == "HEAD";
  source.still_allowed = [this, caller = asked.caller] { return still_good(caller); };
  return Serve{make_event_stream(events_, scheduler_, std::move(source))};
}

bool ApiHandler::still_good(const Caller& caller) const {
  return caller.token_id.empty() || tokens_.is_good(caller.user, caller.token_id);
}

}  // namespace hpc
