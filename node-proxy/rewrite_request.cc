#include "node-proxy/rewrite_request.h"

namespace hpc {

std::optional<std::string> rewrite_origin(std::string_view origin, const RewriteContext& context) {
  const auto url = parse_host_url(origin);
  // An Origin has a scheme and nothing behind its host (RFC 6454, 7).
  if (!url || url->scheme.empty() || !url->rest.empty()) return std::nullopt;
  if (!names_external(*url, context)) return std::nullopt;
  return app_origin(context);
}

std::optional<std::string> rewrite_referer(std::string_view referer,
                                           const RewriteContext& context) {
  const auto url = parse_host_url(referer);
  if (!url || url->scheme.empty() || !names_external(*url, context)) return std::nullopt;
  if (!is_under_prefix(url->rest, context.prefix)) return std::nullopt;
  std::string text = app_origin(context);
  if (context.keep_prefix) return text.append(url->rest);
  const std::string_view own = url->rest.substr(context.prefix.size());
  if (!own.starts_with('/')) text += '/';
  return text.append(own);
}

}  // namespace hpc
