#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_handler.h"
#include "manager/session/ssh_sign_in.h"

namespace hpc {

// The pages of /login and /logout: plain forms that work without JavaScript. `next` is a path of
// this host (form_fields.h) to go on to; `message` says what went wrong, or is empty. Both are
// escaped here.

/// --auth token: asks for a token.
LocalAnswer token_login_page(int status, std::string_view next, std::string_view message);

/// --auth ssh: asks for the name, and for the cluster if there are several. `user` and `cluster`
/// are what was chosen before.
LocalAnswer ssh_login_page(int status, const std::vector<std::string>& clusters,
                           std::string_view user, std::string_view cluster, std::string_view next,
                           std::string_view message);
/// What the server asks, in its own words.
LocalAnswer ssh_question_page(int status, const SshSignIn::View& view, std::string_view next,
                              std::string_view message);
/// The server is being asked; the page asks again by itself.
LocalAnswer ssh_waiting_page(const SshSignIn::View& view, std::string_view next);

/// --auth header: the proxy in front of us does it.
LocalAnswer proxy_login_page(int status);

/// Who is logged in, with the way on and the way out.
LocalAnswer signed_in_page(std::string_view user, std::string_view next, bool can_sign_out);
LocalAnswer logout_page(std::string_view user);
/// --auth header: a logout here would be none.
LocalAnswer proxy_logout_page(std::string_view user);

/// 429 with Retry-After.
LocalAnswer login_throttled_page(std::uint64_t wait_ms);

/// 303, to be asked with GET; never kept.
LocalAnswer see_other(std::string location);

}  // namespace hpc
