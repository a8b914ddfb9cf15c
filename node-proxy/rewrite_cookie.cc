#include "node-proxy/rewrite_cookie.h"

#include "common/http_head.h"
#include "common/http_rules.h"

namespace hpc {

namespace {

constexpr std::string_view kHostMark = "__Host-";
constexpr std::string_view kSecureMark = "__Secure-";

/// Takes the next piece off a ';'-separated list. Call until `list` has no data.
std::string_view next_piece(std::string_view& list) {
  const std::size_t end = list.find(';');
  const std::string_view piece = list.substr(0, end);
  list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
  return piece;
}

struct Attribute {
  std::string_view name;
  std::string_view value;
};

Attribute parse_attribute(std::string_view piece) {
  const std::size_t equals = piece.find('=');
  if (equals == std::string_view::npos) return {trim_blanks(piece), {}};
  return {trim_blanks(piece.substr(0, equals)), trim_blanks(piece.substr(equals + 1))};
}

/// The Path that the browser would take, as the app sees it; "" where it would take none.
std::string_view effective_path(std::string_view attributes) {
  std::string_view path;
  while (attributes.data() != nullptr) {
    const auto attribute = parse_attribute(next_piece(attributes));
    if (equals_ignoring_case(attribute.name, "Path")) path = attribute.value;
  }
  return path.starts_with('/') ? path : std::string_view();
}

/// The Path to write; "" for none.
std::string external_path(std::string_view path, const RewriteContext& context) {
  if (path.empty() && !context.bare_prefix) return {};
  // Without the slash a cookie goes to the bare prefix and to what is below it, no further.
  if (path.size() < 2) return context.prefix + (context.bare_root ? "" : "/");
  const bool under = path == context.prefix || path.starts_with(context.prefix + "/");
  return under ? std::string(path) : with_prefix(path, context.prefix);
}

void append_pair(std::string& out, std::string_view pair) {
  const std::string_view trimmed = trim_blanks(pair);
  if (trimmed.starts_with(kHostMark)) {
    out.append(kSecureMark).append(trimmed.substr(kHostMark.size()));
  } else {
    out.append(pair);
  }
}

}  // namespace

std::string rewrite_set_cookie(std::string_view set_cookie, const RewriteContext& context) {
  std::string_view attributes = set_cookie;
  std::string out;
  append_pair(out, next_piece(attributes));
  std::string path = external_path(effective_path(attributes), context);
  const auto append_path = [&] {
    if (!path.empty()) out.append("; Path=").append(path);
    path.clear();
  };
  while (attributes.data() != nullptr) {
    const std::string_view piece = next_piece(attributes);
    const std::string_view name = parse_attribute(piece).name;
    if (equals_ignoring_case(name, "Path")) {
      append_path();
    } else if (!equals_ignoring_case(name, "Domain")) {
      out.append(";").append(piece);
    }
  }
  append_path();
  return out;
}

bool may_change_cookie(std::string_view cookie) {
  return cookie.find(kSecureMark) != std::string_view::npos;
}

std::optional<std::string> rewrite_cookie(std::string_view cookie) {
  if (!may_change_cookie(cookie)) return std::nullopt;
  std::string out;
  bool changed = false;
  std::string_view rest = cookie;
  while (rest.data() != nullptr) {
    const std::string_view pair = trim_blanks(next_piece(rest));
    if (pair.empty()) continue;
    if (!out.empty()) out += "; ";
    if (pair.starts_with(kSecureMark)) {
      out.append(kHostMark).append(pair.substr(kSecureMark.size())).append("; ");
      changed = true;
    }
    out.append(pair);
  }
  if (!changed) return std::nullopt;
  return out;
}

}  // namespace hpc
