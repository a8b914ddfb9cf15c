#pragma once
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "node-proxy/rewrite_url.h"

namespace hpc {

/// The ways in that every row of the rewriters' tables is checked for.
struct WayIn {
  const char* name;
  const char* prefix;
  const char* scheme;
  const char* host;
  bool keep_prefix = false;
};
inline void PrintTo(const WayIn& way, std::ostream* os) { *os << way.name; }

constexpr WayIn kWaysIn[] = {
    {"direct", "/port/5500", "http", "127.0.0.1:9000"},
    {"direct_kept", "/absport/5500", "http", "127.0.0.1:9000", true},
    {"learnt", "/port/5500", "http", "[::1]:9000", true},
    {"manager", "/user/u/c/i/port/5500", "https", "hpc.example.org"},
    {"manager_kept", "/user/u/c/i/absport/5500", "https", "hpc.example.org", true},
};

inline RewriteContext context_of(const WayIn& way) {
  RewriteContext context;
  context.port = 5500;
  context.prefix = way.prefix;
  context.external_scheme = way.scheme;
  context.external_host = way.host;
  context.keep_prefix = way.keep_prefix;
  return context;
}

/// A row's text for one way in: {P} is the prefix, {O} the external origin, {H} its host.
inline std::string filled(std::string_view text, const WayIn& way) {
  const std::string origin = std::string(way.scheme) + "://" + way.host;
  std::string out;
  while (!text.empty()) {
    const std::string_view mark = text.substr(0, 3);
    if (mark == "{P}" || mark == "{O}" || mark == "{H}") {
      out += mark == "{P}" ? way.prefix : mark == "{O}" ? origin : std::string(way.host);
      text.remove_prefix(3);
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

/// One row: what goes in and what comes out; nullptr: it passes as it is.
struct RewriteCase {
  const char* name;
  const char* value;
  const char* rewritten = nullptr;
};
inline void PrintTo(const RewriteCase& c, std::ostream* os) { *os << c.name; }

inline std::optional<std::string> wanted(const RewriteCase& row, const WayIn& way) {
  if (row.rewritten == nullptr) return std::nullopt;
  return filled(row.rewritten, way);
}

}  // namespace hpc
