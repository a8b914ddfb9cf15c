#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace hpc {

// A configuration file is written by a person.
constexpr std::size_t kTomlBytesMax = std::size_t{256} * 1024;

enum class TomlType : std::uint8_t { kText, kNumber, kBoolean, kTexts };

/// One `key = value` of a configuration file.
struct TomlEntry {
  std::string key;
  int line = 0;  // counted from 1, of the key
  TomlType type = TomlType::kText;
  std::vector<std::string> texts;  // the text, the number in decimal, "true" or "false"; the list

  bool operator==(const TomlEntry&) const = default;
};

/// Reads the part of TOML 1.0 that `hpc-manager.toml` is written in: comments, bare keys, texts
/// ("..." with escapes, '...' without), whole numbers, true, false, and lists of texts over as many
/// lines as they need. Strict, because a setting that is read in another way than it was meant
/// opens doors: kConfig with "line N: ..." for everything else of TOML (sections, dates,
/// fractions), for a key that stands there twice, and beyond kTomlBytesMax.
Result<std::vector<TomlEntry>> read_toml(std::string_view text);

}  // namespace hpc
