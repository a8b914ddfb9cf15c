#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_handler.h"
#include "manager/gateway/authorize.h"
#include "manager/session/session_info.h"

namespace hpc {

// The answers that several calls of the API share.

/// The refusal for what authorize() does not allow; nothing for kYes. kHidden is
/// nothing_there_answer().
std::optional<LocalAnswer> refusal_of(Allowed allowed);
/// For what does not exist and for what is somebody else's: the same bytes.
LocalAnswer nothing_there_answer();
/// The problem that says what went wrong, with the status of common/http_status.h.
LocalAnswer error_problem(const Error& error);
/// {"count":n,"sessions":[...]}
LocalAnswer sessions_answer(const std::vector<SessionInfo>& sessions);

/// Is the body declared as JSON? A page of another site cannot send that without asking first
/// (Fetch, 4.8: it is no "simple" request).
bool has_json_body(const RequestHead& head);
LocalAnswer no_json_answer();

/// Whose things a call is about, as its query (`user=NAME`) and the caller say.
struct Subject {
  std::string user;                    // empty: an operator who has named nobody
  std::optional<LocalAnswer> refusal;  // he may not ask about this user
};
Subject subject_of(const Caller& caller, std::string_view query, bool cross_site_ok);
/// For an operator who has named nobody.
LocalAnswer whose_answer();

/// The member "user" of a body: puts it into `user`, which holds the caller's own (empty: an
/// operator), or says why it cannot be.
std::optional<LocalAnswer> take_named_user(const std::string& named, bool may_name_others,
                                           std::string& user);

}  // namespace hpc
