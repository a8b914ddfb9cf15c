// One field value in each rewriter, for one of the ways in (first byte): what comes out is longer
// by no more than a prefix, is not rewritten again, and keeps an app's cookies under its prefix.
#include <string>

#include "common/http_head.h"
#include "common/http_rules.h"
#include "node-proxy/rewrite_cookie.h"
#include "node-proxy/rewrite_location.h"
#include "node-proxy/rewrite_request.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/rewrite_cases.h"

namespace hpc {
namespace {

// Every rewriter's answer is the value with names swapped: nothing of its bytes makes it longer.
constexpr std::size_t kOriginBytesMax = 64;

bool below(std::string_view path, const RewriteContext& context) {
  return path == context.prefix || path.starts_with(context.prefix + "/");
}

void check_location(std::string_view text, const RewriteContext& context) {
  const auto out = rewrite_location(text, context);
  if (!out) {
    require(!is_path_absolute(text) || is_under_prefix(text, context.prefix), "paths are ours");
    return;
  }
  require(out->size() <= text.size() + context.prefix.size() + 1, "one prefix more");
  require(!rewrite_location(*out, context), "once");
  const auto url = parse_host_url(*out);
  require(is_path_absolute(*out) || (url && names_external(*url, context)), "our origin");
  require(is_under_prefix(url ? url->rest : std::string_view(*out), context.prefix), "our prefix");
}

void check_refresh(std::string_view text, const RewriteContext& context) {
  const auto out = rewrite_refresh(text, context);
  if (!out) return;
  require(out->size() <= text.size() + context.prefix.size() + 1, "one prefix more");
  require(out->front() == text.front() && out->front() != ';', "the seconds stay");
}

void check_request(std::string_view text, const RewriteContext& context) {
  const auto origin = rewrite_origin(text, context);
  require(!origin || *origin == "http://localhost:5500", "the app's origin");
  const auto referer = rewrite_referer(text, context);
  if (!referer) return;
  require(referer->starts_with("http://localhost:5500/"), "a page of the app");
  require(referer->size() <= text.size() + kOriginBytesMax, "no longer");
  require(text.find(context.prefix) != std::string_view::npos, "was under the prefix");
}

void check_set_cookie(std::string_view text, const RewriteContext& context) {
  const std::string out = rewrite_set_cookie(text, context);
  require(out.size() <= text.size() + context.prefix.size() + kOriginBytesMax, "one prefix more");
  require(!trim_blanks(out).starts_with("__Host-"), "no cookie that wants the whole host");
  require(rewrite_set_cookie(out, context) == out, "once");
  std::size_t paths = 0;
  for (std::size_t at = out.find(';'); at != std::string::npos; at = out.find(';', at + 1)) {
    const std::string_view piece =
        std::string_view(out).substr(at + 1, out.find(';', at + 1) - at - 1);
    const std::size_t equals = piece.find('=');
    const std::string_view name = trim_blanks(piece.substr(0, equals));
    require(!equals_ignoring_case(name, "Domain"), "no Domain");
    if (!equals_ignoring_case(name, "Path")) continue;
    ++paths;
    require(
        equals != std::string_view::npos && below(trim_blanks(piece.substr(equals + 1)), context),
        "Path under the prefix");
  }
  require(paths <= 1 && (paths == 1 || !context.bare_prefix), "one Path");
}

void check_cookie(std::string_view text) {
  const auto out = rewrite_cookie(text);
  if (!out) return;
  require(out->size() <= 2 * text.size() + 2, "at most twice");
  require(out->find("__Host-") != std::string::npos, "changed for a reason");
}

}  // namespace
}  // namespace hpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  if (size == 0) return 0;
  auto context = context_of(kWaysIn[data[0] % std::size(kWaysIn)]);
  context.bare_prefix = data[0] >= 128;
  context.bare_root = data[0] % 2 == 1;
  // A field value as the parser lets it in: no control bytes but TAB, no blanks around it.
  std::string value(fuzz_text(data + 1, size - 1));
  for (char& c : value) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '\t';
  }
  const std::string_view text = trim_blanks(value);
  check_location(text, context);
  check_refresh(text, context);
  check_request(text, context);
  check_set_cookie(text, context);
  check_cookie(text);
  require(!redirects_to_bare_prefix(text, context.prefix + "/", context) ||
              !redirects_to_itself(text, context.prefix + "/", context),
          "with the slash or without");
  is_scope_under_prefix(text, context.prefix);
  return 0;
}
