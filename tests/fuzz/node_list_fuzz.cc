// SLURM's node lists, a list and a node a line each: quick whatever they say.
#include "manager/slurm/node_list.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  const auto text = fuzz_text(data, size);
  const auto list = text.substr(0, text.find('\n'));
  const auto node = text.substr(list.size() == text.size() ? list.size() : list.size() + 1);
  const bool contained = node_list_contains(list, node);
  require(!contained || !node.empty(), "no empty node");
  require(!contained || !list.empty(), "nothing is in an empty list");
  return 0;
}
