// Request targets and forms of `serve`: a route lies inside its target, and nothing that a form
// names can lead to another host.
#include <string>

#include "manager/gateway/credentials.h"
#include "manager/gateway/form_fields.h"
#include "manager/gateway/serve_route.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

void check_route(const std::string& target) {
  using namespace hpc;
  const auto route = parse_serve_route(target);
  const auto prefix = session_app_prefix(target);
  require(target.starts_with(prefix), "the prefix is the target's front");
  require(route.user.has_value() == (route.kind == ServeRoute::Kind::kUser),
          "user goes with kUser");
  if (!prefix.empty()) require(route.kind == ServeRoute::Kind::kUser, "a prefix is a session's");
  if (!route.user) return;
  const auto& user = *route.user;
  require(target.starts_with(path_of(user.key)), "one session has one path");
  require(std::string(user.prefix) + std::string(user.rest) == target, "nothing is lost");
  if (!user.needs_slash) return;
  const auto again = parse_serve_route(with_slash(user.prefix, user.rest));
  require(again.user && again.user->key == user.key && !again.user->needs_slash,
          "the slash leads to the same place, once");
}

void check_form(const std::string& text) {
  using namespace hpc;
  const auto next = local_path(text);
  require(next == "/" || next == text, "a path is taken as it is or not at all");
  require(next.starts_with('/') && !next.starts_with("//"), "a path of this host");
  require(next.find_first_of("\\\r\n \t") == std::string::npos, "nothing that browsers fix");
  const auto form = FormFields::parse("a=" + escape_query(text));
  require(form && form->find("a") == text, "every value comes back");
  static_cast<void>(FormFields::parse(text));
  if (const auto token = own_bearer(text)) require(token->starts_with("hpm_"), "a token of ours");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = hpc::fuzz_text(data, size);
  check_route(std::string(text));
  check_form(std::string(text));
  return 0;
}
