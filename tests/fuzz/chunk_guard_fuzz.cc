// Chunk framing: cuts change nothing, and what goes to the decoder has no extension or trailer
// left.
#include <string>

#include "common/chunk_guard.h"
#include "tests/fuzz/fuzz_input.h"

namespace hpc {
namespace {

struct Walk {
  std::string decoded;
  std::size_t used = 0;
  std::size_t dropped = 0;
  bool done = false;
  bool refused = false;
};

Walk walk(std::string_view text, FuzzCuts* cuts) {
  ChunkGuard guard({.head_bytes_max = 1024, .fields_max = 8});
  Walk out;
  while (!text.empty() && !guard.done() && !out.refused) {
    auto piece = text.substr(0, cuts != nullptr ? cuts->next() : text.size());
    text.remove_prefix(piece.size());
    while (!piece.empty() && !guard.done() && !out.refused) {
      const auto run = guard.next(piece);
      require(run.size != 0 || !run.verdict, "it gets on");
      if (run.for_decoder) out.decoded += piece.substr(0, run.size);
      if (!run.for_decoder) out.dropped += run.size;
      out.used += run.size;
      piece.remove_prefix(run.size);
      out.refused = !run.verdict;
    }
  }
  out.done = guard.done();
  return out;
}

}  // namespace
}  // namespace hpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  const auto text = fuzz_text(data, size);
  const auto whole = walk(text, nullptr);
  FuzzCuts cuts(text);
  const auto pieces = walk(text, &cuts);
  require(whole.decoded == pieces.decoded && whole.used == pieces.used &&
              whole.done == pieces.done && whole.refused == pieces.refused,
          "cuts change nothing");
  if (whole.done) {
    const auto again = walk(whole.decoded, nullptr);
    require(again.done && again.dropped == 0 && again.decoded == whole.decoded,
            "what the decoder gets is plain chunks");
  }
  return 0;
}
