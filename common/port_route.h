#pragma once
#include <cstdint>
#include <string_view>

#include "common/result.h"

namespace hpc {

/// A request target taken apart, matched on raw bytes (contract 1.3): nothing is decoded,
/// collapsed or normalised. Views into the target.
struct PortRoute {
  std::uint16_t port = 0;    // 1..65535; 0 from parse_app_route
  bool keep_prefix = false;  // /absport/, /absapp
  bool needs_slash = false;  // "/port/5500" or "/port/5500?q": answer 308 with the slash added
  std::string_view prefix;   // "/port/5500", without the slash that follows
  std::string_view rest;  // what the app is asked for: "/index.html?x"; "" or "?q" if needs_slash
};

/// kNotFound for whatever is not exactly /port/N or /absport/N followed by '/', '?' or nothing,
/// with N in plain decimal without leading zeros.
Result<PortRoute> parse_port_route(std::string_view target);

/// The same for the session's app: exactly /app or /absapp, followed by '/', '?' or nothing. Its
/// `port` is 0: what the app is stands in the record.
Result<PortRoute> parse_app_route(std::string_view target);

/// What stands in front of the app's own path: "/port/5500", "/absport/5500", "/app", "/absapp";
/// empty where neither route matches. A view into `target`.
std::string_view app_prefix(std::string_view target);

}  // namespace hpc
