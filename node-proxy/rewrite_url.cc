#include "node-proxy/rewrite_url.h"

#include <algorithm>

#include "common/http_head.h"
#include "node-proxy/app_target.h"

namespace hpc {

namespace {

constexpr std::string_view kAppHosts[] = {"localhost", "127.0.0.1", "[::1]", "0.0.0.0"};

bool is_web_scheme(std::string_view scheme) { return scheme == "http" || scheme == "https"; }

}  // namespace

bool is_path_absolute(std::string_view text) {
  return text.starts_with('/') && !text.starts_with("//");
}

bool names_external(const HostUrl& url, const RewriteContext& context) {
  if (!is_web_scheme(context.external_scheme)) return false;
  if (!url.scheme.empty() && !equals_ignoring_case(url.scheme, context.external_scheme)) {
    return false;
  }
  const auto named = parse_authority(url.authority);
  const auto ours = parse_authority(context.external_host);
  return named && ours && same_authority(*named, *ours, context.external_scheme);
}

bool names_app(const HostUrl& url, const RewriteContext& context) {
  const auto named = parse_authority(url.authority);
  if (!named) return false;
  const bool secure = equals_ignoring_case(url.scheme, "https");
  const unsigned port = named->port != 0 ? named->port : default_port(secure ? "https" : "http");
  // An app on a Unix socket has no port: it calls itself by none.
  const unsigned own = context.port != 0 ? context.port : default_port("http");
  return port == own && std::any_of(std::begin(kAppHosts), std::end(kAppHosts), [&](auto host) {
           return equals_ignoring_case(named->host, host);
         });
}

bool is_under_prefix(std::string_view rest, std::string_view prefix) {
  if (!rest.starts_with(prefix)) return false;
  const std::string_view tail = rest.substr(prefix.size());
  return tail.empty() || tail.front() == '/' || tail.front() == '?' || tail.front() == '#';
}

std::string with_prefix(std::string_view rest, std::string_view prefix) {
  std::string path(prefix);
  if (!rest.starts_with('/')) path += '/';
  return path.append(rest);
}

std::string app_origin(const RewriteContext& context) { return "http://" + app_host(context.port); }

}  // namespace hpc
