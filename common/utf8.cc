#include "common/utf8.h"

#include <cstdint>

namespace hpc {

namespace {

/// Characters that end a line or turn its direction round: what follows them would not be read as
/// it was written.
bool changes_the_line(std::uint32_t code) {
  return code == 0x2028 || code == 0x2029 || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::size_t printable_utf8_size(std::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  std::uint32_t code = first & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0U) != 0x80U) return 0;
    code = (code << 6U) | (next & 0x3FU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool well_formed =
      code >= kSmallest[size] && code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
  return well_formed && code >= 0xA0 && !changes_the_line(code) ? size : 0;
}

}  // namespace hpc
