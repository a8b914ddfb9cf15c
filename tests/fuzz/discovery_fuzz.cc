// What a login node prints for the discovery script: hostile, and judged within its limits.
#include <algorithm>
#include <string>

#include "manager/session/discovery.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  // A marker of 64 digits is too long to guess: MARKER stands for it in the inputs.
  const std::string marker(64, '5');
  std::string text(fuzz_text(data, size));
  for (auto at = text.find("MARKER"); at != std::string::npos; at = text.find("MARKER", at)) {
    text.replace(at, 6, marker);
  }
  const auto report = parse_discovery_report(text, marker);
  if (!report) return 0;
  require(report->records.size() <= kRecordsMax, "records within their limit");
  require(report->jobs.size() <= kRunningJobsMax, "jobs within their limit");
  const auto candidates = choose_candidates(*report, std::nullopt);
  require(candidates.accepted.size() <= kCandidatesMax, "candidates within their limit");
  for (const auto& candidate : candidates.accepted) {
    require(!candidate.addresses.empty() && candidate.addresses.size() <= kAddressesMax,
            "addresses within their limit");
  }
  const auto text_for_user = explain_no_candidate(*report, candidates, std::nullopt);
  require(std::none_of(text_for_user.begin(), text_for_user.end(),
                       [](char c) { return c == '\x1b' || c == '\r' || c == '\0'; }),
          "no control bytes of the far end on the terminal");
  return 0;
}
