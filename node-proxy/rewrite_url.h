#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/authority.h"

namespace hpc {

/// Where one forwarded request stands between the browser's names and the app's (contract 1.4).
/// The rewriters are pure functions over this and one field value.
struct RewriteContext {
  std::uint16_t port = 0;  // of the app, which calls itself localhost:PORT; 0: localhost
  std::string prefix;      // in front of the app's paths, as the browser sees it: "/port/5500";
                           // never empty, no slash at its end
  std::string external_scheme;  // as the browser sees us: "http" or "https"; others match nothing
  std::string external_host;    // "127.0.0.1:9000"
  bool keep_prefix = false;     // the app is asked for paths with the prefix
  // The request's path was the bare prefix ("/port/5500"), as of a WebSocket or with `bare_root`.
  // What a browser takes for the folder of that path is "/port", other apps included.
  bool bare_prefix = false;
  // The app's first page is at the bare prefix, and so are its cookies of "/".
  bool bare_root = false;
};

/// "/x", not "//host".
bool is_path_absolute(std::string_view text);

/// Does it name the origin that the browser uses for us?
bool names_external(const HostUrl& url, const RewriteContext& context);
/// Does it name the app as the app may see itself: localhost, 127.0.0.1, [::1] or 0.0.0.0 with its
/// port?
bool names_app(const HostUrl& url, const RewriteContext& context);

/// Is `rest`, a path with whatever follows it, the prefix or below it? Compared byte for byte.
bool is_under_prefix(std::string_view rest, std::string_view prefix);
/// The same path below the prefix: "/x" -> "/port/5500/x", "?x" -> "/port/5500/?x".
std::string with_prefix(std::string_view rest, std::string_view prefix);

/// "http://localhost:5500", or "http://localhost" of an app on a Unix socket, as the app sees its
/// own origin.
std::string app_origin(const RewriteContext& context);

}  // namespace hpc
