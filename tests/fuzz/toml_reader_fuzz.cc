// Configuration files: keys and values that are read are those of the text, whatever else it says.
#include <set>

#include "manager/toml_reader.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hpc;
  const auto text = fuzz_text(data, size);
  const auto entries = read_toml(text);
  if (!entries) {
    require(entries.error().code == Errc::kConfig, "the only error");
    require(!entries.error().detail.empty(), "says where");
    return 0;
  }
  std::set<std::string> keys;
  int line = 0;
  for (const auto& entry : *entries) {
    require(text.find(entry.key) != std::string_view::npos, "the key is in the text");
    require(keys.insert(entry.key).second, "no key twice");
    require(entry.line > line, "one key a line, in order");
    line = entry.line;
    require(entry.type == TomlType::kTexts || entry.texts.size() == 1, "one value");
  }
  return 0;
}
