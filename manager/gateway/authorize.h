#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace hpc {

/// Who asks. Made from one request by Identity, and believed from then on.
struct Caller {
  enum class By : std::uint8_t {
    kNobody,
    kHeader,    // a trusted proxy names the user
    kBearer,    // a token in the request: no browser sends that by itself
    kCookie,    // a browser that has logged in
    kOperator,  // the Unix socket
  };
  By by = By::kNobody;
  std::string user;  // empty for nobody, and for an operator
  bool admin = false;
  std::string token_id;  // of kBearer and kCookie
};

/// What is asked for, as far as access goes.
enum class Resource : std::uint8_t {
  kPublic,   // /healthz, /readyz, /login: nobody's
  kOwn,      // what any user has: start page, list of sessions, own tokens, /port/N
  kTraffic,  // a session's apps: its owner's alone
  kSession,  // a session in the API: its owner's and an admin's
  kAdmin,    // /api/v1/admin, all users' sessions
};

struct Access {
  Resource resource = Resource::kAdmin;
  std::string_view owner;  // of kTraffic and kSession; empty: there is no such session
  // The browser's own word that no other site's page made it ask (cross_site.h); counts where the
  // browser adds the credentials by itself (cookie, or the trusted proxy's).
  bool passes_cross_site_rule = false;
};

enum class Allowed : std::uint8_t {
  kYes,
  kLogIn,      // 401, or the login page
  kHidden,     // 404, the same bytes as for what does not exist
  kCrossSite,  // 403
};

/// The one function that decides who may do what, for HTTP and Upgrade alike. Pure. Whatever it
/// does not know is not allowed.
Allowed authorize(const Caller& caller, const Access& access);

}  // namespace hpc
