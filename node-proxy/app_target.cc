#include "node-proxy/app_target.h"

#include <charconv>

#include "common/job_record.h"

namespace hpc {

Result<AppTarget> parse_app_target(std::string_view text) {
  if (!is_app_target(text)) {
    return fail(Errc::kUsage, "app",
                "must be a port from 1 to 65535, or unix: and the absolute path of a socket, at "
                "most 107 bytes");
  }
  constexpr std::string_view kUnix = "unix:";
  AppTarget target;
  if (text.starts_with(kUnix)) {
    target.socket_path = text.substr(kUnix.size());
  } else {
    std::from_chars(text.data(), text.data() + text.size(), target.port);
  }
  return target;
}

std::string app_name(std::uint16_t port) {
  return port == 0 ? "the app on its socket" : "the app on port " + std::to_string(port);
}

std::string connector_key(const AppTarget& target) {
  return target.port == 0 ? "unix:" + target.socket_path : std::to_string(target.port);
}

std::string app_host(std::uint16_t port) {
  return port == 0 ? "localhost" : "localhost:" + std::to_string(port);
}

}  // namespace hpc
