#include "manager/slurm/node_list.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace hpc {

namespace {

// A name holds at most this many bracket groups; more only costs time in a hostile list.
constexpr int kGroupsMax = 4;
// Digits in one number of a node name: what fits into 63 bits.
constexpr std::size_t kDigitsMax = 18;

std::optional<std::uint64_t> number(std::string_view digits) {
  if (digits.empty() || digits.size() > kDigitsMax) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

// "07" or "1-3" against the digits of a node name.
bool element_contains(std::string_view element, std::string_view digits) {
  const auto dash = element.find('-');
  if (dash == std::string_view::npos) return number(element).has_value() && element == digits;
  const auto low = number(element.substr(0, dash));
  const auto high = number(element.substr(dash + 1));
  const auto value = number(digits);
  if (!low || !high || !value || *value < *low || *value > *high) return false;
  // The low end's width is the least width of every name: 08..12 has "08", "12" but not "8".
  const std::size_t width = dash;
  return digits.size() == width || (digits.size() > width && digits.front() != '0');
}

bool ranges_contain(std::string_view ranges, std::string_view digits) {
  while (true) {
    const auto comma = ranges.find(',');
    if (element_contains(ranges.substr(0, comma), digits)) return true;
    if (comma == std::string_view::npos) return false;
    ranges.remove_prefix(comma + 1);
  }
}

bool name_matches(std::string_view pattern, std::string_view node, int groups_left) {
  const auto open = pattern.find('[');
  if (open == std::string_view::npos) return pattern == node;
  const auto close = pattern.find(']', open);
  if (close == std::string_view::npos || groups_left == 0) return false;
  if (node.substr(0, open) != pattern.substr(0, open)) return false;
  node.remove_prefix(open);
  const auto ranges = pattern.substr(open + 1, close - open - 1);
  const auto rest = pattern.substr(close + 1);
  for (std::size_t count = 1; count <= node.size() && count <= kDigitsMax; ++count) {
    if (node[count - 1] < '0' || node[count - 1] > '9') break;
    if (ranges_contain(ranges, node.substr(0, count)) &&
        name_matches(rest, node.substr(count), groups_left - 1)) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool node_list_contains(std::string_view list, std::string_view node) {
  if (node.empty()) return false;
  std::size_t begin = 0;
  bool in_brackets = false;
  for (std::size_t i = 0; i <= list.size(); ++i) {
    if (i < list.size() && list[i] == '[') in_brackets = true;
    if (i < list.size() && list[i] == ']') in_brackets = false;
    if (i < list.size() && (list[i] != ',' || in_brackets)) continue;
    if (name_matches(list.substr(begin, i - begin), node, kGroupsMax)) return true;
    begin = i + 1;
  }
  return false;
}

}  // namespace hpc
