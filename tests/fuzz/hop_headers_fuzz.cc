// Connection fields, one a line: what they name ends here, but what safety rests on.
#include "common/hop_headers.h"
#include "common/http_rules.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  auto text = fuzz_text(data, size);
  FieldList fields;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
    fields.add("Connection", trim_blanks(line));
  }
  const HopFields hop(fields);
  for (const auto* name : {"Connection", "Transfer-Encoding", "Content-Length", "TE", "Upgrade"}) {
    require(hop.ends_here(name), "framing ends here");
  }
  for (const auto* name : {"Host", "Cookie", "Authorization", "X-Forwarded-For", "Forwarded",
                           "X-HPC-Proxy-Token", "Origin", "Sec-Fetch-Site"}) {
    require(!hop.ends_here(name), "what safety rests on goes on");
  }
  for (const auto* name : {"X-One", "Accept", "keep-alive2"}) {
    require(hop.ends_here(name) == lists_token(fields, "Connection", name), "what is named ends");
  }
  return 0;
}
