// Packets between hpc-proxy and its keeper: what is read is what would have been written.
#include "node-proxy/run/keeper_message.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  const auto packet = fuzz_text(data, size);
  if (const auto message = decode_to_keeper(packet)) {
    const auto again = encode(*message);
    require(again.has_value() && *again == packet, "to the keeper: encodes to the same bytes");
  } else {
    require(message.error().code == Errc::kBadRequest, "to the keeper: a bad request");
  }
  if (const auto message = decode_from_keeper(packet)) {
    require(encode(*message) == packet, "from the keeper: encodes to the same bytes");
  } else {
    require(message.error().code == Errc::kBadRequest, "from the keeper: a bad request");
  }
  return 0;
}
