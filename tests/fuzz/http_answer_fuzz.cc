// An answer, to a GET, a HEAD and a WebSocket handshake: cuts change nothing, and what has no body
// by its rules has none.
#include "common/http_rules.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/parse_probe.h"

namespace hpc {
namespace {

void check(const ParseProbe::Options& options, std::string_view text) {
  const auto whole = parse_whole(options, text);
  FuzzCuts cuts(text);
  require(parse_in_cuts(options, text, cuts).text() == whole.text(), "cuts change nothing");
  std::size_t interim = 0;
  for (const auto& message : whole.messages) {
    const auto& head = message.response;
    require(head.status >= 100 && head.status <= 599, "status in range");
    require(head.status != 101 || options.upgrade_asked, "101 only if asked for");
    require(head.websocket_upgrade == (head.status == 101), "101 is a WebSocket");
    const bool bodiless =
        options.to_head || head.status < 200 || head.status == 204 || head.status == 304;
    require(!bodiless || message.body.empty(), "no body by the rules");
    require(head.framing.kind != BodyKind::kLength || !message.ended ||
                message.body.size() == head.framing.length,
            "body as long as said");
    require(head.framing.kind != BodyKind::kUntilClose || !head.keep_alive, "closed is not reused");
    if (head.interim() && head.status != 100 && head.status != 102) ++interim;
  }
  require(interim <= 5, "few interim answers");
}

}  // namespace
}  // namespace hpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  const auto text = fuzz_text(data, size);
  const HttpLimits limits{.head_bytes_max = 2048, .fields_max = 32};
  const auto kind = HttpParser::Kind::kResponse;
  check({.kind = kind, .limits = limits}, text);
  check({.kind = kind, .limits = limits, .to_head = true}, text);
  check({.kind = kind, .limits = limits, .upgrade_asked = true}, text);
  return 0;
}
