#include "node-proxy/rewrite_location.h"

#include <algorithm>

#include "common/http_head.h"

namespace hpc {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

void skip_blanks(std::string_view text, std::size_t& at) {
  while (at < text.size() && is_blank(text[at])) ++at;
}

/// Behind the seconds and what separates them from the URL; the end of the text if there is none.
std::size_t end_of_seconds(std::string_view text) {
  std::size_t at = std::min(text.find_first_not_of("0123456789."), text.size());
  if (at == 0 || at == text.size()) return text.size();
  if (text[at] != ';' && text[at] != ',' && !is_blank(text[at])) return text.size();
  skip_blanks(text, at);
  if (at < text.size() && (text[at] == ';' || text[at] == ',')) ++at;
  skip_blanks(text, at);
  return at;
}

/// The path and what follows it of a value that is ours, whatever name it uses for us.
std::optional<std::string_view> own_path(std::string_view location, const RewriteContext& context) {
  if (is_path_absolute(location)) return location;
  const auto url = parse_host_url(location);
  if (!url || (!names_external(*url, context) && !names_app(*url, context))) return std::nullopt;
  return url->rest;
}

}  // namespace

std::optional<UrlEdit> edit_location(std::string_view location, const RewriteContext& context) {
  if (is_path_absolute(location)) {
    if (is_under_prefix(location, context.prefix)) return std::nullopt;
    return UrlEdit{0, 0, context.prefix};
  }
  const auto url = parse_host_url(location);
  if (!url) return std::nullopt;
  const bool under = is_under_prefix(url->rest, context.prefix);
  const std::string put = url->rest.starts_with('/') ? context.prefix : context.prefix + "/";
  const std::size_t end = url->origin.size();
  if (names_external(*url, context)) {
    if (under) return std::nullopt;
    return UrlEdit{end, end, put};
  }
  if (!names_app(*url, context)) return std::nullopt;
  return UrlEdit{0, end, under ? std::string() : put};
}

std::optional<std::string> rewrite_location(std::string_view location,
                                            const RewriteContext& context) {
  const auto edit = edit_location(location, context);
  if (!edit) return std::nullopt;
  std::string text(location);
  return text.replace(edit->begin, edit->end - edit->begin, edit->text);
}

std::optional<TextSpan> find_refresh_url(std::string_view refresh) {
  std::size_t at = end_of_seconds(refresh);
  if (equals_ignoring_case(refresh.substr(at, 3), "url")) {
    std::size_t value = at + 3;
    skip_blanks(refresh, value);
    if (value < refresh.size() && refresh[value] == '=') {
      at = value + 1;
      skip_blanks(refresh, at);
    }
  }
  if (at >= refresh.size()) return std::nullopt;
  const char quote = refresh[at];
  if (quote != '"' && quote != '\'') return TextSpan{at, refresh.size()};
  return TextSpan{at + 1, std::min(refresh.find(quote, at + 1), refresh.size())};
}

std::optional<std::string> rewrite_refresh(std::string_view refresh,
                                           const RewriteContext& context) {
  const auto span = find_refresh_url(refresh);
  if (!span) return std::nullopt;
  const auto url = rewrite_location(refresh.substr(span->begin, span->end - span->begin), context);
  if (!url) return std::nullopt;
  std::string text(refresh.substr(0, span->begin));
  return text.append(*url).append(refresh.substr(span->end));
}

bool redirects_to_itself(std::string_view location, std::string_view external_target,
                         const RewriteContext& context) {
  const auto path = own_path(location, context);
  return path && path->substr(0, path->find('#')) == external_target;
}

bool redirects_to_bare_prefix(std::string_view location, std::string_view external_target,
                              const RewriteContext& context) {
  auto path = own_path(location, context);
  if (!path || !path->starts_with(context.prefix)) return false;
  const std::string_view query = path->substr(0, path->find('#')).substr(context.prefix.size());
  return (query.empty() || query.front() == '?') &&
         external_target == (context.prefix + "/").append(query);
}

bool is_scope_under_prefix(std::string_view scope, std::string_view prefix) {
  if (!scope.starts_with(prefix)) return false;
  std::string_view rest = scope.substr(prefix.size());
  if (!rest.starts_with('/')) return false;
  // Browsers read '\' as '/' and leave out TABs; neither has a place in an honest scope.
  const bool plain = std::all_of(rest.begin(), rest.end(),
                                 [](char c) { return c > ' ' && c <= '~' && c != '\\'; });
  if (!plain) return false;
  return !has_dot_segment(rest.substr(0, rest.find_first_of("?#")));
}

}  // namespace hpc
