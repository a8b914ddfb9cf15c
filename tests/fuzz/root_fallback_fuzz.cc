// Whole requests under the root fallback: wherever one is sent on to, it is below a prefix that the
// request names, and stays there when a browser resolves it.
#include "common/authority.h"
#include "common/own_cookies.h"
#include "common/port_route.h"
#include "common/root_fallback.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/parse_probe.h"

namespace hpc {
namespace {

constexpr RootFallbackRules kRules{9000, app_prefix};

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

void check_redirect(const RequestHead& head, std::string_view prefix, std::string_view target) {
  require(!has_dot_segment(path_of(target)), "a browser takes it as it is");
  require(head.fields.count("Referer") == 1, "one Referer");
  const auto referer = parse_host_url(*head.fields.find("Referer"));
  require(referer && equals_ignoring_case(referer->scheme, "http"), "a page");
  require(referer->authority.find('@') == std::string_view::npos, "no user name");
  require(referer->rest.starts_with(prefix), "under the prefix");
}

void check_upgrade(const RequestHead& head, std::string_view prefix) {
  const auto values = cookie_values(head.fields, last_app_cookie_name(kRules.listen_port));
  require(values.size() == 1 && values.front() == prefix, "one cookie, and nothing else in it");
}

bool is_never_an_apps(std::string_view path) {
  return path == "/login" || path == "/logout" || path.starts_with("/api/v1/") ||
         path.starts_with("/.hpc-proxy/") || path.starts_with("/.hpc-manager/");
}

void check(const RequestHead& head, bool navigation) {
  const auto fallback = find_root_fallback(head, navigation, kRules);
  if (!fallback) return;
  require(fallback->redirect == !head.websocket_upgrade, "an Upgrade is never redirected");
  const std::string_view target = fallback->target;
  const auto prefix = app_prefix(target);
  require(!prefix.empty() && target.substr(prefix.size()) == head.target, "prefix and target");
  require(target.substr(prefix.size()).starts_with('/'), "below the prefix");
  require(app_prefix(head.target).empty(), "not one that has a prefix");
  require(!is_never_an_apps(path_of(head.target)), "never an app's");
  if (fallback->redirect) {
    check_redirect(head, prefix, target);
  } else {
    check_upgrade(head, prefix);
  }
  RequestHead again = head;
  again.target = target;
  require(!find_root_fallback(again, navigation, kRules), "once");
}

}  // namespace
}  // namespace hpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  for (const auto& message : parse_whole({}, fuzz_text(data, size)).messages) {
    check(message.request, false);
    check(message.request, true);
  }
  return 0;
}
