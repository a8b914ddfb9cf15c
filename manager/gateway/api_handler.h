#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "manager/gateway/api.h"
#include "manager/gateway/api_route.h"
#include "manager/gateway/api_tokens.h"
#include "manager/gateway/audit_log.h"
#include "manager/gateway/log_stream.h"
#include "manager/session/event_log.h"
#include "manager/session/scheduler.h"
#include "manager/session/sessions.h"
#include "manager/session/token_table.h"

namespace hpc {

/// The API of contract 2.4; docs/openapi.json says for each call what it takes and answers.
///
/// Whoever is not logged in learns nothing, not even which calls there are. What belongs to
/// somebody else is answered with the same bytes as what does not exist. An operator has no user of
/// his own: where a call is about one user's things he names the user (`?user=`, the member
/// "user"), which administrators may do, too.
///
/// Everything handed to the constructor must outlive it; it must outlive the exchanges of the
/// servers that use it.
class ApiHandler final : public Api {
 public:
  /// `audit`: is told of every change that was asked for and done; nullptr: nobody is.
  ApiHandler(Sessions& sessions, EventLog& events, TokenTable& tokens, Scheduler& scheduler,
             UnixClock now, AuditLog* audit = nullptr);
  Decision handle(const RequestHead& head, const Caller& caller,
                  bool passes_cross_site_rule) override;

 private:
  /// One request, while its head is looked at.
  struct Asked {
    const RequestHead& head;
    const ApiRoute& route;
    const Caller& caller;
    bool cross_site_ok;
    Access access(Resource resource, std::string_view owner = {}) const {
      return {resource, owner, cross_site_ok};
    }
  };
  Decision decide(const Asked& asked);
  Decision with_session(const Asked& asked);
  Decision with_user(const Asked& asked);

  LocalAnswer list_sessions(const Asked& asked) const;
  LocalAnswer queue(const std::optional<std::string>& user) const;
  LocalAnswer active(const std::string& user) const;
  LocalAnswer current(const std::string& user) const;
  LocalAnswer clusters(const std::string& user) const;
  LocalAnswer port_stats() const;
  Decision create_session(const Asked& asked);
  Decision end_session(const Asked& asked);
  Decision activate(const Asked& asked);
  Decision extend(const Asked& asked);
  Decision session_log(const Asked& asked);
  void note(std::string_view what, const Result<SessionInfo>& info, const std::string& who) const;
  Decision events(const Asked& asked, const std::string& session, const std::string& user);
  bool still_good(const Caller& caller) const;

  Sessions& sessions_;
  EventLog& events_;
  TokenTable& tokens_;
  Scheduler& scheduler_;
  ApiTokens token_calls_;
  LogFollowers log_followers_;
  AuditLog* const audit_;
};

}  // namespace hpc
