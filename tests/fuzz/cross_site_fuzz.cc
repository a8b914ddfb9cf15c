// Whole requests under the cross-site rule: a page of another site never passes, however it asks.
#include "common/cross_site.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/parse_probe.h"

namespace hpc {
namespace {

void check(const RequestHead& head) {
  if (!passes_cross_site_rule(head, {})) return;
  const auto site = head.fields.find("Sec-Fetch-Site");
  const auto origin = head.fields.find("Origin");
  require(!head.host.empty() && head.host.find('@') == std::string::npos, "a Host of ours");
  require(head.fields.count("Sec-Fetch-Site") <= 1 && head.fields.count("Origin") <= 1,
          "said once");
  if (origin && (!site || head.websocket_upgrade)) {
    require(equals_ignoring_case(origin->substr(0, 7), "http://"), "an Origin of our scheme");
    require(origin->size() > 7, "an Origin with a host");
  }
  if (site && site != "same-origin" && site != "none") {
    require(head.method == "GET" && !head.websocket_upgrade, "other sites only navigate");
    require(head.fields.find("Sec-Fetch-Mode") == "navigate", "mode navigate");
    require(head.fields.find("Sec-Fetch-Dest") == "document", "top level");
  }
}

}  // namespace
}  // namespace hpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  for (const auto& message : parse_whole({}, fuzz_text(data, size)).messages) {
    check(message.request);
  }
  return 0;
}
