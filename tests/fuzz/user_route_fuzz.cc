// Request targets under a session's path: one session has one path, and nothing is lost.
#include <string>

#include "manager/gateway/user_route.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace hpc;

void check_path(std::string_view target) {
  const auto path = parse_session_path(target);
  if (!path) {
    require(!parse_user_route(target), "no route without a session");
    return;
  }
  require(std::string(path->prefix) + std::string(path->rest) == target, "nothing is lost");
  require(path_of(path->key) == path->prefix, "a session has one path");
  require(path->rest.empty() || path->rest[0] == '/' || path->rest[0] == '?', "rest begins well");
  require(is_session_name(path->key.user) && is_session_name(path->key.cluster) &&
              is_session_name(path->key.ide),
          "names");
  require(path->key.slot >= 1 && path->key.slot <= kSlotMax, "slot");
}

void check_route(std::string_view target) {
  const auto route = parse_user_route(target);
  if (!route) return;
  const auto path = parse_session_path(target);
  require(path && path->key == route->key, "the session of the path");
  require(route->upstream_rest == path->rest, "what goes upstream is the rest");
  require(std::string(route->prefix) + std::string(route->rest) == target, "nothing is lost");
  require(route->prefix.starts_with(path->prefix), "the prefix lies under the session");
  const bool slash = route->rest.starts_with('/');
  require(slash != route->needs_slash, "a slash or the lack of it");
  if (route->kind != UserRoute::Kind::kPort) {
    require(route->prefix == path->prefix, "only ports have a prefix of their own");
    for (const char* const port : {"/port/", "/absport/"}) {
      require(!route->upstream_rest.starts_with(port), "a mistyped port reaches no IDE");
    }
  }
}

/// Whatever may be a key comes back from its own path, with anything behind it.
void check_round_trip(std::string_view text) {
  SessionKey key;
  std::string* const names[] = {&key.user, &key.cluster, &key.ide};
  for (auto* name : names) {
    const auto end = text.find('/');
    *name = std::string(text.substr(0, end));
    if (!is_session_name(*name)) return;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  key.slot = 1 + static_cast<unsigned>(text.size()) % kSlotMax;
  for (const char* const rest : {"", "/", "?q", "/port/5500/x", "/~2"}) {
    const std::string target = path_of(key) + rest;
    const auto path = parse_session_path(target);
    require(path && path->key == key && path->rest == rest, "a key's path parses back to the key");
  }
  require(!parse_session_path(path_of(key) + "x") || key.slot != 1 ||
              parse_session_path(path_of(key) + "x")->key != key,
          "another path is another session");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto target = fuzz_text(data, size);
  check_path(target);
  check_route(target);
  check_round_trip(target);
  return 0;
}
