// Requests on one connection: cuts change nothing, and what is let in can be read in one way only.
#include <string>

#include "common/http_rules.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/parse_probe.h"

namespace hpc {
namespace {

constexpr HttpLimits kLimits{.target_bytes_max = 256, .head_bytes_max = 2048, .fields_max = 32};

std::string render(const RequestHead& head, const std::string& body) {
  std::string out =
      head.method + " " + head.target + " HTTP/1." + std::to_string(head.version_minor) + "\r\n";
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    const Field field = head.fields[i];
    if (equals_ignoring_case(field.name, "Transfer-Encoding")) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (head.framing.kind == BodyKind::kChunked) {
    out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  }
  return out + "\r\n" + body;
}

void check_head(const RequestHead& head) {
  require(is_http_token(head.method) && judge_method(head.method).has_value(), "known method");
  require(head.target == "*" || head.target.starts_with('/'), "origin-form");
  require(end_of_run(head.target, 0, kTargetBytes) == head.target.size(), "clean target");
  require(head.target.size() <= kLimits.target_bytes_max + 1, "target within its limit");
  require(head.fields.size() <= kLimits.fields_max, "fields within their limit");
  require(head.host.empty() || is_valid_host(head.host), "valid host");
  require(head.fields.count("Host") <= 1, "one Host");
  require(head.fields.count("Content-Length") + head.fields.count("Transfer-Encoding") <= 1,
          "one way of framing");
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    require(is_http_token(head.fields[i].name), "clean name");
    const auto value = head.fields[i].value;
    require(end_of_run(value, 0, kValueBytes) == value.size(), "clean value");
    require(trim_blanks(value) == value, "value without blanks around it");
  }
}

// What we let in and write anew is let in again, as the same message.
void check_round_trip(const Parsed::Message& message) {
  const auto again = parse_whole({.limits = {}}, render(message.request, message.body));
  require(again.refusal == 0 && again.messages.size() == 1, "round trip is one request");
  require(again.messages[0].body == message.body, "round trip keeps the body");
  require(again.messages[0].request.target == message.request.target, "and the target");
  require(again.messages[0].request.host == message.request.host, "and the host");
  require(again.messages[0].request.keep_alive == message.request.keep_alive, "and keep-alive");
}

}  // namespace
}  // namespace hpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  const auto text = fuzz_text(data, size);
  const ParseProbe::Options options{.limits = kLimits};
  const auto whole = parse_whole(options, text);
  FuzzCuts cuts(text);
  require(parse_in_cuts(options, text, cuts).text() == whole.text(), "cuts change nothing");
  for (const auto& message : whole.messages) {
    check_head(message.request);
    if (message.ended) check_round_trip(message);
  }
  return 0;
}
