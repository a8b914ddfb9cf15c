// Request targets: a route is exactly prefix, port and rest, byte for byte.
#include <string>

#include "common/port_route.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  const auto target = fuzz_text(data, size);
  const auto route = parse_port_route(target);
  if (!route) {
    require(route.error().code == Errc::kNotFound, "no other refusal than not found");
    return 0;
  }
  require(route->port != 0, "port in range");
  require(std::string(route->prefix) + std::string(route->rest) == target, "nothing is lost");
  const std::string wanted =
      (route->keep_prefix ? "/absport/" : "/port/") + std::to_string(route->port);
  require(route->prefix == wanted, "prefix is canonical");
  const bool slash = route->rest.starts_with('/');
  require(slash != route->needs_slash, "a slash or the lack of it");
  require(slash || route->rest.empty() || route->rest.starts_with('?'), "rest begins well");
  return 0;
}
